//! A phrase within a recording: where it is, what is measured of it, and how well takes fit each other. Enrolment,
//! calibration, lists of phrases and the engine share it.

mod intonation;
mod near;
mod segments;
mod signal;
mod span;
mod templates;
#[cfg(test)]
mod tests;
mod utterance;

use std::ops::Range;

pub use intonation::pitch_deviation;
pub use near::NearMargin;
pub use segments::Segments;
pub use signal::Signal;
pub use span::phrase_span;
pub use templates::{CepstralScore, CepstralTemplates, TakeTemplates, WordScores, costs};
pub use utterance::{Analyst, Excerpt, Utterance};

use crate::features::{HOP, SAMPLE_RATE, WINDOW};
use crate::keyword::encoder::STEP;

/// Audio on each side of a phrase over which its cepstra are normalised, in samples (0.3 s).
pub const SURROUNDINGS: usize = SAMPLE_RATE * 3 / 10;
/// A phrase shows in the keyword vectors this long after it began, in samples ...
const VECTOR_LEAD: usize = SAMPLE_RATE / 10;
/// ... and until this long after it ended.
const VECTOR_TAIL: usize = SAMPLE_RATE * 2 / 10;

/// The keyword vectors of a stream that belong to a phrase at `samples` of it.
pub fn vectors_of(samples: Range<usize>) -> Range<usize> {
    let start = (samples.start + VECTOR_LEAD) / STEP;
    start..(samples.end + VECTOR_TAIL).div_ceil(STEP).max(start + 1)
}

/// Where the phrase is whose keyword vectors are `vectors`; the inverse of [`vectors_of`].
pub fn samples_of(vectors: Range<usize>) -> Range<usize> {
    let start = (vectors.start * STEP).saturating_sub(VECTOR_LEAD);
    start..(vectors.end * STEP).saturating_sub(VECTOR_TAIL).max(start + STEP)
}

/// The cepstral frames whose windows lie within `samples`.
pub fn frames_of(samples: Range<usize>) -> Range<usize> {
    let start = samples.start / HOP;
    start..(samples.end.saturating_sub(WINDOW) / HOP + 1).max(start + 1)
}
