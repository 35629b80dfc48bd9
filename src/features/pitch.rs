//! Fundamental frequency by normalised autocorrelation.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::{HOP, SAMPLE_RATE, WINDOW};

/// Analysis window, in samples (40 ms): two periods of the lowest voice and more.
const FRAME: usize = SAMPLE_RATE * 40 / 1000;
/// Periods that a voice may have, in samples: 444 to 60 Hz.
const SHORTEST: usize = SAMPLE_RATE / 444;
const LONGEST: usize = SAMPLE_RATE / 60;
/// The FFT is long enough that no lag wraps around.
const FFT_SIZE: usize = 1024;
/// The first peak that reaches this share of the highest is the period: later ones are its multiples.
const FIRST_PEAK: f32 = 0.85;
/// A frame is voiced if it correlates this well with itself one period later.
const VOICED: f32 = 0.5;
/// Frames with less than this share of the loudest frame's energy are unvoiced.
const SILENT: f32 = 1e-3;

/// Pitch tracker by normalised autocorrelation: one value for each frame of [`super::mfcc::Mfcc`].
pub struct Pitch {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    samples: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    correlation: Vec<f32>,
    scratch: Vec<Complex<f32>>,
}

impl Default for Pitch {
    fn default() -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(FFT_SIZE), planner.plan_fft_inverse(FFT_SIZE));
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Self {
            samples: forward.make_input_vec(),
            spectrum: forward.make_output_vec(),
            correlation: inverse.make_output_vec(),
            scratch: vec![Complex::default(); scratch],
            forward,
            inverse,
        }
    }
}

impl Pitch {
    /// Natural logarithm of the fundamental frequency in Hz of each frame of `audio` (16 kHz), 0 where it is unvoiced.
    pub fn contour(&mut self, audio: &[f32]) -> Vec<f32> {
        let count = super::frame_count(audio.len(), WINDOW);
        let frame = |index: usize| {
            // Both windows have the same middle.
            let start = (index * HOP + WINDOW / 2).saturating_sub(FRAME / 2);
            &audio[start..(start + FRAME).min(audio.len())]
        };
        let energies: Vec<f32> = (0..count).map(|index| frame(index).iter().map(|x| x * x).sum()).collect();
        let least = SILENT * energies.iter().fold(0.0f32, |most, x| most.max(*x));
        let log_frequency = |(index, energy): (usize, &f32)| {
            let period = if *energy > least { self.period(frame(index)) } else { None };
            period.map_or(0.0, |period| (SAMPLE_RATE as f32 / period).ln())
        };
        energies.iter().enumerate().map(log_frequency).collect()
    }

    /// The period of `frame` in samples, if it has one.
    fn period(&mut self, frame: &[f32]) -> Option<f32> {
        if frame.len() < 2 * LONGEST {
            return None;
        }
        let mean = frame.iter().sum::<f32>() / frame.len() as f32;
        self.samples.fill(0.0);
        self.samples.iter_mut().zip(frame).for_each(|(to, x)| *to = x - mean);
        let squares: Vec<f32> = self.samples[..frame.len()].iter().map(|x| x * x).collect();
        let scratch = &mut self.scratch[..];
        self.forward.process_with_scratch(&mut self.samples, &mut self.spectrum, scratch).ok()?;
        self.spectrum.iter_mut().for_each(|bin| *bin = Complex::new(bin.norm_sqr(), 0.0));
        self.inverse.process_with_scratch(&mut self.spectrum, &mut self.correlation, scratch).ok()?;
        // Energies of the parts that overlap at each lag.
        let total: f32 = squares.iter().sum();
        let (mut head, mut tail) = (total, total);
        let mut values = [0.0; LONGEST + 2];
        for (lag, value) in values.iter_mut().enumerate() {
            if lag > 0 {
                tail -= squares[lag - 1];
                head -= squares[frame.len() - lag];
            }
            let norm = (head.max(0.0) * tail.max(0.0)).sqrt();
            *value = if norm > 1e-9 { self.correlation[lag] / FFT_SIZE as f32 / norm } else { 0.0 };
        }
        let peak = |lag: &usize| values[*lag] >= values[lag - 1] && values[*lag] > values[lag + 1];
        let highest = (SHORTEST..=LONGEST).filter(peak).map(|lag| values[lag]).fold(0.0f32, f32::max);
        if highest < VOICED {
            return None;
        }
        let lag = (SHORTEST..=LONGEST).filter(peak).find(|lag| values[*lag] >= FIRST_PEAK * highest)?;
        // A parabola through the peak and its neighbours.
        let (before, here, after) = (values[lag - 1], values[lag], values[lag + 1]);
        let bend = before - 2.0 * here + after;
        Some(lag as f32 + if bend < 0.0 { 0.5 * (before - after) / bend } else { 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_has_its_pitch_and_noise_has_none() {
        let mut pitch = Pitch::default();
        for hz in [75.0f32, 120.0, 210.0, 400.0] {
            let voice: Vec<f32> = (0..8000)
                .map(|n| {
                    let phase = n as f32 * hz / SAMPLE_RATE as f32 * std::f32::consts::TAU;
                    (1..6).map(|k| (k as f32 * phase).sin() / k as f32).sum::<f32>() * 0.1
                })
                .collect();
            let contour = pitch.contour(&voice);
            for found in &contour[3..contour.len() - 3] {
                assert!((found.exp() / hz - 1.0).abs() < 0.02, "{} Hz, not {hz}", found.exp());
            }
        }
        let mut seed = fastrand::Rng::with_seed(1);
        let noise: Vec<f32> = (0..8000).map(|_| seed.f32() - 0.5).collect();
        let voiced = pitch.contour(&noise).iter().filter(|f0| **f0 > 0.0).count();
        assert!(voiced < 3, "{voiced} frames of noise are voiced");
        assert!(pitch.contour(&[0.0; 8000]).iter().all(|f0| *f0 == 0.0));
    }
}
