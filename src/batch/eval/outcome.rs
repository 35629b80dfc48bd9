//! Decisions compared with what they should be: one token for each outcome.

use super::dataset::Segment;
use crate::engine::event::Event;

/// The token of an outcome in which nothing is accepted.
pub const NONE: &str = "none";

/// One segment of the table, or one acceptance outside of all segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it should be accepted.
    pub target: bool,
    /// Whether the engine accepted it.
    pub accepted: bool,
}

/// The outcomes of a recording: one for each segment, in order, then one for each acceptance that overlaps no segment
/// or one that is accepted already.
pub fn outcomes(segments: &[Segment], events: &[Event]) -> Vec<Outcome> {
    let mut outcomes: Vec<Outcome> =
        segments.iter().map(|segment| Outcome { target: segment.accept, accepted: false }).collect();
    let mut extra = 0;
    for event in events.iter().filter(|event| event.is_detected()) {
        let nearest = (0..segments.len()).max_by_key(|index| overlap(&segments[*index], event));
        match nearest {
            Some(index) if overlap(&segments[index], event) > 0 && !outcomes[index].accepted => {
                outcomes[index].accepted = true;
            }
            _ => extra += 1,
        }
    }
    outcomes.extend((0..extra).map(|_| Outcome { target: false, accepted: true }));
    outcomes
}

/// Samples at 16 kHz that both cover.
fn overlap(segment: &Segment, heard: &Event) -> u64 {
    segment.samples.end.min(heard.end).saturating_sub(segment.samples.start.max(heard.start))
}

/// Error rates of outcomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutcomeRates {
    /// Share of wrong outcomes: the word error rate of one-word texts.
    pub word_error_rate: f64,
    /// Letters to change in all texts, per letter of the true ones.
    pub character_error_rate: f64,
    /// Share of the phrases that were not accepted.
    pub miss_rate: f64,
    /// Acceptances of anything but the phrase.
    pub false_accepts: usize,
}

impl OutcomeRates {
    /// Error rates of `outcomes` whose phrase is written `token`. Without any outcome, nothing is wrong.
    pub fn of(outcomes: &[Outcome], token: &str) -> Self {
        let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
        let (missed, false_accepts) =
            (count(|one| one.target && !one.accepted), count(|one| !one.target && one.accepted));
        let wrong = missed + false_accepts;
        let letters: usize = outcomes.iter().map(|one| text(one.target, token).chars().count()).sum();
        let changed = wrong * strsim::levenshtein(token, NONE);
        let rate = |part: usize, all: usize| if all == 0 { 0.0 } else { part as f64 / all as f64 };
        Self {
            word_error_rate: rate(wrong, outcomes.len()),
            character_error_rate: rate(changed, letters),
            miss_rate: rate(missed, count(|one| one.target)),
            false_accepts,
        }
    }
}

/// The token of an outcome.
pub fn text(accepted: bool, token: &str) -> &str {
    if accepted { token } else { NONE }
}
