//! The voice of somebody, whatever they say.

use serde::{Deserialize, Serialize};

use super::cosine;
use crate::features::frames::normalise;

/// Cosine to a voice from which on it is taken for that person's.
pub const THRESHOLD: f32 = 0.45;

/// What is known of how one person sounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Voice {
    /// Name under which it is stored.
    pub name: String,
    /// Seconds since 1970 at which it was enrolled.
    pub created: u64,
    /// Fingerprint of the models that made it; others would not understand it.
    pub models: String,
    /// Recordings that it is the mean of.
    pub clips: u32,
    /// Unit length.
    pub embedding: Vec<f32>,
}

/// The mean direction of `embeddings`, of unit length; empty for none.
pub fn mean<'a>(embeddings: impl IntoIterator<Item = &'a [f32]>) -> Vec<f32> {
    let mut sum = Vec::new();
    for embedding in embeddings {
        sum.resize(embedding.len(), 0.0);
        sum.iter_mut().zip(embedding).for_each(|(total, x)| *total += x);
    }
    normalise(&mut sum);
    sum
}

/// Whose of `voices` an embedding is, and the cosine to that voice; `None` if it is nobody's.
pub fn recognise<'a>(voices: &'a [Voice], embedding: &[f32]) -> Option<(&'a Voice, f32)> {
    let (best, similarity) = rank(voices, embedding).first().copied()?;
    (similarity >= THRESHOLD).then(|| (&voices[best], similarity))
}

/// How near each of `voices` an embedding is: (index, cosine), the nearest first.
pub fn rank(voices: &[Voice], embedding: &[f32]) -> Vec<(usize, f32)> {
    let mut ranked: Vec<_> = voices
        .iter()
        .enumerate()
        .map(|(index, voice)| (index, cosine(&voice.embedding, embedding)))
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}
