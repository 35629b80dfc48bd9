//! Sizes of encoders.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::STEP_FRAMES;

/// Sizes of what an encoder takes and gives.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Geometry {
    /// Bands of an input frame.
    pub bands: usize,
    /// Input frames, one every 10 ms, on which an output depends: a keyword encoder's receptive field, a speaker
    /// encoder's input length.
    pub frames: usize,
    /// Values of an output.
    pub dimension: usize,
}

impl Geometry {
    /// Vectors after a gap in the input that still depend on what came before it.
    pub fn warm_up(&self) -> usize {
        self.frames.div_ceil(STEP_FRAMES).saturating_sub(1)
    }
}

impl fmt::Display for Geometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bands, frames, dimension } = self;
        write!(f, "{frames} frames of {bands} bands to {dimension} values")
    }
}
