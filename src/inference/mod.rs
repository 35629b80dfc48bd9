//! The neural networks. The only module that knows tract, which reads their files.

mod chain;
mod conv;
mod keyword;
mod rows;
mod speaker;

#[cfg(test)]
mod tests;

pub use chain::Misfit;
pub use keyword::{KeywordNet, KeywordStream};
pub use speaker::SpeakerNet;

/// New log-mel frames that give one keyword vector (80 ms).
pub const PULSE: usize = 8;
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

/// A network that cannot be used, or failed.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The file holds another network, or none.
    #[error("keyword encoder: {0}; use the file that came with this program")]
    Keyword(#[from] Misfit),
    /// The file holds another network, or none, or running it failed.
    #[error("speaker encoder: {0:#}")]
    Speaker(tract_onnx::prelude::TractError),
}
