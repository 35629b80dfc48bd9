//! From samples to keyword vectors, one every 80 ms.

use crate::features::logmel::{LogMel, SPAN};
use crate::features::{Frames, HOP};
use crate::inference::{KeywordNet, KeywordStream, MEL_BANDS, PULSE, VECTOR_DIM, WARM_UP};

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
    /// The samples of at least the last [`KEPT`] blocks and the one being filled. Frames are made of them when
    /// somebody speaks.
    samples: Vec<f32>,
    /// Where in the stream the first of them is.
    origin: usize,
    /// Frames whose samples are there.
    frames: usize,
    /// Index of the block being filled.
    block: usize,
    /// Index of the block that would continue what the network has seen.
    next: usize,
}

impl KeywordEncoder {
    /// A new stream.
    pub fn new(net: &KeywordNet) -> Self {
        let mut silent = net.stream();
        for _ in 0..WARM_UP {
            silent.push(&[LogMel::silence(); BLOCK]);
        }
        Self {
            log_mel: LogMel::default(),
            stream: silent.clone(),
            silent,
            samples: Vec::with_capacity(2 * NEEDED),
            origin: 0,
            frames: 0,
            block: 0,
            next: 0,
        }
    }

    /// Begins another stream. No allocation.
    pub fn reset(&mut self) {
        self.stream.copy_from(&self.silent);
        self.samples.clear();
        (self.origin, self.frames, self.block, self.next) = (0, 0, 0, 0);
    }

    /// Takes the next [`HOP`] samples. When they complete a block and `speech` is true, `sink` gets
    /// its vector, and before it those of blocks that were passed over, back to the pre-roll.
    pub fn push(&mut self, hop: &[f32], speech: bool, sink: &mut impl FnMut(Output<'_>)) {
        if self.samples.len() + HOP > 2 * NEEDED {
            let gone = self.block.saturating_sub(KEPT) * VECTOR_HOP - self.origin;
            self.samples.drain(..gone);
            self.origin += gone;
        }
        self.samples.extend_from_slice(hop);
        if self.origin + self.samples.len() < self.frames * HOP + SPAN {
            return;
        }
        self.frames += 1;
        if self.frames.is_multiple_of(PULSE) {
            self.advance(speech, sink);
        }
    }

    /// The stream has ended: encodes its last block and some silence, where a phrase that reaches the
    /// last sample still shows.
    pub fn finish(&mut self, speech: bool, sink: &mut impl FnMut(Output<'_>)) {
        let end = self.frames.div_ceil(PULSE) + TAIL;
        while self.block < end {
            self.advance(speech, sink);
        }
    }

    /// The block being filled is full, or will not be.
    fn advance(&mut self, speech: bool, sink: &mut impl FnMut(Output<'_>)) {
        if speech {
            self.encode(sink);
        }
        self.block += 1;
    }

    /// Brings the network up to the newest block.
    fn encode(&mut self, sink: &mut impl FnMut(Output<'_>)) {
        let oldest = self.block.saturating_sub(KEPT);
        let mut warm_up = 0;
        if self.next < oldest {
            self.next = oldest;
            warm_up = WARM_UP;
            sink(Output::Gap(oldest + WARM_UP));
        }
        for index in self.next..=self.block {
            let mut mel = [LogMel::silence(); BLOCK];
            for (frame, bands) in (index * PULSE..self.frames).zip(mel.chunks_exact_mut(MEL_BANDS)) {
                self.log_mel.frame(&self.samples[frame * HOP - self.origin..][..SPAN], bands);
            }
            let vector = self.stream.push(&mel);
            if warm_up > 0 {
                warm_up -= 1;
            } else {
                sink(Output::Vector(vector));
            }
        }
        self.next = self.block + 1;
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
        for hop in samples.chunks_exact(HOP) {
            self.push(hop, true, &mut collect);
        }
        self.finish(true, &mut collect);
        vectors
    }
}
