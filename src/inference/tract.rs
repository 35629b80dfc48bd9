//! Any other graph, by tract-onnx: one window of frames for each output.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

use super::buffers::SpeakerBuffers;
use super::geometry::Geometry;
use super::network::{KeywordNetwork, KeywordStream, SpeakerNetwork};
use super::onnx::{Dimension, Graph};
use super::{FBANK_BANDS, MAX_STEPS, MEL_BANDS, STEP_FRAMES};
use crate::features::Frames;
use crate::features::logmel::LogMel;

/// Values of an input, or of anything computed from it (16 MB): a graph with more would take seconds.
const MAX_VALUES: usize = 4 << 20;
/// Frames of the longest window (10 s).
const MAX_FRAMES: usize = 1000;
/// Values of the longest output.
const MAX_DIMENSION: usize = 4096;

/// A graph from one window of frames to one vector.
struct WindowGraph {
    plan: Arc<TypedRunnableModel>,
    /// Of its input, with all axes but those of frames and bands 1.
    shape: Vec<usize>,
    geometry: Geometry,
}

impl WindowGraph {
    /// Reads a graph that takes frames of `bands`.
    fn new(onnx: Bytes, graph: &Graph, bands: usize, stated: Option<Geometry>) -> Result<Self, String> {
        let shape = input_shape(graph, bands, stated)?;
        caught(|| Self::plan(onnx, shape, bands))?
    }

    fn plan(onnx: Bytes, shape: Vec<usize>, bands: usize) -> Result<Self, String> {
        let model = ModelProto::decode(onnx).map_err(|error| error.to_string())?;
        let model = typed(&model, &shape).map_err(|error| format!("{error:#}"))?;
        let computed =
            model.nodes.iter().flat_map(|node| &node.outputs).filter(|one| one.fact.konst.is_none());
        for output in computed {
            let sizes =
                output.fact.shape.as_concrete().ok_or("the sizes of its values depend on the input")?;
            let values = sizes.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
            if values.is_none_or(|values| values > MAX_VALUES) {
                return Err(format!("it computes {sizes:?} values at once, more than {MAX_VALUES}"));
            }
        }
        let plan = model.into_optimized().and_then(IntoRunnable::into_runnable);
        let plan = plan.map_err(|error| format!("{error:#}"))?;
        let frames = shape.iter().product::<usize>() / bands;
        let mut graph = Self { plan, shape, geometry: Geometry { bands, frames, dimension: 0 } };
        // What fails once, or with silence, is no encoder.
        let input: Vec<f32> = (0..frames * bands).map(|n| (n * n % 17) as f32 / 4.0).collect();
        let output = graph.run(&input).map_err(|error| format!("{error:#}"))?;
        graph.geometry.dimension = output.len();
        if !(1..=MAX_DIMENSION).contains(&output.len()) {
            return Err(format!("it gives {} values; an encoder gives 1 to {MAX_DIMENSION}", output.len()));
        }
        let silence = graph.run(&vec![0.0; input.len()]).map_err(|error| format!("{error:#}"))?;
        if output.iter().chain(&silence).any(|value| !value.is_finite()) {
            return Err("its values are not finite".into());
        }
        Ok(graph)
    }

    fn run(&self, input: &[f32]) -> TractResult<Vec<f32>> {
        let input = Tensor::from_shape(&self.shape, input)?;
        let outputs = self.plan.run(tvec!(input.into()))?;
        let output = outputs.first().ok_or_else(|| TractError::msg("it has no output"))?.cast_to::<f32>()?;
        Ok(output.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
    }

    /// Writes the output for a window to `output`; zeros where there is none.
    fn apply(&self, input: &[f32], output: &mut [f32]) {
        let values = caught(|| self.run(input)).ok().and_then(Result::ok);
        match values.filter(|values| values.len() == output.len() && values.iter().all(|x| x.is_finite())) {
            Some(values) => output.copy_from_slice(&values),
            None => output.fill(0.0),
        }
    }
}

/// The result of `work`; what it panics of is a reason too.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| "it breaks off".into())
}

fn typed(model: &ModelProto, shape: &[usize]) -> TractResult<TypedModel> {
    let onnx = tract_onnx::onnx().with_ignore_value_info(true).with_ignore_output_shapes(true);
    let model = onnx.model_for_proto_model(model)?;
    model.with_input_fact(0, f32::fact(shape).into())?.into_typed()
}

/// The shape of the one input: its last axis longer than 1 is that of the bands, the one before that of time. The
/// latter is as `stated` where the graph leaves it open.
fn input_shape(graph: &Graph, bands: usize, stated: Option<Geometry>) -> Result<Vec<usize>, String> {
    let constant = |name: &str| graph.initializer.iter().any(|constant| constant.name == name);
    let inputs: Vec<_> = graph.input.iter().filter(|input| !constant(&input.name)).collect();
    let [input] = inputs[..] else { return Err(format!("it has {} inputs, not one", inputs.len())) };
    let [output] = &graph.output[..] else {
        return Err(format!("it has {} outputs, not one", graph.output.len()));
    };
    if !graph.node.iter().any(|node| node.output.contains(&output.name)) {
        return Err(format!("nothing computes its output {:?}", output.name));
    }
    let shape = input.of.as_ref().and_then(|of| of.tensor.as_ref()).and_then(|tensor| tensor.shape.as_ref());
    let axes = &shape.ok_or("it does not say the shape of its input")?.dim;
    let open = |axis: &Dimension| axis.value.is_none_or(|value| value <= 0);
    let refused = || {
        let shape = axes.iter().map(|axis| axis.value.map_or("?".into(), |value| value.to_string()));
        let shape = shape.collect::<Vec<String>>().join(", ");
        format!(
            "its input is [{shape}], not frames of {bands} bands: [.., T, {bands}] or [.., T, {bands}, 1]"
        )
    };
    let last = axes.iter().rposition(|axis| axis.value != Some(1)).ok_or_else(refused)?;
    if last == 0 || axes[last].value != i64::try_from(bands).ok() {
        return Err(refused());
    }
    let time = &axes[last - 1];
    let frames = match (usize::try_from(time.value.unwrap_or(0)), stated) {
        (Ok(0) | Err(_), Some(stated)) => stated.frames,
        (Ok(0) | Err(_), None) => {
            return Err("it leaves the number of its frames open; state it in [model.geometry]".into());
        }
        (Ok(frames), _) => frames,
    };
    if !(1..=MAX_FRAMES).contains(&frames) {
        return Err(format!("its window is {frames} frames long; at most {MAX_FRAMES} can be"));
    }
    if axes[..last - 1].iter().any(|axis| !open(axis) && axis.value != Some(1)) {
        return Err(refused());
    }
    let size = |place| {
        if place == last {
            bands
        } else if place + 1 == last {
            frames
        } else {
            1
        }
    };
    Ok((0..axes.len()).map(size).collect())
}

/// A keyword encoder that sees the last frames anew for each vector.
pub struct KeywordGraph(Arc<WindowGraph>);

impl KeywordGraph {
    /// Reads a graph from a window of log-mel frames to a vector.
    pub fn new(onnx: Bytes, graph: &Graph, stated: Option<Geometry>) -> Result<Self, String> {
        Ok(Self(Arc::new(WindowGraph::new(onnx, graph, MEL_BANDS, stated)?)))
    }
}

impl KeywordNetwork for KeywordGraph {
    fn geometry(&self) -> Geometry {
        self.0.geometry
    }

    fn stream(&self, most: usize) -> Box<dyn KeywordStream> {
        let Geometry { bands, dimension, .. } = self.0.geometry;
        let frames = (self.0.geometry.warm_up() + 1) * STEP_FRAMES;
        Box::new(Windows {
            graph: self.0.clone(),
            frames: vec![LogMel::silence(); frames * bands],
            vectors: vec![0.0; most.min(MAX_STEPS) * dimension],
        })
    }
}

/// The frames of the window and what came of them.
struct Windows {
    graph: Arc<WindowGraph>,
    /// The newest last; whole steps, so the last of them may be beyond the window.
    frames: Vec<f32>,
    vectors: Vec<f32>,
}

impl KeywordStream for Windows {
    fn push(&mut self, mel: &[f32]) -> &[f32] {
        let Geometry { bands, frames, dimension } = self.graph.geometry;
        let steps = mel.chunks_exact(STEP_FRAMES * bands);
        let count = steps.len();
        for (step, vector) in steps.zip(self.vectors[..count * dimension].chunks_exact_mut(dimension)) {
            self.frames.copy_within(step.len().., 0);
            let newest = self.frames.len() - step.len();
            self.frames[newest..].copy_from_slice(step);
            self.graph.apply(&self.frames[..frames * bands], vector);
        }
        &self.vectors[..count * dimension]
    }

    fn reset(&mut self) {
        self.frames.fill(LogMel::silence());
    }
}

/// A speaker encoder.
pub struct SpeakerGraph(WindowGraph);

impl SpeakerGraph {
    /// Reads a graph from a window of filterbank frames to an embedding.
    pub fn new(onnx: Bytes, graph: &Graph, stated: Option<Geometry>) -> Result<Self, String> {
        Ok(Self(WindowGraph::new(onnx, graph, FBANK_BANDS, stated)?))
    }
}

impl SpeakerNetwork for SpeakerGraph {
    fn geometry(&self) -> Geometry {
        self.0.geometry
    }

    fn embed<'a>(&self, fbank: &Frames, buffers: &'a mut SpeakerBuffers) -> &'a [f32] {
        let Geometry { bands, frames, dimension } = self.0.geometry;
        assert_eq!((fbank.rows(), fbank.dim()), (frames, bands), "frames of the one input length");
        let embedding = buffers.embedding(dimension);
        self.0.apply(fbank.as_slice(), embedding);
        embedding
    }
}
