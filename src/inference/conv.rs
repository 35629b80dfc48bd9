//! Convolutions without copies: with channels innermost, what one output sees are a few contiguous runs of
//! its input, one a row.

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
#[repr(align(32))]
pub struct Panel<const PANEL: usize>([f32; PANEL]);

/// [`Weights`] in the order of their use: panel of outputs, time, band, input.
enum Packed<const PANEL: usize> {
    F32(Vec<Panel<PANEL>>),
    F16(Vec<[u16; PANEL]>),
    Int8(Vec<[i8; PANEL]>),
}

/// Where in the input the first run of a position begins, and where its outputs go.
#[derive(Clone, Copy)]
struct Position {
    from: usize,
    to: usize,
}

/// A convolution between rows of known shapes. Computes `PANEL` outputs together, a multiple of what every
/// vector register here holds.
pub struct Conv<const PANEL: usize> {
    weights: Packed<PANEL>,
    /// One a panel; divided by the scale.
    bias: Vec<Panel<PANEL>>,
    /// One a panel.
    scale: Vec<Panel<PANEL>>,
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

impl<const PANEL: usize> Conv<PANEL> {
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
        let panels = |values: &[f32]| values.as_chunks().0.iter().map(|some| Panel(*some)).collect();
        let bias: Vec<f32> = layer.bias.iter().zip(&layer.scale).map(|(bias, scale)| bias / scale).collect();
        Self {
            weights: match &layer.weights {
                Weights::F32(values) => Packed::F32(packed(values, layer.shape).map(Panel).collect()),
                Weights::F16(values) => Packed::F16(packed(values, layer.shape).collect()),
                Weights::Int8(values) => Packed::Int8(packed(values, layer.shape).collect()),
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
        expanded: &mut Vec<Panel<PANEL>>,
    ) {
        // The numbers of vectors and positions are constants of the loops, so that all sums, the weights and
        // a value stay in the registers: 16 with AVX2, 32 with NEON and AVX-512.
        match (S::F32_LANES, PANEL) {
            (4, 24) => self.panels::<S, 6, 3>(simd, input, output, expanded),
            (8, 24) => self.panels::<S, 3, 3>(simd, input, output, expanded),
            (4, 16) => self.panels::<S, 4, 5>(simd, input, output, expanded),
            (8, 16) => self.panels::<S, 2, 5>(simd, input, output, expanded),
            (16, 16) => self.panels::<S, 1, 10>(simd, input, output, expanded),
            _ => self.panels::<Scalar, PANEL, 1>(Scalar::new(), input, output, expanded),
        }
    }

    #[inline(always)]
    fn panels<S: Simd, const V: usize, const M: usize>(
        &self,
        simd: S,
        input: &[f32],
        output: &mut [f32],
        expanded: &mut Vec<Panel<PANEL>>,
    ) {
        for panel in 0..self.bias.len() {
            let weights = self.weights.panel(panel, self.rows * self.run, expanded);
            for some in self.positions.chunks(M) {
                // The last are repeated where they do not fill a tile.
                let positions = std::array::from_fn(|m| some[m.min(some.len() - 1)]);
                self.tile::<S, V, M>(simd, &positions, panel, weights, input, output);
            }
        }
    }

    /// One panel of outputs at some positions.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const M: usize>(
        &self,
        simd: S,
        positions: &[Position; M],
        panel: usize,
        weights: &[Panel<PANEL>],
        input: &[f32],
        output: &mut [f32],
    ) {
        let mut sums = [[simd.splat_f32s(0.0); V]; M];
        for sums in &mut sums {
            sums.copy_from_slice(S::as_simd_f32s(&self.bias[panel].0).0);
        }
        for (row, weights) in weights.chunks_exact(self.run).enumerate() {
            let mut seen = [&[][..]; M];
            for (seen, position) in seen.iter_mut().zip(positions) {
                *seen = &input[position.from + row * self.stride..][..weights.len()];
            }
            for (k, weights) in weights.iter().enumerate() {
                let weights = S::as_simd_f32s(&weights.0).0;
                for m in 0..M {
                    let value = simd.splat_f32s(seen[m][k]);
                    for v in 0..V {
                        sums[m][v] = simd.mul_add_e_f32s(value, weights[v], sums[m][v]);
                    }
                }
            }
        }
        let scale = S::as_simd_f32s(&self.scale[panel].0).0;
        let slope = simd.splat_f32s(self.activation.slope);
        let floor = simd.splat_f32s(self.activation.floor);
        for (position, sums) in positions.iter().zip(&mut sums) {
            let slots = &mut output[position.to + panel * PANEL..][..PANEL];
            let slots = S::as_mut_simd_f32s(slots).0;
            for v in 0..V {
                let before = if self.adds { slots[v] } else { simd.splat_f32s(0.0) };
                let sum = simd.mul_add_e_f32s(sums[v], scale[v], before);
                let leaky = simd.max_f32s(sum, simd.mul_f32s(sum, slope));
                sums[v] = simd.max_f32s(leaky, floor);
            }
        }
        // Only now: a position that is repeated must not be added to twice.
        for (position, sums) in positions.iter().zip(&sums) {
            let slots = &mut output[position.to + panel * PANEL..][..PANEL];
            S::as_mut_simd_f32s(slots).0.copy_from_slice(sums);
        }
    }
}

impl<const PANEL: usize> Packed<PANEL> {
    /// The `count` weights of each of the panel's outputs, in `expanded` if they are stored in short.
    #[inline(always)]
    fn panel<'a>(
        &'a self,
        panel: usize,
        count: usize,
        expanded: &'a mut Vec<Panel<PANEL>>,
    ) -> &'a [Panel<PANEL>] {
        let place = panel * count..(panel + 1) * count;
        if expanded.len() < count && !matches!(self, Self::F32(_)) {
            expanded.resize(count, Panel([0.0; PANEL]));
        }
        match self {
            Self::F32(weights) => return &weights[place],
            Self::F16(weights) => {
                for (to, from) in expanded.iter_mut().zip(&weights[place]) {
                    to.0 = from.map(from_half);
                }
            }
            Self::Int8(weights) => {
                for (to, from) in expanded.iter_mut().zip(&weights[place]) {
                    to.0 = from.map(f32::from);
                }
            }
        }
        &expanded[..count]
    }
}

/// Row-major weights as [`Packed`] has them.
fn packed<T: Copy, const PANEL: usize>(
    weights: &[T],
    [outputs, inputs, time, bands]: [usize; 4],
) -> impl Iterator<Item = [T; PANEL]> {
    let places = (0..outputs / PANEL * time * bands * inputs).map(move |n| {
        let (input, n) = (n % inputs, n / inputs);
        let (band, n) = (n % bands, n / bands);
        (n / time * PANEL, input, n % time, band)
    });
    places.map(move |(output, input, t, band)| {
        std::array::from_fn(|o| weights[(((output + o) * inputs + input) * time + t) * bands + band])
    })
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
