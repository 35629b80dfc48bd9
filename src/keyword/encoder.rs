//! From samples to keyword vectors, one every 80 ms.

use std::collections::VecDeque;

use crate::features::logmel::{LogMel, SPAN};
use crate::features::{Frames, HOP};
use crate::inference::{KeywordNet, KeywordStream, MEL_BANDS, MOST_PULSES, PULSE, VECTOR_DIM, WARM_UP};

/// Samples between two vectors (80 ms).
pub const VECTOR_HOP: usize = PULSE * HOP;
/// Blocks before the gate opened that are encoded as well, so that the first phoneme is never lost.
const PRE_ROLL: usize = 6;
/// Blocks of the past that opening the gate needs.
const KEPT: usize = WARM_UP + PRE_ROLL;
/// Blocks of silence after the end of a stream.
const TAIL: usize = 4;
const BLOCK: usize = PULSE * MEL_BANDS;
/// Samples that the frames of these blocks and of the newest cover.
const NEEDED: usize = (KEPT + 1) * VECTOR_HOP + SPAN;
/// Most samples that may come at a time.
pub const MOST_AHEAD: usize = MOST_PULSES * VECTOR_HOP;

/// What the encoder has to say about the newest block.
pub enum Output<'a> {
    /// The vectors that follow do not continue the earlier ones; the next is of this index.
    Gap(usize),
    /// The next vector, `[96]`.
    Vector(&'a [f32]),
}

/// The streaming keyword encoder.
///
/// Vector `n` is available once the log-mel frames `8 n .. 8 n + 8` are; it has seen the frames
/// `8 n - 72 .. 8 n + 4`. Before the stream there was silence.
pub struct KeywordEncoder {
    log_mel: LogMel,
    /// The network after a long silence, where every stream begins.
    silent: KeywordStream,
    stream: KeywordStream,
    /// The samples of at least the last [`KEPT`] blocks and the one being filled, and those that have come but are not
    /// heard yet. Frames are made of them when somebody speaks.
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
    /// Vectors of the blocks before it that were not told yet: they were encoded together.
    vectors: VecDeque<[f32; VECTOR_DIM]>,
}

impl KeywordEncoder {
    /// A new stream.
    pub fn new(net: &KeywordNet) -> Self {
        let mut silent = net.stream(1);
        for _ in 0..WARM_UP {
            silent.push(&[LogMel::silence(); BLOCK]);
        }
        let mut encoder = Self {
            log_mel: LogMel::default(),
            stream: net.stream(MOST_PULSES),
            silent,
            samples: Vec::with_capacity(2 * NEEDED),
            origin: 0,
            heard: 0,
            frames: 0,
            block: 0,
            next: 0,
            vectors: VecDeque::with_capacity(MOST_PULSES),
        };
        encoder.reset();
        encoder
    }

    /// Begins another stream. No allocation.
    pub fn reset(&mut self) {
        self.stream.copy_from(&self.silent);
        self.samples.clear();
        self.vectors.clear();
        (self.origin, self.heard, self.frames, self.block, self.next) = (0, 0, 0, 0, 0);
    }

    /// Takes the next samples, at most [`MOST_AHEAD`], to be heard from [`Self::hear`] on.
    pub fn append(&mut self, samples: &[f32]) {
        debug_assert!(samples.len() <= MOST_AHEAD);
        if self.samples.len() + samples.len() > 2 * NEEDED {
            let gone = self.block.saturating_sub(KEPT) * VECTOR_HOP - self.origin;
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
        let oldest = self.block.saturating_sub(KEPT);
        let mut warm_up = 0;
        if self.next - self.vectors.len() < oldest {
            self.vectors.clear();
            self.next = oldest;
            warm_up = WARM_UP;
            sink(Output::Gap(oldest + WARM_UP));
        }
        while self.next - self.vectors.len() <= self.block {
            let Some(vector) = self.vectors.pop_front() else {
                self.encode(end);
                continue;
            };
            if warm_up > 0 {
                warm_up -= 1;
            } else {
                sink(Output::Vector(&vector));
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
        self.vectors.extend(self.stream.push(mel).as_chunks::<VECTOR_DIM>().0);
        self.next += pulses;
    }

    /// Frames whose samples are there.
    fn frames_there(&self) -> usize {
        (self.origin + self.samples.len()).saturating_sub(SPAN - HOP) / HOP
    }

    /// All raw vectors of a recording: a stream of its own, with silence after it.
    pub fn recording(&mut self, samples: &[f32]) -> Frames {
        self.reset();
        let mut vectors = Frames::with_capacity(VECTOR_DIM, samples.len() / VECTOR_HOP + TAIL + 1);
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
