//! What is known of one person saying one phrase.

use serde::{Deserialize, Serialize};

use crate::features::Frames;
use crate::speaker::voice;

/// An enrolled phrase: templates, voice and the scales that make scores comparable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Name under which it is stored.
    pub name: String,
    /// Who says it.
    pub user: String,
    /// The phrase as text, for people.
    pub phrase: String,
    /// Seconds since 1970 at which it was enrolled.
    pub created: u64,
    /// Fingerprint of the models that made it; others would not understand it.
    pub models: String,
    /// One template a take.
    pub takes: Vec<Take>,
    /// What it must be unlike.
    pub near_words: Vec<NearWord>,
    /// Scores that the takes reach against each other.
    pub scales: Scales,
    /// What its owner may change.
    pub settings: Settings,
}

/// What may change of a profile without new takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Whether the daemon listens for it.
    pub enabled: bool,
    /// Fused score needed; the configured one if absent.
    pub threshold: Option<f32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { enabled: true, threshold: None }
    }
}

impl Profile {
    /// A profile with the usual settings, of a user called like it, and without a date.
    pub fn new(name: &str, phrase: &str, models: &str, (takes, scales): (Vec<Take>, Scales)) -> Self {
        Self {
            name: name.into(),
            user: name.into(),
            phrase: phrase.into(),
            created: 0,
            models: models.into(),
            takes,
            near_words: Vec::new(),
            scales,
            settings: Settings::default(),
        }
    }
}

impl Profile {
    /// A profile that has no takes yet.
    pub fn draft(name: &str, phrase: &str, models: &str) -> Self {
        Self::new(name, phrase, models, (Vec::new(), Scales::default()))
    }

    /// The voice: mean embedding of the takes, and of the takes under each other condition; without the take
    /// `left_out`.
    pub fn voices(&self, left_out: Option<usize>) -> Vec<Vec<f32>> {
        let takes = self.takes.iter().enumerate().filter(|(index, _)| Some(*index) != left_out);
        let takes: Vec<&Take> = takes.map(|(_, take)| take).collect();
        let conditions = takes.iter().map(|take| take.augmented.len()).min().unwrap_or(0);
        let recorded = voice::mean(takes.iter().map(|take| &*take.embedding));
        let augmented =
            |condition: usize| voice::mean(takes.iter().map(|take| &*take.augmented[condition].embedding));
        std::iter::once(recorded).chain((0..conditions).map(augmented)).collect()
    }
}

impl Profile {
    /// The same of the phrase in one piece.
    pub fn phrase_voices(&self) -> Vec<Vec<f32>> {
        let conditions = self.takes.iter().map(|take| take.augmented.len()).min().unwrap_or(0);
        let recorded = voice::mean(self.takes.iter().map(|take| &*take.phrase_embedding));
        let augmented = |condition: usize| {
            voice::mean(self.takes.iter().map(|take| &*take.augmented[condition].phrase_embedding))
        };
        std::iter::once(recorded).chain((0..conditions).map(augmented)).collect()
    }
}

/// One enrolment recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Take {
    /// Length of the phrase in seconds.
    pub seconds: f32,
    /// Centred keyword vectors of unit length, `[n, 96]`.
    pub vectors: Frames,
    /// Cepstra, `[n, 39]`.
    pub cepstra: Frames,
    /// Speaker embedding of unit length, `[192]`.
    pub embedding: Vec<f32>,
    /// As it would sound in noise and in a room.
    pub augmented: Vec<AugmentedTake>,
    /// Halfway between `embedding` and what it would be over the telephone, where all voices are alike.
    pub line_embedding: Vec<f32>,
    /// The same of the phrase in one piece.
    pub line_phrase_embedding: Vec<f32>,
    /// Embedding of the phrase and 0.3 s around it in one piece, of unit length, `[192]`.
    pub phrase_embedding: Vec<f32>,
    /// Natural logarithm of the pitch in Hz of each row of `cepstra`, 0 where it is unvoiced.
    pub pitch: Vec<f32>,
}

/// Something that the owner says and that sounds nearly like the phrase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NearWord {
    /// Centred keyword vectors of unit length, `[n, 96]`.
    pub vectors: Frames,
    /// Cepstra, `[n, 39]`.
    pub cepstra: Frames,
}

impl Take {
    /// Its cepstra, as recorded and under other conditions.
    pub fn all_cepstra(&self) -> impl Iterator<Item = &Frames> {
        std::iter::once(&self.cepstra).chain(self.augmented.iter().map(|augmented| &augmented.cepstra))
    }
}

/// The phrase of a take as it would sound under other acoustic conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AugmentedTake {
    /// Keyword vectors of the same rows, `[n, 96]`.
    pub vectors: Frames,
    /// Cepstra of the same frames, `[n, 39]`.
    pub cepstra: Frames,
    /// As in [`Take::phrase_embedding`].
    pub phrase_embedding: Vec<f32>,
    /// Speaker embedding of unit length, `[192]`.
    pub embedding: Vec<f32>,
}

/// Medians over the takes, each scored against the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scales {
    /// T-normalised keyword score.
    pub keyword: f32,
    /// T-normalised cepstral score.
    pub cepstra: f32,
    /// Cosine to the mean of the other takes' embeddings.
    pub voice: f32,
    /// Fused score in quiet, from words and voice alone.
    pub takes: f32,
}
