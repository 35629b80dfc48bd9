//! The embedding of a whole clip, of whatever length and content.

use std::ops::Range;

use super::{SpeakerEncoder, input_samples, voice};
use crate::features::activity::{join, runs};
use crate::features::level::{FLOOR_DBFS, frame_levels, noise_and_peak};
use crate::features::{HOP, WINDOW};
use crate::inference::SpeakerNet;

/// How many stretches of a clip are embedded at most.
const MAX_STRETCHES: usize = 4;
/// Where between noise and peak speech begins, as a fraction of the range in dB.
const ONSET: f32 = 0.35;
/// Pauses up to this long do not interrupt a stretch, in frames (0.3 s between their windows).
const MAX_PAUSE: usize = 31;

impl SpeakerEncoder {
    /// Embedding of unit length of `clip` (16 kHz, any scale): the mean over up to four stretches of the encoder's
    /// input length in which there is sound, spread over the clip. `None` for a clip that is empty or digital silence.
    pub fn embed_clip(&mut self, net: &SpeakerNet, clip: &[f32]) -> Option<Vec<f32>> {
        let stretches = stretches(clip, input_samples(net)).into_iter();
        let embeddings: Vec<_> = stretches.map(|stretch| self.embed(net, clip, stretch)).collect();
        let mean = voice::mean(embeddings.iter().map(|embedding| &embedding[..]));
        (!mean.is_empty()).then_some(mean)
    }
}

/// The stretches of `clip` to embed, at most [`MAX_STRETCHES`], each of `full` samples where there are so many.
fn stretches(clip: &[f32], full: usize) -> Vec<Range<usize>> {
    if clip.iter().all(|sample| *sample == 0.0) {
        return Vec::new();
    }
    let sounding = sounding(clip);
    let longest = sounding.iter().map(Range::len).max().unwrap_or(0);
    // A click or a cough beside the speech is no voice.
    let voiced = sounding.into_iter().filter(|run| 2 * run.len() >= longest.min(full));
    let all: Vec<Range<usize>> = voiced.flat_map(|run| parts(run, full)).collect();
    if all.len() <= MAX_STRETCHES {
        return all;
    }
    (0..MAX_STRETCHES).map(|number| all[number * (all.len() - 1) / (MAX_STRETCHES - 1)].clone()).collect()
}

/// Where `clip` rises above its noise; all of it where nothing does.
fn sounding(clip: &[f32]) -> Vec<Range<usize>> {
    let levels = frame_levels(clip);
    let (noise, peak) = noise_and_peak(levels.clone());
    let noise = noise.max(FLOOR_DBFS);
    let runs = join(runs(&levels, noise + ONSET * (peak - noise)), MAX_PAUSE);
    let samples = |run: Range<usize>| run.start * HOP..(run.end - 1) * HOP + WINDOW;
    let whole = runs.is_empty().then_some(0..clip.len());
    runs.into_iter().map(samples).chain(whole).collect()
}

/// Evenly spaced stretches of `full` samples that cover `run`; the run itself if one is enough.
fn parts(run: Range<usize>, full: usize) -> Vec<Range<usize>> {
    let spare = run.len().saturating_sub(full);
    let steps = (spare + full / 2) / full;
    if steps == 0 {
        return vec![run];
    }
    let at = |step: usize| run.start + spare * step / steps;
    (0..=steps).map(|step| at(step)..at(step) + full).collect()
}
