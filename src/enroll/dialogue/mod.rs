//! An enrolment as a dialogue: audio, or word that none came, goes in, steps come out.
//!
//! It knows no clock, device or file. A terminal, the bus and any other front end give it what they hear and show
//! the steps; where the audio comes from does not matter. What is asked for is a plan of [`Stage`]s.

mod stage;
mod stages;
mod step;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub use stage::Enrolment;
pub use step::{Failure, Input, Learned, Prompt, Step};

use self::stage::{Progress, Stage};
use self::stages::{Learn, NearWords, OtherSentence, Takes, TestPhrase};
use super::endpoint::{EndpointEvent, Endpointer};
use super::quality::Quality;
use crate::features::SAMPLE_RATE;

/// How the takes of a dialogue are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segmentation {
    /// By voice activity.
    Automatic,
    /// By [`Input::Mark`] at the beginning and the end of each.
    Manual,
}

/// An enrolment from its first prompt to its profile.
pub struct Dialogue {
    enrolment: Enrolment,
    /// What is still to be done; the first stage is under way. Empty once the dialogue is over.
    plan: VecDeque<Box<dyn Stage>>,
    endpointer: Endpointer,
    segmentation: Segmentation,
    /// The take between two marks.
    marked: Option<Vec<f32>>,
    /// Seconds for which no audio has come.
    missing_s: f32,
    /// Whether the stream is broken: what was being said will not go on.
    broken: bool,
    limits: Quality,
}

impl Dialogue {
    /// A dialogue that ends with the profile of `enrolment`, after tests of it and near words if `tested`.
    pub fn new(enrolment: Enrolment, limits: Quality, segmentation: Segmentation, tested: bool) -> Self {
        let mut plan: VecDeque<Box<dyn Stage>> = VecDeque::from([Box::new(Takes) as _, Box::new(Learn) as _]);
        if tested {
            plan.push_back(Box::new(TestPhrase::new(limits.dialogue.attempts)));
            plan.push_back(Box::new(OtherSentence));
            plan.push_back(Box::new(NearWords::new(&limits)));
        }
        Self {
            enrolment,
            plan,
            endpointer: Endpointer::new(&limits),
            segmentation,
            marked: None,
            missing_s: 0.0,
            broken: false,
            limits,
        }
    }

    /// The first step. Call it once, before any audio.
    pub fn begin(&mut self, sink: &mut dyn FnMut(Step)) {
        self.ask(sink);
    }

    /// Whether the last step was told.
    pub fn is_over(&self) -> bool {
        self.plan.is_empty()
    }

    /// Whether what is asked for may be left out, by [`Input::Skip`].
    pub fn can_skip(&self) -> bool {
        self.plan.front().is_some_and(|stage| stage.optional())
    }

    /// What is learned from.
    pub fn enrolment(&self) -> &Enrolment {
        &self.enrolment
    }

    /// What was learned from, once the dialogue is over.
    pub fn into_enrolment(self) -> Enrolment {
        self.enrolment
    }

    /// Takes the next input; `sink` gets the steps that follow from it. After the last step nothing does.
    pub fn feed(&mut self, input: Input<'_>, sink: &mut dyn FnMut(Step)) {
        if self.is_over() {
            return;
        }
        match input {
            Input::Audio(samples) => self.audio(samples, sink),
            Input::NoAudio(seconds) => self.miss(seconds, sink),
            Input::Lost(reason) => self.interrupt(&reason, sink),
            Input::Restart => self.restart(),
            Input::Mark => self.mark(sink),
            Input::Skip => {
                if self.can_skip() {
                    self.plan.pop_front();
                    self.restart();
                    self.ask(sink);
                }
            }
        }
    }

    fn audio(&mut self, samples: &[f32], sink: &mut dyn FnMut(Step)) {
        if self.broken && samples.iter().all(|sample| *sample == 0.0) {
            // A microphone that is gone or muted may go on as digital silence.
            return self.miss(samples.len() as f32 / SAMPLE_RATE as f32, sink);
        }
        self.missing_s = 0.0;
        if std::mem::take(&mut self.broken) {
            sink(Step::AudioBack);
        }
        let mut heard = Vec::new();
        self.endpointer.push(samples, |event| heard.push(event));
        if let Some(take) = &mut self.marked {
            take.extend_from_slice(samples);
        }
        for event in heard {
            match event {
                EndpointEvent::Level { dbfs, speech } => sink(Step::Level { dbfs, speech }),
                _ if self.segmentation == Segmentation::Manual => {}
                EndpointEvent::Utterance(samples) => self.said(&samples, sink),
                EndpointEvent::Silence => self.said(&[], sink),
            }
        }
        let longest = (self.limits.duration.longest_s * SAMPLE_RATE as f32) as usize;
        if self.marked.as_ref().is_some_and(|take| take.len() > longest) {
            self.mark(sink);
        }
    }

    /// Nothing came for so many seconds.
    fn miss(&mut self, seconds: f32, sink: &mut dyn FnMut(Step)) {
        self.missing_s += seconds;
        let dialogue = &self.limits.dialogue;
        let (gap, timeout) = (dialogue.gap_s, dialogue.audio_timeout_s);
        if self.missing_s >= gap {
            self.interrupt("no sound comes", sink);
        }
        if self.missing_s >= timeout {
            self.fail(Failure::NoAudio { seconds: timeout }, sink);
        }
    }

    /// The stream is broken.
    fn interrupt(&mut self, reason: &str, sink: &mut dyn FnMut(Step)) {
        if !std::mem::replace(&mut self.broken, true) {
            self.restart();
            sink(Step::AudioLost(reason.into()));
        }
    }

    /// Forgets what is being said.
    fn restart(&mut self) {
        self.endpointer.reset();
        if let Some(take) = &mut self.marked {
            take.clear();
        }
    }

    fn mark(&mut self, sink: &mut dyn FnMut(Step)) {
        match self.marked.take() {
            Some(take) => self.said(&take, sink),
            None => self.marked = Some(Vec::new()),
        }
    }

    /// Gives what was said to the stage under way; empty if nobody spoke.
    fn said(&mut self, samples: &[f32], sink: &mut dyn FnMut(Step)) {
        let Some(stage) = self.plan.front_mut() else { return };
        match stage.advance(&mut self.enrolment, samples, sink) {
            Progress::Again => {}
            Progress::Next => drop(self.plan.pop_front()),
            Progress::Last => self.plan.clear(),
            Progress::Failed(failure) => return self.fail(failure, sink),
        }
        self.ask(sink);
    }

    /// Asks for what the stage under way needs, and ends the dialogue if there is none.
    fn ask(&mut self, sink: &mut dyn FnMut(Step)) {
        match self.plan.front().map(|stage| stage.prompt(&self.enrolment)) {
            Some(Some(prompt)) => sink(Step::Ask(prompt)),
            // Nobody has to speak for it.
            Some(None) => self.said(&[], sink),
            None => match self.enrolment.profile() {
                Ok(profile) => sink(Step::Done(profile)),
                Err(error) => sink(Step::Failed(Failure::Learn(error))),
            },
        }
    }

    fn fail(&mut self, failure: Failure, sink: &mut dyn FnMut(Step)) {
        self.plan.clear();
        sink(Step::Failed(failure));
    }
}
