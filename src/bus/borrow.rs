//! The daemon's ears for an enrolment outside it: the microphone has one owner.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zbus::fdo::DBusProxy;
use zbus::{Connection, OwnedVariant};

use super::publish::DAEMON;
use super::{BusKind, NAME, PATH, builder, enrollment};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the daemon hears, and the claim on its enrolment; both end when this is dropped.
pub struct Borrowed {
    audio: File,
    bytes: Vec<u8>,
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
    /// The daemon's audio ended.
    #[error("the daemon ended")]
    Ended,
    /// It did not answer as it should.
    #[error("the daemon does not answer: {0}")]
    NoAnswer(#[from] zbus::Error),
    /// The system refused.
    #[error("the daemon's audio: {0}")]
    System(#[from] std::io::Error),
}

impl Borrowed {
    /// Claims the daemon's enrolment and follows what it hears from now on.
    pub fn open(kind: BusKind, address: Option<&str>) -> Result<Self, BorrowError> {
        zbus::block_on(async {
            let connection = builder(kind, address).method_timeout(PATIENCE).build().await;
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
            let audio = File::from(std::os::fd::OwnedFd::from(audio));
            Ok(Self { audio, bytes: vec![0; 8192], _connection: connection })
        })
    }

    /// Waits at most `timeout` for audio, and appends what came to `out`, 16 kHz mono in `[-1, 1]`. Returns how
    /// many samples, 0 if none came in time.
    pub fn read(&mut self, timeout: Duration, out: &mut Vec<f32>) -> Result<usize, BorrowError> {
        let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
        let mut ready = [PollFd::from_borrowed_fd(self.audio.as_fd(), PollFlags::IN)];
        if poll(&mut ready, Some(&timeout)).map_err(std::io::Error::from)? == 0 {
            return Ok(0);
        }
        let count = self.audio.read(&mut self.bytes)?;
        if count == 0 {
            return Err(BorrowError::Ended);
        }
        // The daemon writes whole samples.
        let pairs = self.bytes[..count].as_chunks().0;
        out.extend(pairs.iter().map(|pair| f32::from(i16::from_le_bytes(*pair)) / 32768.0));
        Ok(pairs.len())
    }
}

/// What a refusal means here.
fn understood(error: zbus::Error) -> BorrowError {
    let zbus::Error::MethodError(name, ..) = &error else { return error.into() };
    match name.as_str().rsplit('.').next() {
        Some("AlreadyClaimed") => BorrowError::Claimed,
        Some("NoAudio") => BorrowError::NobodyListens,
        // An older daemon.
        Some("UnknownMethod" | "UnknownInterface") => BorrowError::NobodyListens,
        _ => error.into(),
    }
}
