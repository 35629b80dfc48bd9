//! What every encoder offers, whatever runs it.

use super::buffers::SpeakerBuffers;
use super::geometry::Geometry;
use crate::features::Frames;

/// A keyword encoder: a vector for every [`super::STEP_FRAMES`] log-mel frames.
pub trait KeywordNetwork: Send + Sync {
    /// Its sizes.
    fn geometry(&self) -> Geometry;

    /// A stream after a long silence that takes up to `most` steps at a time, at most [`super::MAX_STEPS`].
    fn stream(&self, most: usize) -> Box<dyn KeywordStream>;
}

/// One stream through a keyword encoder.
pub trait KeywordStream: Send {
    /// Feeds the next log-mel frames (row after row), [`super::STEP_FRAMES`] for each vector that comes back. Vector `n` of a
    /// stream depends on the frames from `8 (n - warm-up)` on. The kernels ask for no memory; tract-onnx does, and
    /// gives zeros where the network fails or does not come to numbers.
    ///
    /// # Panics
    ///
    /// If there are more steps than the stream takes.
    fn push(&mut self, mel: &[f32]) -> &[f32];

    /// Begins again after a long silence. Asks for no memory.
    fn reset(&mut self);
}

/// A speaker encoder: an embedding of a stretch of speech.
pub trait SpeakerNetwork: Send + Sync {
    /// Its sizes.
    fn geometry(&self) -> Geometry;

    /// The most frames that it takes.
    fn max_frames(&self) -> usize {
        self.geometry().frames
    }

    /// The embedding of mean-normalised filterbank frames: as many as its geometry says, or any even number up to
    /// [`Self::max_frames`] where that is more. The kernels ask for memory
    /// only when `buffers` are used for the first time; tract-onnx always does, and gives zeros where the network
    /// fails or does not come to numbers.
    ///
    /// # Panics
    ///
    /// If `fbank` has another shape.
    fn embed<'a>(&self, fbank: &Frames, buffers: &'a mut SpeakerBuffers) -> &'a [f32];
}
