//! Convolutions without copies: with channels innermost, what one output sees are a few contiguous runs of
//! its input, one a row.

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

/// Aligned, so that no vector lies across two cache lines.
#[derive(Clone)]
#[repr(align(64))]
pub struct Panel<const WIDTH: usize>([f32; WIDTH]);

/// [`Weights`] in the order of their use: panel of outputs, time, band, input.
enum Packed<const WIDTH: usize> {
    F32(Vec<Panel<WIDTH>>),
    F16(Vec<[u16; WIDTH]>),
    Int8(Vec<[i8; WIDTH]>),
}

/// Where in the input the first run of a position begins, and where its outputs go.
#[derive(Clone, Copy)]
struct Position {
    from: usize,
    to: usize,
}

/// A convolution between rows of known shapes. Computes `PANEL` outputs together, stored as `WIDTH` values: a
/// multiple of what a vector register holds, and those beyond the outputs zero.
pub struct Conv<const PANEL: usize, const WIDTH: usize> {
    weights: Packed<WIDTH>,
    /// One a panel; divided by the scale.
    bias: Vec<Panel<WIDTH>>,
    /// One a panel.
    scale: Vec<Panel<WIDTH>>,
    /// All positions along the new rows.
    positions: Vec<Position>,
    /// Rows that an output sees.
    rows: usize,
    /// Values of a row that it sees.
    run: usize,
    /// From one of these rows to the next.
    stride: usize,
    adds: bool,
    activation: Activation,
}

impl<const PANEL: usize, const WIDTH: usize> Conv<PANEL, WIDTH> {
    /// Packs the weights; the outputs must be a multiple of `PANEL`. The outputs go to the channels of
    /// `output` from `channel` on.
    pub fn new(layer: &Convolution, input: &Shape, output: &Shape, channel: usize) -> Self {
        let [_, inputs, time, bands] = layer.shape;
        let Window { strides, dilations, pads } = layer.window;
        let positions = (0..output.new * output.bands).map(|n| (n / output.bands, n % output.bands)).map(
            |(row, band)| Position {
                from: (row * strides[0] + input.kept - pads[0]) * input.stride()
                    + (band * strides[1] + input.pad - pads[1]) * input.channels,
                to: output.place(row, band) + channel,
            },
        );
        let panels = |values: &[f32]| values.chunks_exact(PANEL).map(|some| Panel(padded(some))).collect();
        let bias: Vec<f32> = layer.bias.iter().zip(&layer.scale).map(|(bias, scale)| bias / scale).collect();
        Self {
            weights: match &layer.weights {
                Weights::F32(values) => {
                    Packed::F32(packed::<_, PANEL, _>(values, layer.shape).map(Panel).collect())
                }
                Weights::F16(values) => Packed::F16(packed::<_, PANEL, _>(values, layer.shape).collect()),
                Weights::Int8(values) => Packed::Int8(packed::<_, PANEL, _>(values, layer.shape).collect()),
            },
            bias: panels(&bias),
            scale: panels(&layer.scale),
            positions: positions.collect(),
            rows: time,
            run: bands * inputs,
            stride: dilations[0] * input.stride(),
            adds: layer.adds,
            activation: layer.activation,
        }
    }

    /// Computes all new rows of `output`. `expanded` is room for the weights of a panel, unless they are
    /// stored as f32.
    #[inline(always)]
    pub fn apply<S: Simd>(
        &self,
        simd: S,
        input: &[f32],
        output: &mut [f32],
        expanded: &mut Vec<Panel<WIDTH>>,
    ) {
        // The numbers of vectors and positions are constants of the loops, so that all sums, the weights and
        // a value stay in the registers: 16 with AVX2, 32 with NEON and AVX-512.
        match (S::F32_LANES, PANEL) {
            (4, 24) => self.panels::<S, 6, 3>(simd, input, output, expanded),
            (8, 24) => self.panels::<S, 3, 3>(simd, input, output, expanded),
            (16, 24) => self.panels::<S, 2, 8>(simd, input, output, expanded),
            (4, 32) => self.panels::<S, 4, 5>(simd, input, output, expanded),
            (8, 32) => self.panels::<S, 2, 5>(simd, input, output, expanded),
            (16, 32) => self.panels::<S, 2, 10>(simd, input, output, expanded),
            _ => self.panels::<Scalar, 8, 1>(Scalar::new(), input, output, expanded),
        }
    }

    #[inline(always)]
    fn panels<S: Simd, const V: usize, const M: usize>(
        &self,
        simd: S,
        input: &[f32],
        output: &mut [f32],
        expanded: &mut Vec<Panel<WIDTH>>,
    ) {
        for panel in 0..self.bias.len() {
            let weights = self.weights.panel(panel, self.rows * self.run, expanded);
            for some in self.positions.chunks(M) {
                // The last are repeated where they do not fill a tile.
                let positions = std::array::from_fn(|m| some[m.min(some.len() - 1)]);
                for first in (0..PANEL.div_ceil(S::F32_LANES)).step_by(V) {
                    self.tile::<S, V, M>(simd, &positions, panel, first, weights, input, output);
                }
            }
        }
    }

    /// The vectors of a panel of outputs from `first` on, at some positions.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "all of them are what the innermost loop works on")]
    fn tile<S: Simd, const V: usize, const M: usize>(
        &self,
        simd: S,
        positions: &[Position; M],
        panel: usize,
        first: usize,
        weights: &[Panel<WIDTH>],
        input: &[f32],
        output: &mut [f32],
    ) {
        let mut sums = [[simd.splat_f32s(0.0); V]; M];
        for sums in &mut sums {
            sums.copy_from_slice(&S::as_simd_f32s(&self.bias[panel].0).0[first..][..V]);
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
        let scale = &S::as_simd_f32s(&self.scale[panel].0).0[first..][..V];
        let slope = simd.splat_f32s(self.activation.slope);
        let floor = simd.splat_f32s(self.activation.floor);
        for (position, sums) in positions.iter().zip(&mut sums) {
            let slots = &output[position.to + panel * PANEL..][..PANEL];
            for v in 0..V {
                let before = match self.adds {
                    true if PANEL.is_multiple_of(S::F32_LANES) => S::as_simd_f32s(slots).0[first + v],
                    true => simd.partial_load_f32s(&slots[part::<S>(first + v, PANEL)]),
                    false => simd.splat_f32s(0.0),
                };
                let sum = simd.mul_add_e_f32s(sums[v], scale[v], before);
                let leaky = simd.max_f32s(sum, simd.mul_f32s(sum, slope));
                sums[v] = simd.max_f32s(leaky, floor);
            }
        }
        // Only now: a position that is repeated must not be added to twice.
        for (position, sums) in positions.iter().zip(&sums) {
            let slots = &mut output[position.to + panel * PANEL..][..PANEL];
            if PANEL.is_multiple_of(S::F32_LANES) {
                S::as_mut_simd_f32s(slots).0[first..][..V].copy_from_slice(sums);
                continue;
            }
            for (v, sum) in sums.iter().enumerate() {
                simd.partial_store_f32s(&mut slots[part::<S>(first + v, PANEL)], *sum);
            }
        }
    }
}

impl<const WIDTH: usize> Packed<WIDTH> {
    /// The `count` weights of each of the panel's outputs, in `expanded` if they are stored in short.
    #[inline(always)]
    fn panel<'a>(
        &'a self,
        panel: usize,
        count: usize,
        expanded: &'a mut Vec<Panel<WIDTH>>,
    ) -> &'a [Panel<WIDTH>] {
        let place = panel * count..(panel + 1) * count;
        if expanded.len() < count && !matches!(self, Self::F32(_)) {
            expanded.resize(count, Panel([0.0; WIDTH]));
        }
        match self {
            Self::F32(weights) => return &weights[place],
            Self::F16(weights) => {
                for (to, from) in expanded.iter_mut().zip(&weights[place]) {
                    to.0.iter_mut().zip(from).for_each(|(to, from)| *to = from_half(*from));
                }
            }
            Self::Int8(weights) => {
                for (to, from) in expanded.iter_mut().zip(&weights[place]) {
                    to.0.iter_mut().zip(from).for_each(|(to, from)| *to = f32::from(*from));
                }
            }
        }
        &expanded[..count]
    }
}

/// Row-major weights as [`Packed`] has them.
fn packed<T: Copy + Default, const PANEL: usize, const WIDTH: usize>(
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

fn padded<const WIDTH: usize>(values: &[f32]) -> [f32; WIDTH] {
    std::array::from_fn(|n| values.get(n).copied().unwrap_or(0.0))
}

/// Which of `outputs` vector number `v` holds.
#[inline(always)]
fn part<S: Simd>(v: usize, outputs: usize) -> Range<usize> {
    (v * S::F32_LANES).min(outputs)..((v + 1) * S::F32_LANES).min(outputs)
}

/// The value of a finite half-precision number, without branches.
#[inline(always)]
fn from_half(bits: u16) -> f32 {
    /// 2^-14, the least number that is not subnormal.
    const LEAST: u32 = 113 << 23;
    let shifted = u32::from(bits & 0x7fff) << 13;
    let normal = shifted + (112 << 23);
    let subnormal = (f32::from_bits(shifted + LEAST) - f32::from_bits(LEAST)).to_bits();
    let magnitude = if shifted < 1 << 23 { subnormal } else { normal };
    f32::from_bits(magnitude | u32::from(bits & 0x8000) << 16)
}
