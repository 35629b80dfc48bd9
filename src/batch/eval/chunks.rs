//! A recording in overlapping chunks, each on its own.

use super::Detector;
use crate::engine::event::Event;
use crate::features::SAMPLE_RATE;
use crate::keyword::encoder::STEP;

/// Audio before a chunk that its engine hears first, in samples (10 s): voice activity, noise level and
/// general speech are those of the stream by then. What is said in it is the earlier chunks' to report.
const LEAD_IN: usize = 10 * SAMPLE_RATE;
/// A verdict may come this long after the phrase, in seconds.
const MIN_STRIDE_S: f64 = 0.5;

/// Length of the chunks, and how much of each end is the neighbour's to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    chunk: usize,
    stride: usize,
}

/// Chunks that would lose phrases.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ChunkError {
    /// No phrase fits between the strides.
    #[error(
        "chunks of {chunk_s} s are too short: less {stride_s} s at each end, they do not hold the phrase of \
         {phrase_s:.2} s; use at least {needed_s:.2} s"
    )]
    TooShort {
        chunk_s: f64,
        stride_s: f64,
        phrase_s: f64,
        /// What would do.
        needed_s: f64,
    },
    /// The verdict on a phrase could come after the chunk's end.
    #[error(
        "a stride of {0} s is too short: verdicts may come {MIN_STRIDE_S} s after a phrase; use that or more"
    )]
    Stride(f64),
}

impl Chunks {
    /// Chunks of `chunk_s` seconds that overlap by twice `stride_s`, for a phrase of `phrase_s`.
    pub fn new(chunk_s: f64, stride_s: f64, phrase_s: f64) -> Result<Self, ChunkError> {
        if stride_s.is_nan() || stride_s < MIN_STRIDE_S {
            return Err(ChunkError::Stride(stride_s));
        }
        let needed_s = phrase_s + 2.0 * stride_s;
        if chunk_s.is_nan() || chunk_s < needed_s {
            return Err(ChunkError::TooShort { chunk_s, stride_s, phrase_s, needed_s });
        }
        let samples = |seconds: f64| (seconds * SAMPLE_RATE as f64) as usize;
        Ok(Self { chunk: samples(chunk_s), stride: samples(stride_s) })
    }

    /// The verdicts of `detector` on `samples`, chunk by chunk. A verdict belongs to the chunk that keeps the
    /// end of its phrase.
    pub fn detect(&self, detector: &Detector, samples: &[f32]) -> Vec<Event> {
        let step = self.chunk - 2 * self.stride;
        let mut events = Vec::new();
        for start in (0..).step_by(step) {
            let end = (start + self.chunk).min(samples.len());
            let last = end == samples.len();
            let kept_from = if start == 0 { 0 } else { start + self.stride };
            let kept_to = if last { usize::MAX } else { end - self.stride };
            // The engine's steps must fall where those of the stream fall.
            let origin = start.saturating_sub(LEAD_IN).next_multiple_of(STEP);
            let mut engine = detector.engine();
            let mut keep = |event: Event| {
                let event = event.shifted(origin as u64);
                let kept = kept_from as u64..kept_to as u64;
                if event.is_verdict() && kept.contains(&event.end) {
                    events.push(event);
                }
            };
            engine.push(&samples[origin.min(end)..end], &mut keep);
            if last {
                engine.finish(&mut keep);
                break;
            }
        }
        events.sort_by_key(|event| event.decided);
        events
    }
}
