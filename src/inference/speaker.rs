//! The speaker encoder, run by tract.

use tract_onnx::prelude::*;

use super::{FBANK_BANDS, InferenceError, SPEAKER_FRAMES};
use crate::features::Frames;

/// The speaker encoder at its one input length. Shared.
pub struct SpeakerNet {
    plan: Arc<TypedSimplePlan>,
}

impl SpeakerNet {
    /// Parses and optimises an ONNX graph `fbank [1,T,80] -> embedding [1,192]`.
    pub fn load(onnx: &[u8]) -> Result<Self, InferenceError> {
        Self::build(onnx).map_err(InferenceError::Speaker)
    }

    fn build(mut onnx: &[u8]) -> TractResult<Self> {
        let mut model = tract_onnx::onnx().with_ignore_value_info(true).model_for_read(&mut onnx)?;
        // One concrete length: symbolic time is half as fast.
        model.set_input_fact(0, f32::fact([1, SPEAKER_FRAMES, FBANK_BANDS]).into())?;
        Ok(Self { plan: model.into_optimized()?.into_runnable()? })
    }

    /// Embedding `[192]` of [`SPEAKER_FRAMES`] mean-normalised filterbank frames.
    pub fn embed(&self, fbank: &Frames) -> Result<Vec<f32>, InferenceError> {
        self.run(fbank).map_err(InferenceError::Speaker)
    }

    fn run(&self, fbank: &Frames) -> TractResult<Vec<f32>> {
        let input = Tensor::from_shape(&[1, SPEAKER_FRAMES, FBANK_BANDS], fbank.as_slice())?;
        let output = self.plan.run(tvec!(input.into_tvalue()))?;
        Ok(output[0].try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
    }
}
