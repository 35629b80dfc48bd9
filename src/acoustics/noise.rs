//! Takes as they would sound in noise.

use crate::features::SAMPLE_RATE;
use crate::features::level::noise_gain;

/// Corner frequencies of the noise, in Hz: the long-term spectrum of speech is flat between them.
const LOW_HZ: f32 = 100.0;
const HIGH_HZ: f32 = 500.0;

/// `take` with noise `snr_db` below its active level, always the same for the same take. The noise has about the
/// long-term spectrum of speech, as many voices together have it.
///
/// Real noise of cafés or crowds did no better when it was mixed into takes (docs/accuracy-notes.md).
pub fn noisy(take: &[f32], snr_db: f32) -> Vec<f32> {
    let noise = noise(take.len());
    let gain = noise_gain(take, &noise, snr_db);
    take.iter().zip(&noise).map(|(sample, noise)| sample + gain * noise).collect()
}

/// White noise through two filters of first order: falling above [`HIGH_HZ`] and below [`LOW_HZ`].
fn noise(samples: usize) -> Vec<f32> {
    // Takes of different length have different noise.
    let mut random = fastrand::Rng::with_seed(samples as u64);
    let pole = |hz: f32| (-std::f32::consts::TAU * hz / SAMPLE_RATE as f32).exp();
    let (high, low) = (pole(HIGH_HZ), 1.0 - pole(LOW_HZ));
    let (mut smooth, mut slow) = (0.0, 0.0);
    let mut next = || {
        smooth = high * smooth + random.f32() - 0.5;
        let out = smooth - slow;
        slow += low * out;
        out
    };
    (0..samples).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::level::power;

    #[test]
    fn the_same_takes_give_the_same_copies() {
        let take: Vec<f32> = (0..SAMPLE_RATE).map(|n| 0.1 * (n as f32 * 0.05).sin()).collect();
        let copy = |snr_db| noisy(&take, snr_db);
        let (loud, faint) = (copy(0.0), copy(20.0));
        assert_eq!((&loud, &faint), (&copy(0.0), &copy(20.0)));
        let added = |copy: &[f32]| {
            let noise: Vec<f32> = copy.iter().zip(&take).map(|(noisy, clean)| noisy - clean).collect();
            power(&noise)
        };
        for (copy, snr_db) in [(&loud, 0.0), (&faint, 20.0)] {
            let found = 10.0 * (power(&take) / added(copy)).log10();
            assert!((found - snr_db).abs() < 0.1, "{found} dB, not {snr_db}");
        }
        assert_ne!(noise(1600)[..800], noise(800)[..]);
    }

    #[test]
    fn silence_stays_finite() {
        let copy = noisy(&[0.0; 1600], 10.0);
        assert!(copy.iter().all(|sample| sample.is_finite()));
    }
}
