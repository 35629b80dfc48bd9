//! Levels and signal-to-noise ratio.

use super::{HOP, WINDOW, frame_count};

/// Quietest level reported, in dBFS.
pub const FLOOR_DBFS: f32 = -120.0;
/// What the estimate below exceeds the true ratio by on speech with pauses, in dB.
const SNR_BIAS_DB: f32 = 6.0;

/// Level of `samples` in dB relative to a full-scale square wave.
pub fn dbfs(samples: &[f32]) -> f32 {
    let power = samples.iter().map(|x| x * x).sum::<f32>() / samples.len().max(1) as f32;
    (10.0 * power.max(1e-12).log10()).max(FLOOR_DBFS)
}

/// Signal-to-noise ratio in dB of speech with pauses: 97th less 10th percentile of the frame
/// levels, less a bias. Audio without a pause is underestimated. Zero for less than a frame.
pub fn snr_db(samples: &[f32]) -> f32 {
    let mut levels: Vec<f32> = (0..frame_count(samples.len(), WINDOW))
        .map(|frame| dbfs(&samples[frame * HOP..frame * HOP + WINDOW]))
        .collect();
    if levels.is_empty() {
        return 0.0;
    }
    let loud = percentile(&mut levels, 0.97);
    let quiet = percentile(&mut levels, 0.10);
    (loud - quiet - SNR_BIAS_DB).max(0.0)
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
