//! Scores of one stretch of audio against one profile: shared by enrolment and the engine.

use std::ops::Range;

use crate::features::mfcc;
use crate::features::{Frames, HOP, SAMPLE_RATE, WINDOW};
use crate::keyword::bank::{Match, TemplateBank};
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

/// A profile's cepstral templates.
pub struct CepstralTemplates(TemplateBank);

/// How well a stretch of audio fits cepstral templates.
pub struct CepstralScore {
    /// T-normalised score.
    pub score: f32,
    /// The phrase, in samples of the stretch; empty if nothing could be aligned.
    pub phrase: Range<usize>,
}

impl CepstralTemplates {
    /// Stacks the templates of several takes.
    pub fn new<'a>(takes: impl Iterator<Item = &'a Frames>) -> Self {
        Self(TemplateBank::new(mfcc::DIM, takes))
    }

    /// Scores `cepstra` given the cohort's costs for them; `left_out` is the take that they come from,
    /// if any.
    pub fn score(&self, cepstra: &Frames, cohort_costs: &[f32], left_out: Option<usize>) -> CepstralScore {
        let matches = without(self.0.best_matches(cepstra), left_out);
        let best = matches.iter().min_by(|a, b| a.cost.total_cmp(&b.cost));
        let phrase = best
            .filter(|best| best.cost.is_finite())
            .map_or(0..0, |best| best.start * HOP..(best.end.max(1) - 1) * HOP + WINDOW);
        CepstralScore { score: t_norm(&costs(&matches), cohort_costs), phrase }
    }
}

/// The costs of `matches`.
pub fn costs(matches: &[Match]) -> Vec<f32> {
    matches.iter().map(|found| found.cost).collect()
}

/// `items` less the one at `left_out`.
pub fn without<T>(mut items: Vec<T>, left_out: Option<usize>) -> Vec<T> {
    if let Some(index) = left_out {
        items.remove(index);
    }
    items
}
