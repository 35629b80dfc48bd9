//! What can go wrong with an audio file, and what its owner can do about it.

use std::io;
use std::path::PathBuf;

use super::{INPUT_RATES, MAX_CHANNELS};

/// A file that could not be used: which one, and why.
///
/// The kind is part of the message, not a `source`, so that a printed chain says it once. The path
/// is quoted and escaped, so that a name with a newline cannot forge a log line.
#[derive(Debug, thiserror::Error)]
#[error("{path:?}: {kind}")]
pub struct AudioError {
    pub path: PathBuf,
    pub kind: AudioErrorKind,
}

/// Why audio could not be used. Frame numbers count from 0, at the rate of the file.
#[derive(Debug, thiserror::Error)]
pub enum AudioErrorKind {
    #[error("no such file; check the name")]
    NotFound,
    #[error("permission denied; make the file readable for the user who runs this (chmod u+r)")]
    PermissionDenied,
    #[error("is a directory; give a WAV or FLAC file in it")]
    IsDirectory,
    #[error("is a pipe, socket or device, not a file; save the audio to a file first")]
    NotAFile,
    #[error("is neither WAV nor FLAC; convert it, for example with `ffmpeg -i INPUT OUTPUT.flac`")]
    NotAudio,
    #[error(
        "is a recording of the format {0}, and only WAV and FLAC are read; convert it: `ffmpeg -i INPUT OUTPUT.flac`"
    )]
    Foreign(&'static str),
    #[error("holds no audio; record it again")]
    Empty,
    #[error("has an unusable header: {0}; save it again as 16-bit WAV or FLAC")]
    BadHeader(&'static str),
    #[error("is encoded as {0}, which is not supported; save it again as 16-bit WAV or FLAC")]
    UnsupportedEncoding(String),
    #[error(
        "has a sample rate of {0} Hz; rates from {min} to {max} Hz are supported, 16000 Hz is best",
        min = INPUT_RATES.start(), max = INPUT_RATES.end()
    )]
    UnsupportedRate(u32),
    #[error("has {0} channels; 1 to {MAX_CHANNELS} are supported, 1 is best")]
    UnsupportedChannels(u16),
    #[error(
        "is cut short: its header promises {promised} frames but only {found} are there; \
         copy or record it again"
    )]
    Truncated { promised: u64, found: u64 },
    #[error("is damaged at frame {frame} ({seconds:.3} s); copy or record it again")]
    Damaged { frame: u64, seconds: f64 },
    #[error(
        "has a sample that is not a finite number at frame {frame} ({seconds:.3} s); \
         export it again as 16-bit WAV or FLAC"
    )]
    NotFinite { frame: u64, seconds: f64 },
    #[error(
        "has channels that cancel each other out: one has opposite polarity; keep a single channel, for example \
         with `sox INPUT OUTPUT remix 1`"
    )]
    OppositeChannels,
    #[error("is longer than {limit_seconds} s, too long for one clip; cut it into shorter files")]
    TooLong { limit_seconds: u32 },
    #[error("cannot be read: {0}")]
    Io(io::Error),
    #[error("could not be resampled: {0}; please report this as a bug")]
    Resample(String),
}

impl From<io::Error> for AudioErrorKind {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::PermissionDenied,
            io::ErrorKind::IsADirectory => Self::IsDirectory,
            _ => Self::Io(error),
        }
    }
}
