//! The other end of handed-over audio.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Bytes taken at once.
const ROOM: usize = 8192;

/// Reads the audio of an [`AudioStream`](super::AudioStream).
pub struct HandedAudio {
    pipe: File,
    bytes: Vec<u8>,
}

impl HandedAudio {
    /// From the descriptor that was handed over.
    pub fn new(reader: OwnedFd) -> Self {
        Self { pipe: reader.into(), bytes: vec![0; ROOM] }
    }

    /// Waits at most `timeout` for audio, and appends what came to `out`, 16 kHz mono in `[-1, 1]`. Returns how
    /// many samples, 0 if none came in time. The end of the stream is an error of kind `UnexpectedEof`.
    pub fn read(&mut self, timeout: Duration, out: &mut Vec<f32>) -> io::Result<usize> {
        let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
        let mut ready = [PollFd::from_borrowed_fd(self.pipe.as_fd(), PollFlags::IN)];
        match poll(&mut ready, Some(&timeout)) {
            // A signal ends the wait early; whoever asked for it looks at that next.
            Ok(0) | Err(Errno::INTR) => return Ok(0),
            ready => ready?,
        };
        let count = self.pipe.read(&mut self.bytes)?;
        if count == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the daemon hands over no more audio"));
        }
        // Samples are written whole, and the room is a multiple of theirs.
        let samples = self.bytes[..count].as_chunks().0;
        out.extend(samples.iter().map(|sample| f32::from(i16::from_le_bytes(*sample)) / 32768.0));
        Ok(samples.len())
    }
}
