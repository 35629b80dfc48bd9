//! Speaker verification.

mod clip;
pub mod voice;

use std::ops::Range;

use crate::features::frames::{dot, normalise};
use crate::features::{Frames, HOP, WINDOW, fbank};
use crate::inference::{EMBEDDING_DIM, SPEAKER_FRAMES, SpeakerBuffers, SpeakerNet};

/// Root-mean-square level to which speech is brought before the encoder.
const TARGET_RMS: f32 = 0.05;
/// Samples that fill the encoder's input (0.8 s): a shorter phrase brings its surroundings.
const FULL: usize = (SPEAKER_FRAMES - 1) * HOP + WINDOW;

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
        let around = heard(phrase, audio.len());
        let parts = ((around.len() + FULL / 2) / FULL).max(1);
        let spare = around.len().saturating_sub(FULL);
        let mut sum = vec![0.0; EMBEDDING_DIM];
        for part in 0..parts {
            let start = around.start + if parts == 1 { spare / 2 } else { spare * part / (parts - 1) };
            let end = (start + FULL).min(around.end);
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
        let mut frames = Frames::with_capacity(fbank::BANDS, SPEAKER_FRAMES);
        self.fbank.compute_into(&scaled, &mut frames);
        frames.centre_columns();
        // The encoder takes one length only; repetition keeps the statistics that it pools.
        let mut input = Frames::with_capacity(fbank::BANDS, SPEAKER_FRAMES);
        for index in 0..SPEAKER_FRAMES {
            input.push(frames.row(index % frames.rows()));
        }
        net.embed(&input, &mut self.buffers)
    }
}

/// Where the encoder listens for the voice in a `phrase` within `length` samples.
pub fn heard(phrase: Range<usize>, length: usize) -> Range<usize> {
    widen(phrase, FULL, length)
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
