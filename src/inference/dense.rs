//! A dense layer over frames, on the same loops as the convolutions.

use pulp::Simd;

use super::conv::{Conv, OUTPUTS};
use super::layer::{Convolution, Weights};
use super::rows::Shape;
use crate::features::Frames;

/// Frames for which positions are planned.
const FRAMES: usize = 64;

/// Sums of products of a frame with each of some rows.
pub struct Dense {
    conv: Conv,
    inputs: usize,
    outputs: usize,
}

impl Dense {
    /// Output `o` is `bias - rows[o] input`. There are as many outputs as `rows`, and more, of `bias` alone, to make
    /// them a multiple of what is computed together.
    pub fn new(bias: f32, rows: &Frames) -> Self {
        let (inputs, outputs) = (rows.dim(), rows.rows().max(1).next_multiple_of(OUTPUTS));
        let mut weights: Vec<f32> = rows.as_slice().iter().map(|x| -x).collect();
        weights.resize(inputs * outputs, 0.0);
        let shape = [outputs, inputs, 1, 1];
        let layer = Convolution::new(shape, Weights::F32(weights), vec![bias; outputs]);
        let frames = |channels| Shape { kept: 0, new: FRAMES, bands: 1, channels, pad: 0 };
        Self { conv: Conv::new(&layer, &frames(inputs), &frames(outputs)), inputs, outputs }
    }

    /// Outputs for a frame.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Puts all outputs for the first frame into `outputs`, then those for the next, and so on. Asks for memory only
    /// if there is not enough room.
    #[inline(always)]
    pub fn apply<S: Simd>(&self, simd: S, frames: &[f32], outputs: &mut Vec<f32>) {
        outputs.resize(frames.len() / self.inputs * self.outputs, 0.0);
        let parts = frames.chunks(FRAMES * self.inputs).zip(outputs.chunks_mut(FRAMES * self.outputs));
        for (frames, outputs) in parts {
            self.conv.apply(simd, frames, outputs, frames.len() / self.inputs);
        }
    }
}
