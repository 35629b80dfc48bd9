//! A telephone line: 300 to 3400 Hz, 8,000 samples a second of 8 bits (ITU-T G.711, mu-law).

use super::spectrum::band_pass;
use crate::features::SAMPLE_RATE;

/// The band, as fractions of the sample rate.
const BAND: (f32, f32) = (300.0 / SAMPLE_RATE as f32, 3400.0 / SAMPLE_RATE as f32);
/// Curvature of the law.
const MU: f32 = 255.0;
/// Steps on either side of zero.
const STEPS: f32 = 127.0;

/// `samples` (16 kHz) as they come out at the other end.
pub fn telephone(samples: &mut [f32]) {
    band_pass(samples, BAND.0, BAND.1);
    for (n, sample) in samples.iter_mut().enumerate() {
        // Every other sample is transmitted; the line's filter fills the gaps, at half the level.
        *sample = if n % 2 == 0 { 2.0 * coded(*sample) } else { 0.0 };
    }
    band_pass(samples, BAND.0, BAND.1);
}

/// A sample after the law's 255 steps.
fn coded(sample: f32) -> f32 {
    let sample = sample.clamp(-1.0, 1.0);
    let compressed = (MU * sample.abs()).ln_1p() / MU.ln_1p();
    let step = (compressed * STEPS).round() / STEPS;
    ((step * MU.ln_1p()).exp_m1() / MU).copysign(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telephone_line_passes_the_voice_band_only() {
        for (hertz, passes) in
            [(100.0, false), (500.0, true), (3000.0, true), (5000.0, false), (7000.0, false)]
        {
            let tone = |n: usize| 0.5 * (std::f32::consts::TAU * hertz / 16_000.0 * n as f32).sin();
            let mut samples: Vec<f32> = (0..16_000).map(tone).collect();
            telephone(&mut samples);
            let power = samples[4000..12_000].iter().map(|x| x * x).sum::<f32>() / 8000.0;
            assert!(if passes { (0.11..0.14).contains(&power) } else { power < 1e-3 }, "{hertz} Hz: {power}");
        }
    }
}
