//! One stream: bytes of any format in, detections out. The one place of the server that knows the engine.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Number;

use super::frame::Frame;
use super::message::{self, Chunk};
use super::models::Shared;
use crate::audio::{Raw, RawFormat};
use crate::digits;
use crate::engine::Engine;
use crate::engine::event::Event;
use crate::profile::Profile;
use crate::speaker::voice::Voice;

/// The engine of a connection, and where its stream is.
pub struct Listening {
    engine: Engine,
    raw: Option<Raw>,
    samples: Vec<f32>,
    /// Since the stream began.
    heard: Duration,
    /// Of the last chunk.
    timestamp: Number,
    detected: bool,
}

impl Listening {
    /// Listens for these profiles from the next chunk on.
    pub fn new(shared: &Shared, profiles: &[Arc<Profile>], voices: Arc<[Voice]>) -> Self {
        let mut engine = Engine::new(shared.models.clone(), profiles, shared.rule.clone());
        engine.recognise(voices);
        Self {
            engine,
            raw: None,
            samples: Vec::new(),
            heard: Duration::ZERO,
            timestamp: 0.into(),
            detected: false,
        }
    }

    /// The next chunk is the first of another stream.
    pub fn restart(&mut self) {
        self.forget();
        self.heard = Duration::ZERO;
        self.timestamp = 0.into();
        self.detected = false;
    }

    /// What comes next does not continue what was heard.
    pub fn forget(&mut self) {
        self.engine.reset();
        self.raw = None;
    }

    /// Notes the place of a chunk, heard or not; how long it is.
    pub fn pass(&mut self, chunk: &Chunk, format: RawFormat) -> Duration {
        let milliseconds = u64::try_from(self.heard.as_millis()).unwrap_or(u64::MAX);
        self.timestamp = chunk.timestamp.clone().unwrap_or_else(|| milliseconds.into());
        let frames = chunk.audio.len() / format.frame_bytes();
        let length = Duration::from_secs_f64(frames as f64 / f64::from(format.rate));
        self.heard += length;
        length
    }

    /// Hears a chunk; the detections that it completes. The error says why it could not be converted.
    pub fn hear(&mut self, audio: &[u8], format: RawFormat) -> Result<Vec<Frame>, String> {
        self.samples.clear();
        if self.raw.as_ref().is_none_or(|raw| raw.format() != format) {
            let raw = Raw::new(format).map_err(|kind| kind.to_string())?;
            if let Some(mut before) = self.raw.replace(raw) {
                before.finish(&mut self.samples).map_err(|kind| kind.to_string())?;
            }
        }
        let Some(raw) = &mut self.raw else { return Ok(Vec::new()) };
        // A chunk is whole: what is left of a sample belongs to nothing.
        let whole = audio.len() - audio.len() % format.frame_bytes();
        raw.push(&audio[..whole], &mut self.samples).map_err(|kind| kind.to_string())?;
        Ok(self.listen(false))
    }

    /// The stream ends; the detections that were still open. Whether there was any since it began.
    pub fn finish(&mut self) -> Result<(Vec<Frame>, bool), String> {
        self.samples.clear();
        if let Some(raw) = &mut self.raw {
            raw.finish(&mut self.samples).map_err(|kind| kind.to_string())?;
        }
        let detections = self.listen(true);
        let detected = self.detected;
        self.restart();
        Ok((detections, detected))
    }

    fn listen(&mut self, end: bool) -> Vec<Frame> {
        let mut events = Vec::new();
        self.engine.push(&self.samples, |event| events.push(event));
        if end {
            self.engine.finish(|event| events.push(event));
        }
        let detections: Vec<Frame> =
            events.iter().filter_map(|event| detection(event, &self.timestamp)).collect();
        self.detected |= !detections.is_empty();
        detections
    }
}

/// What a client is told of an event, if it is told.
fn detection(event: &Event, timestamp: &Number) -> Option<Frame> {
    if !event.is_detected() {
        return None;
    }
    tracing::info!(profile = event.profile, margin = event.margin, "woke");
    Some(message::detection(&event.profile, &event.user, timestamp, digits::json(event)))
}
