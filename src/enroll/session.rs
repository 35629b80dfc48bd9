//! One enrolment from its first take to its last: takes in, verdicts out.

use std::sync::Arc;

use serde::Serialize;

use super::check::Measures;
use super::learn::{AnalysedTake, conclude};
use super::quality::{Problem, Quality, Reason};
use super::{EnrolError, MAX_TAKES, MIN_TAKES};
use crate::engine::Engine;
use crate::engine::event::{Event, EventKind};
use crate::engine::rule::Rule;
use crate::features::SAMPLE_RATE;
use crate::keyword::score::median;
use crate::models::Models;
use crate::phrase::{Analyst, Signal, phrase_span};
use crate::profile::{Profile, Scales, Take};

/// The takes of an enrolment.
pub struct Session {
    models: Arc<Models>,
    analyst: Analyst,
    limits: Quality,
    wanted: usize,
    /// How many of the good takes are those of an earlier session.
    earlier: usize,
    good: Vec<Good>,
    /// A take that did not fit the only one before it: one of the two is wrong.
    doubted: Option<Good>,
    /// Takes heard so far.
    heard: usize,
    /// Refusals since the last good take.
    refused: usize,
}

/// A take that can be learned from.
struct Good {
    number: usize,
    /// None are left of a take of an earlier session.
    samples: Vec<f32>,
    take: AnalysedTake,
}

/// The verdict on a take.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TakeReport {
    /// Which of the takes heard it was, from 1.
    pub number: usize,
    /// Whether it will be learned from.
    pub accepted: bool,
    /// Why not.
    pub problems: Vec<Problem>,
    /// What could be better.
    pub warnings: Vec<Problem>,
    /// What was measured; absent if nothing could be.
    pub measures: Option<Measures>,
    /// An earlier take that this one shows to be the odd one: it is given up.
    pub withdrawn: Option<usize>,
    /// The refused take that fits this one after all, and is learned from in its place.
    pub restored: Option<usize>,
}

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum SessionState {
    /// Another take.
    Asking {
        /// Which, from 1.
        take: usize,
        /// How many there will be.
        of: usize,
    },
    /// Nothing: all takes are there.
    Complete,
    /// Nothing: there were too many refusals in a row.
    GivenUp {
        /// How many.
        attempts: usize,
    },
}

impl Session {
    /// `wanted` takes that have to fit those that a profile has already, if any.
    pub fn new(models: Arc<Models>, limits: Quality, wanted: usize, earlier: &[Take]) -> Self {
        let stored =
            |take| Good { number: 0, samples: Vec::new(), take: AnalysedTake::stored(&models, take) };
        Self {
            analyst: Analyst::new(&models),
            good: earlier.iter().map(stored).collect(),
            earlier: earlier.len(),
            models,
            limits,
            wanted,
            doubted: None,
            heard: 0,
            refused: 0,
        }
    }

    /// What it waits for.
    pub fn state(&self) -> SessionState {
        if self.good() >= self.wanted {
            SessionState::Complete
        } else if self.refused >= self.limits.dialogue.attempts {
            SessionState::GivenUp { attempts: self.refused }
        } else {
            SessionState::Asking { take: self.good() + 1, of: self.wanted }
        }
    }

    /// Takes of this session that will be learned from.
    pub fn good(&self) -> usize {
        self.good.len() - self.earlier
    }

    /// Their audio.
    pub fn audio(&self) -> impl Iterator<Item = &[f32]> {
        self.good[self.earlier..].iter().map(|good| &good.samples[..])
    }

    /// Judges a take (16 kHz mono, with the quiet around the phrase). An empty one stands for somebody
    /// who said nothing.
    pub fn take(&mut self, samples: &[f32]) -> TakeReport {
        self.heard += 1;
        let report = self.judge(samples);
        self.refused = if report.accepted { 0 } else { self.refused + 1 };
        report
    }

    fn judge(&mut self, samples: &[f32]) -> TakeReport {
        let number = self.heard;
        let refused = |problems, measures| TakeReport {
            number,
            accepted: false,
            problems,
            warnings: Vec::new(),
            measures,
            withdrawn: None,
            restored: None,
        };
        let nothing =
            Problem { reason: Reason::NoSpeech, measured: 0.0, limit: self.limits.duration.refuse_s };
        let Some(span) = phrase_span(samples) else { return refused(vec![nothing], None) };
        let mut measures = Measures { signal: Signal::measure(samples, &span), words: None, voice: None };
        if measures.signal.speech_s == 0.0 {
            return refused(vec![nothing], Some(measures));
        }
        let mut problems = measures.problems(&self.limits);
        let seconds = samples.len() as f32 / SAMPLE_RATE as f32;
        let longest = self.limits.duration.longest_s;
        if seconds > longest {
            problems.push(Problem { reason: Reason::TooLong, measured: seconds, limit: longest });
        }
        if !problems.is_empty() {
            return refused(problems, Some(measures));
        }
        let take = AnalysedTake::new(&mut self.analyst, &self.models, samples, &span);
        if self.good.iter().any(|good| good.take.take == take.take) {
            // It would teach nothing, and make every score look perfect.
            let repeated = Problem { reason: Reason::Repeated, measured: 1.0, limit: 1.0 };
            return refused(vec![repeated], Some(measures));
        }
        let taken = Good { number, samples: samples.to_vec(), take };
        let (mut withdrawn, mut restored) = (None, None);
        if !self.good.is_empty() {
            let disagreements = self.compare(&mut measures, &taken, &self.good);
            if !disagreements.is_empty() {
                let doubted = self.doubted.take().filter(|doubted| {
                    self.compare(&mut measures.clone(), &taken, std::slice::from_ref(doubted)).is_empty()
                });
                let Some(doubted) = doubted else {
                    self.doubted = (self.good.len() == 1).then_some(taken);
                    return refused(disagreements, Some(measures));
                };
                self.compare(&mut measures, &taken, std::slice::from_ref(&doubted));
                withdrawn = self.good.pop().map(|odd| odd.number);
                restored = Some(doubted.number);
                self.good.push(doubted);
            }
        }
        self.doubted = None;
        self.good.push(taken);
        let warnings = measures.warnings(&self.limits);
        let measures = Some(measures);
        TakeReport { number, accepted: true, problems, warnings, measures, withdrawn, restored }
    }

    /// Fills in how `one` fits `others`; returns where it does not.
    fn compare(&self, measures: &mut Measures, one: &Good, others: &[Good]) -> Vec<Problem> {
        let others: Vec<&AnalysedTake> = others.iter().map(|good| &good.take).collect();
        measures.words = Some(one.take.words(&others));
        measures.voice = Some(one.take.voice(&others));
        measures.disagreements(&self.limits)
    }

    /// What could be better about the phrase, once all takes are there.
    pub fn warnings(&self) -> Vec<Problem> {
        let mut scores = Vec::new();
        for (index, one) in self.good.iter().enumerate() {
            let others = self.good.iter().enumerate().filter(|(other, _)| *other != index);
            let others: Vec<&AnalysedTake> = others.map(|(_, good)| &good.take).collect();
            if !others.is_empty() {
                scores.push(one.take.words(&others));
            }
        }
        let (measured, limit) = (median(&scores), self.limits.phrase.separation);
        Vec::from_iter((measured < limit).then_some(Problem {
            reason: Reason::CommonPhrase,
            measured,
            limit,
        }))
    }

    /// Which of `profiles` would wake for this phrase in this voice already.
    pub fn duplicates(&self, profiles: &[Arc<Profile>]) -> Vec<Arc<Profile>> {
        let mut found = Vec::new();
        for profile in profiles {
            let profiles = std::slice::from_ref(profile);
            let mut woken = 0;
            for good in &self.good[self.earlier..] {
                let heard = test(&self.models, profiles, &Rule::default(), &good.samples);
                woken += usize::from(heard.is_some_and(|event| event.is_detected()));
            }
            if woken as f32 >= self.limits.duplicate.share * self.good() as f32 {
                found.push(profile.clone());
            }
        }
        found
    }

    /// Templates, embeddings and scales of the good takes; of too many the first are left out.
    pub fn learn(&self) -> Result<(Vec<Take>, Scales), EnrolError> {
        if self.good.len() < MIN_TAKES {
            return Err(EnrolError::TooFew(self.good.len()));
        }
        let latest = &self.good[self.good.len().saturating_sub(MAX_TAKES)..];
        Ok(conclude(&latest.iter().map(|good| &good.take).collect::<Vec<_>>()))
    }
}

/// What the daemon would say to a recording: the acceptance, or the best of the refusals, if it notices anything.
pub fn test(models: &Arc<Models>, profiles: &[Arc<Profile>], rule: &Rule, samples: &[f32]) -> Option<Event> {
    let mut engine = Engine::new(models.clone(), profiles, rule.clone());
    let mut best: Option<(f32, Event)> = None;
    let mut sink = |event: Event| {
        let score = match event.kind {
            EventKind::Candidate | EventKind::OtherVoice => return,
            EventKind::Detected => f32::INFINITY,
            EventKind::Rejected(_) => event.score,
        };
        if best.as_ref().is_none_or(|(other, _)| score > *other) {
            best = Some((score, event));
        }
    };
    engine.push(samples, &mut sink);
    engine.finish(&mut sink);
    best.map(|(_, event)| event)
}
