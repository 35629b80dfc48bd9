//! The speaker encoder, CAM++ (H. Wang and others, 2023), at its one input length.

use std::mem::take;
use std::ops::Range;

use bytes::Bytes;
use pulp::Arch;

use super::integer::{IntegerConv as Conv, Scratch, nearest};
use super::onnx::{Graph, Misfit, Window};
use super::outline::{Clamp, Input, Outline};
use super::products::{self, Products, WithProducts};
use super::rows::Shape;
use super::{EMBEDDING_DIM, FBANK_BANDS, InferenceError, SPEAKER_FRAMES};
use crate::features::Frames;

/// Channels of its input, of which one is used: convolutions take them in pairs.
const INPUTS: usize = 2;
/// Channels of the head.
const WIDTH: usize = 32;
/// Frames after the head: every second.
const FRAMES: usize = SPEAKER_FRAMES / 2;
/// Channels of the first frames.
const FIRST: usize = 128;
/// Channels that a dense layer adds.
const GROWTH: usize = 32;
/// Most channels that a dense layer looks at; a smaller network has half as many.
const HIDDEN: usize = 128;
/// Channels of a dense layer's context on its way to the mask.
const SQUEEZED: usize = 64;
/// Dense layers of each block, and their dilation in time.
const BLOCKS: [(usize, usize); 3] = [(12, 1), (24, 2), (16, 2)];
/// Most channels of a frame.
const MOST: usize = 1024;

/// Frames of `channels` values, with `pad` frames of zeros on either side.
const fn line(channels: usize, pad: usize) -> Shape {
    Shape { kept: pad, new: FRAMES, bands: 1, channels, pad: 0 }
}
/// A plane of the head, with zeros all around.
const fn plane(bands: usize, channels: usize) -> Shape {
    Shape { kept: 1, new: SPEAKER_FRAMES, bands, channels, pad: 1 }
}
/// One frame.
const fn one(channels: usize) -> Shape {
    Shape { kept: 0, new: 1, bands: 1, channels, pad: 0 }
}

/// Planes of the head, which halves the bands three times; each is the input of a layer, the last that of the
/// first frames.
const PLANES: [Shape; 7] = [
    plane(FBANK_BANDS, INPUTS),
    plane(FBANK_BANDS, WIDTH),
    plane(FBANK_BANDS / 2, WIDTH),
    plane(FBANK_BANDS / 2, WIDTH),
    plane(FBANK_BANDS / 4, WIDTH),
    plane(FBANK_BANDS / 4, WIDTH),
    Shape { kept: 2, pad: 0, ..plane(FBANK_BANDS / 8, WIDTH) },
];
const DENSE: Shape = line(MOST, 0);
const HIDDEN_LINE: Shape = line(HIDDEN, 2);

/// The speaker encoder. Shared.
pub struct SpeakerNet {
    head: Vec<Step>,
    first: Conv,
    blocks: Vec<Block>,
    last: Conv,
    arch: Arch,
}

/// A layer of the head, between two of [`PLANES`].
struct Step {
    conv: Conv,
    from: usize,
    to: usize,
}

struct Block {
    layers: Vec<DenseLayer>,
    transit: Clamped,
}

/// A clamp and a convolution of all channels so far.
struct Clamped {
    clamp: Clamp,
    conv: Conv,
}

/// New channels from all earlier ones, each masked by what the hidden ones are on average over time.
struct DenseLayer {
    hidden: Clamped,
    /// Channels that it makes.
    width: usize,
    local: Conv,
    squeeze: Conv,
    mask: Conv,
}

/// Room for the values between the layers of a [`SpeakerNet`], about 3 MB. Empty until it is used.
#[derive(Default)]
pub struct SpeakerBuffers {
    planes: Vec<Vec<f32>>,
    /// All channels so far, and what is the least and the most of each over time.
    dense: Vec<f32>,
    least: Vec<f32>,
    most: Vec<f32>,
    hidden: Vec<f32>,
    context: Vec<f32>,
    squeezed: Vec<f32>,
    mask: Vec<f32>,
    embedding: Vec<f32>,
    scratch: Scratch,
}

impl SpeakerBuffers {
    fn prepare(&mut self) {
        if self.planes.is_empty() {
            // As much padding after the rows as before them.
            let zeros = |shape: &Shape| vec![0.0; (2 * shape.kept + shape.new) * shape.stride()];
            *self = Self {
                planes: PLANES.iter().map(zeros).collect(),
                dense: zeros(&DENSE),
                least: vec![0.0; MOST],
                most: vec![0.0; MOST],
                hidden: zeros(&HIDDEN_LINE),
                context: vec![0.0; MOST],
                squeezed: vec![0.0; SQUEEZED],
                mask: vec![0.0; GROWTH],
                embedding: vec![0.0; EMBEDDING_DIM],
                scratch: Scratch::default(),
            };
        }
    }
}

impl SpeakerNet {
    /// Reads an ONNX graph `fbank [1,T,80] -> embedding [1,192]`, which must be that of
    /// `models/convert/speaker_encoder.py`.
    pub fn load(onnx: impl Into<Bytes>) -> Result<Self, InferenceError> {
        Self::for_arch(onnx.into(), Arch::new())
    }

    /// [`SpeakerNet::load`] with the instructions of `arch`.
    pub(super) fn for_arch(onnx: Bytes, arch: Arch) -> Result<Self, InferenceError> {
        Self::read(onnx, arch).map_err(InferenceError::Speaker)
    }

    fn read(onnx: Bytes, arch: Arch) -> Result<Self, Misfit> {
        let graph = Graph::read(onnx)?;
        let (mut outline, input) = Outline::new(&graph)?;
        let plane = outline.op("Unsqueeze", &[Input::Value(input), Input::Integers(&[1])], &[])?;
        let (head, plane) = head(&mut outline, plane)?;

        let shape = [FIRST, WIDTH, 5, FBANK_BANDS / 8];
        let window = Window { strides: [2, 1], pads: [2, 0], ..Window::PLAIN };
        let (mut first, value) = outline.convolution(plane, &shape, window)?;
        let value = outline.op("Squeeze", &[Input::Value(value), Input::Integers(&[3])], &[])?;
        let mut value = outline.relu(&mut first, value)?;
        let first = Conv::new(&first, &PLANES[PLANES.len() - 1], &DENSE, 0);

        let mut channels = FIRST;
        let mut blocks = Vec::with_capacity(BLOCKS.len());
        for (index, (count, dilation)) in BLOCKS.into_iter().enumerate() {
            let mut layers = Vec::with_capacity(count);
            for _ in 0..count {
                let (layer, next) = dense_layer(&mut outline, value, channels, dilation)?;
                layers.push(layer);
                (value, channels) = (next, channels + GROWTH);
            }
            let (clamp, mut layer, next) = outline.clamped(value, &[channels / 2, channels, 1])?;
            (value, channels) = (next, channels / 2);
            if index == BLOCKS.len() - 1 {
                value = outline.relu(&mut layer, value)?;
            }
            blocks.push(Block {
                layers,
                transit: Clamped { clamp, conv: Conv::new(&layer, &DENSE, &DENSE, 0) },
            });
        }

        let value = statistics(&mut outline, value)?;
        let (layer, value) = outline.convolution(value, &[EMBEDDING_DIM, 2 * channels, 1], Window::PLAIN)?;
        let last = Conv::new(&layer, &one(2 * channels), &one(EMBEDDING_DIM), 0);
        let value = outline.op("Squeeze", &[Input::Value(value), Input::Integers(&[2])], &[])?;
        outline.end(&graph, value)?;
        Ok(Self { head, first, blocks, last, arch })
    }

    /// Embedding `[192]` of [`SPEAKER_FRAMES`] mean-normalised filterbank frames. Asks for memory only when
    /// `buffers` are used for the first time.
    ///
    /// # Panics
    ///
    /// If `fbank` has another shape.
    pub fn embed<'a>(&self, fbank: &Frames, buffers: &'a mut SpeakerBuffers) -> &'a [f32] {
        assert_eq!(
            (fbank.rows(), fbank.dim()),
            (SPEAKER_FRAMES, FBANK_BANDS),
            "frames of the one input length"
        );
        buffers.prepare();
        products::dispatch(self.arch, Embed(self, fbank, buffers));
        &buffers.embedding
    }
}

/// The layers up to the last of [`PLANES`].
fn head<'a>(outline: &mut Outline<'a>, plane: &'a str) -> Result<(Vec<Step>, &'a str), Misfit> {
    let mut steps = Vec::new();
    let same = Window { pads: [1; 2], ..Window::PLAIN };
    let half = Window { strides: [1, 2], ..same };
    let mut step = |layer, from: usize, to: usize| {
        steps.push(Step { conv: Conv::new(&layer, &PLANES[from], &PLANES[to], 0), from, to });
    };
    let square = [WIDTH, WIDTH, 3, 3];

    let (mut layer, value) = outline.convolution(plane, &[WIDTH, 1, 3, 3], same)?;
    let mut value = outline.relu(&mut layer, value)?;
    step(layer, 0, 1);
    // The bands are halved from `wide` on; `hidden` is between the two convolutions of a residual block.
    for (wide, hidden, narrow) in [(1, 2, 3), (3, 4, 5)] {
        for halved in [true, false] {
            // A smaller network has one residual block where the whole one has two.
            if !halved && outline.narrows_ahead() {
                continue;
            }
            let (mut layer, inner) = outline.convolution(value, &square, if halved { half } else { same })?;
            let inner = outline.relu(&mut layer, inner)?;
            step(layer, if halved { wide } else { narrow }, hidden);
            let (mut layer, inner) = outline.convolution(inner, &square, same)?;
            let mut cut = value;
            if halved {
                let window = Window { strides: half.strides, ..Window::PLAIN };
                let (layer, short) = outline.convolution(value, &[WIDTH, WIDTH, 1, 1], window)?;
                step(layer, wide, narrow);
                cut = short;
            }
            let sum = outline.of_two("Add", inner, cut)?;
            value = outline.relu(&mut layer, sum)?;
            layer.adds = true;
            step(layer, hidden, narrow);
        }
    }
    let (mut layer, plane) = outline.convolution(value, &square, half)?;
    let plane = outline.relu(&mut layer, plane)?;
    step(layer, 5, 6);
    Ok((steps, plane))
}

fn dense_layer<'a>(
    outline: &mut Outline<'a>,
    value: &'a str,
    channels: usize,
    dilation: usize,
) -> Result<(DenseLayer, &'a str), Misfit> {
    let width = if outline.outputs_ahead() == Some(HIDDEN / 2) { HIDDEN / 2 } else { HIDDEN };
    let (clamp, mut linear, hidden) = outline.clamped(value, &[width, channels, 1])?;
    let hidden = outline.relu(&mut linear, hidden)?;
    let window = Window { dilations: [dilation, 1], pads: [dilation, 0], ..Window::PLAIN };
    let (local, found) = outline.convolution(hidden, &[GROWTH, width, 3], window)?;
    let context = outline.op("ReduceMean", &[Input::Value(hidden)], &[("axes", &[2])])?;
    let (mut squeeze, context) = outline.convolution(context, &[SQUEEZED, width, 1], Window::PLAIN)?;
    let context = outline.relu(&mut squeeze, context)?;
    let (mask, context) = outline.convolution(context, &[GROWTH, SQUEEZED, 1], Window::PLAIN)?;
    let context = outline.of("Sigmoid", context)?;
    let masked = outline.of_two("Mul", found, context)?;
    let value = outline.op("Concat", &[Input::Value(value), Input::Value(masked)], &[("axis", &[1])])?;
    let layer = DenseLayer {
        hidden: Clamped { clamp, conv: Conv::new(&linear, &DENSE, &HIDDEN_LINE, 0) },
        width,
        local: Conv::new(&local, &HIDDEN_LINE, &DENSE, channels),
        squeeze: Conv::new(&squeeze, &one(width), &one(SQUEEZED), 0),
        mask: Conv::new(&mask, &one(SQUEEZED), &one(GROWTH), 0),
    };
    Ok((layer, value))
}

/// Mean and unbiased standard deviation over time, as the file spells them out: it counts the frames by adding
/// up a channel of ones.
fn statistics<'a>(outline: &mut Outline<'a>, value: &'a str) -> Result<&'a str, Misfit> {
    let time = Input::Integers(&[2]);
    let mean = outline.op("ReduceMean", &[Input::Value(value)], &[("axes", &[2])])?;
    let centred = outline.of_two("Sub", value, mean)?;
    let squares = outline.of_two("Mul", centred, centred)?;
    let total = outline.op("ReduceSum", &[Input::Value(squares), time], &[])?;
    let [start, end, axis] = [&[0], &[1], &[1]].map(|integer| Input::Integers(integer));
    let channel = outline.op("Slice", &[Input::Value(centred), start, end, axis], &[])?;
    let zeros = outline.op("Mul", &[Input::Value(channel), Input::Number(0.0)], &[])?;
    let ones = outline.op("Add", &[Input::Value(zeros), Input::Number(1.0)], &[])?;
    let frames = outline.op("ReduceSum", &[Input::Value(ones), Input::Integers(&[2])], &[])?;
    let others = outline.op("Sub", &[Input::Value(frames), Input::Number(1.0)], &[])?;
    let variance = outline.of_two("Div", total, others)?;
    let deviation = outline.of("Sqrt", variance)?;
    outline.op("Concat", &[Input::Value(mean), Input::Value(deviation)], &[("axis", &[1])])
}

struct Embed<'a>(&'a SpeakerNet, &'a Frames, &'a mut SpeakerBuffers);

impl WithProducts for Embed<'_> {
    #[inline(always)]
    fn with<S: Products>(self, simd: S) {
        let Self(net, fbank, buffers) = self;
        let SpeakerBuffers {
            planes,
            dense,
            least,
            most,
            hidden,
            context,
            squeezed,
            mask,
            embedding,
            scratch,
        } = buffers;
        for (row, frame) in fbank.iter().enumerate() {
            let row = &mut planes[0][PLANES[0].place(row, 0)..][..FBANK_BANDS * INPUTS];
            row.chunks_exact_mut(INPUTS).zip(frame).for_each(|(channels, x)| channels[0] = *x);
        }
        for Step { conv, from, to } in &net.head {
            let mut output = take(&mut planes[*to]);
            conv.apply(simd, &planes[*from], &mut output, scratch);
            planes[*to] = output;
        }
        net.first.apply(simd, &planes[PLANES.len() - 1], dense, scratch);
        let mut channels = FIRST;
        extremes(dense, 0..channels, least, most);
        for block in &net.blocks {
            for layer in &block.layers {
                let step = layer.hidden.quantise(dense, least, most, scratch);
                layer.hidden.conv.compute(simd, step, hidden, scratch);
                layer.local.apply(simd, hidden, dense, scratch);
                let frames = &hidden[HIDDEN_LINE.place(0, 0)..HIDDEN_LINE.place(FRAMES, 0)];
                let context = &mut context[..layer.width];
                mean(frames, HIDDEN, context);
                layer.squeeze.apply(simd, context, squeezed, scratch);
                layer.mask.apply(simd, squeezed, mask, scratch);
                mask.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
                for frame in dense.chunks_exact_mut(MOST) {
                    for (x, mask) in frame[channels..][..GROWTH].iter_mut().zip(mask.iter()) {
                        *x *= mask;
                    }
                }
                extremes(dense, channels..channels + GROWTH, least, most);
                channels += GROWTH;
            }
            let step = block.transit.quantise(dense, least, most, scratch);
            block.transit.conv.compute(simd, step, dense, scratch);
            channels /= 2;
            extremes(dense, 0..channels, least, most);
        }
        pool(dense, context);
        net.last.apply(simd, context, embedding, scratch);
    }
}

impl Clamped {
    /// The first channels of each frame of [`DENSE`] as the convolution's input; `least` and `most` are what each
    /// channel comes to.
    #[inline(always)]
    fn quantise(&self, dense: &[f32], least: &[f32], most: &[f32], scratch: &mut Scratch) -> f32 {
        let Clamp { low, high, scale } = &self.clamp;
        let clamp = |x: f32, low: f32, high: f32, scale: f32| {
            let above = if x > low { x } else { low };
            scale * if above < high { above } else { high }
        };
        let limits = || low.iter().zip(high).zip(scale);
        // As integers, so that the compiler may take them in any order.
        let mut largest = 0;
        for ((least, most), ((low, high), scale)) in least.iter().zip(most).zip(limits()) {
            let [least, most] = [*least, *most].map(|x| clamp(x, *low, *high, *scale).abs().to_bits());
            largest = largest.max(least).max(most);
        }
        let largest = f32::from_bits(largest);
        self.conv.quantise(dense, MOST, largest, scratch, |frame, gain, integers| {
            for ((x, to), ((low, high), scale)) in frame.iter().zip(integers).zip(limits()) {
                *to = nearest(clamp(*x, *low, *high, *scale) * gain);
            }
        })
    }
}

/// The least and the most of `channels` of [`DENSE`] over time.
#[inline(always)]
fn extremes(dense: &[f32], channels: Range<usize>, least: &mut [f32], most: &mut [f32]) {
    let (least, most) = (&mut least[channels.clone()], &mut most[channels.clone()]);
    least.fill(f32::INFINITY);
    most.fill(f32::NEG_INFINITY);
    for frame in dense.chunks_exact(MOST) {
        for ((least, most), x) in least.iter_mut().zip(&mut *most).zip(&frame[channels.clone()]) {
            *least = if *x < *least { *x } else { *least };
            *most = if *x > *most { *x } else { *most };
        }
    }
}

/// The mean over `frames` of `width` values, of as many channels as fit in `means`.
#[inline(always)]
fn mean(frames: &[f32], width: usize, means: &mut [f32]) {
    means.fill(0.0);
    for frame in frames.chunks_exact(width) {
        means.iter_mut().zip(frame).for_each(|(sum, x)| *sum += x);
    }
    means.iter_mut().for_each(|sum| *sum /= FRAMES as f32);
}

/// Mean and unbiased standard deviation over time of half as many channels of [`DENSE`] as fit in `statistics`.
#[inline(always)]
fn pool(dense: &[f32], statistics: &mut [f32]) {
    let (means, deviations) = statistics.split_at_mut(statistics.len() / 2);
    mean(dense, MOST, means);
    deviations.fill(0.0);
    for frame in dense.chunks_exact(MOST) {
        for ((total, mean), x) in deviations.iter_mut().zip(means.iter()).zip(frame) {
            *total += (x - mean) * (x - mean);
        }
    }
    deviations.iter_mut().for_each(|total| *total = (*total / (FRAMES - 1) as f32).sqrt());
}
