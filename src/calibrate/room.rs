//! What a room's own sounds reach.

use std::path::Path;
use std::sync::Arc;

use crate::audio::AudioError;
use crate::batch::{eval::verdict, hear};
use crate::engine::Engine;
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
    /// Listens to one more recording, with a threshold that nothing reaches. One that breaks off counts as far as it was
    /// heard.
    pub fn add(
        &mut self,
        models: &Arc<Models>,
        profile: &Arc<Profile>,
        rule: &Rule,
        recording: &Path,
    ) -> Result<(), AudioError> {
        let mut open = Profile::clone(profile);
        open.settings.enabled = true;
        open.settings.threshold = Some(f32::INFINITY);
        let mut engine = Engine::new(models.clone(), &[Arc::new(open)], rule.clone());
        let mut scores = Vec::new();
        let (samples, end) = hear(&mut engine, recording, |event| {
            if let Some(detection) = verdict(&event).filter(|heard| rule.words_suffice(&heard.evidence)) {
                scores.push(detection.score);
            }
        });
        self.hours += samples as f64 / SAMPLE_RATE as f64 / 3600.0;
        self.scores.extend(scores);
        end
    }
}
