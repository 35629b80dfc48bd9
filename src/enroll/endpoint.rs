//! Finds utterances in a stream by voice activity, and says how loud it is.

use std::collections::VecDeque;

use super::quality::Quality;
use crate::features::level::dbfs;
use crate::features::vad::{BLOCK, SPEECH, Vad};
use crate::features::{HOP, SAMPLE_RATE};

/// How often the level is told, in hops (0.1 s).
const LEVEL_HOPS: usize = 10;

/// What is heard in a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum EndpointEvent {
    /// How loud it is.
    Level {
        /// Level of the last tenth of a second.
        dbfs: f32,
        /// Whether somebody speaks.
        speech: bool,
    },
    /// An utterance with the quiet around it. One that does not end is cut off when it is longer than any take.
    Utterance(Vec<f32>),
    /// Nobody has spoken for as long as one waits.
    Silence,
}

/// Finds where utterances begin and end in a stream of 16 kHz mono samples.
pub struct Endpointer {
    vad: Vad,
    /// The utterance so far, or the last moment before one.
    recent: VecDeque<f32>,
    hop: Vec<f32>,
    meter: Vec<f32>,
    /// Samples in which somebody spoke, of the current utterance, and the quiet since.
    spoken: usize,
    speaking: bool,
    /// Samples since somebody last spoke.
    quiet: usize,
    /// Samples since the last utterance.
    waited: usize,
    /// Below it nobody speaks, in dBFS.
    floor: f32,
    // Limits in samples.
    pause: usize,
    pre_roll: usize,
    min_speech: usize,
    timeout: usize,
    longest: usize,
}

impl Endpointer {
    /// An endpointer at the beginning of a stream.
    pub fn new(limits: &Quality) -> Self {
        let samples = |seconds: f32| (seconds * SAMPLE_RATE as f32) as usize;
        let dialogue = &limits.dialogue;
        Self {
            vad: Vad::new(SPEECH, BLOCK as f32 / SAMPLE_RATE as f32),
            recent: VecDeque::new(),
            hop: Vec::with_capacity(HOP),
            meter: Vec::with_capacity(HOP * LEVEL_HOPS),
            spoken: 0,
            speaking: false,
            quiet: 0,
            waited: 0,
            floor: dialogue.floor_dbfs,
            pause: samples(dialogue.pause_s),
            pre_roll: samples(dialogue.pre_roll_s),
            min_speech: samples(dialogue.min_speech_s),
            timeout: samples(dialogue.silence_timeout_s),
            longest: samples(limits.duration.longest_s),
        }
    }

    /// Forgets what was heard: another prompt was given, or the stream broke.
    pub fn reset(&mut self) {
        self.vad.reset();
        self.recent.clear();
        self.hop.clear();
        self.meter.clear();
        (self.spoken, self.speaking, self.quiet, self.waited) = (0, false, 0, 0);
    }

    /// Takes the next samples, any number.
    pub fn push(&mut self, samples: &[f32], mut sink: impl FnMut(EndpointEvent)) {
        for &sample in samples {
            self.hop.push(sample);
            if self.hop.len() == HOP {
                self.step(&mut sink);
                self.hop.clear();
            }
        }
    }

    fn step(&mut self, sink: &mut impl FnMut(EndpointEvent)) {
        // Next to digital silence the detector takes anything for speech.
        let spoken = self.vad.push(&self.hop) && dbfs(&self.hop) >= self.floor;
        self.speaking |= spoken;
        self.quiet = if spoken { 0 } else { self.quiet + HOP };
        let active = self.speaking && self.quiet < self.pause;
        self.recent.extend(&self.hop);
        self.meter.extend(&self.hop);
        if self.meter.len() >= HOP * LEVEL_HOPS {
            sink(EndpointEvent::Level { dbfs: dbfs(&self.meter), speech: active });
            self.meter.clear();
        }
        if active {
            self.spoken += HOP;
            if self.recent.len() > self.longest + HOP {
                self.end(sink);
            }
            return;
        }
        if self.speaking {
            self.end(sink);
        }
        self.waited += HOP;
        let surplus = self.recent.len().saturating_sub(self.pre_roll);
        self.recent.drain(..surplus);
        if self.waited >= self.timeout {
            self.waited = 0;
            sink(EndpointEvent::Silence);
        }
    }

    /// The utterance is over, if it was one.
    fn end(&mut self, sink: &mut impl FnMut(EndpointEvent)) {
        let spoken = self.spoken.saturating_sub(self.pause);
        (self.spoken, self.speaking) = (0, false);
        if spoken >= self.min_speech {
            self.waited = 0;
            sink(EndpointEvent::Utterance(std::mem::take(&mut self.recent).into()));
        }
    }
}
