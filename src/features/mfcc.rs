//! Cepstra of the template check.

use super::mel::{MelBank, Scale, Triangles};
use super::spectrum::{PowerSpectrum, hamming};
use super::{Frames, HOP, SAMPLE_RATE, WINDOW, frame_count};

/// Columns of a frame: 13 cepstra, their deltas and their delta-deltas.
pub const DIM: usize = 3 * CEPSTRA;
const CEPSTRA: usize = 13;
const BANDS: usize = 40;
const FFT_SIZE: usize = 512;
const LIFTER: f64 = 22.0;
const DELTA_REACH: isize = 2;
const STACK_WEIGHTS: [f32; 3] = [1.0, 2.0, 3.0];
/// Spectral floor below the 95th percentile of each band's power (-15 dB).
const FLOOR_RATIO: f32 = 0.031_622_776;
/// Keeps the logarithm of digital silence finite.
const MIN_POWER: f32 = 1e-10;

/// MFCC extractor: 25 ms Hamming windows every 10 ms, 40 mel bands 20-7600 Hz.
pub struct Mfcc {
    spectrum: PowerSpectrum,
    bank: MelBank,
    /// `[CEPSTRA, BANDS]`: orthonormal DCT-II with the lifter folded in.
    transform: Frames,
}

impl Default for Mfcc {
    fn default() -> Self {
        let mut transform = Frames::with_capacity(BANDS, CEPSTRA);
        for k in 0..CEPSTRA {
            let scale = if k == 0 { (1.0 / BANDS as f64).sqrt() } else { (2.0 / BANDS as f64).sqrt() };
            let lifter = 1.0 + LIFTER / 2.0 * (std::f64::consts::PI * k as f64 / LIFTER).sin();
            for (n, slot) in transform.push_zeroed().iter_mut().enumerate() {
                let angle = std::f64::consts::PI * k as f64 * (n as f64 + 0.5) / BANDS as f64;
                *slot = (scale * lifter * angle.cos()) as f32;
            }
        }
        Self {
            spectrum: PowerSpectrum::new(hamming(WINDOW), FFT_SIZE),
            bank: MelBank::new(BANDS, 20.0..7600.0, FFT_SIZE, SAMPLE_RATE, Scale::Htk, Triangles::Mel),
            transform,
        }
    }
}

impl Mfcc {
    /// Mel power spectra of `samples` (16 kHz, `[-1, 1]`): `[frames, 40]`.
    fn mel_power(&mut self, samples: &[f32]) -> Frames {
        let count = frame_count(samples.len(), WINDOW);
        let mut out = Frames::with_capacity(self.bank.bands(), count);
        for index in 0..count {
            let power = self.spectrum.compute(&samples[index * HOP..index * HOP + WINDOW]);
            self.bank.apply(power, out.push_zeroed());
        }
        out
    }

    /// Cepstra with deltas of a segment, mean and variance normalised over it, weighted 1 : 2 : 3,
    /// each frame of unit length: `[frames, 39]`.
    ///
    /// A spectral floor 15 dB below each band's loud frames hides the differences that noise makes
    /// in the quiet ones.
    pub fn cepstra(&mut self, samples: &[f32]) -> Frames {
        let mel_power = self.mel_power(samples);
        let mut floor = [MIN_POWER; BANDS];
        let mut column = Vec::with_capacity(mel_power.rows());
        for (band, slot) in floor.iter_mut().enumerate() {
            column.clear();
            column.extend(mel_power.iter().map(|row| row[band]));
            *slot += FLOOR_RATIO * super::level::percentile(&mut column, 0.95);
        }
        self.normalised(&mel_power, &floor)
    }

    fn normalised(&self, mel_power: &Frames, floor: &[f32; BANDS]) -> Frames {
        let rows = mel_power.rows();
        let mut out = Frames::with_capacity(DIM, rows);
        let mut log_mel = [0f32; BANDS];
        for power in mel_power.iter() {
            for ((slot, p), f) in log_mel.iter_mut().zip(power).zip(floor) {
                *slot = (p + f).ln();
            }
            let row = out.push_zeroed();
            for (cepstrum, weights) in row.iter_mut().zip(self.transform.iter()) {
                *cepstrum = super::frames::dot(weights, &log_mel);
            }
        }
        add_deltas(&mut out, 0);
        add_deltas(&mut out, CEPSTRA);
        out.centre_columns();
        out.scale_columns();
        for row in out.iter_mut() {
            for (block, weight) in row.chunks_exact_mut(CEPSTRA).zip(STACK_WEIGHTS) {
                block.iter_mut().for_each(|x| *x *= weight);
            }
        }
        out.normalise_rows();
        out
    }
}

/// Regression slope over five frames of the columns from `source` into the block after them; the
/// first and last frames are repeated at the edges.
fn add_deltas(frames: &mut Frames, source: usize) {
    let rows = frames.rows() as isize;
    let norm: f32 = (1..=DELTA_REACH).map(|n| 2 * n * n).sum::<isize>() as f32;
    for t in 0..rows {
        let mut slope = [0f32; CEPSTRA];
        for n in 1..=DELTA_REACH {
            let before = frames.row((t - n).max(0) as usize);
            let after = frames.row((t + n).min(rows - 1) as usize);
            for (k, slot) in slope.iter_mut().enumerate() {
                *slot += n as f32 * (after[source + k] - before[source + k]);
            }
        }
        let row = frames.row_mut(t as usize);
        for (slot, value) in row[source + CEPSTRA..].iter_mut().zip(slope) {
            *slot = value / norm;
        }
    }
}
