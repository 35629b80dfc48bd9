//! Samples without a header, as pipes and networks bring them, to 16 kHz mono.

use super::{AudioErrorKind, Encoding, INPUT_RATES, MAX_CHANNELS, OUTPUT_RATE, Resampler};

/// What the bytes of a stream mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawFormat {
    /// How a sample is stored.
    pub encoding: Encoding,
    /// Sample rate in Hz.
    pub rate: u32,
    /// Channels, interleaved.
    pub channels: u16,
}

impl Default for RawFormat {
    /// What the program itself works on, in 16 bits.
    fn default() -> Self {
        Self { encoding: Encoding::I16, rate: OUTPUT_RATE, channels: 1 }
    }
}

impl RawFormat {
    /// Bytes of one sample of every channel.
    pub fn frame_bytes(&self) -> usize {
        self.encoding.bytes() * usize::from(self.channels)
    }

    /// Refuses a rate or a number of channels that cannot be converted.
    pub fn check(&self) -> Result<(), AudioErrorKind> {
        if !(1..=MAX_CHANNELS).contains(&self.channels) {
            return Err(AudioErrorKind::UnsupportedChannels(self.channels));
        }
        if !INPUT_RATES.contains(&self.rate) {
            return Err(AudioErrorKind::UnsupportedRate(self.rate));
        }
        Ok(())
    }
}

/// A converter of a stream of bytes, cut anywhere: the mean of the channels at 16 kHz. Samples beyond full
/// scale are clipped, and what is no number becomes silence: a stream cannot be recorded again.
pub struct Raw {
    format: RawFormat,
    resampler: Resampler,
    /// The beginning of a frame whose rest has yet to come.
    rest: Vec<u8>,
    interleaved: Vec<f32>,
    mono: Vec<f32>,
}

impl Raw {
    /// A converter for a new stream; fails for a format that cannot be converted.
    pub fn new(format: RawFormat) -> Result<Self, AudioErrorKind> {
        format.check()?;
        let resampler = Resampler::new(format.rate)?;
        Ok(Self { format, resampler, rest: Vec::new(), interleaved: Vec::new(), mono: Vec::new() })
    }

    /// What it was made for.
    pub fn format(&self) -> RawFormat {
        self.format
    }

    /// Takes the next bytes, appends what is ready to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), AudioErrorKind> {
        self.interleaved.clear();
        let frame = self.format.frame_bytes();
        let missing = if self.rest.is_empty() { 0 } else { frame - self.rest.len() };
        let (begun, bytes) = bytes.split_at(missing.min(bytes.len()));
        self.rest.extend_from_slice(begun);
        if self.rest.len() == frame {
            self.format.encoding.decode(&self.rest, &mut self.interleaved);
            self.rest.clear();
        }
        let (whole, rest) = bytes.split_at(bytes.len() - bytes.len() % frame);
        self.format.encoding.decode(whole, &mut self.interleaved);
        self.rest.extend_from_slice(rest);

        self.mono.clear();
        for frame in self.interleaved.chunks_exact(usize::from(self.format.channels)) {
            let sum: f32 = frame.iter().map(|&sample| clean(sample)).sum();
            self.mono.push(sum / f32::from(self.format.channels));
        }
        self.resampler.push(&self.mono, out)
    }

    /// Ends the stream: appends what is still held back. A frame that was cut short is dropped.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), AudioErrorKind> {
        self.rest.clear();
        self.resampler.finish(out)
    }
}

/// Within full scale; no number becomes silence.
fn clean(sample: f32) -> f32 {
    if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn convert(format: RawFormat, parts: &[&[u8]]) -> Vec<f32> {
        let (mut raw, mut out) = (Raw::new(format).unwrap(), Vec::new());
        parts.iter().for_each(|part| raw.push(part, &mut out).unwrap());
        raw.finish(&mut out).unwrap();
        out
    }

    #[test]
    fn each_encoding_gives_the_same_samples() {
        let samples = [0.0, 0.5, -0.5, 0.25];
        let bytes = |sample: f32, encoding| match encoding {
            Encoding::U8 => vec![(sample * 128.0 + 128.0) as u8],
            Encoding::I16 => ((sample * 32_768.0) as i16).to_le_bytes().into(),
            Encoding::I24 => ((sample * 8_388_608.0) as i32).to_le_bytes()[..3].into(),
            Encoding::I32 => ((f64::from(sample) * 2_147_483_648.0) as i32).to_le_bytes().into(),
            Encoding::F32 => sample.to_le_bytes().into(),
            Encoding::F64 => f64::from(sample).to_le_bytes().into(),
        };
        use Encoding::{F32, F64, I16, I24, I32, U8};
        for encoding in [U8, I16, I24, I32, F32, F64] {
            let stream: Vec<u8> = samples.iter().flat_map(|&sample| bytes(sample, encoding)).collect();
            let format = RawFormat { encoding, ..RawFormat::default() };
            assert_eq!(convert(format, &[&stream]), samples, "{encoding:?}");
        }
    }

    #[test]
    fn infinity_is_clipped_and_no_number_becomes_silence() {
        let stream = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3.0].map(f32::to_le_bytes).concat();
        let format = RawFormat { encoding: Encoding::F32, ..RawFormat::default() };
        assert_eq!(convert(format, &[&stream]), [0.0, 1.0, -1.0, 1.0]);
    }

    #[test]
    fn formats_beyond_the_limits_are_refused() {
        for (rate, channels) in [(0, 1), (7_999, 1), (192_001, 1), (16_000, 0), (16_000, 9)] {
            assert!(Raw::new(RawFormat { rate, channels, ..RawFormat::default() }).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_stream_gives_the_same_samples_wherever_it_is_cut(
            stream in prop::collection::vec(any::<u8>(), 0..4000),
            cuts in prop::collection::vec(0..40usize, 1..20),
            channels in 1..=3u16,
            rate in prop::sample::select(vec![8_000, 16_000, 48_000]),
        ) {
            let format = RawFormat { encoding: Encoding::I24, rate, channels };
            let (mut parts, mut rest) = (Vec::new(), &stream[..]);
            for cut in cuts {
                let (part, later) = rest.split_at(cut.min(rest.len()));
                parts.push(part);
                rest = later;
            }
            parts.push(rest);
            prop_assert_eq!(convert(format, &parts), convert(format, &[&stream]));
        }
    }
}
