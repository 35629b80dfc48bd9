//! From samples to keyword vectors, one every 80 ms.

use crate::features::logmel::{LogMel, SPAN};
use crate::features::{Frames, HOP};
use crate::inference::{KeywordNet, KeywordStream, MEL_BANDS, MOST_PULSES, PULSE};

/// Samples between two vectors (80 ms).
pub const VECTOR_HOP: usize = PULSE * HOP;
/// Blocks before the gate opened that are encoded as well, so that the first phoneme is never lost.
const PRE_ROLL: usize = 6;
/// Blocks of silence after the end of a stream.
const TAIL: usize = 4;
const BLOCK: usize = PULSE * MEL_BANDS;
/// Most samples that may come at a time.
pub const MOST_AHEAD: usize = MOST_PULSES * VECTOR_HOP;

/// What the encoder has to say about the newest block.
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
    /// The samples of at least the last [`Self::kept`] blocks and the one being filled, and those that have come but
    /// are not heard yet. Frames are made of them when somebody speaks.
    samples: Vec<f32>,
    /// Where in the stream the first of them is.
    origin: usize,
    /// Samples heard.
    heard: usize,
    /// Frames whose samples were heard.
    frames: usize,
    /// Index of the block being filled.
    block: usize,
    /// Index of the block that would continue what the network has seen.
    next: usize,
    /// Vectors of the blocks before it, which were encoded together.
    vectors: Vec<f32>,
    /// How many of them were told.
    told: usize,
}

impl KeywordEncoder {
    /// A new stream.
    pub fn new(net: &KeywordNet) -> Self {
        let geometry = net.geometry();
        let mut encoder = Self {
            log_mel: LogMel::default(),
            stream: net.stream(MOST_PULSES),
            dimension: geometry.dimension,
            warm_up: geometry.warm_up(),
            samples: Vec::new(),
            origin: 0,
            heard: 0,
            frames: 0,
            block: 0,
            next: 0,
            vectors: Vec::with_capacity(MOST_PULSES * geometry.dimension),
            told: 0,
        };
        encoder.samples.reserve(2 * encoder.needed());
        encoder
    }

    /// Blocks of the past that opening the gate needs.
    fn kept(&self) -> usize {
        self.warm_up + PRE_ROLL
    }

    /// Samples that the frames of these blocks and of the newest cover.
    fn needed(&self) -> usize {
        (self.kept() + 1) * VECTOR_HOP + SPAN
    }

    /// Vectors that were encoded and not told yet.
    fn pending(&self) -> usize {
        self.vectors.len() / self.dimension - self.told
    }

    /// Begins another stream. No allocation.
    pub fn reset(&mut self) {
        self.stream.reset();
        self.samples.clear();
        self.forget_vectors();
        (self.origin, self.heard, self.frames, self.block, self.next) = (0, 0, 0, 0, 0);
    }

    fn forget_vectors(&mut self) {
        self.vectors.clear();
        self.told = 0;
    }

    /// Takes the next samples, at most [`MOST_AHEAD`], to be heard from [`Self::hear`] on.
    pub fn append(&mut self, samples: &[f32]) {
        debug_assert!(samples.len() <= MOST_AHEAD);
        if self.samples.len() + samples.len() > 2 * self.needed() {
            let gone = self.block.saturating_sub(self.kept()) * VECTOR_HOP - self.origin;
            self.samples.drain(..gone);
            self.origin += gone;
        }
        self.samples.extend_from_slice(samples);
    }

    /// Hears [`HOP`] of the samples. When they complete a block and `speech` is true, `sink` gets its vector, and
    /// before it those of blocks that were passed over, back to the pre-roll.
    ///
    /// `speech` must stay true until `certain` samples from here: what is there of them is encoded together, which
    /// costs less.
    pub fn hear(&mut self, speech: bool, certain: usize, sink: &mut impl FnMut(Output<'_>)) {
        self.heard += HOP;
        if self.heard < self.frames * HOP + SPAN {
            return;
        }
        self.frames += 1;
        if self.frames.is_multiple_of(PULSE) {
            let end = self.block + 1 + certain.saturating_sub(1) / VECTOR_HOP;
            self.advance(speech, end.min(self.frames_there() / PULSE), sink);
        }
    }

    /// The stream has ended: encodes its last block and some silence, where a phrase that reaches the
    /// last sample still shows.
    pub fn finish(&mut self, speech: bool, sink: &mut impl FnMut(Output<'_>)) {
        let end = self.frames.div_ceil(PULSE) + TAIL;
        while self.block < end {
            self.advance(speech, end, sink);
        }
    }

    /// The block being filled is full, or will not be. If there is speech, there is until the block `end`.
    fn advance(&mut self, speech: bool, end: usize, sink: &mut impl FnMut(Output<'_>)) {
        if speech {
            self.tell(end, sink);
        }
        self.block += 1;
    }

    /// Tells all vectors up to the newest block's.
    fn tell(&mut self, end: usize, sink: &mut impl FnMut(Output<'_>)) {
        let oldest = self.block.saturating_sub(self.kept());
        let mut warm_up = 0;
        if self.next - self.pending() < oldest {
            self.forget_vectors();
            self.next = oldest;
            warm_up = self.warm_up;
            sink(Output::Gap(oldest + warm_up));
        }
        while self.next - self.pending() <= self.block {
            if self.pending() == 0 {
                self.encode(end);
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

    /// Brings the network up to the block `end`, or by as much as it takes at a time. After the last frame there is
    /// silence.
    fn encode(&mut self, end: usize) {
        let pulses = (end - self.next).min(MOST_PULSES);
        let mut mel = [LogMel::silence(); MOST_PULSES * BLOCK];
        let mel = &mut mel[..pulses * BLOCK];
        let frames = self.next * PULSE..self.frames_there();
        for (frame, bands) in frames.zip(mel.chunks_exact_mut(MEL_BANDS)) {
            self.log_mel.frame(&self.samples[frame * HOP - self.origin..][..SPAN], bands);
        }
        self.forget_vectors();
        self.vectors.extend_from_slice(self.stream.push(mel));
        self.next += pulses;
    }

    /// Frames whose samples are there.
    fn frames_there(&self) -> usize {
        (self.origin + self.samples.len()).saturating_sub(SPAN - HOP) / HOP
    }

    /// All raw vectors of a recording: a stream of its own, with silence after it.
    pub fn recording(&mut self, samples: &[f32]) -> Frames {
        self.reset();
        let mut vectors = Frames::with_capacity(self.dimension, samples.len() / VECTOR_HOP + TAIL + 1);
        let mut collect = |output: Output<'_>| {
            if let Output::Vector(vector) = output {
                vectors.push(vector);
            }
        };
        for part in samples[..samples.len() / HOP * HOP].chunks(MOST_AHEAD) {
            self.append(part);
            for _ in part.chunks_exact(HOP) {
                self.hear(true, usize::MAX, &mut collect);
            }
        }
        self.finish(true, &mut collect);
        vectors
    }
}
