//! Levels and signal-to-noise ratio.

use super::{HOP, WINDOW};

/// Quietest level reported, in dBFS.
pub const FLOOR_DBFS: f32 = -120.0;
/// What the estimate below exceeds the true ratio by on speech with pauses, in dB.
const SNR_BIAS_DB: f32 = 6.0;
/// Frames this far below the active level are pauses, in dB (margin of ITU-T P.56).
const PAUSE_DB: f64 = 15.9;

/// Level of `samples` in dB relative to a full-scale square wave.
pub fn dbfs(samples: &[f32]) -> f32 {
    (10.0 * power(samples).max(1e-12).log10() as f32).max(FLOOR_DBFS)
}

/// Mean square of `samples`.
pub fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|x| f64::from(x * x)).sum::<f64>() / samples.len().max(1) as f64
}

/// Mean power of the frames that are no pauses, found by repeating what ITU-T P.56 defines: those less than
/// a margin below the mean of all such frames.
fn active_power(samples: &[f32]) -> f64 {
    let frames: Vec<f64> = windows(samples).map(power).collect();
    let mut level = power(samples);
    for _ in 0..10 {
        let active = frames.iter().filter(|power| **power >= level * 10f64.powf(-PAUSE_DB / 10.0));
        let (sum, count) = active.fold((0.0, 0), |(sum, count), power| (sum + power, count + 1));
        level = if count == 0 { level } else { sum / f64::from(count) };
    }
    level
}

/// By how much `noise` has to be amplified to lie `snr_db` below the active level of `speech`. Zero for silence
/// of either.
pub fn noise_gain(speech: &[f32], noise: &[f32], snr_db: f32) -> f32 {
    let wanted = active_power(speech) * 10f64.powf(f64::from(-snr_db) / 10.0);
    let there = power(noise);
    if there > 0.0 { (wanted / there).sqrt() as f32 } else { 0.0 }
}

/// By how much `speech` has to be amplified for an active level of `dbfs`. Zero for silence.
pub fn level_gain(speech: &[f32], dbfs: f32) -> f32 {
    let there = active_power(speech);
    if there > 0.0 { (10f64.powf(f64::from(dbfs) / 10.0) / there).sqrt() as f32 } else { 0.0 }
}

/// Signal-to-noise ratio in dB of speech with pauses: 97th less 10th percentile of the frame
/// levels, less a bias. Audio without a pause is underestimated. Zero for less than a frame.
pub fn snr_db(samples: &[f32]) -> f32 {
    let levels = frame_levels(samples);
    if levels.is_empty() {
        return 0.0;
    }
    let (noise, peak) = noise_and_peak(levels);
    (peak - noise - SNR_BIAS_DB).max(0.0)
}

/// Level of every window of `samples`, a hop apart, in dBFS.
pub fn frame_levels(samples: &[f32]) -> Vec<f32> {
    windows(samples).map(dbfs).collect()
}

/// Level of the noise and of the loudest speech, in dBFS: 10th and 97th percentile of the frame levels.
pub fn noise_and_peak(mut levels: Vec<f32>) -> (f32, f32) {
    (percentile(&mut levels, 0.10), percentile(&mut levels, 0.97))
}

/// The analysis windows that fit into `samples`, a hop apart.
fn windows(samples: &[f32]) -> impl Iterator<Item = &[f32]> {
    samples.windows(WINDOW).step_by(HOP)
}

/// The `fraction` quantile of `values` with linear interpolation; reorders them. Zero if empty.
pub fn percentile(values: &mut [f32], fraction: f32) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let position = fraction.clamp(0.0, 1.0) * (values.len() - 1) as f32;
    let below = position.floor() as usize;
    let (_, &mut low, above) = values.select_nth_unstable_by(below, f32::total_cmp);
    let high = above.iter().copied().min_by(f32::total_cmp).unwrap_or(low);
    low + (high - low) * (position - below as f32)
}
