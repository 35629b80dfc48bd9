//! Whether sound came through a narrow band.

use super::spectrum::{PowerSpectrum, hann_periodic};
use super::{HOP, SAMPLE_RATE};

const SIZE: usize = 512;
/// Where a narrow band has ended, in Hz: telephones and the headset profile of Bluetooth pass less than 4 kHz.
const END_HZ: usize = 4200;
/// Power beyond that, for one before it, of which even muffled speech has more.
const LEAST: f32 = 1e-5;

/// Tells narrow bands from wide ones.
pub struct Band(PowerSpectrum);

impl Default for Band {
    fn default() -> Self {
        // The sides of this window fall off fast: what leaks from below must not look like sound above.
        Self(PowerSpectrum::new(hann_periodic(SIZE), SIZE))
    }
}

impl Band {
    /// Whether there is next to nothing in `samples` (16 kHz mono) that no telephone passes.
    pub fn is_narrow(&mut self, samples: &[f32]) -> bool {
        let (mut below, mut beyond) = (0.0, 0.0);
        for frame in samples.windows(SIZE).step_by(HOP) {
            let (low, high) = self.0.compute(frame).split_at(END_HZ * SIZE / SAMPLE_RATE);
            below += low.iter().sum::<f32>();
            beyond += high.iter().sum::<f32>();
        }
        beyond < LEAST * below
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acoustics::telephone;

    #[test]
    fn a_muffled_voice_is_no_telephone() {
        let mut random = fastrand::Rng::with_seed(1);
        // A voice that has 45 dB less in the upper half than in the lower, and 16 bits.
        let mut muffled: Vec<f32> =
            (0..SAMPLE_RATE).map(|n| 0.1 * (n as f32 * 0.2).sin() + 0.002 * (random.f32() - 0.5)).collect();
        let mut band = Band::default();
        assert!(!band.is_narrow(&muffled));
        telephone(&mut muffled);
        let bits = |sample: f32| (sample * 32768.0).round() / 32768.0;
        muffled.iter_mut().for_each(|sample| *sample = bits(*sample));
        // The filter rings where the recording begins and ends.
        assert!(band.is_narrow(&muffled[2000..14_000]));
        assert!(!band.is_narrow(&[0.0; 4000]));
    }
}
