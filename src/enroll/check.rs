//! Holds takes against the limits, alone and beside each other.

use serde::Serialize;

use super::learn::AnalysedTake;
use super::quality::{Problem, Quality, Reason};
use crate::phrase::{Signal, TakeTemplates};
use crate::speaker::cosine;

/// What stands for takes that cannot be aligned at all.
const WORST_FIT: f32 = -1.0;

/// What was measured of a take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Measures {
    /// How it sounds.
    #[serde(flatten)]
    pub signal: Signal,
    /// How well the words fit the other takes; 0 for other speech. Absent for a first take.
    pub words: Option<f32>,
    /// Mean cosine of the voice to the other takes.
    pub voice: Option<f32>,
}

impl Measures {
    /// What is wrong with the sound of the take.
    pub(super) fn problems(&self, limits: &Quality) -> Vec<Problem> {
        let below =
            |reason, measured: f32, limit| (measured < limit).then_some(Problem { reason, measured, limit });
        let share = limits.clipping.max_share;
        let found = [
            below(Reason::TooQuiet, self.signal.level_dbfs, limits.level.min_dbfs),
            (self.signal.clipped > share).then_some(Problem {
                reason: Reason::Clipped,
                measured: self.signal.clipped,
                limit: share,
            }),
            below(Reason::TooNoisy, self.signal.snr_db, limits.noise.min_snr_db),
            below(Reason::TooShort, self.signal.speech_s, limits.duration.refuse_s),
        ];
        found.into_iter().flatten().collect()
    }

    /// What is wrong with it beside the other takes.
    pub(super) fn disagreements(&self, limits: &Quality) -> Vec<Problem> {
        let of = |reason, measured: Option<f32>, limit| {
            let measured = measured.filter(|measured| *measured < limit)?;
            Some(Problem { reason, measured, limit })
        };
        let found = [
            of(Reason::WrongPhrase, self.words, limits.agreement.words),
            of(Reason::InconsistentVoice, self.voice, limits.agreement.voice),
        ];
        found.into_iter().flatten().collect()
    }

    /// What could be better.
    pub(super) fn warnings(&self, limits: &Quality) -> Vec<Problem> {
        let limit = limits.duration.warn_s;
        let short = Problem { reason: Reason::TooShort, measured: self.signal.speech_s, limit };
        Vec::from_iter((self.signal.speech_s < limit).then_some(short))
    }
}

impl AnalysedTake {
    /// How well its words fit `others`, 0 for other speech: the mean of both ways. Either alone would let a
    /// take pass that holds the phrase among other things.
    pub(super) fn words(&self, others: &[&Self]) -> f32 {
        let own = templates(&[self]);
        let others_way = others.iter().map(|other| fit(&own, other)).sum::<f32>() / others.len() as f32;
        (fit(&templates(others), self) + others_way) / 2.0
    }

    /// Mean cosine of its voice to `others`.
    pub(super) fn voice(&self, others: &[&Self]) -> f32 {
        let cosines = others.iter().map(|other| cosine(&self.take.embedding, &other.take.embedding));
        cosines.sum::<f32>() / others.len() as f32
    }
}

fn templates(takes: &[&AnalysedTake]) -> TakeTemplates {
    TakeTemplates::new(takes.iter().map(|one| &one.take))
}

fn fit(templates: &TakeTemplates, take: &AnalysedTake) -> f32 {
    let scores = templates.score(&take.utterance, None);
    (scores.keyword + scores.cepstra).max(WORST_FIT)
}
