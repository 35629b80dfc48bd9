//! Voice activity, from the `earshot` crate.

use super::SAMPLE_RATE;

/// Samples that one decision covers (16 ms).
pub const BLOCK: usize = 256;

/// Streaming voice-activity detector with a hangover.
pub struct Vad {
    detector: Box<earshot::Detector>,
    block: [f32; BLOCK],
    filled: usize,
    threshold: f32,
    hangover: usize,
    /// Samples for which speech is still assumed.
    remaining: usize,
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
        }
    }

    /// Forgets the stream.
    pub fn reset(&mut self) {
        self.detector.reset();
        (self.filled, self.remaining) = (0, 0);
    }

    /// True while there is speech or its hangover.
    pub fn active(&self) -> bool {
        self.remaining > 0
    }

    /// Takes the next samples; says [`Self::active`] after them.
    pub fn push(&mut self, samples: &[f32]) -> bool {
        for &sample in samples {
            self.block[self.filled] = sample.clamp(-1.0, 1.0);
            self.filled += 1;
            self.remaining = self.remaining.saturating_sub(1);
            if self.filled == BLOCK {
                self.filled = 0;
                if self.detector.predict_f32(&self.block) >= self.threshold {
                    self.remaining = self.hangover;
                }
            }
        }
        self.remaining > 0
    }
}
