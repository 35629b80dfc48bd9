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
    /// Samples that frames still to come reach back to.
    samples: Vec<f32>,
    /// The last [`KEPT`] blocks and the one being filled, oldest first.
    blocks: Vec<f32>,
    filled: usize,
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
            samples: Vec::with_capacity(SPAN + HOP),
            blocks: vec![0.0; (KEPT + 1) * BLOCK],
            filled: 0,
            block: 0,
            next: 0,
        }
    }

    /// Begins another stream. No allocation.
    pub fn reset(&mut self) {
        self.stream.copy_from(&self.silent);
        self.samples.clear();
        (self.filled, self.block, self.next) = (0, 0, 0);
    }

    /// Takes the next [`HOP`] samples. When they complete a block and `speech` is true, `sink` gets
    /// its vector, and before it those of blocks that were passed over, back to the pre-roll.
    pub fn push(&mut self, hop: &[f32], speech: bool, sink: &mut impl FnMut(Output<'_>)) {
        self.samples.extend_from_slice(hop);
        if self.samples.len() < SPAN {
            return;
        }
        let slot = KEPT * BLOCK + self.filled;
        self.log_mel.frame(&self.samples[..SPAN], &mut self.blocks[slot..slot + MEL_BANDS]);
        self.samples.drain(..HOP);
        self.advance(speech, sink);
    }

    /// The stream has ended: encodes its last block and some silence, where a phrase that reaches the
    /// last sample still shows.
    pub fn finish(&mut self, speech: bool, sink: &mut impl FnMut(Output<'_>)) {
        let end = self.block + TAIL + usize::from(self.filled > 0);
        while self.block < end {
            let slot = KEPT * BLOCK + self.filled;
            self.blocks[slot..slot + MEL_BANDS].fill(LogMel::silence());
            self.advance(speech, sink);
        }
    }

    fn advance(&mut self, speech: bool, sink: &mut impl FnMut(Output<'_>)) {
        self.filled += MEL_BANDS;
        if self.filled < BLOCK {
            return;
        }
        self.filled = 0;
        if speech {
            self.encode(sink);
        }
        self.block += 1;
        self.blocks.copy_within(BLOCK.., 0);
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
            let slot = (KEPT + index - self.block) * BLOCK;
            let vector = self.stream.push(&self.blocks[slot..slot + BLOCK]);
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
