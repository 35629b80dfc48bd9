//! RIFF/WAVE: PCM and float samples, including what pipes and interrupted recorders leave behind.
//!
//! Read here rather than by symphonia because a header written to a pipe (sizes 0 or all ones) and
//! a header that lies are both everyday cases that have to be told apart.
//! Layout: Microsoft/IBM, "Multimedia Programming Interface and Data Specifications 1.0" (1991); beyond 4 GiB
//! ITU-R BS.2088 (BW64, formerly RF64), whose `ds64` chunk holds the true size of the audio.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};

use super::{AudioErrorKind, Encoding, RawFormat};

/// Frames decoded at a time, which bounds the buffers whatever a header claims.
const BLOCK_FRAMES: u64 = 4096;
/// Real files have a handful of chunks before the audio.
const MAX_CHUNKS: usize = 1000;
/// Programs that write to a pipe put a size at or above this one (sox 0x7FFFF000, arecord
/// 0x80000000, ffmpeg 0xFFFFFFFF), since they cannot come back to fill in the true one.
const UNKNOWN_SIZE: u32 = 0x7FFF_0000;

/// An open WAV file, positioned in its audio.
pub(super) struct WavReader {
    file: BufReader<File>,
    format: RawFormat,
    promised: u64,
    found: u64,
    left: u64,
    bytes: Vec<u8>,
}

/// What comes before the audio.
pub(super) struct Header {
    pub(super) format: RawFormat,
    /// Of the audio in bytes, as it is written.
    size: u32,
    /// The same beyond 4 GiB.
    long: Option<u64>,
    /// From behind the 12 bytes to the audio, in bytes.
    length: u64,
}

impl Header {
    /// Reads up to the audio, from behind the 12 bytes of the RIFF header.
    pub(super) fn read(from: &mut impl Read) -> Result<Self, AudioErrorKind> {
        let (mut format, mut long, mut length) = (None, None, 0);
        for _ in 0..MAX_CHUNKS {
            let mut header = [0; 8];
            from.read_exact(&mut header).map_err(no_data)?;
            let [id @ .., s0, s1, s2, s3] = header;
            let size = u32::from_le_bytes([s0, s1, s2, s3]);
            length += 8;
            if &id == b"data" {
                let format = format.ok_or(AudioErrorKind::BadHeader("no format before the audio"))?;
                return Ok(Self { format, size, long, length });
            }
            let mut skip = u64::from(size) + u64::from(size % 2); // chunks start at even offsets
            length += skip;
            if &id == b"fmt " {
                let mut body = [0; 40];
                let len = body.len().min(size as usize);
                from.read_exact(&mut body[..len]).map_err(no_data)?;
                format = Some(parse(&body, size)?);
                skip -= len as u64;
            } else if &id == b"ds64" && size >= 16 {
                let mut body = [0; 16];
                from.read_exact(&mut body).map_err(no_data)?;
                long = body.last_chunk().map(|size| u64::from_le_bytes(*size));
                skip -= body.len() as u64;
            }
            io::copy(&mut from.take(skip), &mut io::sink())?;
        }
        Err(AudioErrorKind::BadHeader("no audio among its first 1000 chunks"))
    }

    /// Bytes of audio, if who wrote them to a pipe knew how many there would be.
    pub(super) fn known_size(&self) -> Option<u64> {
        Some(self.size).filter(|&size| size != 0 && size < UNKNOWN_SIZE).map(u64::from)
    }
}

impl WavReader {
    /// Reads the header. `file` stands at `position`, behind the 12 bytes of the RIFF header; `riff_size` is the
    /// size given there.
    pub(super) fn open(file: File, position: u64, riff_size: u32) -> Result<Self, AudioErrorKind> {
        let file_len = file.metadata()?.len();
        let riff_end = position - 4 + u64::from(riff_size);
        let mut file = BufReader::new(file);
        let Header { format, size, long, length } = Header::read(&mut file)?;
        let available = file_len.saturating_sub(position + length);
        let unfinished = size == 0 && riff_end != file_len;
        let unknown = size == u32::MAX || (size >= UNKNOWN_SIZE && u64::from(size) > available);
        let size = match long {
            Some(long) if size == u32::MAX => long,
            _ if unfinished || unknown => available,
            _ => u64::from(size),
        };
        Ok(Self::new(file, format, size, available))
    }

    fn new(file: BufReader<File>, format: RawFormat, size: u64, available: u64) -> Self {
        let frame = format.frame_bytes() as u64;
        let found = size.min(available) / frame;
        Self { file, format, promised: size / frame, found, left: found, bytes: Vec::new() }
    }

    pub(super) fn rate(&self) -> u32 {
        self.format.rate
    }

    pub(super) fn channels(&self) -> u16 {
        self.format.channels
    }

    /// Frames that are there, which may be fewer than the header promises.
    pub(super) fn frames(&self) -> u64 {
        self.found
    }

    /// Replaces `out` with the next interleaved samples; false at the end.
    pub(super) fn read(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioErrorKind> {
        out.clear();
        if self.left == 0 {
            return if self.found < self.promised {
                Err(AudioErrorKind::Truncated { promised: self.promised, found: self.found })
            } else {
                Ok(false)
            };
        }
        let frame = self.format.frame_bytes() as u64;
        let frames = self.left.min(BLOCK_FRAMES);
        self.bytes.clear();
        let read = (&mut self.file).take(frames * frame).read_to_end(&mut self.bytes)?;
        let read = read as u64 / frame;
        self.bytes.truncate((read * frame) as usize);
        self.left -= read;
        if read < frames {
            // The file shrank while it was being read.
            self.found -= self.left;
            self.left = 0;
        }
        self.format.encoding.decode(&self.bytes, out);
        Ok(true)
    }
}

/// The meaning of a `fmt ` chunk of this size.
fn parse(body: &[u8; 40], size: u32) -> Result<RawFormat, AudioErrorKind> {
    let u16_at = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
    if size < 16 {
        return Err(AudioErrorKind::BadHeader("its format chunk is too short"));
    }
    let (channels, align, bits) = (u16_at(2), u16_at(12), u16_at(14));
    let rate = u32::from_le_bytes([body[4], body[5], body[6], body[7]]);
    // WAVE_FORMAT_EXTENSIBLE keeps the tag in the first bytes of a GUID. Its samples use the
    // high bits of their container, so the count of valid bits changes nothing.
    let tag = match u16_at(0) {
        0xFFFE if size >= 40 => u16_at(24),
        tag => tag,
    };
    let encoding = match (tag, bits) {
        (1, 8) => Encoding::U8,
        (1, 16) => Encoding::I16,
        (1, 24) => Encoding::I24,
        (1, 32) => Encoding::I32,
        (3, 32) => Encoding::F32,
        (3, 64) => Encoding::F64,
        _ => {
            let name = format!("WAV type {tag:#06x} with {bits} bits a sample");
            return Err(AudioErrorKind::UnsupportedEncoding(name));
        }
    };
    let format = RawFormat { encoding, rate, channels };
    format.check()?;
    if usize::from(align) != format.frame_bytes() {
        return Err(AudioErrorKind::BadHeader("its block size contradicts its sample format"));
    }
    Ok(format)
}

fn no_data(error: std::io::Error) -> AudioErrorKind {
    match error.kind() {
        ErrorKind::UnexpectedEof => AudioErrorKind::BadHeader("it ends before its audio"),
        _ => error.into(),
    }
}
