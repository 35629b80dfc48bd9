//! FLAC, decoded by symphonia, with every loss reported instead of skipped.

use std::fs::File;
use std::io::{Cursor, ErrorKind, Read as _, Seek as _, SeekFrom};

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSourceStream, ReadOnlySource};
use symphonia::default::{codecs::FlacDecoder, formats};

use super::{AudioErrorKind, tags};

/// Bytes of the STREAMINFO block.
const STREAM_INFO: usize = 34;
/// Smallest block that a description may name.
const LEAST_BLOCK: u16 = 16;
/// Real files have a handful of blocks of metadata.
const MAX_METADATA: usize = 1000;

/// An open FLAC file.
pub(super) struct FlacReader {
    packets: formats::FlacReader<'static>,
    decoder: FlacDecoder,
    rate: u32,
    channels: u16,
    promised: Option<u64>,
    found: u64,
    /// Number of the next frame as the packets count; not every stream starts at 0.
    next_frame: Option<u64>,
}

impl FlacReader {
    /// Reads the metadata from byte `at` of `file`, which is behind the marker.
    pub(super) fn open(mut file: File, at: u64) -> Result<Self, AudioErrorKind> {
        let end = file.metadata()?.len();
        let end = tags::end(&mut file, end)?;
        let (head, frames) = head(&mut file, at)?;
        file.seek(SeekFrom::Start(frames))?;
        let stream = Cursor::new(head).chain(file.take(end.saturating_sub(frames)));
        let stream = MediaSourceStream::new(Box::new(ReadOnlySource::new(stream)), Default::default());
        let packets = formats::FlacReader::try_new(stream, FormatOptions::default()).map_err(header_error)?;
        let track = packets.tracks().first();
        let params = track.and_then(|track| track.codec_params.as_ref()?.audio());
        let params = params.ok_or(AudioErrorKind::BadHeader("no stream description"))?;
        let channels = params.channels.as_ref().map_or(0, |channels| channels.count() as u16);
        // The difference channel of 32-bit stereo has 33 bits, which symphonia 0.6 gets wrong.
        if channels == 2 && params.bits_per_sample.is_none_or(|bits| bits > 31) {
            return Err(AudioErrorKind::UnsupportedEncoding("32-bit stereo FLAC".to_owned()));
        }
        let decoder = FlacDecoder::try_new(params, &AudioDecoderOptions::default()).map_err(header_error)?;
        Ok(Self {
            rate: params.sample_rate.unwrap_or(0),
            channels,
            promised: track.and_then(|track| track.num_frames),
            found: 0,
            next_frame: None,
            decoder,
            packets,
        })
    }

    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    pub(super) fn channels(&self) -> u16 {
        self.channels
    }

    /// Frames the header promises, if it does.
    pub(super) fn frames(&self) -> Option<u64> {
        self.promised
    }

    /// Replaces `out` with the next interleaved samples; false at the end.
    pub(super) fn read(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioErrorKind> {
        out.clear();
        let packet = match self.packets.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return self.end(),
            Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                return self.end();
            }
            Err(Error::IoError(error)) => return Err(error.into()),
            Err(_) => return Err(self.damaged()),
        };
        // symphonia drops packets with a wrong checksum; what follows would be heard too early.
        let start = packet.pts.get().unsigned_abs();
        if self.next_frame.is_some_and(|expected| expected != start) {
            return Err(self.damaged());
        }
        let Ok(audio) = self.decoder.decode(&packet) else {
            return Err(self.damaged());
        };
        audio.copy_to_vec_interleaved(out);
        let frames = audio.frames() as u64;
        self.found += frames;
        self.next_frame = Some(start + frames);
        Ok(true)
    }

    fn end(&self) -> Result<bool, AudioErrorKind> {
        match self.promised {
            Some(promised) if promised > self.found => {
                Err(AudioErrorKind::Truncated { promised, found: self.found })
            }
            _ => Ok(false),
        }
    }

    fn damaged(&self) -> AudioErrorKind {
        let seconds = self.found as f64 / f64::from(self.rate.max(1));
        AudioErrorKind::Damaged { frame: self.found, seconds }
    }
}

/// Marker and stream description alone, and where the frames begin. No other metadata can make the audio unusable
/// then, however long or damaged it is.
fn head(file: &mut File, at: u64) -> Result<(Vec<u8>, u64), AudioErrorKind> {
    let (mut at, mut info) = (at, None);
    for _ in 0..MAX_METADATA {
        file.seek(SeekFrom::Start(at))?;
        let mut header = [0; 4];
        file.read_exact(&mut header).map_err(cut_short)?;
        let [kind, size @ ..] = header;
        let size = size.iter().fold(0, |size, byte| size << 8 | u64::from(*byte));
        if kind & 0x7F == 0 && size == STREAM_INFO as u64 && info.is_none() {
            let mut body = [0; STREAM_INFO];
            file.read_exact(&mut body).map_err(cut_short)?;
            info = Some(body);
        }
        at += 4 + size;
        if kind & 0x80 != 0 {
            let mut info = info.ok_or(AudioErrorKind::BadHeader("no stream description"))?;
            let mut sync = [0; 2];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut sync).map_err(cut_short)?;
            mend(&mut info, sync[1] & 1 == 0);
            let head = [b"fLaC", &[0x80, 0, 0, STREAM_INFO as u8][..], &info].concat();
            return Ok((head, at));
        }
    }
    Err(AudioErrorKind::BadHeader("no end of its metadata"))
}

/// Puts what is usual in place of bounds that cannot be, as encoders leave them that could not know; `fixed` says
/// that all blocks have one length. Only to find frames faster are they of any use.
fn mend(info: &mut [u8; STREAM_INFO], fixed: bool) {
    let block = |at: usize| u16::from_be_bytes([info[at], info[at + 1]]);
    let (least, most) = (block(0), block(2));
    if least < LEAST_BLOCK || least > most {
        let least = if fixed { most } else { LEAST_BLOCK };
        info[..2].copy_from_slice(&least.to_be_bytes());
    }
    if info[4..7] > info[7..10] {
        info[4..10].fill(0);
    }
}

/// A file that ends within its metadata.
fn cut_short(error: std::io::Error) -> AudioErrorKind {
    match error.kind() {
        ErrorKind::UnexpectedEof => AudioErrorKind::Empty,
        _ => error.into(),
    }
}

fn header_error(error: Error) -> AudioErrorKind {
    match error {
        Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => AudioErrorKind::Empty,
        Error::IoError(error) => error.into(),
        Error::DecodeError(reason) | Error::Unsupported(reason) | Error::LimitError(reason) => {
            AudioErrorKind::BadHeader(reason)
        }
        _ => AudioErrorKind::BadHeader("it cannot be understood"),
    }
}
