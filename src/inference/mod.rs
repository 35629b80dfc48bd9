//! The neural networks: what a model file says (`onnx`, checked by `limits`), and two ways to run it. Kernels of our own
//! (`keyword`, `speaker`) run the graphs that they recognise (`chain`, `matcher`) on convolutions in floating point
//! (`conv`; `dense` for frames and templates) and in integers (`integer`, `int_simd`); `tract` runs any other graph.

mod buffers;
mod chain;
mod conv;
mod dense;
mod encoder;
mod geometry;
mod int_simd;
mod integer;
mod keyword;
mod layer;
mod limits;
mod matcher;
mod network;
mod onnx;
mod quantise;
mod rows;
mod speaker;
#[cfg_attr(not(feature = "onnx"), path = "no_tract.rs")]
mod tract;

#[cfg(test)]
mod tests;

pub use buffers::SpeakerBuffers;
pub use dense::Dense;
pub use encoder::{Choice, InferenceError, KeywordNet, Runtime, SpeakerNet};
pub use geometry::Geometry;
pub use network::{KeywordNetwork, KeywordStream, SpeakerNetwork};
pub use onnx::Unsupported;

/// New log-mel frames that give one keyword vector (80 ms).
pub const STEP_FRAMES: usize = 8;
/// Most steps that the keyword encoder takes at a time.
pub const MAX_STEPS: usize = 4;
/// Log-mel bands of a frame.
pub const MEL_BANDS: usize = crate::features::logmel::BANDS;
/// Filterbank bands of the speaker encoder.
pub const FBANK_BANDS: usize = crate::features::fbank::BANDS;
