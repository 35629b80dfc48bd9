//! Scores of one stretch of audio against one profile: shared by enrolment and the engine.

use std::ops::Range;

use crate::features::mfcc::{self, Mfcc};
use crate::features::{Frames, HOP, SAMPLE_RATE, WINDOW};
use crate::keyword::bank::{Match, TemplateBank};
use crate::keyword::cohort::Cohort;
use crate::keyword::encoder::VECTOR_HOP;
use crate::keyword::score::t_norm;

/// Audio on each side of a phrase over which its cepstra are normalised, in samples (0.3 s).
pub const SURROUNDINGS: usize = SAMPLE_RATE * 3 / 10;
/// A phrase shows in the keyword vectors this long after it began, in samples ...
const VECTOR_LEAD: usize = SAMPLE_RATE / 10;
/// ... and until this long after it ended.
const VECTOR_TAIL: usize = SAMPLE_RATE * 2 / 10;

/// The keyword vectors of a stream that belong to a phrase at `samples` of it.
pub fn vectors_of(samples: Range<usize>) -> Range<usize> {
    let start = (samples.start + VECTOR_LEAD) / VECTOR_HOP;
    start..(samples.end + VECTOR_TAIL).div_ceil(VECTOR_HOP).max(start + 1)
}

/// Where the phrase is whose keyword vectors are `vectors`; the inverse of [`vectors_of`].
pub fn samples_of(vectors: Range<usize>) -> Range<usize> {
    let start = (vectors.start * VECTOR_HOP).saturating_sub(VECTOR_LEAD);
    start..(vectors.end * VECTOR_HOP).saturating_sub(VECTOR_TAIL).max(start + VECTOR_HOP)
}

/// The cepstral frames whose windows lie within `samples`.
pub fn frames_of(samples: Range<usize>) -> Range<usize> {
    let start = samples.start / HOP;
    start..(samples.end.saturating_sub(WINDOW) / HOP + 1).max(start + 1)
}

/// Both kinds of cepstra of a stretch of audio.
pub struct Cepstra {
    /// Plain.
    pub plain: Frames,
    /// With a spectral floor.
    pub floored: Frames,
}

impl Cepstra {
    /// Cepstra of `samples`, normalised over all of them.
    pub fn of(mfcc: &mut Mfcc, samples: &[f32]) -> Self {
        let power = mfcc.mel_power(samples);
        Self { plain: mfcc.cepstra(&power), floored: mfcc.floored_cepstra(&power) }
    }
}

/// A profile's cepstral templates.
pub struct CepstralTemplates {
    plain: TemplateBank,
    floored: TemplateBank,
}

/// Raw scores of a stretch of audio.
pub struct CepstralScores {
    /// T-normalised score on plain cepstra.
    pub plain: f32,
    /// T-normalised score on floored cepstra.
    pub floored: f32,
    /// The phrase, in samples of the stretch.
    pub phrase: Range<usize>,
}

/// The cohort's costs for a stretch of audio: the same for every profile.
pub struct CohortCosts {
    plain: Vec<f32>,
    floored: Vec<f32>,
}

impl CohortCosts {
    /// Aligns the whole cohort with `cepstra`.
    pub fn of(cohort: &Cohort, cepstra: &Cepstra) -> Self {
        Self {
            plain: costs(&cohort.cepstra.best_matches(&cepstra.plain)),
            floored: costs(&cohort.floored.best_matches(&cepstra.floored)),
        }
    }
}

impl CepstralTemplates {
    /// Stacks the templates of several takes.
    pub fn new<'a>(takes: impl Iterator<Item = (&'a Frames, &'a Frames)> + Clone) -> Self {
        Self {
            plain: TemplateBank::new(mfcc::DIM, takes.clone().map(|take| take.0)),
            floored: TemplateBank::new(mfcc::DIM, takes.map(|take| take.1)),
        }
    }

    /// Scores `cepstra`; `left_out` is the take that they come from, if any.
    pub fn score(&self, cepstra: &Cepstra, cohort: &CohortCosts, left_out: Option<usize>) -> CepstralScores {
        let plain = without(self.plain.best_matches(&cepstra.plain), left_out);
        let floored = without(self.floored.best_matches(&cepstra.floored), left_out);
        let best = plain.iter().min_by(|a, b| a.cost.total_cmp(&b.cost));
        let phrase = best
            .filter(|best| best.cost.is_finite())
            .map_or(0..0, |best| best.start * HOP..(best.end.max(1) - 1) * HOP + WINDOW);
        CepstralScores {
            plain: t_norm(&costs(&plain), &cohort.plain),
            floored: t_norm(&costs(&floored), &cohort.floored),
            phrase,
        }
    }
}

fn costs(matches: &[Match]) -> Vec<f32> {
    matches.iter().map(|found| found.cost).collect()
}

/// `items` less the one at `left_out`.
pub fn without<T>(mut items: Vec<T>, left_out: Option<usize>) -> Vec<T> {
    if let Some(index) = left_out {
        items.remove(index);
    }
    items
}
