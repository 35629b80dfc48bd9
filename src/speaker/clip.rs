//! The embedding of a whole clip, of whatever length and content.

use std::ops::Range;

use super::{FULL, SpeakerEncoder, voice};
use crate::features::level::{FLOOR_DBFS, dbfs, percentile};
use crate::features::{HOP, WINDOW, frame_count};
use crate::inference::SpeakerNet;

/// Most stretches of a clip that are embedded.
const MOST: usize = 4;
/// Where between noise and peak speech begins, as a fraction of the range in dB.
const ONSET: f32 = 0.35;
/// Pauses up to this long do not interrupt a stretch, in samples (0.3 s).
const MAX_PAUSE: usize = 30 * HOP;

impl SpeakerEncoder {
    /// Embedding of unit length of `clip` (16 kHz, any scale): the mean over up to four stretches of 0.8 s
    /// in which there is sound, spread over the clip. `None` for a clip that is empty or digital silence.
    pub fn embed_clip(&mut self, net: &SpeakerNet, clip: &[f32]) -> Option<Vec<f32>> {
        let stretches = stretches(clip).into_iter();
        let embeddings: Vec<_> = stretches.map(|stretch| self.embed(net, clip, stretch)).collect();
        let mean = voice::mean(embeddings.iter().map(|embedding| &embedding[..]));
        (!mean.is_empty()).then_some(mean)
    }
}

/// The stretches of `clip` to embed, at most [`MOST`].
fn stretches(clip: &[f32]) -> Vec<Range<usize>> {
    if clip.iter().all(|sample| *sample == 0.0) {
        return Vec::new();
    }
    let sounding = sounding(clip);
    let longest = sounding.iter().map(Range::len).max().unwrap_or(0);
    // A click or a cough beside the speech is no voice.
    let voiced = sounding.into_iter().filter(|run| 2 * run.len() >= longest.min(FULL));
    let all: Vec<Range<usize>> = voiced.flat_map(parts).collect();
    if all.len() <= MOST {
        return all;
    }
    (0..MOST).map(|number| all[number * (all.len() - 1) / (MOST - 1)].clone()).collect()
}

/// Where `clip` rises above its noise; all of it where nothing does.
fn sounding(clip: &[f32]) -> Vec<Range<usize>> {
    let levels: Vec<f32> = (0..frame_count(clip.len(), WINDOW))
        .map(|frame| dbfs(&clip[frame * HOP..frame * HOP + WINDOW]))
        .collect();
    let noise = percentile(&mut levels.clone(), 0.10).max(FLOOR_DBFS);
    let peak = percentile(&mut levels.clone(), 0.97);
    let onset = noise + ONSET * (peak - noise);
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (frame, _) in levels.iter().enumerate().filter(|(_, level)| **level >= onset) {
        let samples = frame * HOP..frame * HOP + WINDOW;
        match runs.last_mut() {
            Some(run) if samples.start <= run.end + MAX_PAUSE => run.end = samples.end,
            _ => runs.push(samples),
        }
    }
    if runs.is_empty() {
        runs.push(0..clip.len());
    }
    runs
}

/// Evenly spaced stretches that cover `run`; the run itself if one is enough.
fn parts(run: Range<usize>) -> Vec<Range<usize>> {
    let spare = run.len().saturating_sub(FULL);
    let steps = (spare + FULL / 2) / FULL;
    if steps == 0 {
        return vec![run];
    }
    let at = |step: usize| run.start + spare * step / steps;
    (0..=steps).map(|step| at(step)..at(step) + FULL).collect()
}
