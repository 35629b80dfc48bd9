//! Where the takes of a dialogue come from: the running daemon, which owns the microphone, or the microphone.

use std::time::{Duration, Instant};

use wakeword::audio::capture::{Capture, CaptureError, CaptureOptions, Retry};
use wakeword::bus::{BorrowError, Borrowed, BusKind};
use wakeword::config::BusConfig;

/// A real microphone always has some noise: after so much digital silence it is taken for lost.
const DEAD: Duration = Duration::from_secs(3);
/// A daemon that hears passes audio on several times a second.
const PAUSE: Duration = Duration::from_secs(1);

/// What to listen to.
pub struct Ears {
    pub options: CaptureOptions,
    /// Where the daemon may be; absent if the microphone is to be opened in any case.
    pub daemon: Option<BusConfig>,
}

/// An open source of audio.
pub enum Source {
    Microphone(Box<Capture>),
    /// And since when there has been nothing else but digital silence, or nothing.
    Daemon(Borrowed, Instant),
}

/// Why none could be opened.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Microphone(#[from] CaptureError),
    #[error(transparent)]
    Daemon(#[from] BorrowError),
}

impl SourceError {
    /// Whether waiting cannot help.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Microphone(error) => error.retry() == Retry::Never,
            Self::Daemon(error) => matches!(error, BorrowError::Claimed),
        }
    }
}

impl Source {
    /// What the daemon hears; the microphone itself if no daemon listens.
    pub fn open(ears: &Ears) -> Result<Self, SourceError> {
        if let Some(bus) = ears.daemon.as_ref().filter(|bus| bus.kind != BusKind::Off) {
            match Borrowed::open(bus.kind, bus.address.as_deref()) {
                Ok(borrowed) => return Ok(Self::Daemon(borrowed, Instant::now())),
                Err(BorrowError::NobodyListens) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self::Microphone(Box::new(Capture::open(&ears.options)?)))
    }

    /// What it is, for people.
    pub fn name(&self) -> String {
        match self {
            Self::Microphone(capture) => format!("{} ({})", capture.device(), capture.format()),
            Self::Daemon(..) => "that of the running daemon".into(),
        }
    }

    /// Waits at most `timeout` for audio, and appends it to `out`. An error says in words why the source is
    /// lost; another may be opened.
    pub fn read(&mut self, timeout: Duration, out: &mut Vec<f32>) -> Result<(), String> {
        const DIGITAL: &str = "nothing but digital silence comes; is it muted?";
        match self {
            Self::Microphone(capture) => {
                capture.read(timeout, out).map_err(|error| error.to_string())?;
                if capture.health().dead_for < DEAD { Ok(()) } else { Err(DIGITAL.into()) }
            }
            Self::Daemon(borrowed, since) => {
                let start = out.len();
                let count = borrowed.read(timeout, out).map_err(|error| error.to_string())?;
                if out[start..].iter().any(|sample| *sample != 0.0) {
                    *since = Instant::now();
                }
                match since.elapsed() {
                    quiet if count == 0 && quiet >= PAUSE => Err("the daemon hears nothing".into()),
                    quiet if quiet >= DEAD => Err(DIGITAL.into()),
                    _ => Ok(()),
                }
            }
        }
    }
}
