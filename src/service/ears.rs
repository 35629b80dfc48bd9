//! What the listener hears: a microphone, which can be opened again and again, or standard input, which cannot.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::audio::capture::{Capture, CaptureError, CaptureOptions, Health, Realtime};
use crate::audio::{AudioErrorKind, Pipe, RawFormat, clock};

/// The source of audio, open or not.
pub enum Ears {
    Microphone(Option<Capture>),
    Pipe(StandardInput),
}

/// Why no more audio comes.
pub enum Deaf {
    /// The microphone is lost.
    Lost(CaptureError),
    /// Standard input ended, or cannot be read for this reason.
    Ended(Option<AudioErrorKind>),
}

/// Audio from another program.
pub struct StandardInput {
    input: File,
    /// What samples are without a header.
    format: RawFormat,
    /// Once the first bytes are there.
    pipe: Option<Pipe<File>>,
    /// Nobody is to hear it at the moment; it is read all the same, or who writes it would wait.
    muted: bool,
    ended: bool,
}

impl Ears {
    /// Hears standard input if `piped` says what it may hold, else the microphone that will be opened.
    pub fn new(piped: Option<RawFormat>) -> io::Result<Self> {
        let Some(format) = piped else { return Ok(Self::Microphone(None)) };
        let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Self::Pipe(StandardInput { input, format, pipe: None, muted: true, ended: false }))
    }

    /// Opens the microphone, instead of the one that is open; its name and format.
    pub fn open(&mut self, options: &CaptureOptions) -> Result<String, CaptureError> {
        match self {
            Self::Microphone(capture) => {
                // The old one first: a sound card may have but one user.
                *capture = None;
                let capture = capture.insert(Capture::open(options)?);
                Ok(format!("{} ({})", capture.device(), capture.format()))
            }
            Self::Pipe(pipe) => {
                pipe.muted = false;
                Ok("standard input".into())
            }
        }
    }

    pub fn close(&mut self) {
        match self {
            Self::Microphone(capture) => *capture = None,
            Self::Pipe(pipe) => pipe.muted = true,
        }
    }

    /// Whether audio comes that may be heard.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Microphone(capture) => capture.is_some(),
            Self::Pipe(pipe) => !pipe.muted && !pipe.ended,
        }
    }

    /// Whether there is nothing to read until something is ordered. What comes by a pipe waits there until somebody
    /// can judge it.
    pub fn rest(&self, judged: bool) -> bool {
        match self {
            Self::Microphone(capture) => capture.is_none(),
            Self::Pipe(pipe) => pipe.ended || !judged,
        }
    }

    /// Waits at most `wait` for audio, appends it to `out`; why no more will come, if so.
    pub fn read(&mut self, wait: Duration, out: &mut Vec<f32>) -> Result<(), Deaf> {
        match self {
            Self::Microphone(None) => Ok(()),
            Self::Microphone(Some(capture)) => match capture.read(wait, out) {
                Ok(_) => Ok(()),
                Err(error) => Err(Deaf::Lost(error)),
            },
            Self::Pipe(pipe) => {
                let more = pipe.read(wait, out);
                if pipe.muted {
                    out.clear();
                }
                let end = match more {
                    Ok(true) => return Ok(()),
                    Ok(false) => None,
                    Err(kind) => Some(kind),
                };
                pipe.ended = true;
                Err(Deaf::Ended(end))
            }
        }
    }

    /// When the next sample will be heard: CLOCK_MONOTONIC in microseconds.
    pub fn heard_us(&self) -> u64 {
        match self {
            Self::Microphone(Some(capture)) => capture.heard_us(),
            Self::Microphone(None) | Self::Pipe(_) => clock::monotonic_us(),
        }
    }

    /// How it is doing. A pipe loses nothing, and silence may be what was recorded.
    pub fn health(&self) -> Option<Health> {
        match self {
            Self::Microphone(capture) => capture.as_ref().map(Capture::health),
            Self::Pipe(_) => self.is_open().then_some(Health {
                overruns: 0,
                lost_samples: 0,
                device_overruns: 0,
                dead_for: Duration::ZERO,
                stalled_for: Duration::ZERO,
                realtime: Realtime::NotAsked,
            }),
        }
    }
}

impl StandardInput {
    /// False at the end.
    fn read(&mut self, wait: Duration, out: &mut Vec<f32>) -> Result<bool, AudioErrorKind> {
        let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
        match poll(&mut [PollFd::new(&self.input, PollFlags::IN)], Some(&wait)) {
            Ok(0) | Err(Errno::INTR) => return Ok(true),
            polled => polled.map_err(io::Error::from)?,
        };
        let pipe = match &mut self.pipe {
            Some(pipe) => pipe,
            None => self.pipe.insert(Pipe::open(self.input.try_clone()?, self.format)?),
        };
        pipe.read(out)
    }
}
