//! The newest samples of a stream.

use std::ops::Range;

use super::HOP;

/// The newest samples of a stream, addressed by their place in it. Samples are appended as they come and heard in
/// hops of 10 ms: nothing that is decided by what was heard depends on how many have come already.
pub struct SampleBuffer {
    /// At most twice as many as are kept; the older half goes when it is full, so that what is kept stays
    /// contiguous without being copied at every hop.
    samples: Vec<f32>,
    /// How many heard samples stay.
    keep: usize,
    /// How many may have come that are not heard.
    ahead: usize,
    /// Place of `samples[0]`.
    origin: u64,
    /// Samples heard.
    heard: u64,
}

impl SampleBuffer {
    /// Keeps the last `keep` samples that were heard, and up to `ahead` that are not heard yet.
    pub fn new(keep: usize, ahead: usize) -> Self {
        let mut buffer = Self { samples: Vec::new(), keep: 0, ahead, origin: 0, heard: 0 };
        buffer.keep(keep);
        buffer
    }

    /// Keeps the last `keep` samples that were heard from now on, or as many as before if that is more.
    pub fn keep(&mut self, keep: usize) {
        self.keep = keep.max(self.keep);
        self.samples.reserve(2 * self.kept() - self.samples.len());
    }

    /// Samples that stay, heard or not.
    fn kept(&self) -> usize {
        self.keep + self.ahead + HOP
    }

    /// Forgets everything; places begin at zero again.
    pub fn reset(&mut self) {
        self.samples.clear();
        (self.origin, self.heard) = (0, 0);
    }

    /// Appends samples, to be heard by [`Self::advance`]: at most `ahead` beside less than a hop. No allocation.
    pub fn append(&mut self, samples: &[f32]) {
        debug_assert!(self.unheard() < HOP && samples.len() <= self.ahead);
        if self.samples.len() + samples.len() > 2 * self.kept() {
            let gone = self.samples.len() - self.kept();
            self.samples.drain(..gone);
            self.origin += gone as u64;
        }
        self.samples.extend_from_slice(samples);
    }

    /// Hears the next [`HOP`] samples; false while fewer have come.
    pub fn advance(&mut self) -> bool {
        let there = self.unheard() >= HOP;
        self.heard += if there { HOP as u64 } else { 0 };
        there
    }

    /// The [`HOP`] samples heard last.
    pub fn hop(&self) -> &[f32] {
        self.slice(self.heard.saturating_sub(HOP as u64)..self.heard)
    }

    /// Samples heard so far.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// Samples that have come so far.
    pub fn appended(&self) -> u64 {
        self.origin + self.samples.len() as u64
    }

    /// Samples that have come and are not heard.
    pub fn unheard(&self) -> usize {
        (self.appended() - self.heard) as usize
    }

    /// What is kept of `range` and was heard, and where it begins.
    pub fn get(&self, range: Range<u64>) -> (u64, &[f32]) {
        let oldest = self.heard.saturating_sub(self.keep as u64);
        let start = range.start.clamp(oldest, self.heard);
        (start, self.slice(start..range.end.clamp(start, self.heard)))
    }

    /// The samples at `range`, heard or not, which must still be there.
    pub fn slice(&self, range: Range<u64>) -> &[f32] {
        &self.samples[(range.start - self.origin) as usize..(range.end - self.origin) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_keep_their_places_however_they_come() {
        let (keep, ahead) = (1000, 500);
        for size in [1, 7, HOP, 333, ahead] {
            let mut buffer = SampleBuffer::new(keep, ahead);
            let stream: Vec<f32> = (0..20_000).map(|sample| sample as f32).collect();
            let room = buffer.samples.capacity();
            for block in stream.chunks(size) {
                buffer.append(block);
                while buffer.advance() {
                    let heard = buffer.heard() as usize;
                    assert_eq!(buffer.hop(), &stream[heard - HOP..heard]);
                    let oldest = heard.saturating_sub(keep);
                    assert_eq!(buffer.get(0..u64::MAX), (oldest as u64, &stream[oldest..heard]));
                    let later = heard as u64 + 10;
                    assert_eq!(buffer.get(later..later + 5), (heard as u64, &[][..]));
                    let backwards = Range { start: heard as u64, end: 0 };
                    assert_eq!(buffer.get(backwards), (heard as u64, &[][..]));
                }
                assert!(buffer.unheard() < HOP);
            }
            assert_eq!((buffer.appended(), buffer.samples.capacity()), (20_000, room), "blocks of {size}");
            buffer.reset();
            assert_eq!((buffer.heard(), buffer.get(0..10)), (0, (0, &[][..])));
        }
    }
}
