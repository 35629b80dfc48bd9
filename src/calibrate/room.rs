//! What a room's own sounds reach.

use std::path::Path;
use std::sync::Arc;

use crate::audio::AudioError;
use crate::batch::hear;
use crate::engine::Engine;
use crate::engine::event::Event;
use crate::engine::rule::Rule;
use crate::features::SAMPLE_RATE;
use crate::models::Models;
use crate::profile::Profile;

/// Recordings in which nobody says the phrase, as the engine hears them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Room {
    /// How long they are together.
    pub hours: f64,
    /// Fused score of each candidate whose words suffice.
    pub scores: Vec<f32>,
}

impl Room {
    /// Listens to one more recording. One that breaks off counts as far as it was heard.
    pub fn add(
        &mut self,
        models: &Arc<Models>,
        profile: &Arc<Profile>,
        rule: &Rule,
        recording: &Path,
    ) -> Result<(), AudioError> {
        let mut engine = open_engine(models, profile, rule);
        let (samples, end) = hear(&mut engine, recording, |event| self.note(rule, &event));
        self.hours += hours(samples);
        end
    }

    fn note(&mut self, rule: &Rule, event: &Event) {
        if event.is_verdict() && rule.words_suffice(&event.evidence) {
            self.scores.push(event.score);
        }
    }
}

/// Listens to a room as it sounds now.
pub struct RoomMonitor {
    engine: Engine,
    rule: Rule,
    room: Room,
}

impl RoomMonitor {
    /// For what `profile` would make of the room.
    pub fn new(models: &Arc<Models>, profile: &Arc<Profile>, rule: &Rule) -> Self {
        Self { engine: open_engine(models, profile, rule), rule: rule.clone(), room: Room::default() }
    }

    /// Takes in the next samples (16 kHz mono).
    pub fn push(&mut self, samples: &[f32]) {
        self.engine.push(samples, |event| self.room.note(&self.rule, &event));
        self.room.hours += hours(samples.len() as u64);
    }

    /// Adds what was heard to `room`.
    pub fn finish(mut self, room: &mut Room) {
        self.engine.finish(|event| self.room.note(&self.rule, &event));
        room.hours += self.room.hours;
        room.scores.extend(self.room.scores);
    }
}

fn hours(samples: u64) -> f64 {
    samples as f64 / SAMPLE_RATE as f64 / 3600.0
}

/// An engine with a threshold that nothing reaches.
fn open_engine(models: &Arc<Models>, profile: &Arc<Profile>, rule: &Rule) -> Engine {
    let mut open = Profile::clone(profile);
    open.settings.enabled = true;
    open.settings.threshold = Some(f32::INFINITY);
    Engine::new(models.clone(), &[Arc::new(open)], rule.clone())
}
