//! Room that a speaker encoder works in.

use super::integer::Scratch;

/// Room for an embedding, and for the values between the layers of the kernels, about 6 MB. Empty until it is used.
#[derive(Default)]
pub struct SpeakerBuffers {
    /// Frames of the last input; beyond them everything is zero.
    pub(super) frames: usize,
    pub(super) planes: Vec<Vec<f32>>,
    /// All channels so far, and what is the least and the most of each over time.
    pub(super) dense: Vec<f32>,
    pub(super) least: Vec<f32>,
    pub(super) most: Vec<f32>,
    pub(super) hidden: Vec<f32>,
    pub(super) context: Vec<f32>,
    pub(super) squeezed: Vec<f32>,
    pub(super) mask: Vec<f32>,
    pub(super) embedding: Vec<f32>,
    pub(super) scratch: Scratch,
}

impl SpeakerBuffers {
    /// Room for an embedding of `dimension` values.
    pub(super) fn embedding(&mut self, dimension: usize) -> &mut [f32] {
        self.embedding.resize(dimension, 0.0);
        &mut self.embedding
    }
}
