//! Audio from a pipe, which has no length and is read once: WAV by its header, anything else as raw samples.

use std::io::{ErrorKind, Read};

use super::wav::Header;
use super::{AudioErrorKind, Raw, RawFormat};

/// Most bytes taken at a time.
const BLOCK: usize = 16 << 10;

/// A pipe, read as 16 kHz mono.
pub struct Pipe<R> {
    input: R,
    raw: Raw,
    /// Bytes of audio to come, if the header says it.
    left: Option<u64>,
    /// What was read of raw samples to see that they are no header.
    begun: Vec<u8>,
    bytes: Vec<u8>,
    ended: bool,
}

impl<R: Read> Pipe<R> {
    /// Waits for the first bytes, which tell a WAV header from samples as in `format`.
    ///
    /// # Errors
    /// The header, or `format` where there is none, is of something that cannot be converted.
    pub fn open(mut input: R, format: RawFormat) -> Result<Self, AudioErrorKind> {
        let mut begun = Vec::with_capacity(12);
        (&mut input).take(12).read_to_end(&mut begun)?;
        let (format, left) = match begun[..] {
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'] => {
                let header = Header::read(&mut input)?;
                begun.clear();
                (header.format, header.known_size())
            }
            [b'f', b'L', b'a', b'C', ..] => {
                let what = "FLAC, which a pipe cannot be read as".into();
                return Err(AudioErrorKind::UnsupportedEncoding(what));
            }
            _ => (format, None),
        };
        Ok(Self { input, raw: Raw::new(format)?, left, begun, bytes: vec![0; BLOCK], ended: false })
    }

    /// What is read.
    pub fn format(&self) -> RawFormat {
        self.raw.format()
    }

    /// Waits for the next bytes, appends what is ready to `out`; false at the end.
    ///
    /// # Errors
    /// The pipe broke.
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioErrorKind> {
        if self.ended {
            return Ok(false);
        }
        self.raw.push(&std::mem::take(&mut self.begun), out)?;
        let most = self.left.map_or(BLOCK, |left| BLOCK.min(usize::try_from(left).unwrap_or(BLOCK)));
        let count = loop {
            match self.input.read(&mut self.bytes[..most]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if let Some(left) = &mut self.left {
            *left -= count as u64;
        }
        if count == 0 {
            self.ended = true;
            self.raw.finish(out)?;
        } else {
            self.raw.push(&self.bytes[..count], out)?;
        }
        Ok(true)
    }
}
