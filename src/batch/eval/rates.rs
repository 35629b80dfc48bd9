//! Error rates of the decisions on trials.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::Decision;
use super::det::Det;
use super::measures;
use super::trials::Kind;
use crate::batch::score::Score;
use crate::engine::event::Event;
use crate::engine::rule::Rule;

/// The trade-off between misses and false alarms, over all clips together.
#[derive(Debug, serde::Serialize)]
pub struct Curves {
    pub all: Option<Det>,
    /// With one kind of negative.
    pub by_kind: BTreeMap<Kind, Option<Det>>,
}

impl Curves {
    /// The curves of `decisions`, with the operating point of `rule`.
    pub fn of(decisions: &[Decision<'_>], rule: &Rule) -> Self {
        let scores = |wanted: &dyn Fn(&Decision<'_>) -> bool| {
            decisions.iter().filter(|one| wanted(one)).map(Decision::score).collect::<Vec<_>>()
        };
        let against = |wanted: &dyn Fn(&Decision<'_>) -> bool| {
            Det::of(
                scores(&|one| one.positive()),
                scores(&|one| !one.positive() && wanted(one)),
                rule.threshold,
            )
        };
        let kinds = decisions.iter().filter(|one| !one.positive()).map(|one| &one.trial.kind);
        let kinds: BTreeSet<&Kind> = kinds.collect();
        let by_kind = |kind: &Kind| (kind.clone(), against(&|one| one.trial.kind == *kind));
        Self { all: against(&|_| true), by_kind: kinds.into_iter().map(by_kind).collect() }
    }
}

/// The results of all trials in one condition.
#[derive(serde::Serialize)]
pub struct Results<'a> {
    pub condition: String,
    pub rates: ErrorRates,
    pub det: Curves,
    /// The decisions, task by task.
    #[serde(skip)]
    pub decisions: Vec<Decision<'a>>,
}

impl<'a> Results<'a> {
    /// Sums up `decisions` by `rule`.
    pub fn new(condition: String, decisions: Vec<Decision<'a>>, rule: &Rule) -> Self {
        let (rates, det) = (ErrorRates::of(&decisions, rule), Curves::of(&decisions, rule));
        Self { condition, rates, det, decisions }
    }
}

/// How many of the tasks a run has finished.
pub struct Coverage {
    /// All that were asked for.
    pub tasks: usize,
    /// Those that were heard in every condition, and count.
    pub finished: usize,
}

impl Coverage {
    /// Whether the run ended too early.
    pub fn partial(&self) -> bool {
        self.finished < self.tasks
    }
}

/// A rate with its 95 % interval by bootstrap over owners.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Estimate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    /// The mean of `values`, each with its owner.
    fn mean(values: &[(&str, f64)]) -> Self {
        let value = values.iter().map(|(_, value)| value).sum::<f64>() / values.len().max(1) as f64;
        let (low, high) = measures::interval(values);
        Self { value, low, high }
    }
}

/// Upper ends of the groups of phrases by length, in seconds.
const LENGTHS: [f32; 4] = [0.65, 0.85, 1.2, f32::INFINITY];

/// The rates of the tasks in one group of phrases by length.
#[derive(Debug, serde::Serialize)]
pub struct Length {
    /// Upper end of the group in seconds; `None` for the longest phrases.
    pub below_s: Option<f32>,
    pub tasks: usize,
    /// Score, mean over these tasks, as are the rates.
    pub score: f64,
    /// Share of the positives that were refused.
    pub miss_rate: f64,
    /// Share of the negatives that were accepted.
    pub false_alarm_rate: f64,
}

/// Error rates over many decisions.
#[derive(Debug, serde::Serialize)]
pub struct ErrorRates {
    pub trials: usize,
    /// Miss rate + 9 x false-alarm rate, mean over tasks.
    pub score: Estimate,
    /// Share of the positives that were refused, mean over tasks.
    pub miss_rate: Estimate,
    /// Share of the negatives that were accepted, mean over tasks.
    pub false_alarm_rate: Estimate,
    /// Share accepted of each kind of negative, over all tasks together.
    pub by_kind: BTreeMap<Kind, Estimate>,
    /// The rates of short and of long phrases, where there are any.
    pub by_length: Vec<Length>,
    /// Equal error rate of the fused score.
    pub equal_error_rate: Option<f64>,
    /// Equal error rate of the score of the words, with the owner's other words as negatives.
    pub phrase_equal_error_rate: Option<f64>,
    /// Equal error rate of the cosine of the voice, with other voices saying the phrase as negatives.
    pub speaker_equal_error_rate: Option<f64>,
}

impl ErrorRates {
    /// Error rates of `decisions` by `rule`; those of a task lie together.
    pub fn of(decisions: &[Decision<'_>], rule: &Rule) -> Self {
        let by_task = decisions.chunk_by(|a, b| a.task.name == b.task.name);
        let scores: Vec<(&Decision<'_>, Score)> = by_task
            .map(|task| {
                let pairs = task.iter().map(|one| (one.positive(), one.answer.accepted));
                (&task[0], Score::of(pairs))
            })
            .collect();
        let mut by_kind: BTreeMap<Kind, Vec<(&str, f64)>> = BTreeMap::new();
        for one in decisions.iter().filter(|one| !one.positive()) {
            let value = (&*one.task.owner, f64::from(u8::from(one.answer.accepted)));
            by_kind.entry(one.trial.kind.clone()).or_default().push(value);
        }
        let mean = |part: fn(&Score) -> f64| {
            let values: Vec<_> = scores.iter().map(|(one, score)| (&*one.task.owner, part(score))).collect();
            Estimate::mean(&values)
        };
        let equal = |negatives: Option<Kind>, part: &dyn Fn(&Event) -> f32| {
            let best =
                |one: &Decision<'_>| one.answer.verdicts.iter().map(part).fold(f32::NEG_INFINITY, f32::max);
            let chosen = |one: &&Decision<'_>| negatives.as_ref().is_none_or(|kind| one.trial.kind == *kind);
            let genuine: Vec<f32> = decisions.iter().filter(|one| one.positive()).map(best).collect();
            let impostors: Vec<f32> =
                decisions.iter().filter(|one| !one.positive()).filter(chosen).map(best).collect();
            measures::equal_error_rate(&genuine, &impostors)
        };
        Self {
            trials: decisions.len(),
            score: mean(|score| score.score),
            miss_rate: mean(|score| score.miss_rate),
            false_alarm_rate: mean(|score| score.false_alarm_rate),
            by_length: lengths(&scores),
            by_kind: by_kind.into_iter().map(|(kind, values)| (kind, Estimate::mean(&values))).collect(),
            equal_error_rate: equal(None, &|heard| heard.score),
            phrase_equal_error_rate: equal(Some(Kind::OtherWords), &|heard| rule.words(&heard.evidence)),
            speaker_equal_error_rate: equal(Some(Kind::OtherVoice), &|heard| {
                heard.evidence.speaker_cosine.unwrap_or(f32::NEG_INFINITY)
            }),
        }
    }
}

/// The `scores` of tasks, each with one of its decisions, by the length of the phrase.
fn lengths(scores: &[(&Decision<'_>, Score)]) -> Vec<Length> {
    let group = |end: &f32| {
        let shorter = LENGTHS.iter().filter(|other| *other < end).fold(0.0f32, |a, b| a.max(*b));
        let chosen = scores.iter().filter(|(one, _)| (shorter..*end).contains(&one.seconds));
        let chosen: Vec<&Score> = chosen.map(|(_, score)| score).collect();
        let mean = |part: fn(&Score) -> f64| {
            chosen.iter().map(|score| part(score)).sum::<f64>() / chosen.len().max(1) as f64
        };
        Length {
            below_s: end.is_finite().then_some(*end),
            tasks: chosen.len(),
            score: mean(|score| score.score),
            miss_rate: mean(|score| score.miss_rate),
            false_alarm_rate: mean(|score| score.false_alarm_rate),
        }
    };
    LENGTHS.iter().map(group).filter(|group| group.tasks > 0).collect()
}
