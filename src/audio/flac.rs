//! FLAC, decoded by symphonia, with every loss reported instead of skipped.

use std::fs::File;
use std::io::ErrorKind;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::MediaSourceStream;
use symphonia::default::{codecs::FlacDecoder, formats};

use super::AudioErrorKind;

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
    /// Reads the header from the start of `file`.
    pub(super) fn open(file: File) -> Result<Self, AudioErrorKind> {
        let stream = MediaSourceStream::new(Box::new(file), Default::default());
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
