//! Layers as a model file describes them, before they are packed for a kernel.

use std::borrow::Cow;

/// How the kernel of a convolution moves: over time, then over bands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// From one output to the next.
    pub strides: [usize; 2],
    /// From one weight to the next.
    pub dilations: [usize; 2],
    /// Zeros on either side.
    pub pads: [usize; 2],
}

impl Window {
    /// Step by step, without padding.
    pub const PLAIN: Self = Self { strides: [1; 2], dilations: [1; 2], pads: [0; 2] };
}

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
