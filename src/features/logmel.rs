//! Log-mel front end of the keyword encoder.

use super::mel::{MelBank, Scale, Triangles};
use super::spectrum::{PowerSpectrum, hann_periodic};
use super::{SAMPLE_RATE, WINDOW};

/// Bands of a frame.
pub const BANDS: usize = 32;
/// Samples that one frame reaches over: the 25 ms window stands in the middle of the FFT.
pub const SPAN: usize = FFT_SIZE;
const FFT_SIZE: usize = 512;
/// The encoder was trained on 16-bit sample values.
const INPUT_SCALE: f32 = 32_768.0;
/// Lowest band power: what rounding to 16 bits leaves of digital silence.
const MIN_POWER: f32 = 1.0;

/// 32 mel bands 60-3800 Hz (Slaney's scale and area normalisation) of a periodic 25 ms Hann window,
/// as log10(power) + 2.
///
/// The reference front end also lifts everything 80 dB below the loudest frame of the call, which
/// no stream can do; here the floor is absolute.
pub struct LogMel {
    spectrum: PowerSpectrum,
    bank: MelBank,
    window: [f32; WINDOW],
}

impl Default for LogMel {
    fn default() -> Self {
        Self {
            spectrum: PowerSpectrum::new(hann_periodic(WINDOW), FFT_SIZE),
            bank: MelBank::new(
                BANDS,
                60.0..3800.0,
                FFT_SIZE,
                SAMPLE_RATE,
                Scale::Slaney,
                Triangles::HertzUnitArea,
            ),
            window: [0.0; WINDOW],
        }
    }
}

impl LogMel {
    /// One frame of 32 values from the [`SPAN`] samples that it covers.
    pub fn frame(&mut self, samples: &[f32], out: &mut [f32]) {
        debug_assert_eq!(samples.len(), SPAN);
        let margin = (SPAN - WINDOW) / 2;
        for (slot, x) in self.window.iter_mut().zip(&samples[margin..]) {
            *slot = x * INPUT_SCALE;
        }
        self.bank.apply(self.spectrum.compute(&self.window), out);
        out.iter_mut().for_each(|x| *x = x.max(MIN_POWER).log10() + 2.0);
    }

    /// What a frame of digital silence looks like.
    pub fn silence() -> f32 {
        MIN_POWER.log10() + 2.0
    }
}
