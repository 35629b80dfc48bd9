//! Takes as they would sound in noise.

use crate::features::SAMPLE_RATE;
use crate::features::level::{active_power, power};

/// Any other seed would do: the same takes always give the same profile.
const SEED: u64 = 1;
/// Where the noise begins and ceases to be loud, in Hz: long-term averages of speech are flat between.
const LOW_HZ: f32 = 100.0;
const HIGH_HZ: f32 = 500.0;

/// Makes noise with about the long-term spectrum of speech, as many voices together have it.
///
/// Real noise of cafés or crowds did no better when it was mixed into takes (docs/accuracy-notes.md).
pub struct NoiseMaker {
    random: fastrand::Rng,
}

impl Default for NoiseMaker {
    fn default() -> Self {
        Self { random: fastrand::Rng::with_seed(SEED) }
    }
}

impl NoiseMaker {
    /// `take` with noise `snr_db` below its active level.
    pub fn noisy(&mut self, take: &[f32], snr_db: f32) -> Vec<f32> {
        let noise = self.noise(take.len());
        let wanted = active_power(take) * 10f64.powf(f64::from(-snr_db) / 10.0);
        let gain = (wanted / power(&noise).max(f64::MIN_POSITIVE)).sqrt() as f32;
        take.iter().zip(&noise).map(|(sample, noise)| sample + gain * noise).collect()
    }

    /// White noise through two filters of first order: falling above [`HIGH_HZ`] and below [`LOW_HZ`].
    fn noise(&mut self, samples: usize) -> Vec<f32> {
        let pole = |hz: f32| (-std::f32::consts::TAU * hz / SAMPLE_RATE as f32).exp();
        let (high, low) = (pole(HIGH_HZ), 1.0 - pole(LOW_HZ));
        let (mut smooth, mut slow) = (0.0, 0.0);
        let mut next = || {
            smooth = high * smooth + self.random.f32() - 0.5;
            let out = smooth - slow;
            slow += low * out;
            out
        };
        (0..samples).map(|_| next()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_takes_never_give_other_copies() {
        let take: Vec<f32> = (0..SAMPLE_RATE).map(|n| 0.1 * (n as f32 * 0.05).sin()).collect();
        let copy = |snr_db| NoiseMaker::default().noisy(&take, snr_db);
        let (loud, faint) = (copy(0.0), copy(20.0));
        assert_eq!((&loud, &faint), (&copy(0.0), &copy(20.0)));
        let noise = |copy: &[f32]| {
            let noise: Vec<f32> = copy.iter().zip(&take).map(|(noisy, clean)| noisy - clean).collect();
            power(&noise)
        };
        for (copy, snr_db) in [(&loud, 0.0), (&faint, 20.0)] {
            let found = 10.0 * (power(&take) / noise(copy)).log10();
            assert!((found - snr_db).abs() < 0.1, "{found} dB, not {snr_db}");
        }
        let mut maker = NoiseMaker::default();
        assert_ne!(maker.noisy(&take, 0.0), maker.noisy(&take, 0.0));
    }

    #[test]
    fn silence_never_becomes_undefined() {
        let copy = NoiseMaker::default().noisy(&[0.0; 1600], 10.0);
        assert!(copy.iter().all(|sample| sample.is_finite()));
    }
}
