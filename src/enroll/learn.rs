//! Templates, embeddings and scales from takes.

use std::ops::Range;

use super::{EnrolError, MIN_LISTED_TAKES, MIN_TAKES, augment};
use crate::engine::fusion;
use crate::keyword::score::median;
use crate::models::Models;
use crate::phrase::{Analyst, TakeTemplates, Utterance, phrase_span};
use crate::profile::{Scales, Take};
use crate::speaker::{cosine, voice};

/// Lowest scales: takes that agree less than this would make every score explode.
const MIN_SCALE: f32 = 0.03;
/// Lowest voice scale, for takes from changing microphones.
const MIN_VOICE_SCALE: f32 = 0.2;

/// A take with what it is compared by.
pub(super) struct AnalysedTake {
    pub take: Take,
    pub utterance: Utterance,
}

impl AnalysedTake {
    /// Analyses `recording`, in which the phrase is at `span`.
    pub fn new(analyst: &mut Analyst, models: &Models, recording: &[f32], span: &Range<usize>) -> Self {
        let utterance = analyst.analyse(models, recording, span);
        Self { take: augment::take(analyst, models, recording, span, &utterance), utterance }
    }

    /// A take of a profile, of which the phrase is all that is left.
    pub fn stored(models: &Models, take: &Take) -> Self {
        Self { take: take.clone(), utterance: Utterance::stored(&models.cohort, take) }
    }
}

/// Templates, embeddings and scales of `takes` (16 kHz mono).
pub fn learn(models: &Models, takes: &[&[f32]]) -> Result<(Vec<Take>, Scales), EnrolError> {
    if takes.len() < MIN_TAKES {
        return Err(EnrolError::TooFew(takes.len()));
    }
    learn_all(models, takes)
}

/// Like [`learn`], from as few as two takes. Their scales alone are too unsure to decide by: this is for
/// lists of phrases, whose matching leans on what is usual.
pub fn learn_listed(models: &Models, takes: &[&[f32]]) -> Result<(Vec<Take>, Scales), EnrolError> {
    if takes.len() < MIN_LISTED_TAKES {
        return Err(EnrolError::TooFewListed(takes.len()));
    }
    learn_all(models, takes)
}

fn learn_all(models: &Models, takes: &[&[f32]]) -> Result<(Vec<Take>, Scales), EnrolError> {
    let mut analyst = Analyst::new(models);
    let mut analyse = |(index, recording): (usize, &&[f32])| {
        let span = phrase_span(recording).ok_or(EnrolError::NoSpeech(index))?;
        Ok(AnalysedTake::new(&mut analyst, models, recording, &span))
    };
    let analysed = takes.iter().enumerate().map(&mut analyse).collect::<Result<Vec<_>, EnrolError>>()?;
    Ok(conclude(&analysed.iter().collect::<Vec<_>>()))
}

/// What is learned from takes that are analysed already.
pub(super) fn conclude(takes: &[&AnalysedTake]) -> (Vec<Take>, Scales) {
    (takes.iter().map(|one| one.take.clone()).collect(), scales(takes))
}

/// Medians of what each take scores against the others.
fn scales(takes: &[&AnalysedTake]) -> Scales {
    let templates = TakeTemplates::new(takes.iter().map(|one| &one.take));
    let mut scores = [const { Vec::<f32>::new() }; 3];
    for (index, one) in takes.iter().enumerate() {
        let words = templates.score(&one.utterance, Some(index));
        let others = takes.iter().enumerate().filter(|(other, _)| *other != index);
        let voice = voice::mean(others.map(|(_, other)| &*other.take.embedding));
        scores[0].push(words.keyword);
        scores[1].push(words.cepstra);
        scores[2].push(cosine(&one.take.embedding, &voice));
    }
    let [keyword, cepstra, voice] = [0, 1, 2].map(|part| median(&scores[part]));
    let fused = |take: usize| {
        let words = [scores[0][take] / keyword.max(MIN_SCALE), scores[1][take] / cepstra.max(MIN_SCALE)];
        fusion::of_take(words, scores[2][take])
    };
    let takes = median(&(0..takes.len()).map(fused).collect::<Vec<_>>());
    Scales {
        keyword: keyword.max(MIN_SCALE),
        cepstra: cepstra.max(MIN_SCALE),
        voice: voice.max(MIN_VOICE_SCALE),
        takes,
    }
}
