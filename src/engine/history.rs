//! The newest values of a stream, addressed by their place in it.

use std::ops::Range;

/// A window over the newest values of a stream.
pub struct History {
    /// At most twice `keep` samples; the older half goes when it is full, so that what is kept stays
    /// contiguous without copying at every hop.
    samples: Vec<f32>,
    keep: usize,
    /// Stream position of `samples[0]`.
    origin: u64,
}

impl History {
    /// Keeps at least the last `keep` samples.
    pub fn new(keep: usize) -> Self {
        Self { samples: Vec::with_capacity(2 * keep), keep, origin: 0 }
    }

    /// Keeps at least the last `keep` samples from now on, or as many as before if that is more.
    pub fn keep(&mut self, keep: usize) {
        self.keep = keep.max(self.keep);
        self.samples.reserve(2 * self.keep - self.samples.len());
    }

    /// Forgets everything; positions begin at zero again.
    pub fn reset(&mut self) {
        self.samples.clear();
        self.origin = 0;
    }

    /// Appends samples, no more than `keep` at a time. No allocation.
    pub fn push(&mut self, samples: &[f32]) {
        if self.samples.len() + samples.len() > 2 * self.keep {
            let gone = self.samples.len() - self.keep;
            self.samples.drain(..gone);
            self.origin += gone as u64;
        }
        self.samples.extend_from_slice(samples);
    }

    /// Samples pushed so far.
    pub fn end(&self) -> u64 {
        self.origin + self.samples.len() as u64
    }

    /// What is still there of `range`, and where it begins.
    pub fn get(&self, range: Range<u64>) -> (u64, &[f32]) {
        let start = range.start.clamp(self.origin, self.end());
        let end = range.end.clamp(start, self.end());
        (start, &self.samples[(start - self.origin) as usize..(end - self.origin) as usize])
    }
}
