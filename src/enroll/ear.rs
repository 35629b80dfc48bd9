//! Finds the takes in a stream by voice activity, and says how loud it is.

use std::collections::VecDeque;

use super::quality::Quality;
use crate::features::level::dbfs;
use crate::features::vad::{BLOCK, SPEECH, Vad};
use crate::features::{HOP, SAMPLE_RATE};

/// How often the level is told, in hops (0.1 s).
const LEVEL_HOPS: usize = 10;

/// What is heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The level of the last tenth of a second, in dBFS, and whether somebody speaks.
    Level(f32, bool),
    /// What may be a phrase, with the quiet around it; longer than a take may be if it does not end.
    Phrase(Vec<f32>),
    /// Nobody has spoken for as long as one waits.
    Nothing,
}

/// Listens for phrases in a stream of 16 kHz mono samples.
pub struct Ear {
    vad: Vad,
    /// What is heard now, or the last moment before something is.
    recent: VecDeque<f32>,
    hop: Vec<f32>,
    meter: Vec<f32>,
    /// Samples in which somebody spoke, of the current phrase.
    spoken: usize,
    speaking: bool,
    /// Samples since somebody last spoke.
    quiet: usize,
    /// Samples without a phrase.
    waited: usize,
    pause: usize,
    /// Below it nobody speaks, in dBFS.
    floor: f32,
    before: usize,
    noise: usize,
    patience: usize,
    longest: usize,
}

impl Ear {
    /// An ear by these limits.
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
            before: samples(dialogue.before_s),
            noise: samples(dialogue.noise_s),
            patience: samples(dialogue.patience_s),
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
    pub fn push(&mut self, samples: &[f32], mut sink: impl FnMut(Heard)) {
        for &sample in samples {
            self.hop.push(sample);
            if self.hop.len() == HOP {
                self.step(&mut sink);
                self.hop.clear();
            }
        }
    }

    fn step(&mut self, sink: &mut impl FnMut(Heard)) {
        // Next to digital silence the detector takes anything for speech.
        let spoken = self.vad.push(&self.hop) && dbfs(&self.hop) >= self.floor;
        self.speaking |= spoken;
        self.quiet = if spoken { 0 } else { self.quiet + HOP };
        let active = self.speaking && self.quiet < self.pause;
        self.recent.extend(&self.hop);
        self.meter.extend(&self.hop);
        if self.meter.len() >= HOP * LEVEL_HOPS {
            sink(Heard::Level(dbfs(&self.meter), active));
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
        let surplus = self.recent.len().saturating_sub(self.before);
        self.recent.drain(..surplus);
        if self.waited >= self.patience {
            self.waited = 0;
            sink(Heard::Nothing);
        }
    }

    /// The phrase is over, if it was one.
    fn end(&mut self, sink: &mut impl FnMut(Heard)) {
        let spoken = self.spoken.saturating_sub(self.pause);
        (self.spoken, self.speaking) = (0, false);
        if spoken >= self.noise {
            self.waited = 0;
            sink(Heard::Phrase(std::mem::take(&mut self.recent).into()));
        }
    }
}
