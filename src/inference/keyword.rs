//! The keyword encoder on a stream: every layer computes each of its rows once.

use std::sync::Arc;

use bytes::Bytes;
use pulp::{Arch, Simd, WithSimd};

use super::chain::{self, Layer};
use super::conv::{Conv, OUTPUTS};
use super::onnx::Misfit;
use super::rows::{Rows, Shape};
use super::{InferenceError, MEL_BANDS, MOST_PULSES, PULSE, VECTOR_DIM, WARM_UP};

/// The keyword encoder. Shared by all streams.
pub struct KeywordNet(Arc<Network>);

struct Network {
    layers: Vec<(Step, Shape)>,
    arch: Arch,
}

/// What a layer does with its input.
enum Step {
    Conv(Conv),
    MaxPool { time: usize, bands: usize },
}

impl KeywordNet {
    /// Reads an ONNX graph `mel [1,1,T,32] -> vectors [1,96,N,1]` of convolutions and max-pools that
    /// do not pad time.
    pub fn load(onnx: impl Into<Bytes>) -> Result<Self, InferenceError> {
        Self::for_arch(onnx.into(), Arch::new())
    }

    /// [`KeywordNet::load`] with the instructions of `arch`.
    pub(super) fn for_arch(onnx: Bytes, arch: Arch) -> Result<Self, InferenceError> {
        let layers = chain::read(onnx).and_then(|layers| plan(&layers)).map_err(InferenceError::Keyword)?;
        Ok(Self(Arc::new(Network { layers, arch })))
    }

    /// State for a new stream that takes up to `most` pulses at a time, at most [`MOST_PULSES`].
    pub fn stream(&self, most: usize) -> KeywordStream {
        let rows = |shape: &Shape| Rows::new(Shape { new: shape.new / MOST_PULSES * most, ..*shape });
        KeywordStream {
            net: self.0.clone(),
            inputs: self.0.layers.iter().map(|(_, shape)| rows(shape)).collect(),
            vectors: rows(&VECTORS),
        }
    }
}

/// What the last layer gives.
const VECTORS: Shape = Shape { kept: 0, new: MOST_PULSES, bands: 1, channels: VECTOR_DIM, pad: 0 };

/// Each layer with the shape of its input.
fn plan(layers: &[Layer]) -> Result<Vec<(Step, Shape)>, Misfit> {
    let inputs = shapes(layers)?;
    let outputs = inputs[1..].iter().chain([&VECTORS]);
    let step = |((layer, input), output): ((_, &Shape), _)| match layer {
        &Layer::MaxPool { time, bands } => (Step::MaxPool { time, bands }, *input),
        Layer::Convolution(layer) => (Step::Conv(Conv::new(layer, input, output)), *input),
    };
    Ok(layers.iter().zip(&inputs).zip(outputs).map(step).collect())
}

/// What each layer has to keep of its input.
fn shapes(layers: &[Layer]) -> Result<Vec<Shape>, Misfit> {
    let mut at = Shape { kept: 0, new: MOST_PULSES * PULSE, bands: MEL_BANDS, channels: 1, pad: 0 };
    // After `p` pulses, `new * p - late` rows have reached the layer.
    let mut late = 0;
    let mut shapes = Vec::with_capacity(layers.len());
    for (index, layer) in layers.iter().enumerate() {
        let misfit = Misfit::Sizes { layer: index };
        let next;
        match layer {
            Layer::Convolution(layer) => {
                let [outputs, inputs, time, bands] = layer.shape;
                let pad = layer.window.pads[1];
                let padded = at.bands + 2 * pad;
                let empty = outputs == 0 || time == 0 || !(1..=padded).contains(&bands);
                if empty || inputs != at.channels || !outputs.is_multiple_of(OUTPUTS) {
                    return Err(misfit);
                }
                (at.kept, at.pad) = (time - 1, pad);
                late += time - 1;
                next = Shape { bands: padded - bands + 1, channels: outputs, ..at };
            }
            Layer::MaxPool { time, bands } => {
                if !(at.new / MOST_PULSES).is_multiple_of(*time) || !at.bands.is_multiple_of(*bands) {
                    return Err(misfit);
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
    if (at.new, at.bands, at.channels, late) == (VECTORS.new, VECTORS.bands, VECTORS.channels, WARM_UP) {
        Ok(shapes)
    } else {
        Err(Misfit::Sizes { layer: layers.len() })
    }
}

/// The keyword encoder's rows kept between pulses.
#[derive(Clone)]
pub struct KeywordStream {
    net: Arc<Network>,
    inputs: Vec<Rows>,
    vectors: Rows,
}

impl KeywordStream {
    /// Feeds the next log-mel frames (row after row), [`PULSE`] for each vector of `[96]` that comes back. Many at
    /// a time cost less, and give the same vectors.
    ///
    /// The first [`WARM_UP`] vectors of a stream, or after a gap, are meaningless. No allocation.
    ///
    /// # Panics
    ///
    /// If there are more pulses than the stream takes.
    pub fn push(&mut self, mel: &[f32]) -> &[f32] {
        let pulses = mel.len() / (PULSE * MEL_BANDS);
        self.net.arch.dispatch(Push { stream: self, mel, pulses });
        &self.vectors.as_slice()[..pulses * VECTOR_DIM]
    }

    /// Goes on from where another stream of the same network is. No allocation.
    pub fn copy_from(&mut self, other: &Self) {
        self.inputs.iter_mut().zip(&other.inputs).for_each(|(rows, others)| rows.copy_from(others));
    }
}

struct Push<'a> {
    stream: &'a mut KeywordStream,
    mel: &'a [f32],
    pulses: usize,
}

impl WithSimd for Push<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { stream: KeywordStream { net, inputs, vectors }, mel, pulses } = self;
        let mut outputs = &mut inputs[..];
        if let Some(first) = outputs.first_mut() {
            for (row, frame) in mel.chunks_exact(MEL_BANDS).enumerate() {
                let place = first.shape().place(row, 0);
                first.slice_mut(place, MEL_BANDS).copy_from_slice(frame);
            }
        }
        let new = |shape: &Shape| shape.new / MOST_PULSES * pulses;
        for (index, (step, shape)) in net.layers.iter().enumerate() {
            let Some((input, rest)) = outputs.split_first_mut() else { return };
            let output = rest.first_mut().unwrap_or(vectors);
            let rows = new(net.layers.get(index + 1).map_or(&VECTORS, |(_, shape)| shape));
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
