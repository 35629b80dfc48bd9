//! Clips from other programs on the standard input, and embeddings for them.

use std::io::{self, Read, Write};

/// Longest clip taken, in samples at 16 kHz (an hour): more is not the framing described here.
const MAX_SAMPLES: u32 = 3600 * 16_000;

/// A stream of clips that breaks off.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// The stream cannot be read.
    #[error("standard input: {0}")]
    Io(#[from] io::Error),
    /// The stream ends within a clip.
    #[error(
        "standard input ends within clip {0}; each clip is its number of samples as a little-endian \
             32-bit integer, then so many little-endian 32-bit floats"
    )]
    CutShort(usize),
    /// The length of a clip is not plausible.
    #[error(
        "standard input: clip {clip} claims {samples} samples, at most {MAX_SAMPLES} (an hour) are taken; \
             each clip is its number of samples as a little-endian 32-bit integer, then so many floats"
    )]
    TooLong {
        /// Counted from zero.
        clip: usize,
        samples: u32,
    },
}

/// Reads clips framed as a 32-bit count of samples and the samples as 32-bit floats, all little-endian.
pub struct RawClips<R> {
    input: R,
    clip: usize,
}

impl<R: Read> RawClips<R> {
    /// Begins with the first clip of `input`.
    pub fn new(input: R) -> Self {
        Self { input, clip: 0 }
    }

    /// The samples of the next clip, or `None` after the last.
    pub fn next_clip(&mut self) -> Result<Option<Vec<f32>>, RawError> {
        let mut head = Vec::with_capacity(4);
        self.input.by_ref().take(4).read_to_end(&mut head)?;
        let samples = match head[..] {
            [] => return Ok(None),
            [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
            _ => return Err(RawError::CutShort(self.clip)),
        };
        if samples > MAX_SAMPLES {
            return Err(RawError::TooLong { clip: self.clip, samples });
        }
        let mut bytes = Vec::new();
        self.input.by_ref().take(u64::from(samples) * 4).read_to_end(&mut bytes)?;
        if bytes.len() != samples as usize * 4 {
            return Err(RawError::CutShort(self.clip));
        }
        self.clip += 1;
        let float = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        Ok(Some(bytes.chunks_exact(4).map(float).collect()))
    }
}

/// Writes `embeddings` as a NumPy array `[clips, dimension]` of 32-bit floats; a clip without one is a row of zeros.
pub fn write_npy(out: &mut impl Write, dimension: usize, embeddings: &[Option<Vec<f32>>]) -> io::Result<()> {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {dimension}), }}", embeddings.len());
    // Magic, version, length and header fill a multiple of 64 bytes.
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&u16::try_from(length).map_err(io::Error::other)?.to_le_bytes())?;
    writeln!(out, "{header:width$}", width = length - 1)?;
    let silent = vec![0.0; dimension];
    for embedding in embeddings {
        for value in embedding.as_ref().unwrap_or(&silent) {
            out.write_all(&value.to_le_bytes())?;
        }
    }
    Ok(())
}
