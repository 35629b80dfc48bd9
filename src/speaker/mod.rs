//! Speaker verification.

mod clip;
pub mod voice;

use std::ops::Range;

use crate::features::frames::{dot, normalise};
use crate::features::{Frames, HOP, SAMPLE_RATE, WINDOW, fbank, frame_count};
use crate::inference::{SpeakerBuffers, SpeakerNet};

/// Root-mean-square level to which speech is brought before the encoder.
const TARGET_RMS: f32 = 0.05;

/// Audio around a phrase that belongs to its piece, in samples (0.3 s).
const AROUND: usize = SAMPLE_RATE * 3 / 10;
/// Fewest frames of which a voice can be told.
const MIN_FRAMES: usize = 8;

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

    /// Embedding of unit length of `phrase` and 0.3 s around it within `audio` (16 kHz), in as few pieces as the
    /// encoder takes.
    pub fn embed_whole(&mut self, net: &SpeakerNet, audio: &[f32], phrase: Range<usize>) -> Vec<f32> {
        let start = phrase.start.saturating_sub(AROUND).min(audio.len());
        let around = &audio[start..(phrase.end + AROUND).clamp(start, audio.len())];
        let (usual, most) = (net.geometry().frames, net.max_frames());
        let pieces = around.len().div_ceil((most - 1) * HOP + WINDOW).max(1);
        let mut sum = vec![0.0; net.geometry().dimension];
        for piece in 0..pieces {
            let samples = &around[around.len() * piece / pieces..around.len() * (piece + 1) / pieces];
            let there = frame_count(samples.len(), WINDOW).clamp(MIN_FRAMES, most);
            let frames = if most == usual { usual } else { there / 2 * 2 };
            let mut embedding = self.embed_frames(net, samples, frames).to_vec();
            normalise(&mut embedding);
            sum.iter_mut().zip(&embedding).for_each(|(total, x)| *total += x);
        }
        normalise(&mut sum);
        sum
    }

    fn embed_part(&mut self, net: &SpeakerNet, samples: &[f32]) -> &[f32] {
        self.embed_frames(net, samples, net.geometry().frames)
    }

    /// The embedding of `samples` by `count` frames, which are repeated where there are fewer.
    fn embed_frames(&mut self, net: &SpeakerNet, samples: &[f32], count: usize) -> &[f32] {
        let power = samples.iter().map(|x| x * x).sum::<f32>() / samples.len().max(1) as f32;
        let gain = TARGET_RMS / power.sqrt().max(1e-6);
        let mut scaled: Vec<f32> = samples.iter().map(|x| x * gain).collect();
        scaled.resize(samples.len().max(WINDOW), 0.0);
        let mut frames = Frames::with_capacity(fbank::BANDS, count);
        self.fbank.compute_into(&scaled, &mut frames);
        frames.centre_columns();
        // Repetition keeps the statistics that the encoder pools.
        let mut input = Frames::with_capacity(fbank::BANDS, count);
        for index in 0..count {
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
