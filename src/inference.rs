//! The neural networks. The only module that knows tract.

use tract_onnx::prelude::*;
use tract_pulse::internal::*;

use crate::features::Frames;

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
#[error("{network}: {source:#}")]
pub struct InferenceError {
    network: &'static str,
    source: TractError,
}

fn failed(network: &'static str) -> impl Fn(TractError) -> InferenceError {
    move |source| InferenceError { network, source }
}

/// The keyword encoder, optimised for pulses of [`PULSE`] frames. Shared by all streams.
pub struct KeywordNet {
    plan: Arc<TypedSimplePlan>,
}

impl KeywordNet {
    /// Parses and optimises an ONNX graph `mel [1,1,T,32] -> vectors [1,96,N,1]`.
    pub fn load(onnx: &[u8]) -> Result<Self, InferenceError> {
        Self::build(onnx).map_err(failed("keyword encoder"))
    }

    fn build(mut onnx: &[u8]) -> TractResult<Self> {
        let mut model = tract_onnx::onnx().with_ignore_value_info(true).model_for_read(&mut onnx)?;
        let time = model.symbols.sym("T");
        model.set_input_fact(0, f32::fact(dims!(1, 1, time.clone(), MEL_BANDS)).into())?;
        let typed = model.into_typed()?.into_decluttered()?;
        let pulsed = PulsedModel::new(&typed, time, &PULSE.to_dim())?;
        Ok(Self { plan: pulsed.into_typed()?.into_optimized()?.into_runnable()? })
    }

    /// State for a new stream.
    pub fn stream(&self) -> Result<KeywordStream, InferenceError> {
        let state = TypedSimpleState::new(&self.plan).map_err(failed("keyword encoder"))?;
        Ok(KeywordStream { state })
    }
}

/// The keyword encoder's rows kept between pulses. A clone goes its own way from there.
#[derive(Clone)]
pub struct KeywordStream {
    state: TypedSimpleState,
}

impl KeywordStream {
    /// Feeds the next [`PULSE`] log-mel frames (row after row); writes one vector to `out`.
    ///
    /// The first [`WARM_UP`] vectors of a stream, or after a gap, are meaningless.
    pub fn push(&mut self, mel: &[f32], out: &mut [f32]) -> Result<(), InferenceError> {
        self.run(mel, out).map_err(failed("keyword encoder"))
    }

    fn run(&mut self, mel: &[f32], out: &mut [f32]) -> TractResult<()> {
        let input = Tensor::from_shape(&[1, 1, PULSE, MEL_BANDS], mel)?;
        let output = self.state.run(tvec!(input.into_tvalue()))?;
        out.copy_from_slice(output[0].try_as_plain_ram()?.as_slice::<f32>()?);
        Ok(())
    }
}

/// The speaker encoder at its one input length. Shared.
pub struct SpeakerNet {
    plan: Arc<TypedSimplePlan>,
}

impl SpeakerNet {
    /// Parses and optimises an ONNX graph `fbank [1,T,80] -> embedding [1,192]`.
    pub fn load(onnx: &[u8]) -> Result<Self, InferenceError> {
        Self::build(onnx).map_err(failed("speaker encoder"))
    }

    fn build(mut onnx: &[u8]) -> TractResult<Self> {
        let mut model = tract_onnx::onnx().with_ignore_value_info(true).model_for_read(&mut onnx)?;
        // One concrete length: symbolic time is half as fast.
        model.set_input_fact(0, f32::fact([1, SPEAKER_FRAMES, FBANK_BANDS]).into())?;
        Ok(Self { plan: model.into_optimized()?.into_runnable()? })
    }

    /// Embedding `[192]` of [`SPEAKER_FRAMES`] mean-normalised filterbank frames.
    pub fn embed(&self, fbank: &Frames) -> Result<Vec<f32>, InferenceError> {
        self.run(fbank).map_err(failed("speaker encoder"))
    }

    fn run(&self, fbank: &Frames) -> TractResult<Vec<f32>> {
        let input = Tensor::from_shape(&[1, SPEAKER_FRAMES, FBANK_BANDS], fbank.as_slice())?;
        let output = self.plan.run(tvec!(input.into_tvalue()))?;
        Ok(output[0].try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
    }
}
