//! The neural networks: what their files say (`onnx`, `chain`, `outline`), and how they are run.

mod chain;
mod conv;
mod dense;
mod integer;
mod keyword;
mod onnx;
mod outline;
mod products;
mod rows;
mod speaker;

#[cfg(test)]
mod tests;

pub use dense::Dense;
pub use keyword::{KeywordNet, KeywordStream};
pub use onnx::Misfit;
pub use speaker::{SpeakerBuffers, SpeakerNet};

/// New log-mel frames that give one keyword vector (80 ms).
pub const PULSE: usize = 8;
/// Most pulses that the keyword encoder takes at a time.
pub const MOST_PULSES: usize = 4;
/// Log-mel bands of a frame.
pub const MEL_BANDS: usize = 32;
/// Values of a keyword vector.
pub const VECTOR_DIM: usize = 96;
/// Log-mel frames that one keyword vector sees.
pub const RECEPTIVE_FIELD: usize = 76;
/// Vectors after a discontinuity that still depend on what came before it.
pub const WARM_UP: usize = RECEPTIVE_FIELD.div_ceil(PULSE) - 1;
/// Filterbank bands of the speaker encoder.
pub const FBANK_BANDS: usize = 80;
/// Frames of the speaker encoder's one input length (0.8 s).
pub const SPEAKER_FRAMES: usize = 80;
/// Values of a speaker embedding.
pub const EMBEDDING_DIM: usize = 192;

/// A network that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The file holds another network, or none.
    #[error("keyword encoder: {0}; use the file that came with this program")]
    Keyword(Misfit),
    /// The file holds another network, or none.
    #[error("speaker encoder: {0}; use the file that came with this program")]
    Speaker(Misfit),
}
