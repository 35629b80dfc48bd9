//! Evaluation on recordings with known answers.

pub mod chunks;
pub mod condition;
pub mod dataset;
pub mod decision;
pub mod det;
pub mod measures;
pub mod outcome;
pub mod rates;
pub mod streams;
mod table;
pub mod trials;

use std::sync::Arc;

use crate::engine::Engine;
use crate::engine::event::Event;
use crate::engine::rule::Rule;
use crate::features::HOP;
use crate::models::Models;
use crate::profile::Profile;

/// Everything that decides on a recording.
pub struct Detector {
    pub models: Arc<Models>,
    pub profile: Arc<Profile>,
    pub rule: Rule,
}

impl Detector {
    fn engine(&self) -> Engine {
        Engine::new(self.models.clone(), std::slice::from_ref(&self.profile), self.rule.clone())
    }

    /// The verdicts on `samples`, given to the engine all at once.
    pub fn whole(&self, samples: &[f32]) -> Vec<Event> {
        self.stream(samples, samples.len())
    }

    /// The verdicts on `samples`, given to the engine 10 ms at a time.
    pub fn streamed(&self, samples: &[f32]) -> Vec<Event> {
        self.stream(samples, HOP)
    }

    fn stream(&self, samples: &[f32], block: usize) -> Vec<Event> {
        let mut engine = self.engine();
        let mut events = Vec::new();
        for block in samples.chunks(block.max(1)) {
            engine.push(block, |event| events.push(event));
        }
        engine.finish(|event| events.push(event));
        events.retain(Event::is_verdict);
        events
    }
}
