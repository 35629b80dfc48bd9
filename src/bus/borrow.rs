//! The daemon's ears for an enrolment outside it: the microphone has one owner.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::time::Duration;

use zbus::fdo::DBusProxy;
use zbus::{Connection, OwnedVariant};

use super::publish::DAEMON;
use super::{BusKind, NAME, PATH, builder, enrollment};
use crate::control::HandedAudio;

/// Longest wait for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// What the daemon hears, and the claim on its enrolment; both end when this is dropped.
pub struct Borrowed {
    audio: HandedAudio,
    /// With it ends the claim.
    _connection: Connection,
}

/// Why nothing can be borrowed.
#[derive(Debug, thiserror::Error)]
pub enum BorrowError {
    /// There is no bus, no daemon, or it has no microphone at present: it is in nobody's way.
    #[error("no daemon listens")]
    NobodyListens,
    /// Somebody else enrols.
    #[error("another program enrols through the daemon; try again when it is done")]
    Claimed,
    /// It did not answer as it should.
    #[error("the daemon does not answer: {0}")]
    NoAnswer(#[from] zbus::Error),
}

impl Borrowed {
    /// Claims the daemon's enrolment and follows what it hears from now on.
    pub fn open(kind: BusKind, address: Option<&str>) -> Result<Self, BorrowError> {
        zbus::block_on(async {
            let connection = builder(kind, address).method_timeout(CALL_TIMEOUT).build().await;
            let Ok(connection) = connection else { return Err(BorrowError::NobodyListens) };
            let bus = DBusProxy::new(&connection).await?;
            let running = bus.name_has_owner(NAME.try_into()?).await;
            if !running.map_err(zbus::Error::from)? {
                return Err(BorrowError::NobodyListens);
            }
            let claimed =
                connection.call_method(Some(NAME), PATH, Some(enrollment::INTERFACE), "Claim", &()).await;
            claimed.map_err(understood)?;
            let answer = connection.call_method(Some(NAME), PATH, Some(DAEMON), "OpenAudio", &(0u32,)).await;
            let body = answer.map_err(understood)?.body();
            let (audio, _): (zbus::OwnedFd, HashMap<String, OwnedVariant>) = body.deserialize()?;
            Ok(Self { audio: HandedAudio::new(OwnedFd::from(audio)), _connection: connection })
        })
    }

    /// As [`HandedAudio::read`].
    pub fn read(&mut self, timeout: Duration, out: &mut Vec<f32>) -> std::io::Result<usize> {
        self.audio.read(timeout, out)
    }
}

/// What a refusal means here.
fn understood(error: zbus::Error) -> BorrowError {
    let zbus::Error::MethodError(name, ..) = &error else { return error.into() };
    match name.as_str().rsplit('.').next() {
        Some("AlreadyClaimed") => BorrowError::Claimed,
        // Without a microphone, or too old to know of this.
        Some("NoAudio" | "UnknownMethod" | "UnknownInterface") => BorrowError::NobodyListens,
        _ => error.into(),
    }
}
