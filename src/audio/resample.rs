//! Any supported rate to 16 kHz, block by block, without delay or drift.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use super::{AudioErrorKind, INPUT_RATES, OUTPUT_RATE};

/// Half the resampling filter, in output samples (15 ms): flat to 7.6 kHz, silent from 8 kHz.
/// Rates whose ratio to 16 kHz is not simple need more.
const HALF_FILTER: u32 = 240;

/// Streaming converter from one input rate to [`OUTPUT_RATE`], mono.
///
/// The output is the same whatever the sizes of the blocks pushed, its sample `i` is the input at
/// `i / 16000` s, and after [`finish`](Self::finish) it holds `round(n * 16000 / rate)` samples
/// for `n` pushed. Input at 16 kHz passes through unchanged and at once; otherwise the output
/// runs behind the input until finished, by up to 45 ms from 48 kHz and 60 ms from 44.1 kHz.
pub struct Resampler {
    rate: u32,
    blocks: Option<Blocks>,
}

impl Resampler {
    /// Plans the conversion from `rate` Hz; fails unless `rate` is in [`INPUT_RATES`].
    pub fn new(rate: u32) -> Result<Self, AudioErrorKind> {
        if !INPUT_RATES.contains(&rate) {
            return Err(AudioErrorKind::UnsupportedRate(rate));
        }
        let blocks = (rate != OUTPUT_RATE).then(|| Blocks::new(rate)).transpose()?;
        Ok(Self { rate, blocks })
    }

    /// Takes the next mono samples at the input rate, appends what is ready at 16 kHz to `out`.
    ///
    /// Allocates only if `out` has to grow. The input has to be finite.
    pub fn push(&mut self, input: &[f32], out: &mut Vec<f32>) -> Result<(), AudioErrorKind> {
        match &mut self.blocks {
            None => out.extend_from_slice(input),
            Some(blocks) => blocks.push(input, out)?,
        }
        Ok(())
    }

    /// Ends the stream: appends the samples still held back, then is ready for a new stream.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), AudioErrorKind> {
        match &mut self.blocks {
            None => Ok(()),
            Some(blocks) => blocks.finish(self.rate, out),
        }
    }
}

/// Fixed-size blocks through rubato, with its filter delay cut off the front.
struct Blocks {
    fft: Fft<f32>,
    input: Vec<f32>,
    input_len: usize,
    output: Vec<f32>,
    /// Output samples still to be dropped: the filter's delay.
    skip: usize,
    pushed: u64,
    emitted: u64,
}

impl Blocks {
    fn new(rate: u32) -> Result<Self, AudioErrorKind> {
        let unit = gcd(rate, OUTPUT_RATE);
        // An even number of smallest blocks puts the filter's centre on a sample at both rates.
        let units = 2 * HALF_FILTER.div_ceil(OUTPUT_RATE / unit);
        let input_len = (units * (rate / unit)) as usize;
        let fft =
            Fft::new_custom(rate as usize, OUTPUT_RATE as usize, input_len, 1, 1, WINDOW, FixedSync::Both)
                .map_err(internal)?;
        Ok(Self {
            input: Vec::with_capacity(input_len),
            input_len,
            output: vec![0.0; fft.output_frames_max()],
            skip: fft.output_delay(),
            pushed: 0,
            emitted: 0,
            fft,
        })
    }

    fn push(&mut self, mut input: &[f32], out: &mut Vec<f32>) -> Result<(), AudioErrorKind> {
        self.pushed += input.len() as u64;
        while !input.is_empty() {
            let (now, later) = input.split_at(input.len().min(self.input_len - self.input.len()));
            self.input.extend_from_slice(now);
            input = later;
            if self.input.len() == self.input_len {
                self.run(usize::MAX, out)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, rate: u32, out: &mut Vec<f32>) -> Result<(), AudioErrorKind> {
        let total = (self.pushed * u64::from(OUTPUT_RATE) + u64::from(rate) / 2) / u64::from(rate);
        while self.emitted < total {
            self.input.resize(self.input_len, 0.0);
            self.run((total - self.emitted) as usize, out)?;
        }
        self.fft.reset();
        self.input.clear();
        self.skip = self.fft.output_delay();
        self.pushed = 0;
        self.emitted = 0;
        Ok(())
    }

    /// Converts the full input block and appends at most `limit` samples of the result.
    fn run(&mut self, limit: usize, out: &mut Vec<f32>) -> Result<(), AudioErrorKind> {
        let (len_in, len_out) = (self.input.len(), self.output.len());
        let input = InterleavedSlice::new(&self.input[..], 1, len_in).map_err(internal)?;
        let mut output = InterleavedSlice::new_mut(&mut self.output[..], 1, len_out).map_err(internal)?;
        let (_, made) = self.fft.process_into_buffer(&input, &mut output, None).map_err(internal)?;
        self.input.clear();

        let skipped = self.skip.min(made);
        self.skip -= skipped;
        let end = made.min(skipped.saturating_add(limit));
        let fresh = &self.output[skipped..end];
        // A filter may overshoot full scale where the input was close to it.
        out.extend(fresh.iter().map(|sample| sample.clamp(-1.0, 1.0)));
        self.emitted += fresh.len() as u64;
        Ok(())
    }
}

const WINDOW: rubato::WindowFunction = rubato::WindowFunction::BlackmanHarris2;

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn internal(error: impl std::fmt::Display) -> AudioErrorKind {
    AudioErrorKind::Resample(error.to_string())
}
