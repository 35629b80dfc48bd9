//! From samples to keyword vectors, one every 80 ms.

use crate::features::logmel::{LogMel, SPAN};
use crate::features::samples::SampleBuffer;
use crate::features::{Frames, HOP, frame_count};
use crate::inference::{KeywordNet, KeywordStream, MAX_STEPS, MEL_BANDS, STEP_FRAMES};

/// Samples of a step (80 ms): there is a vector for each.
pub const STEP: usize = STEP_FRAMES * HOP;
/// Steps before the gate opened that are encoded as well, so that the first phoneme is never lost.
const PRE_ROLL: usize = 6;
/// Steps of silence after the end of a stream.
const TAIL: usize = 4;
/// Log-mel values of a step.
const STEP_VALUES: usize = STEP_FRAMES * MEL_BANDS;
/// Most samples that may come at a time.
pub const MAX_AHEAD: usize = MAX_STEPS * STEP;

/// What the encoder has to say about the newest step.
pub enum Output<'a> {
    /// The vectors that follow do not continue the earlier ones; the next is of this index.
    Gap(usize),
    /// The next vector.
    Vector(&'a [f32]),
}

/// The streaming keyword encoder.
///
/// Vector `n` is available once the log-mel frames `8 n .. 8 n + 8` are; it has seen those of the network's receptive
/// field, `8 n - 72 .. 8 n + 4` of the built-in one. Before the stream there was silence.
pub struct KeywordEncoder {
    log_mel: LogMel,
    stream: Box<dyn KeywordStream>,
    /// Values of a vector.
    dimension: usize,
    /// Vectors after a gap that are not told.
    warm_up: usize,
    /// Index of the step being filled.
    step: usize,
    /// Index of the step that would continue what the network has seen.
    next: usize,
    /// Vectors of the steps before it, which were encoded together.
    vectors: Vec<f32>,
    /// How many of them were told.
    told: usize,
}

impl KeywordEncoder {
    /// A new stream.
    pub fn new(net: &KeywordNet) -> Self {
        let geometry = net.geometry();
        Self {
            log_mel: LogMel::default(),
            stream: net.stream(MAX_STEPS),
            dimension: geometry.dimension,
            warm_up: geometry.warm_up(),
            step: 0,
            next: 0,
            vectors: Vec::with_capacity(MAX_STEPS * geometry.dimension),
            told: 0,
        }
    }

    /// Steps of the past that opening the gate needs.
    fn kept(&self) -> usize {
        self.warm_up + PRE_ROLL
    }

    /// Heard samples that must be kept for it: frames are made of them when somebody speaks.
    pub fn needed(&self) -> usize {
        (self.kept() + 1) * STEP + SPAN
    }

    /// Vectors that were encoded and not told yet.
    fn pending(&self) -> usize {
        self.vectors.len() / self.dimension - self.told
    }

    /// Begins another stream. No allocation.
    pub fn reset(&mut self) {
        self.stream.reset();
        self.forget_vectors();
        (self.step, self.next) = (0, 0);
    }

    fn forget_vectors(&mut self) {
        self.vectors.clear();
        self.told = 0;
    }

    /// To be called whenever a hop of `samples` was heard, from the stream's first on. When it completes a step and
    /// `speech` is true, `sink` gets its vector, and before it those of steps that were passed over, back to the
    /// pre-roll.
    ///
    /// `speech` must stay true until `certain` samples from here: what is there of them is encoded together, which
    /// costs less.
    pub fn hear(
        &mut self,
        samples: &SampleBuffer,
        speech: bool,
        certain: usize,
        sink: &mut impl FnMut(Output<'_>),
    ) {
        let frames = frame_count(samples.heard() as usize, SPAN);
        if frames > 0 && frames.is_multiple_of(STEP_FRAMES) {
            let end = self.step + 1 + certain.saturating_sub(1) / STEP;
            self.advance(samples, speech, end.min(frames_there(samples) / STEP_FRAMES), sink);
        }
    }

    /// The stream has ended: encodes its last step and some silence, where a phrase that reaches the
    /// last sample still shows.
    pub fn finish(&mut self, samples: &SampleBuffer, speech: bool, sink: &mut impl FnMut(Output<'_>)) {
        let end = frame_count(samples.heard() as usize, SPAN).div_ceil(STEP_FRAMES) + TAIL;
        while self.step < end {
            self.advance(samples, speech, end, sink);
        }
    }

    /// The step being filled is full, or will not be. If there is speech, there is until the step `end`.
    fn advance(
        &mut self,
        samples: &SampleBuffer,
        speech: bool,
        end: usize,
        sink: &mut impl FnMut(Output<'_>),
    ) {
        if speech {
            self.tell(samples, end, sink);
        }
        self.step += 1;
    }

    /// Tells all vectors up to the newest step's.
    fn tell(&mut self, samples: &SampleBuffer, end: usize, sink: &mut impl FnMut(Output<'_>)) {
        let oldest = self.step.saturating_sub(self.kept());
        let mut warm_up = 0;
        if self.next - self.pending() < oldest {
            self.forget_vectors();
            self.next = oldest;
            warm_up = self.warm_up;
            sink(Output::Gap(oldest + warm_up));
        }
        while self.next - self.pending() <= self.step {
            if self.pending() == 0 {
                self.encode(samples, end);
            }
            let vector = &self.vectors[self.told * self.dimension..][..self.dimension];
            self.told += 1;
            if warm_up > 0 {
                warm_up -= 1;
            } else {
                sink(Output::Vector(vector));
            }
        }
    }

    /// Brings the network up to the step `end`, or by as much as it takes at a time. After the last frame there is
    /// silence.
    fn encode(&mut self, samples: &SampleBuffer, end: usize) {
        let steps = (end - self.next).min(MAX_STEPS);
        let mut mel = [LogMel::silence(); MAX_STEPS * STEP_VALUES];
        let mel = &mut mel[..steps * STEP_VALUES];
        let frames = self.next * STEP_FRAMES..frames_there(samples);
        for (frame, bands) in frames.zip(mel.chunks_exact_mut(MEL_BANDS)) {
            let start = (frame * HOP) as u64;
            self.log_mel.frame(samples.slice(start..start + SPAN as u64), bands);
        }
        self.forget_vectors();
        self.vectors.extend_from_slice(self.stream.push(mel));
        self.next += steps;
    }

    /// All raw vectors of a recording: a stream of its own, with silence after it.
    pub fn recording(&mut self, samples: &[f32]) -> Frames {
        self.reset();
        let mut vectors = Frames::with_capacity(self.dimension, samples.len() / STEP + TAIL + 1);
        let mut collect = |output: Output<'_>| {
            if let Output::Vector(vector) = output {
                vectors.push(vector);
            }
        };
        let mut buffer = SampleBuffer::new(self.needed(), MAX_AHEAD);
        for part in samples[..samples.len() / HOP * HOP].chunks(MAX_AHEAD) {
            buffer.append(part);
            while buffer.advance() {
                self.hear(&buffer, true, usize::MAX, &mut collect);
            }
        }
        self.finish(&buffer, true, &mut collect);
        vectors
    }
}

/// Frames whose samples have come, heard or not.
fn frames_there(samples: &SampleBuffer) -> usize {
    frame_count(samples.appended() as usize, SPAN)
}
