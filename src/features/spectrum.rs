//! Windowed power spectrum of one frame.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// A planned real FFT with its window and scratch.
pub(super) struct PowerSpectrum {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    input: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    power: Vec<f32>,
}

impl PowerSpectrum {
    /// `window` is applied to each frame, which is then zero-padded to `fft_size` samples.
    pub(super) fn new(window: Vec<f32>, fft_size: usize) -> Self {
        assert!(window.len() <= fft_size);
        let fft = RealFftPlanner::new().plan_fft_forward(fft_size);
        Self {
            input: fft.make_input_vec(),
            bins: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            power: vec![0.0; fft_size / 2 + 1],
            window,
            fft,
        }
    }

    /// Squared magnitudes of `frame` (as long as the window), `fft_size / 2 + 1` bins.
    pub(super) fn compute(&mut self, frame: &[f32]) -> &[f32] {
        debug_assert_eq!(frame.len(), self.window.len());
        for ((slot, x), w) in self.input.iter_mut().zip(frame).zip(&self.window) {
            *slot = x * w;
        }
        // The FFT uses its input as scratch, so the padding must be cleared each time.
        self.input[self.window.len()..].fill(0.0);
        let done = self.fft.process_with_scratch(&mut self.input, &mut self.bins, &mut self.scratch);
        debug_assert!(done.is_ok(), "buffers come from the plan");
        for (power, bin) in self.power.iter_mut().zip(&self.bins) {
            *power = bin.norm_sqr();
        }
        &self.power
    }
}

/// Periodic Hann window of `len` samples.
pub(super) fn hann_periodic(len: usize) -> Vec<f32> {
    cosine_window(len, len, 0.5, 1.0)
}

/// Symmetric Hamming window of `len` samples.
pub(super) fn hamming(len: usize) -> Vec<f32> {
    cosine_window(len, len - 1, 0.54, 1.0)
}

/// Povey window of `len` samples: a symmetric Hann window to the power 0.85 (Kaldi's default).
pub(super) fn povey(len: usize) -> Vec<f32> {
    cosine_window(len, len - 1, 0.5, 0.85)
}

fn cosine_window(len: usize, period: usize, offset: f64, exponent: f64) -> Vec<f32> {
    (0..len)
        .map(|n| {
            let phase = 2.0 * std::f64::consts::PI * n as f64 / period as f64;
            (offset - (1.0 - offset) * phase.cos()).max(0.0).powf(exponent) as f32
        })
        .collect()
}
