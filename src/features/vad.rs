//! Voice activity, from the `earshot` crate.

use super::SAMPLE_RATE;
use super::frames::dot;

/// Samples that one decision covers (16 ms).
pub const BLOCK: usize = 256;
/// Speech probability from which on somebody is taken to speak in an enrolment.
pub const SPEECH: f32 = 0.3;

/// A block is near the floor up to this many times its power (3 dB): every syllable is louder.
const NEAR: f32 = 2.0;
/// By how much the floor rises a block, unless it is lower: 5 dB a second.
const RISE: f32 = 1.018_6;
/// Least floor, in power of a sample (-100 dBFS).
const LEAST: f32 = 1e-10;
/// After this many blocks near the floor, none with speech, the next are passed over (0.5 s).
const STEADY: usize = 31;
/// Blocks passed over that are made up for when one is louder (0.13 s): what the detector remembers.
const CAUGHT_UP: usize = 8;

/// Streaming voice-activity detector with a hangover. The network rests where nothing but steady noise is heard.
pub struct Vad {
    detector: Box<earshot::Detector>,
    block: [f32; BLOCK],
    filled: usize,
    threshold: f32,
    hangover: usize,
    /// Samples for which speech is still assumed.
    remaining: usize,
    /// Power of the quietest blocks of late.
    floor: f32,
    /// Blocks near the floor up to the newest.
    steady: usize,
    /// The last of those passed over.
    passed: Vec<[f32; BLOCK]>,
}

impl Vad {
    /// Speech is a block with a probability of at least `threshold`, and `hangover_s` seconds after.
    pub fn new(threshold: f32, hangover_s: f32) -> Self {
        Self {
            detector: Box::default(),
            block: [0.0; BLOCK],
            filled: 0,
            threshold,
            hangover: (hangover_s * SAMPLE_RATE as f32) as usize,
            remaining: 0,
            floor: f32::INFINITY,
            steady: 0,
            passed: Vec::with_capacity(CAUGHT_UP),
        }
    }

    /// Takes this probability for speech from now on.
    pub fn set_threshold(&mut self, threshold: f32) {
        self.threshold = threshold;
    }

    /// Forgets the stream.
    pub fn reset(&mut self) {
        self.detector.reset();
        (self.filled, self.remaining, self.floor, self.steady) = (0, 0, f32::INFINITY, 0);
        self.passed.clear();
    }

    /// True while there is speech or its hangover.
    pub fn active(&self) -> bool {
        self.remaining > 0
    }

    /// Samples until which it stays so, whatever they are.
    pub fn remaining(&self) -> usize {
        self.remaining
    }

    /// Takes the next samples; says [`Self::active`] after them.
    pub fn push(&mut self, samples: &[f32]) -> bool {
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BLOCK - self.filled));
            let slots = &mut self.block[self.filled..][..now.len()];
            slots.iter_mut().zip(now).for_each(|(slot, sample)| *slot = sample.clamp(-1.0, 1.0));
            self.filled += now.len();
            self.remaining = self.remaining.saturating_sub(now.len());
            rest = later;
            if self.filled == BLOCK {
                self.filled = 0;
                if !self.rests() && self.detector.predict_f32(&self.block) >= self.threshold {
                    self.remaining = self.hangover;
                }
            }
        }
        self.remaining > 0
    }

    /// Whether the newest block is passed over. If not, the detector has caught up with those before it.
    fn rests(&mut self) -> bool {
        let power = dot(&self.block, &self.block) / BLOCK as f32;
        self.floor = (self.floor.max(LEAST) * RISE).min(power.max(LEAST));
        let steady = self.remaining == 0 && power <= NEAR * self.floor;
        self.steady = if steady { self.steady + 1 } else { 0 };
        if self.steady <= STEADY {
            for block in self.passed.drain(..) {
                self.detector.predict_f32(&block);
            }
            return false;
        }
        if self.passed.len() == CAUGHT_UP {
            self.passed.remove(0);
        }
        self.passed.push(self.block);
        true
    }
}
