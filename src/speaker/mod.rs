//! Speaker verification.

mod clip;
pub mod voice;

use std::ops::Range;

use crate::features::frames::{dot, normalise};
use crate::features::{Frames, HOP, WINDOW, fbank};
use crate::inference::{SpeakerBuffers, SpeakerNet};

/// Root-mean-square level to which speech is brought before the encoder.
const TARGET_RMS: f32 = 0.05;

/// Turns stretches of speech into embeddings.
#[derive(Default)]
pub struct SpeakerEncoder {
    fbank: fbank::Fbank,
    buffers: SpeakerBuffers,
}

impl SpeakerEncoder {
    /// Embedding of unit length of `phrase` within `audio` (16 kHz).
    ///
    /// Of a phrase a little longer than the encoder's input its middle counts, of a much longer one
    /// the mean over several parts.
    pub fn embed(&mut self, net: &SpeakerNet, audio: &[f32], phrase: Range<usize>) -> Vec<f32> {
        let around = heard(net, phrase, audio.len());
        let full = input_samples(net);
        let parts = ((around.len() + full / 2) / full).max(1);
        let spare = around.len().saturating_sub(full);
        let mut sum = vec![0.0; net.geometry().dimension];
        for part in 0..parts {
            let start = around.start + if parts == 1 { spare / 2 } else { spare * part / (parts - 1) };
            let end = (start + full).min(around.end);
            let mut embedding = self.embed_part(net, &audio[start..end]).to_vec();
            normalise(&mut embedding);
            sum.iter_mut().zip(&embedding).for_each(|(total, x)| *total += x);
        }
        normalise(&mut sum);
        sum
    }

    fn embed_part(&mut self, net: &SpeakerNet, samples: &[f32]) -> &[f32] {
        let power = samples.iter().map(|x| x * x).sum::<f32>() / samples.len().max(1) as f32;
        let gain = TARGET_RMS / power.sqrt().max(1e-6);
        let mut scaled: Vec<f32> = samples.iter().map(|x| x * gain).collect();
        scaled.resize(samples.len().max(WINDOW), 0.0);
        let length = net.geometry().frames;
        let mut frames = Frames::with_capacity(fbank::BANDS, length);
        self.fbank.compute_into(&scaled, &mut frames);
        frames.centre_columns();
        // The encoder takes one length only; repetition keeps the statistics that it pools.
        let mut input = Frames::with_capacity(fbank::BANDS, length);
        for index in 0..length {
            input.push(frames.row(index % frames.rows()));
        }
        net.embed(&input, &mut self.buffers)
    }
}

/// Where the encoder `net` listens for the voice in a `phrase` within `length` samples.
pub fn heard(net: &SpeakerNet, phrase: Range<usize>, length: usize) -> Range<usize> {
    widen(phrase, input_samples(net), length)
}

/// Samples that fill the encoder's input: a shorter phrase brings its surroundings.
fn input_samples(net: &SpeakerNet) -> usize {
    (net.geometry().frames - 1) * HOP + WINDOW
}

/// `range` widened evenly to `length` where `limit` samples allow it.
fn widen(range: Range<usize>, length: usize, limit: usize) -> Range<usize> {
    let end = range.end.min(limit);
    let start = range.start.min(end);
    let missing = length.saturating_sub(end - start);
    let start = start.saturating_sub(missing / 2);
    let end = (end + missing.div_ceil(2)).min(limit);
    start.min(end.saturating_sub(length.min(limit)))..end
}

/// Cosine of two embeddings of unit length.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b)
}
