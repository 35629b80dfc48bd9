//! Convolutions without copies: with channels innermost, what one output sees are a few contiguous runs of
//! its input, one a row.

use std::borrow::Cow;
use std::ops::Range;

use pulp::{Scalar, Simd};

use super::onnx::Window;
use super::rows::Shape;

/// A convolution as a file describes it. Output `o` at time `t` and band `b` is the activation of
/// `bias[o] + scale[o] sum weights[o][i][dt][db] input[i][t'][b']`, where `t' = t stride + dt dilation - pad`
/// and so for `b'`.
pub struct Convolution {
    /// `[output, input, time, bands]`.
    pub shape: [usize; 4],
    /// Row-major.
    pub weights: Weights,
    /// `[output]`, above 0.
    pub scale: Vec<f32>,
    /// `[output]`.
    pub bias: Vec<f32>,
    /// How the kernel moves.
    pub window: Window,
    /// Whether what was at the output is added before the activation.
    pub adds: bool,
    /// What becomes of each output.
    pub activation: Activation,
}

impl Convolution {
    /// Step by step, without padding and activation.
    pub fn new(shape: [usize; 4], weights: Weights, bias: Vec<f32>) -> Self {
        let scale = vec![1.0; shape[0]];
        let (window, activation) = (Window::PLAIN, Activation::NONE);
        Self { shape, weights, scale, bias, window, adds: false, activation }
    }
}

/// Weights as they are stored.
pub enum Weights {
    /// As they are used.
    F32(Vec<f32>),
    /// The bits of IEEE half precision.
    F16(Vec<u16>),
    /// Integers.
    Int8(Vec<i8>),
}

impl Weights {
    /// As numbers, those of [`Weights::Int8`] without their scale.
    pub fn floats(&self) -> Cow<'_, [f32]> {
        match self {
            Self::F32(values) => values.into(),
            Self::F16(values) => values.iter().map(|bits| from_half(*bits)).collect(),
            Self::Int8(values) => values.iter().map(|integer| f32::from(*integer)).collect(),
        }
    }
}

/// `max(floor, x, slope x)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation {
    /// For negative values, 0 to 1.
    pub slope: f32,
    /// Least output.
    pub floor: f32,
}

impl Activation {
    /// `x`.
    pub const NONE: Self = Self { slope: 1.0, floor: f32::NEG_INFINITY };
    /// `max(0, x)`.
    pub const RELU: Self = Self { slope: 1.0, floor: 0.0 };
}

/// Where in the input the first run of a position begins, and where its outputs go.
#[derive(Clone, Copy)]
pub struct Position {
    /// In the values of all rows.
    pub from: usize,
    /// The same.
    pub to: usize,
}

/// All positions along the new rows of `output`, whose outputs go to the channels from `channel` on.
pub fn positions(
    layer: &Convolution,
    input: &Shape,
    output: &Shape,
    channel: usize,
) -> impl Iterator<Item = Position> {
    let Window { strides, pads, .. } = layer.window;
    (0..output.new * output.bands).map(|n| (n / output.bands, n % output.bands)).map(move |(row, band)| {
        Position {
            from: (row * strides[0] + input.kept - pads[0]) * input.stride()
                + (band * strides[1] + input.pad - pads[1]) * input.channels,
            to: output.place(row, band) + channel,
        }
    })
}

/// Outputs computed together ...
pub const PANEL: usize = 24;
/// ... in two vectors of 16, or fewer of less.
const WIDTH: usize = 32;

/// The weights of a panel's outputs for one input. Aligned, so that no vector lies across two cache lines.
#[repr(align(64))]
struct Panel([f32; WIDTH]);

/// A convolution between rows of known shapes.
pub struct Conv {
    /// In the order of their use: panel, time, band, input.
    weights: Vec<Panel>,
    /// One a panel.
    bias: Vec<Panel>,
    /// All positions along the new rows.
    positions: Vec<Position>,
    /// Rows that an output sees.
    rows: usize,
    /// Values of a row that it sees.
    run: usize,
    /// From one of these rows to the next.
    stride: usize,
    activation: Activation,
}

impl Conv {
    /// Packs the weights; the outputs must be a multiple of [`PANEL`].
    pub fn new(layer: &Convolution, input: &Shape, output: &Shape) -> Self {
        let [outputs, inputs, time, bands] = layer.shape;
        let mut weights = layer.weights.floats().into_owned();
        for (weights, scale) in weights.chunks_exact_mut(inputs * time * bands).zip(&layer.scale) {
            weights.iter_mut().for_each(|weight| *weight *= scale);
        }
        Self {
            weights: packed::<_, PANEL, WIDTH>(&weights, layer.shape).map(Panel).collect(),
            bias: packed::<_, PANEL, WIDTH>(&layer.bias, [outputs, 1, 1, 1]).map(Panel).collect(),
            positions: positions(layer, input, output, 0).collect(),
            rows: time,
            run: bands * inputs,
            stride: layer.window.dilations[0] * input.stride(),
            activation: layer.activation,
        }
    }

    /// Computes all new rows of `output`.
    #[inline(always)]
    pub fn apply<S: Simd>(&self, simd: S, input: &[f32], output: &mut [f32]) {
        // The numbers of vectors and positions are constants of the loops, so that all sums, the weights and
        // a value stay in the registers: 16 with AVX2, 32 with NEON and AVX-512.
        match S::F32_LANES {
            4 => self.panels::<S, 6, 3>(simd, input, output),
            8 => self.panels::<S, 3, 3>(simd, input, output),
            16 => self.panels::<S, 2, 8>(simd, input, output),
            _ => self.panels::<Scalar, 8, 1>(Scalar::new(), input, output),
        }
    }

    #[inline(always)]
    fn panels<S: Simd, const V: usize, const M: usize>(&self, simd: S, input: &[f32], output: &mut [f32]) {
        let panels = self.weights.chunks_exact(self.rows * self.run).zip(&self.bias);
        for (panel, (weights, bias)) in panels.enumerate() {
            for some in self.positions.chunks(M) {
                // The last are repeated where they do not fill a tile.
                let positions = std::array::from_fn(|m| some[m.min(some.len() - 1)]);
                for first in (0..PANEL.div_ceil(S::F32_LANES)).step_by(V) {
                    let tile = (panel, first, weights, bias);
                    self.tile::<S, V, M>(simd, &positions, tile, input, output);
                }
            }
        }
    }

    /// The vectors of a panel of outputs from `first` on, at some positions.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const M: usize>(
        &self,
        simd: S,
        positions: &[Position; M],
        (panel, first, weights, bias): (usize, usize, &[Panel], &Panel),
        input: &[f32],
        output: &mut [f32],
    ) {
        let mut sums = [[simd.splat_f32s(0.0); V]; M];
        for sums in &mut sums {
            sums.copy_from_slice(&S::as_simd_f32s(&bias.0).0[first..][..V]);
        }
        for (row, weights) in weights.chunks_exact(self.run).enumerate() {
            let mut seen = [&[][..]; M];
            for (seen, position) in seen.iter_mut().zip(positions) {
                *seen = &input[position.from + row * self.stride..][..weights.len()];
            }
            for (k, weights) in weights.iter().enumerate() {
                let weights = &S::as_simd_f32s(&weights.0).0[first..][..V];
                for m in 0..M {
                    let value = simd.splat_f32s(seen[m][k]);
                    for v in 0..V {
                        sums[m][v] = simd.mul_add_e_f32s(value, weights[v], sums[m][v]);
                    }
                }
            }
        }
        let slope = simd.splat_f32s(self.activation.slope);
        let floor = simd.splat_f32s(self.activation.floor);
        for (position, sums) in positions.iter().zip(&mut sums) {
            for sum in &mut *sums {
                let leaky = simd.max_f32s(*sum, simd.mul_f32s(*sum, slope));
                *sum = simd.max_f32s(leaky, floor);
            }
            let slots = &mut output[position.to + panel * PANEL..][..PANEL];
            if PANEL.is_multiple_of(S::F32_LANES) {
                S::as_mut_simd_f32s(slots).0[first..][..V].copy_from_slice(sums);
                continue;
            }
            for (v, sum) in sums.iter().enumerate() {
                simd.partial_store_f32s(&mut slots[part::<S>(first + v)], *sum);
            }
        }
    }
}

/// Row-major weights in the order panel, time, band, input.
pub fn packed<T: Copy + Default, const PANEL: usize, const WIDTH: usize>(
    weights: &[T],
    [outputs, inputs, time, bands]: [usize; 4],
) -> impl Iterator<Item = [T; WIDTH]> {
    let places = (0..outputs / PANEL * time * bands * inputs).map(move |n| {
        let (input, n) = (n % inputs, n / inputs);
        let (band, n) = (n % bands, n / bands);
        (n / time * PANEL, input, n % time, band)
    });
    places.map(move |(output, input, t, band)| {
        let weight = |o| weights[(((output + o) * inputs + input) * time + t) * bands + band];
        std::array::from_fn(|o| if o < PANEL { weight(o) } else { T::default() })
    })
}

/// Which outputs of a panel vector number `v` holds.
#[inline(always)]
fn part<S: Simd>(v: usize) -> Range<usize> {
    (v * S::F32_LANES).min(PANEL)..((v + 1) * S::F32_LANES).min(PANEL)
}

/// The value of a finite half-precision number.
fn from_half(bits: u16) -> f32 {
    /// 2^-14, the least number that is not subnormal.
    const LEAST: u32 = 113 << 23;
    let shifted = u32::from(bits & 0x7fff) << 13;
    let normal = shifted + (112 << 23);
    let subnormal = (f32::from_bits(shifted + LEAST) - f32::from_bits(LEAST)).to_bits();
    let magnitude = if shifted < 1 << 23 { subnormal } else { normal };
    f32::from_bits(magnitude | u32::from(bits & 0x8000) << 16)
}
