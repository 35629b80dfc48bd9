//! Measures takes, alone and against each other, and holds them against the limits.

use std::ops::Range;

use serde::Serialize;

use super::quality::{Problem, Quality, Reason};
use super::{Analysed, phrase_span};
use crate::features::SAMPLE_RATE;
use crate::features::level::{dbfs, snr_db};
use crate::features::vad::{BLOCK, Vad};
use crate::inference::VECTOR_DIM;
use crate::keyword::bank::TemplateBank;
use crate::keyword::score::t_norm;
use crate::models::Models;
use crate::phrase::{CepstralTemplates, costs};
use crate::speaker::cosine;

/// Speech probability from which on somebody speaks.
pub(super) const SPEECH: f32 = 0.3;
/// From here on a sample is at full scale.
const FULL_SCALE: f32 = 0.99;
/// What stands for takes that cannot be aligned at all.
const WORST_FIT: f32 = -1.0;

/// What was measured of a take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Measures {
    /// Speech within the phrase, in seconds.
    pub speech_s: f32,
    /// Level of the phrase.
    pub level_dbfs: f32,
    /// Share of the phrase's samples at full scale.
    pub clipped: f32,
    /// Signal-to-noise ratio of the take.
    pub snr_db: f32,
    /// How well the words fit the other takes; 0 for other speech. Absent for a first take.
    pub words: Option<f32>,
    /// Mean cosine of the voice to the other takes.
    pub voice: Option<f32>,
}

impl Measures {
    /// Of a take alone; `None` if there is nothing in it.
    pub(super) fn of(take: &[f32]) -> Option<Self> {
        let span = phrase_span(take)?;
        let phrase = &take[span.clone()];
        let clipped = phrase.iter().filter(|sample| sample.abs() >= FULL_SCALE).count();
        Some(Self {
            speech_s: speech(take, &span),
            level_dbfs: dbfs(phrase),
            clipped: clipped as f32 / phrase.len() as f32,
            snr_db: snr_db(take),
            words: None,
            voice: None,
        })
    }

    /// What is wrong with the sound of the take.
    pub(super) fn problems(&self, limits: &Quality) -> Vec<Problem> {
        let below =
            |reason, measured: f32, limit| (measured < limit).then_some(Problem { reason, measured, limit });
        let share = limits.clipping.max_share;
        let found = [
            below(Reason::TooQuiet, self.level_dbfs, limits.level.min_dbfs),
            (self.clipped > share).then_some(Problem {
                reason: Reason::Clipped,
                measured: self.clipped,
                limit: share,
            }),
            below(Reason::TooNoisy, self.snr_db, limits.noise.min_snr_db),
            below(Reason::TooShort, self.speech_s, limits.duration.refuse_s),
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
        let short = Problem { reason: Reason::TooShort, measured: self.speech_s, limit };
        Vec::from_iter((self.speech_s < limit).then_some(short))
    }
}

/// Seconds of speech within `span` of `take`.
fn speech(take: &[f32], span: &Range<usize>) -> f32 {
    let mut vad = Vad::new(SPEECH, BLOCK as f32 / SAMPLE_RATE as f32);
    let mut blocks = 0;
    for (index, block) in take.chunks_exact(BLOCK).enumerate() {
        let middle = index * BLOCK + BLOCK / 2;
        if vad.push(block) && span.contains(&middle) {
            blocks += 1;
        }
    }
    (blocks * BLOCK) as f32 / SAMPLE_RATE as f32
}

/// A take ready to be compared with others.
pub(super) struct Known {
    analysed: Analysed,
    /// What its vectors and its cepstra cost the cohort.
    cohort: (Vec<f32>, Vec<f32>),
}

impl Known {
    pub(super) fn new(models: &Models, analysed: Analysed) -> Self {
        let vectors = costs(&models.cohort.vectors.best_matches(&analysed.vectors));
        let cepstra = costs(&models.cohort.cepstra.best_matches(&analysed.cepstra));
        Self { analysed, cohort: (vectors, cepstra) }
    }

    /// What is learned from it.
    pub(super) fn analysed(&self) -> &Analysed {
        &self.analysed
    }

    /// How well its words fit `others`, 0 for other speech: the mean of both ways. Either alone would let a
    /// take pass that holds the phrase among other things.
    pub(super) fn words(&self, others: &[&Self]) -> f32 {
        let own = Templates::new(&[self]);
        let others_way = others.iter().map(|other| own.fit(other)).sum::<f32>() / others.len() as f32;
        (Templates::new(others).fit(self) + others_way) / 2.0
    }

    /// Mean cosine of its voice to `others`.
    pub(super) fn voice(&self, others: &[&Self]) -> f32 {
        let own = &self.analysed.take.embedding;
        let cosines = others.iter().map(|other| cosine(own, &other.analysed.take.embedding));
        cosines.sum::<f32>() / others.len() as f32
    }
}

/// The templates of some takes.
struct Templates {
    vectors: TemplateBank,
    cepstra: CepstralTemplates,
}

impl Templates {
    fn new(takes: &[&Known]) -> Self {
        let takes = || takes.iter().map(|known| &known.analysed.take);
        Self {
            vectors: TemplateBank::new(VECTOR_DIM, takes().map(|take| &take.vectors)),
            cepstra: CepstralTemplates::new(takes().map(|take| &take.cepstra)),
        }
    }

    fn fit(&self, take: &Known) -> f32 {
        let (vectors, cepstra) = &take.cohort;
        let keyword = t_norm(&costs(&self.vectors.best_matches(&take.analysed.vectors)), vectors);
        let cepstral = self.cepstra.score(&take.analysed.cepstra, cepstra, None).score;
        (keyword + cepstral).max(WORST_FIT)
    }
}
