//! Kernels of keyword encoders like the one that came with the program: on a stream every layer computes each of its
//! rows once.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};

use super::chain::{self, Chain, Layer};
use super::conv::{Conv, OUTPUTS};
use super::geometry::Geometry;
use super::network::{KeywordNetwork, KeywordStream};
use super::onnx::{Graph, Unsupported};
use super::rows::{Rows, Shape};
use super::{MAX_STEPS, MEL_BANDS, STEP_FRAMES};
use crate::features::logmel::LogMel;

/// A keyword encoder of convolutions and max-pools that do not pad time.
pub struct Kernels(Arc<Network>);

struct Network {
    layers: Vec<(Step, Shape)>,
    /// What the last layer gives.
    vectors: Shape,
    geometry: Geometry,
    arch: Arch,
}

/// What a layer does with its input.
enum Step {
    Conv(Conv),
    MaxPool { time: usize, bands: usize },
}

impl Kernels {
    /// Takes a graph `[1,1,T,32] -> [1,D,N,1]`, or `[N,T,32,1] -> [N,1,1,D]` for the T of one output, whose layers have a multiple of 24 channels.
    pub fn new(graph: &Graph) -> Result<Self, Unsupported> {
        Self::for_arch(graph, Arch::new())
    }

    /// [`Kernels::new`] with the instructions of `arch`.
    pub(super) fn for_arch(graph: &Graph, arch: Arch) -> Result<Self, Unsupported> {
        let Chain { layers, window, reshaped } = chain::read(graph)?;
        let (inputs, vectors) = shapes(&layers)?;
        let geometry =
            Geometry { bands: MEL_BANDS, frames: receptive_field(&layers), dimension: vectors.channels };
        // A graph for one window at a time, as it was published, is one for streams with a reshape at either end.
        if window.is_some_and(|window| window != [geometry.frames, geometry.bands])
            || reshaped.is_some_and(|values| values != geometry.dimension)
        {
            return Err(Unsupported::Sizes { layer: layers.len() });
        }
        let outputs = inputs[1..].iter().chain([&vectors]);
        let step = |((layer, input), output): ((_, &Shape), _)| match layer {
            &Layer::MaxPool { time, bands } => (Step::MaxPool { time, bands }, *input),
            Layer::Convolution(layer) => (Step::Conv(Conv::new(layer, input, output)), *input),
        };
        let layers = layers.iter().zip(&inputs).zip(outputs).map(step).collect();
        Ok(Self(Arc::new(Network { layers, vectors, geometry, arch })))
    }
}

impl KeywordNetwork for Kernels {
    fn geometry(&self) -> Geometry {
        self.0.geometry
    }

    fn stream(&self, most: usize) -> Box<dyn KeywordStream> {
        let mut silent = State::new(self.0.clone(), 1);
        for _ in 0..self.0.geometry.warm_up() {
            silent.push(&[LogMel::silence(); STEP_FRAMES * MEL_BANDS]);
        }
        let mut stream = Stream { state: State::new(self.0.clone(), most), silent };
        stream.reset();
        Box::new(stream)
    }
}

/// Frames that the last layer's output depends on.
fn receptive_field(layers: &[Layer]) -> usize {
    layers.iter().rev().fold(1, |rows, layer| match layer {
        Layer::Convolution(layer) => rows + layer.shape[2] - 1,
        Layer::MaxPool { time, .. } => rows * time,
    })
}

/// What each layer has to keep of its input, and what the last one gives.
fn shapes(layers: &[Layer]) -> Result<(Vec<Shape>, Shape), Unsupported> {
    let mut at = Shape { kept: 0, new: MAX_STEPS * STEP_FRAMES, bands: MEL_BANDS, channels: 1, pad: 0 };
    // After `n` steps, `new * n - late` rows have reached the layer.
    let mut late = 0;
    let mut shapes = Vec::with_capacity(layers.len());
    for (index, layer) in layers.iter().enumerate() {
        let unsupported = Unsupported::Sizes { layer: index };
        let next;
        match layer {
            Layer::Convolution(layer) => {
                let [outputs, inputs, time, bands] = layer.shape;
                let pad = layer.window.pads[1];
                let padded = at.bands + 2 * pad;
                let empty = outputs == 0 || time == 0 || !(1..=padded).contains(&bands);
                if empty || inputs != at.channels || !outputs.is_multiple_of(OUTPUTS) {
                    return Err(unsupported);
                }
                (at.kept, at.pad) = (time - 1, pad);
                late += time - 1;
                next = Shape { bands: padded - bands + 1, channels: outputs, ..at };
            }
            Layer::MaxPool { time, bands } => {
                if !(at.new / MAX_STEPS).is_multiple_of(*time) || !at.bands.is_multiple_of(*bands) {
                    return Err(unsupported);
                }
                // Rows that wait for others of their maximum.
                (at.kept, at.pad) = (late.next_multiple_of(*time) - late, 0);
                late = late.div_ceil(*time);
                next = Shape { new: at.new / time, bands: at.bands / bands, ..at };
            }
        }
        shapes.push(at);
        at = next;
    }
    // One vector for each step, from as many steps on as `Geometry` says of the receptive field.
    let warm_up = receptive_field(layers).div_ceil(STEP_FRAMES) - 1;
    if (at.new, at.bands, late) == (MAX_STEPS, 1, warm_up) && !layers.is_empty() {
        Ok((shapes, Shape { kept: 0, pad: 0, ..at }))
    } else {
        Err(Unsupported::Sizes { layer: layers.len() })
    }
}

/// A stream, and where every stream begins.
struct Stream {
    state: State,
    silent: State,
}

impl KeywordStream for Stream {
    fn push(&mut self, mel: &[f32]) -> &[f32] {
        self.state.push(mel)
    }

    fn reset(&mut self) {
        let states = self.state.inputs.iter_mut().zip(&self.silent.inputs);
        states.for_each(|(rows, silent)| rows.copy_from(silent));
    }
}

/// The rows that layers keep from step to step.
struct State {
    net: Arc<Network>,
    inputs: Vec<Rows>,
    vectors: Rows,
}

impl State {
    /// For up to `most` steps at a time.
    fn new(net: Arc<Network>, most: usize) -> Self {
        let rows = |shape: &Shape| Rows::new(Shape { new: shape.new / MAX_STEPS * most, ..*shape });
        let inputs = net.layers.iter().map(|(_, shape)| rows(shape)).collect();
        Self { inputs, vectors: rows(&net.vectors), net }
    }

    fn push(&mut self, mel: &[f32]) -> &[f32] {
        let steps = mel.len() / (STEP_FRAMES * MEL_BANDS);
        let dimension = self.net.geometry.dimension;
        let Self { net, inputs, vectors } = self;
        net.arch.dispatch(Push { net, inputs, vectors, mel, steps });
        &self.vectors.as_slice()[..steps * dimension]
    }
}

struct Push<'a> {
    net: &'a Network,
    inputs: &'a mut [Rows],
    vectors: &'a mut Rows,
    mel: &'a [f32],
    steps: usize,
}

impl WithSimd for Push<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { net, inputs, vectors, mel, steps } = self;
        let mut outputs = inputs;
        if let Some(first) = outputs.first_mut() {
            for (row, frame) in mel.chunks_exact(MEL_BANDS).enumerate() {
                let place = first.shape().place(row, 0);
                first.slice_mut(place, MEL_BANDS).copy_from_slice(frame);
            }
        }
        let new = |shape: &Shape| shape.new / MAX_STEPS * steps;
        for (index, (step, shape)) in net.layers.iter().enumerate() {
            let Some((input, rest)) = outputs.split_first_mut() else { return };
            let output = rest.first_mut().unwrap_or(vectors);
            let rows = new(net.layers.get(index + 1).map_or(&net.vectors, |(_, shape)| shape));
            match step {
                Step::Conv(conv) => conv.apply(simd, input.as_slice(), output.as_mut_slice(), rows),
                Step::MaxPool { time, bands } => max_pool(*time, *bands, input, output, rows),
            }
            input.roll(new(shape));
            outputs = rest;
        }
    }
}

#[inline(always)]
fn max_pool(time: usize, bands: usize, input: &Rows, output: &mut Rows, rows: usize) {
    let (stride, channels) = (input.shape().stride(), input.shape().channels);
    let width = output.shape().bands;
    for (row, band) in (0..rows).flat_map(|row| (0..width).map(move |band| (row, band))) {
        let place = output.shape().place(row, band);
        let maxima = output.slice_mut(place, channels);
        maxima.fill(f32::NEG_INFINITY);
        for t in row * time..(row + 1) * time {
            let seen = &input.as_slice()[t * stride + band * bands * channels..][..bands * channels];
            for values in seen.chunks_exact(channels) {
                for (most, value) in maxima.iter_mut().zip(values) {
                    *most = if *value > *most { *value } else { *most };
                }
            }
        }
    }
}
