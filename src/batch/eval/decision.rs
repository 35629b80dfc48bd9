//! What the engine decides on trials.

use std::path::Path;
use std::sync::Arc;

use super::condition::Condition;
use super::trials::{Kind, Task, Trial};
use crate::audio::{AudioError, read_clip};
use crate::batch::autokws::file_name;
use crate::engine::Engine;
use crate::engine::event::Event;
use crate::engine::rule::Rule;
use crate::models::Models;
use crate::profile::Profile;

/// What the engine said of one trial.
pub struct Answer {
    /// Its verdicts, in order; none if nothing came near the phrase. Those of a clip that woke it are of the whole clip.
    pub verdicts: Vec<Event>,
    /// Whether the engine accepted the clip.
    pub accepted: bool,
}

/// Listens to the trials of a task.
pub struct Decider {
    engine: Engine,
    /// Accepts nothing. An engine that wakes listens no further: its score is the first that sufficed, not the highest.
    patient: Engine,
    rule: Rule,
}

impl Decider {
    /// Listens for `profiles` by `rule`.
    pub fn new(models: Arc<Models>, profiles: &[Arc<Profile>], rule: &Rule) -> Self {
        let patient = Rule { threshold: f32::INFINITY, ..rule.clone() };
        Self {
            engine: Engine::new(models.clone(), profiles, rule.clone()),
            patient: Engine::new(models, profiles, patient),
            rule: profiles.first().map_or_else(|| rule.clone(), |profile| rule.of_profile(profile)),
        }
    }

    /// Listens to the clip at `path` of `task` in `condition`, as the beginning of a stream.
    pub fn answer(&mut self, task: &Task, path: &Path, condition: &Condition) -> Result<Answer, AudioError> {
        let mut samples = read_clip(path)?.samples;
        condition.apply(&format!("{}/{}", task.name, file_name(path).to_string_lossy()), &mut samples);
        let answer = listen(&mut self.engine, &samples);
        if !answer.accepted {
            return Ok(answer);
        }
        let mut verdicts = listen(&mut self.patient, &samples).verdicts;
        for verdict in &mut verdicts {
            verdict.score = self.rule.fuse(&verdict.evidence);
            verdict.threshold = self.rule.threshold;
            verdict.margin = verdict.score - verdict.threshold;
        }
        Ok(Answer { verdicts, ..answer })
    }
}

/// The answer of an engine at the beginning of a stream.
fn listen(engine: &mut Engine, samples: &[f32]) -> Answer {
    let mut answer = Answer { verdicts: Vec::new(), accepted: false };
    let mut take = |event: Event| {
        answer.accepted |= event.is_detected();
        answer.verdicts.extend(Some(event).filter(Event::is_verdict));
    };
    engine.push(samples, &mut take);
    engine.finish(take);
    answer
}

/// One trial and what became of it.
pub struct Decision<'a> {
    pub task: &'a Task,
    /// Length of the phrase in its takes in seconds, their median; 0 without a profile.
    pub seconds: f32,
    pub trial: &'a Trial,
    pub answer: Answer,
}

impl Decision<'_> {
    /// Whether it should be accepted.
    pub fn positive(&self) -> bool {
        self.trial.kind == Kind::Positive
    }

    /// The verdict with the highest fused score; `None` if nothing came near the phrase.
    pub fn best(&self) -> Option<&Event> {
        self.answer.verdicts.iter().max_by(|a, b| a.score.total_cmp(&b.score))
    }

    /// The highest fused score; negative infinity if nothing came near the phrase.
    pub fn score(&self) -> f32 {
        self.best().map_or(f32::NEG_INFINITY, |best| best.score)
    }
}
