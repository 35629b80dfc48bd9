//! What the encoders make of a recording of a phrase.

use std::ops::Range;

use super::{SURROUNDINGS, costs};
use crate::features::Frames;
use crate::features::mfcc::Mfcc;
use crate::features::pitch::Pitch;
use crate::keyword::cohort::Cohort;
use crate::keyword::encoder::KeywordEncoder;
use crate::models::Models;
use crate::profile::Take;
use crate::speaker::SpeakerEncoder;

/// A phrase with its surroundings, over which its cepstra are normalised.
#[derive(Clone, Debug)]
pub struct Excerpt {
    /// Phrase and surroundings, in samples of the recording.
    pub around: Range<usize>,
    /// The phrase, in samples of `around`.
    pub phrase: Range<usize>,
}

impl Excerpt {
    /// The surroundings of the phrase at `span` in a recording of `length` samples.
    pub fn new(span: &Range<usize>, length: usize) -> Self {
        let around = span.start.saturating_sub(SURROUNDINGS)..(span.end + SURROUNDINGS).min(length);
        let phrase = span.start - around.start..span.end - around.start;
        Self { around, phrase }
    }
}

/// What a recording of a phrase is compared by.
#[derive(Clone, Debug)]
pub struct Utterance {
    /// Centred keyword vectors of unit length of the whole recording, `[n, 96]`.
    pub vectors: Frames,
    /// Cepstra of the phrase and its surroundings, `[n, 39]`.
    pub cepstra: Frames,
    /// Speaker embedding of the phrase, of unit length, `[192]`.
    pub embedding: Vec<f32>,
    /// DTW costs of the cohort's templates in `vectors`.
    pub keyword_cohort_costs: Vec<f32>,
    /// DTW costs of the cohort's templates in `cepstra`.
    pub cepstral_cohort_costs: Vec<f32>,
}

impl Utterance {
    /// A take of which the phrase is all that is left.
    pub fn stored(cohort: &Cohort, take: &Take) -> Self {
        Self::new(cohort, take.vectors.clone(), take.cepstra.clone(), take.embedding.clone())
    }

    fn new(cohort: &Cohort, vectors: Frames, cepstra: Frames, embedding: Vec<f32>) -> Self {
        Self {
            keyword_cohort_costs: costs(&cohort.vectors.best_matches(&vectors)),
            cepstral_cohort_costs: costs(&cohort.cepstra.best_matches(&cepstra)),
            vectors,
            cepstra,
            embedding,
        }
    }
}

/// The encoders that hear a recording, with their buffers.
pub struct Analyst {
    keyword: KeywordEncoder,
    mfcc: Mfcc,
    speaker: SpeakerEncoder,
    pitch: Pitch,
}

impl Analyst {
    /// Encoders of `models`, which every later call must be given too.
    pub fn new(models: &Models) -> Self {
        Self {
            keyword: KeywordEncoder::new(&models.keyword),
            mfcc: Mfcc::default(),
            speaker: SpeakerEncoder::default(),
            pitch: Pitch::default(),
        }
    }

    /// Hears `recording` (16 kHz mono) with a phrase at `span`.
    pub fn analyse(&mut self, models: &Models, recording: &[f32], span: &Range<usize>) -> Utterance {
        let vectors = self.vectors(models, recording);
        let Excerpt { around, phrase } = Excerpt::new(span, recording.len());
        let audio = &recording[around];
        let embedding = self.embedding(models, audio, phrase);
        Utterance::new(&models.cohort, vectors, self.cepstra(audio), embedding)
    }

    /// Centred keyword vectors of unit length of the whole `recording`, `[n, 96]`.
    pub fn vectors(&mut self, models: &Models, recording: &[f32]) -> Frames {
        let mut vectors = self.keyword.recording(recording);
        vectors.iter_mut().for_each(|vector| models.cohort.centre(vector));
        vectors
    }

    /// Cepstra of `audio`, normalised over it, `[n, 39]`.
    pub fn cepstra(&mut self, audio: &[f32]) -> Frames {
        self.mfcc.cepstra(audio)
    }

    /// Speaker embedding of unit length of the `phrase` within `audio`, `[192]`.
    pub fn embedding(&mut self, models: &Models, audio: &[f32], phrase: Range<usize>) -> Vec<f32> {
        self.speaker.embed(&models.speaker, audio, phrase)
    }

    /// Speaker embedding of unit length of the `phrase` within `audio` and 0.3 s around it in one piece, `[192]`.
    pub fn phrase_embedding(&mut self, models: &Models, audio: &[f32], phrase: Range<usize>) -> Vec<f32> {
        self.speaker.embed_whole(&models.speaker, audio, phrase)
    }

    /// Logarithm of the pitch of each frame of `audio`, 0 where it is unvoiced.
    pub fn pitch(&mut self, audio: &[f32]) -> Vec<f32> {
        self.pitch.contour(audio)
    }
}
