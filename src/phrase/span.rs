//! Finds the phrase in a recording.

use std::ops::Range;

use crate::features::activity::{join, runs};
use crate::features::level::{frame_levels, noise_and_peak};
use crate::features::{HOP, SAMPLE_RATE, WINDOW};

/// Speech rises at least this far above the noise, in dB.
const MIN_RISE_DB: f32 = 6.0;
/// Where between noise and peak speech begins, as a fraction of the range in dB.
const ONSET: f32 = 0.35;
/// Pauses up to this long belong to the phrase whatever surrounds them, in frames.
const SHORT_PAUSE: usize = 30;
/// Pauses up to this long, a second, do so between parts that both stand out, in frames.
const LONG_PAUSE: usize = 100;
/// How much such a part has at least: its frames, and its share of what the loudest part has in decibels above the
/// onset, summed over its frames. A breath or a knock has less.
const PART_FRAMES: usize = 12;
const PART_SHARE: f32 = 0.2;
/// Anything shorter that stands alone is a click, in frames.
const CLICK: usize = 5;
/// Weak onsets and fricative endings fall below the onset level: keep this much around, in samples.
const PAD_BEFORE: usize = SAMPLE_RATE * 6 / 100;
const PAD_AFTER: usize = SAMPLE_RATE * 10 / 100;

/// The samples of the phrase in `recording`, or `None` when nothing rises above the noise.
pub fn phrase_span(recording: &[f32]) -> Option<Range<usize>> {
    let levels = frame_levels(recording);
    let (noise, peak) = noise_and_peak(levels.clone());
    let onset = noise + (ONSET * (peak - noise)).max(MIN_RISE_DB);
    let excess = |run: &Range<usize>| -> f32 {
        levels[run.clone()].iter().map(|level| (level - onset).max(0.0)).sum()
    };

    let sounds = runs(&levels, onset).into_iter().filter(|run| run.len() >= CLICK);
    let parts = join(sounds, SHORT_PAUSE);
    let least = PART_SHARE * parts.iter().map(excess).fold(0.0, f32::max);
    let parts = parts.into_iter().filter(|part| {
        let share = excess(part);
        share >= least && (part.len() >= PART_FRAMES || share >= least / PART_SHARE)
    });
    let phrase = join(parts, LONG_PAUSE).into_iter().max_by(|a, b| excess(a).total_cmp(&excess(b)))?;
    let start = (phrase.start * HOP).saturating_sub(PAD_BEFORE);
    let end = ((phrase.end - 1) * HOP + WINDOW + PAD_AFTER).min(recording.len());
    Some(start..end)
}
