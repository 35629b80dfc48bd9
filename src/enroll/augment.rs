//! The take that a profile keeps of a recording, heard under other acoustic conditions too.

use std::ops::Range;

use crate::acoustics::{noisy, reverberated, telephone};
use crate::features::SAMPLE_RATE;
use crate::models::Models;
use crate::phrase::{Analyst, Excerpt, Utterance, frames_of, vectors_of};
use crate::profile::{AugmentedTake, Take};
use crate::speaker::voice;

/// Signal-to-noise ratio of the take in noise, in dB.
const NOISY_SNR_DB: f32 = 10.0;
/// Reverberation time of the take in a room, in seconds.
const RT60: f32 = 0.5;

/// The take that is kept of `recording`, which is `utterance` with the phrase at `span`.
pub(super) fn take(
    analyst: &mut Analyst,
    models: &Models,
    recording: &[f32],
    span: &Range<usize>,
    utterance: &Utterance,
) -> Take {
    let Excerpt { around, phrase } = Excerpt::new(span, recording.len());
    let rows = vectors_of(span.clone());
    let end = rows.end.min(utterance.vectors.rows());
    let rows = rows.start.min(end.saturating_sub(1))..end;
    let frames = frames_of(phrase.clone());
    let frames = frames.start..frames.end.min(utterance.cepstra.rows());

    let augmented = [noisy(recording, NOISY_SNR_DB), reverberated(recording, RT60)].map(|copy| {
        let audio = &copy[around.clone()];
        AugmentedTake {
            vectors: analyst.vectors(models, &copy).slice(rows.start, rows.end),
            cepstra: analyst.cepstra(audio).slice(frames.start, frames.end),
            embedding: analyst.embedding(models, audio, phrase.clone()),
            phrase_embedding: analyst.phrase_embedding(models, audio, phrase.clone()),
        }
    });
    let audio = &recording[around.clone()];
    let mut line = audio.to_vec();
    telephone(&mut line);
    let over_telephone = analyst.embedding(models, &line, phrase.clone());
    let phrase_embedding = analyst.phrase_embedding(models, audio, phrase.clone());
    let phrase_over_telephone = analyst.phrase_embedding(models, &line, phrase);
    Take {
        seconds: span.len() as f32 / SAMPLE_RATE as f32,
        vectors: utterance.vectors.slice(rows.start, rows.end),
        cepstra: utterance.cepstra.slice(frames.start, frames.end),
        embedding: utterance.embedding.clone(),
        augmented: augmented.into(),
        line_embedding: voice::mean([&utterance.embedding[..], &over_telephone]),
        line_phrase_embedding: voice::mean([&phrase_embedding[..], &phrase_over_telephone]),
        phrase_embedding,
        pitch: analyst.pitch(audio)[frames].to_vec(),
    }
}
