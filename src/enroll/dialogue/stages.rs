//! The parts of a dialogue.

use super::stage::{Enrolment, Progress, Stage};
use super::step::{Failure, Prompt, Step};
use crate::engine::event::Event;
use crate::enroll::{NEAR_WORDS, Quality, SessionState, test};

/// Takes of the phrase, until there are enough good ones.
pub(super) struct Takes;

impl Stage for Takes {
    fn prompt(&self, enrolment: &Enrolment) -> Option<Prompt> {
        match enrolment.session.state() {
            SessionState::Asking { take, of } => Some(Prompt::Take { number: take, of }),
            SessionState::Complete | SessionState::GivenUp { .. } => None,
        }
    }

    fn advance(&mut self, enrolment: &mut Enrolment, said: &[f32], sink: &mut dyn FnMut(Step)) -> Progress {
        let report = enrolment.session.take(said);
        sink(Step::Take { report, good: enrolment.session.good() });
        match enrolment.session.state() {
            SessionState::Asking { .. } => Progress::Again,
            SessionState::Complete => Progress::Next,
            SessionState::GivenUp { attempts } => Progress::Failed(Failure::GivenUp(attempts)),
        }
    }
}

/// What the takes give. Nobody speaks.
pub(super) struct Learn;

impl Stage for Learn {
    fn prompt(&self, _: &Enrolment) -> Option<Prompt> {
        None
    }

    fn advance(&mut self, enrolment: &mut Enrolment, _: &[f32], sink: &mut dyn FnMut(Step)) -> Progress {
        let learned = match enrolment.learn() {
            Ok(learned) => learned,
            Err(error) => return Progress::Failed(error.into()),
        };
        if let Some(other) = learned.duplicates.first().filter(|_| !enrolment.duplicates_allowed) {
            return Progress::Failed(Failure::Duplicate(other.name.clone()));
        }
        sink(Step::Learned(learned));
        Progress::Next
    }
}

/// The phrase once more, to see that the profile accepts it.
pub(super) struct TestPhrase {
    attempts: usize,
}

impl TestPhrase {
    /// With at most so many attempts.
    pub(super) fn new(attempts: usize) -> Self {
        Self { attempts }
    }
}

impl Stage for TestPhrase {
    fn prompt(&self, _: &Enrolment) -> Option<Prompt> {
        Some(Prompt::TestPhrase)
    }

    fn optional(&self) -> bool {
        true
    }

    fn advance(&mut self, enrolment: &mut Enrolment, said: &[f32], sink: &mut dyn FnMut(Step)) -> Progress {
        match hear(enrolment, Prompt::TestPhrase, said, sink) {
            Err(failure) => return Progress::Failed(failure),
            Ok(true) => return Progress::Next,
            Ok(false) => self.attempts = self.attempts.saturating_sub(1),
        }
        if self.attempts > 0 {
            return Progress::Again;
        }
        sink(Step::TestFailed);
        Progress::Last
    }
}

/// Something else, to see that the profile does not accept it.
pub(super) struct OtherSentence;

impl Stage for OtherSentence {
    fn prompt(&self, _: &Enrolment) -> Option<Prompt> {
        Some(Prompt::OtherSentence)
    }

    fn optional(&self) -> bool {
        true
    }

    fn advance(&mut self, enrolment: &mut Enrolment, said: &[f32], sink: &mut dyn FnMut(Step)) -> Progress {
        match hear(enrolment, Prompt::OtherSentence, said, sink) {
            Err(failure) => Progress::Failed(failure),
            Ok(_) => Progress::Next,
        }
    }
}

/// Words that sound nearly like the phrase, which must not wake.
pub(super) struct NearWords {
    limits: Quality,
    /// The word that is asked for, from 1.
    number: usize,
    attempts: usize,
}

impl NearWords {
    /// Judges the words by `limits`.
    pub(super) fn new(limits: &Quality) -> Self {
        Self { limits: limits.clone(), number: 1, attempts: limits.dialogue.attempts }
    }
}

impl Stage for NearWords {
    fn prompt(&self, _: &Enrolment) -> Option<Prompt> {
        Some(Prompt::NearWord { number: self.number, of: NEAR_WORDS })
    }

    fn optional(&self) -> bool {
        true
    }

    fn advance(&mut self, enrolment: &mut Enrolment, said: &[f32], sink: &mut dyn FnMut(Step)) -> Progress {
        if said.is_empty() {
            return Progress::Next;
        }
        let heard = enrolment.teach(&self.limits, said);
        let learned = matches!(heard, Ok(Ok(())));
        match heard {
            Err(error) => return Progress::Failed(error.into()),
            Ok(heard) => sink(Step::NearWord { number: self.number, problem: heard.err() }),
        }
        let left = if learned { &mut self.number } else { &mut self.attempts };
        *left = if learned { *left + 1 } else { left.saturating_sub(1) };
        if self.number <= NEAR_WORDS && self.attempts > 0 { Progress::Again } else { Progress::Next }
    }
}

/// Tells what the daemon would make of what was said. Whether it would wake.
fn hear(
    enrolment: &mut Enrolment,
    prompt: Prompt,
    said: &[f32],
    sink: &mut dyn FnMut(Step),
) -> Result<bool, Failure> {
    let profile = enrolment.profile()?;
    let heard = test(&enrolment.models, &[profile], &enrolment.rule, said);
    let accepted = heard.as_ref().is_some_and(Event::is_detected);
    sink(Step::Tested { prompt, answered: !said.is_empty(), heard });
    Ok(accepted)
}
