//! Kaldi-style log filterbank of the speaker encoder.

use super::mel::{MelBank, Scale, Triangles};
use super::spectrum::{PowerSpectrum, povey};
use super::{Frames, HOP, SAMPLE_RATE, WINDOW, frame_count};

/// Bands of the filterbank.
pub const BANDS: usize = 80;
const FFT_SIZE: usize = 512;
const PRE_EMPHASIS: f32 = 0.97;

/// 80 log energies a frame: mean removed per frame, pre-emphasis 0.97, Povey window, 20-8000 Hz,
/// natural logarithm, no dither, as Kaldi's `compute-fbank-feats` defines them.
pub struct Fbank {
    spectrum: PowerSpectrum,
    bank: MelBank,
    frame: [f32; WINDOW],
}

impl Default for Fbank {
    fn default() -> Self {
        Self {
            spectrum: PowerSpectrum::new(povey(WINDOW), FFT_SIZE),
            bank: MelBank::new(
                BANDS,
                20.0..SAMPLE_RATE as f64 / 2.0,
                FFT_SIZE,
                SAMPLE_RATE,
                Scale::Htk,
                Triangles::Mel,
            ),
            frame: [0.0; WINDOW],
        }
    }
}

impl Fbank {
    /// Appends the frames of `samples` (16 kHz, `[-1, 1]`) to `out` (80 columns).
    pub fn compute_into(&mut self, samples: &[f32], out: &mut Frames) {
        for index in 0..frame_count(samples.len(), WINDOW) {
            let frame = &samples[index * HOP..index * HOP + WINDOW];
            let mean = frame.iter().sum::<f32>() / WINDOW as f32;
            let mut previous = frame[0] - mean;
            for (slot, x) in self.frame.iter_mut().zip(frame) {
                let centred = x - mean;
                *slot = centred - PRE_EMPHASIS * previous;
                previous = centred;
            }
            let row = out.push_zeroed();
            self.bank.apply(self.spectrum.compute(&self.frame), row);
            row.iter_mut().for_each(|x| *x = x.max(f32::EPSILON).ln());
        }
    }
}
