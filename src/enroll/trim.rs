//! Finds the phrase in a take.

use std::ops::Range;

use crate::features::level::{dbfs, percentile};
use crate::features::{HOP, SAMPLE_RATE, WINDOW, frame_count};

/// Speech rises at least this far above the noise, in dB.
const MIN_RISE_DB: f32 = 6.0;
/// Where between noise and peak speech begins, as a fraction of the range in dB.
const ONSET: f32 = 0.35;
/// Pauses up to this long belong to the phrase, in frames.
const MAX_PAUSE: usize = 30;
/// Anything shorter that stands alone is a click, in frames.
const CLICK: usize = 5;
/// Weak onsets and fricative endings fall below the onset level: keep this much around, in samples.
const PAD_BEFORE: usize = SAMPLE_RATE * 6 / 100;
const PAD_AFTER: usize = SAMPLE_RATE * 10 / 100;

/// The samples of the phrase in `take`, or `None` when nothing rises above the noise.
pub fn phrase_span(take: &[f32]) -> Option<Range<usize>> {
    let levels: Vec<f32> = (0..frame_count(take.len(), WINDOW))
        .map(|frame| dbfs(&take[frame * HOP..frame * HOP + WINDOW]))
        .collect();
    let noise = percentile(&mut levels.clone(), 0.10);
    let peak = percentile(&mut levels.clone(), 0.97);
    let onset = noise + (ONSET * (peak - noise)).max(MIN_RISE_DB);

    let phrase = runs(&levels, onset)
        .into_iter()
        .filter(|run| run.len() >= CLICK)
        .fold(Vec::<Range<usize>>::new(), join_over_pauses)
        .into_iter()
        .max_by(|a, b| energy(&levels[a.clone()], onset).total_cmp(&energy(&levels[b.clone()], onset)))?;
    let start = (phrase.start * HOP).saturating_sub(PAD_BEFORE);
    let end = ((phrase.end - 1) * HOP + WINDOW + PAD_AFTER).min(take.len());
    Some(start..end)
}

/// Stretches of frames above `onset`.
fn runs(levels: &[f32], onset: f32) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for (frame, _) in levels.iter().enumerate().filter(|(_, level)| **level >= onset) {
        match out.last_mut() {
            Some(run) if run.end == frame => run.end += 1,
            _ => out.push(frame..frame + 1),
        }
    }
    out
}

fn join_over_pauses(mut joined: Vec<Range<usize>>, run: Range<usize>) -> Vec<Range<usize>> {
    match joined.last_mut() {
        Some(last) if run.start - last.end <= MAX_PAUSE => last.end = run.end,
        _ => joined.push(run),
    }
    joined
}

/// How much a stretch stands out: decibels above the onset level, summed over its frames.
fn energy(levels: &[f32], onset: f32) -> f32 {
    levels.iter().map(|level| (level - onset).max(0.0)).sum()
}
