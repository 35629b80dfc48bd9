//! The speaker encoder, CAM++ (H. Wang and others, 2023), for up to 1.6 s.

mod graph;

use std::mem::take;
use std::ops::Range;

use pulp::Arch;

use super::FBANK_BANDS;
use super::buffers::SpeakerBuffers;
use super::geometry::Geometry;
use super::int_simd::{self, IntegerSimd, WithIntegerSimd};
use super::integer::{IntegerConv as Conv, Scratch};
use super::matcher::Clamp;
use super::network::SpeakerNetwork;
use super::onnx::{Graph, Unsupported};
use super::quantise::nearest;
use super::rows::Shape;
use crate::features::Frames;

/// Frames of its usual input (0.8 s).
const INPUT_FRAMES: usize = 80;
/// Most frames of its input (1.6 s).
const MAX_FRAMES: usize = 160;
/// Values of an embedding.
const EMBEDDING: usize = 192;

/// Channels of its input, of which one is used: convolutions take them in pairs.
const INPUTS: usize = 2;
/// Channels of the head.
const WIDTH: usize = 32;
/// Most frames after the head, which keeps every second.
const FRAMES: usize = MAX_FRAMES / 2;
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
const MAX_CHANNELS: usize = 1024;

/// Frames of `channels` values, with `pad` frames of zeros on either side.
const fn line(channels: usize, pad: usize) -> Shape {
    Shape { kept: pad, new: FRAMES, bands: 1, channels, pad: 0 }
}
/// A plane of the head, with zeros all around.
const fn plane(bands: usize, channels: usize) -> Shape {
    Shape { kept: 1, new: MAX_FRAMES, bands, channels, pad: 1 }
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
const DENSE: Shape = line(MAX_CHANNELS, 0);
const HIDDEN_LINE: Shape = line(HIDDEN, 2);

/// A speaker encoder like the one that came with the program, with one or two residual blocks a stage.
pub struct Kernels {
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

impl SpeakerBuffers {
    /// Makes room, with zeros beyond `frames` frames.
    fn prepare(&mut self, frames: usize) {
        if self.frames != frames {
            self.planes.iter_mut().for_each(|plane| plane.fill(0.0));
            self.hidden.fill(0.0);
        }
        if self.planes.is_empty() {
            // As much padding after the rows as before them.
            let zeros = |shape: &Shape| vec![0.0; (2 * shape.kept + shape.new) * shape.stride()];
            *self = Self {
                frames,
                planes: PLANES.iter().map(zeros).collect(),
                dense: zeros(&DENSE),
                least: vec![0.0; MAX_CHANNELS],
                most: vec![0.0; MAX_CHANNELS],
                hidden: zeros(&HIDDEN_LINE),
                context: vec![0.0; MAX_CHANNELS],
                squeezed: vec![0.0; SQUEEZED],
                mask: vec![0.0; GROWTH],
                embedding: Vec::with_capacity(EMBEDDING),
                scratch: Scratch::default(),
            };
        }
        self.frames = frames;
        self.embedding(EMBEDDING);
    }
}

impl Kernels {
    /// Takes a graph `[1,T,80] -> [1,192]`, which must be that of `models/convert/speaker_encoder.py`.
    pub fn new(graph: &Graph) -> Result<Self, Unsupported> {
        Self::for_arch(graph, Arch::new())
    }
}

impl SpeakerNetwork for Kernels {
    fn geometry(&self) -> Geometry {
        Geometry { bands: FBANK_BANDS, frames: INPUT_FRAMES, dimension: EMBEDDING }
    }

    fn max_frames(&self) -> usize {
        MAX_FRAMES
    }

    fn embed<'a>(&self, fbank: &Frames, buffers: &'a mut SpeakerBuffers) -> &'a [f32] {
        let frames = fbank.rows();
        assert!(
            fbank.dim() == FBANK_BANDS && frames.is_multiple_of(2) && (4..=MAX_FRAMES).contains(&frames),
            "an even number of frames, at most {MAX_FRAMES}"
        );
        buffers.prepare(frames);
        int_simd::dispatch(self.arch, Embed(self, fbank, buffers));
        &buffers.embedding
    }
}

struct Embed<'a>(&'a Kernels, &'a Frames, &'a mut SpeakerBuffers);

impl WithIntegerSimd for Embed<'_> {
    #[inline(always)]
    fn with<S: IntegerSimd>(self, simd: S) {
        let Self(net, fbank, buffers) = self;
        let SpeakerBuffers {
            frames,
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
        let (all, frames) = (*frames, *frames / 2);
        let seen = |plane: usize| (2 * PLANES[plane].kept + all) * PLANES[plane].stride();
        for Step { conv, from, to } in &net.head {
            let mut output = take(&mut planes[*to]);
            conv.apply(simd, &planes[*from][..seen(*from)], (&mut output, all), scratch);
            planes[*to] = output;
        }
        let dense = &mut dense[..frames * MAX_CHANNELS];
        let last = PLANES.len() - 1;
        net.first.apply(simd, &planes[last][..seen(last)], (dense, frames), scratch);
        let mut channels = FIRST;
        extremes(dense, 0..channels, least, most);
        for block in &net.blocks {
            for layer in &block.layers {
                let step = layer.hidden.quantise(dense, least, most, scratch);
                layer.hidden.conv.compute(simd, step, (hidden, frames), scratch);
                let padded = &hidden[..HIDDEN_LINE.place(frames + HIDDEN_LINE.kept, 0)];
                layer.local.apply(simd, padded, (dense, frames), scratch);
                let line = &hidden[HIDDEN_LINE.place(0, 0)..HIDDEN_LINE.place(frames, 0)];
                let context = &mut context[..layer.width];
                mean(line, HIDDEN, context);
                layer.squeeze.apply(simd, context, (squeezed, 1), scratch);
                layer.mask.apply(simd, squeezed, (mask, 1), scratch);
                mask.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
                for frame in dense.chunks_exact_mut(MAX_CHANNELS) {
                    for (x, mask) in frame[channels..][..GROWTH].iter_mut().zip(mask.iter()) {
                        *x *= mask;
                    }
                }
                extremes(dense, channels..channels + GROWTH, least, most);
                channels += GROWTH;
            }
            let step = block.transit.quantise(dense, least, most, scratch);
            block.transit.conv.compute(simd, step, (dense, frames), scratch);
            channels /= 2;
            extremes(dense, 0..channels, least, most);
        }
        pool(dense, context);
        net.last.apply(simd, context, (embedding, 1), scratch);
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
        self.conv.quantise(dense, MAX_CHANNELS, largest, scratch, |frame, gain, integers| {
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
    for frame in dense.chunks_exact(MAX_CHANNELS) {
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
    let count = frames.len() / width;
    means.iter_mut().for_each(|sum| *sum /= count as f32);
}

/// Mean and unbiased standard deviation over time of half as many channels of [`DENSE`] as fit in `statistics`.
#[inline(always)]
fn pool(dense: &[f32], statistics: &mut [f32]) {
    let (means, deviations) = statistics.split_at_mut(statistics.len() / 2);
    mean(dense, MAX_CHANNELS, means);
    deviations.fill(0.0);
    for frame in dense.chunks_exact(MAX_CHANNELS) {
        for ((total, mean), x) in deviations.iter_mut().zip(means.iter()).zip(frame) {
            *total += (x - mean) * (x - mean);
        }
    }
    let others = dense.len() / MAX_CHANNELS - 1;
    deviations.iter_mut().for_each(|total| *total = (*total / others as f32).sqrt());
}
