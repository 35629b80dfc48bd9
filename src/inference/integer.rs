//! Convolutions in integers: a value and a weight of 16 bits each, multiplied in pairs and summed up in 32 bits,
//! which takes about six tenths of the time of floating point with AVX2. Otherwise as in [`super::conv`].

use pulp::bytemuck::{cast_slice, cast_slice_mut};

use super::conv::{Position, packed, positions};
use super::int_simd::IntegerSimd;
use super::layer::{Activation, Convolution, Weights};
use super::onnx::Unsupported;
use super::quantise::{largest_sum, nearest, quantised};
use super::rows::Shape;

/// Outputs of a convolution computed together.
const PANEL: usize = 32;

/// Room for what a convolution works on: its input in integers, and the weights of a panel. Asks for memory only
/// when it is used for the first time.
#[derive(Default)]
pub struct Scratch {
    input: Vec<i32>,
    weights: Vec<Pairs>,
}

/// The weights of a panel's outputs for a pair of inputs. Aligned, so that no vector lies across two cache lines.
#[derive(Clone)]
#[repr(align(64))]
pub struct Pairs([i32; PANEL]);

/// Weights in the order of their use: panel, time, band, pair of inputs, output, input.
enum Packed {
    Int16(Vec<Pairs>),
    Int8(Vec<[[i8; 2]; PANEL]>),
}

/// A convolution between rows of known shapes.
pub struct IntegerConv {
    weights: Packed,
    bias: Vec<[f32; PANEL]>,
    scale: Vec<[f32; PANEL]>,
    /// All positions along the new rows; `from` in pairs.
    positions: Vec<Position>,
    /// Of them, those along one row.
    bands: usize,
    /// Rows that an output sees.
    rows: usize,
    /// Pairs of a row that it sees.
    run: usize,
    /// Pairs from one of these rows to the next.
    stride: usize,
    /// Channels of the input, and how many of them are seen.
    channels: (usize, usize),
    /// The integer that stands for the largest input.
    full: f32,
    adds: bool,
    activation: Activation,
}

impl IntegerConv {
    /// Packs the weights; refuses outputs that are not a multiple of 32. They go to the channels of `output` from
    /// `channel` on. The channels of `input` must be even; those beyond the layer's own do not count.
    pub fn new(
        layer: &Convolution,
        input: &Shape,
        output: &Shape,
        channel: usize,
    ) -> Result<Self, Unsupported> {
        let [outputs, inputs, time, bands] = layer.shape;
        if !outputs.is_multiple_of(PANEL) {
            return Err(Unsupported::Outputs(outputs));
        }
        let count = inputs * time * bands;
        let mut scale = layer.scale.clone();
        let (weights, largest_sum) = match &layer.weights {
            Weights::Int8(values) => (Packed::Int8(pairs(values, layer.shape)), largest_sum(values, count)),
            other => {
                let (values, units) = quantised(&other.floats(), count);
                scale.iter_mut().zip(units).for_each(|(scale, unit)| *scale *= unit);
                let pairs = pairs(&values, layer.shape);
                let packed = pairs.iter().map(|pairs| Pairs(pulp::cast(*pairs))).collect();
                (Packed::Int16(packed), largest_sum(&values, count))
            }
        };
        let panels = |values: &[f32]| values.as_chunks().0.to_vec();
        let pairs_of = |place: Position| Position { from: place.from / 2, ..place };
        Ok(Self {
            weights,
            bias: panels(&layer.bias),
            scale: panels(&scale),
            positions: positions(layer, input, output, channel).map(pairs_of).collect(),
            bands: output.bands,
            rows: time,
            run: bands * inputs.div_ceil(2),
            stride: layer.window.dilations[0] * input.stride() / 2,
            channels: (input.channels, inputs.next_multiple_of(2)),
            // No sum may leave 32 bits.
            full: (i64::from(i32::MAX) / largest_sum.max(1)).min(i64::from(i16::MAX)) as f32,
            adds: layer.adds,
            activation: layer.activation,
        })
    }

    /// Computes the first `rows` new rows of `output`.
    #[inline(always)]
    pub fn apply<S: IntegerSimd>(
        &self,
        simd: S,
        input: &[f32],
        (output, rows): (&mut [f32], usize),
        scratch: &mut Scratch,
    ) {
        let (all, seen) = self.channels;
        let (stride, seen) = if all == seen { (input.len(), input.len()) } else { (all, seen) };
        // As integers, so that the compiler may take them in any order.
        let magnitude = |most: u32, x: &f32| most.max(x.abs().to_bits());
        let frames = input.chunks_exact(stride).map(|row| &row[..seen]);
        let largest = f32::from_bits(frames.fold(0, |most, row| row.iter().fold(most, magnitude)));
        let step = self.quantise(input, stride, largest, scratch, |row, gain, integers| {
            integers.iter_mut().zip(&row[..seen]).for_each(|(to, x)| *to = nearest(x * gain));
        });
        self.compute(simd, step, (output, rows), scratch);
    }

    /// Puts integers into `scratch`: for each `stride` values of `input`, what `quantise` makes of them with a gain
    /// for magnitudes of up to `largest`. Says what one of them is worth.
    #[inline(always)]
    pub fn quantise(
        &self,
        input: &[f32],
        stride: usize,
        largest: f32,
        scratch: &mut Scratch,
        mut quantise: impl FnMut(&[f32], f32, &mut [i16]),
    ) -> f32 {
        if scratch.input.len() < input.len().div_ceil(2) {
            scratch.input.resize(input.len().div_ceil(2), 0);
        }
        let gain = if largest > 0.0 { self.full / largest } else { 0.0 };
        let integers: &mut [i16] = cast_slice_mut(&mut scratch.input);
        for (row, to) in input.chunks_exact(stride).zip(integers.chunks_exact_mut(stride)) {
            quantise(row, gain, to);
        }
        largest / self.full
    }

    /// Computes the first `rows` new rows of `output` from the integers in `scratch`, of which one is worth `step`.
    #[inline(always)]
    pub fn compute<S: IntegerSimd>(
        &self,
        simd: S,
        step: f32,
        (output, rows): (&mut [f32], usize),
        scratch: &mut Scratch,
    ) {
        let positions = &self.positions[..rows * self.bands];
        // The numbers of vectors and positions are constants of the loops, so that all sums, the weights, a value
        // and its products stay in the registers: 16 with AVX2, 32 with AVX-512, which has too few others for more.
        match S::I32_LANES {
            16 => self.panels::<S, 2, 8>(simd, step, (output, positions), scratch),
            _ => self.panels::<S, 2, 5>(simd, step, (output, positions), scratch),
        }
    }

    #[inline(always)]
    fn panels<S: IntegerSimd, const V: usize, const M: usize>(
        &self,
        simd: S,
        step: f32,
        (output, positions): (&mut [f32], &[Position]),
        scratch: &mut Scratch,
    ) {
        for panel in 0..self.bias.len() {
            let weights = self.weights.panel(panel, self.rows * self.run, &mut scratch.weights);
            for some in positions.chunks(M) {
                // The last are repeated where they do not fill a tile.
                let positions = std::array::from_fn(|m| some[m.min(some.len() - 1)]);
                for first in (0..PANEL / S::I32_LANES).step_by(V) {
                    let tile = (panel, first, weights);
                    self.tile::<S, V, M>(simd, &positions, tile, (&scratch.input, step), output);
                }
            }
        }
    }

    /// The vectors of a panel of outputs from `first` on, at some positions.
    #[inline(always)]
    fn tile<S: IntegerSimd, const V: usize, const M: usize>(
        &self,
        simd: S,
        positions: &[Position; M],
        (panel, first, weights): (usize, usize, &[Pairs]),
        (input, step): (&[i32], f32),
        output: &mut [f32],
    ) {
        let mut sums = [[simd.splat_i32s(0); V]; M];
        for (row, weights) in weights.chunks_exact(self.run).enumerate() {
            let mut seen = [&[][..]; M];
            for (seen, position) in seen.iter_mut().zip(positions) {
                *seen = &input[position.from + row * self.stride..][..weights.len()];
            }
            for (k, weights) in weights.iter().enumerate() {
                let weights = &S::as_simd_i32s(&weights.0).0[first..][..V];
                for m in 0..M {
                    let value = simd.splat_i32s(seen[m][k]);
                    for v in 0..V {
                        sums[m][v] = simd.multiply_add(sums[m][v], value, weights[v]);
                    }
                }
            }
        }
        let bias = &S::as_simd_f32s(&self.bias[panel]).0[first..][..V];
        let scale = &S::as_simd_f32s(&self.scale[panel]).0[first..][..V];
        let step = simd.splat_f32s(step);
        let slope = simd.splat_f32s(self.activation.slope);
        let floor = simd.splat_f32s(self.activation.floor);
        let mut values = [[floor; V]; M];
        for ((position, sums), values) in positions.iter().zip(&sums).zip(&mut values) {
            let before = &S::as_simd_f32s(&output[position.to + panel * PANEL..][..PANEL]).0[first..][..V];
            for v in 0..V {
                let start = if self.adds { simd.add_f32s(bias[v], before[v]) } else { bias[v] };
                let sum = simd.mul_add_e_f32s(simd.to_f32s(sums[v]), simd.mul_f32s(scale[v], step), start);
                let leaky = simd.max_f32s(sum, simd.mul_f32s(sum, slope));
                values[v] = simd.max_f32s(leaky, floor);
            }
        }
        // Only now: a position that is repeated must not be added to twice.
        for (position, values) in positions.iter().zip(&values) {
            let slots = &mut output[position.to + panel * PANEL..][..PANEL];
            S::as_mut_simd_f32s(slots).0[first..][..V].copy_from_slice(values);
        }
    }
}

impl Packed {
    /// The `count` pairs of a panel.
    #[inline(always)]
    fn panel<'a>(&'a self, panel: usize, count: usize, expanded: &'a mut Vec<Pairs>) -> &'a [Pairs] {
        let place = panel * count..(panel + 1) * count;
        let weights = match self {
            Self::Int16(weights) => return &weights[place],
            Self::Int8(weights) => &weights[place],
        };
        if expanded.len() < count {
            expanded.resize(count, Pairs([0; PANEL]));
        }
        for (to, from) in expanded.iter_mut().zip(weights) {
            let to: &mut [i16] = cast_slice_mut(&mut to.0);
            let (from, to): (&[[i8; 16]], &mut [[i16; 16]]) = (cast_slice(from), cast_slice_mut(to));
            to.iter_mut().zip(from).for_each(|(to, from)| *to = from.map(i16::from));
        }
        &expanded[..count]
    }
}

/// Row-major weights as [`Packed`] has them.
fn pairs<T: Copy + Default>(weights: &[T], shape: [usize; 4]) -> Vec<[[T; 2]; PANEL]> {
    let columns: Vec<[T; PANEL]> = packed(weights, shape).collect();
    // An odd number of inputs has one without weight beside the last.
    let pairs = columns.chunks_exact(shape[1]).flat_map(|inputs| inputs.chunks(2));
    let pair = |inputs: &[[T; PANEL]]| {
        std::array::from_fn(|o| [inputs[0][o], inputs.get(1).map_or(T::default(), |second| second[o])])
    };
    pairs.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use pulp::Arch;

    use super::*;
    use crate::inference::int_simd::{WithIntegerSimd, dispatch};

    /// One frame of `channels` values.
    fn frame(channels: usize) -> Shape {
        Shape { kept: 0, new: 1, bands: 1, channels, pad: 0 }
    }

    struct Apply<'a>(&'a IntegerConv, &'a [f32], &'a mut [f32]);

    impl WithIntegerSimd for Apply<'_> {
        fn with<S: IntegerSimd>(self, simd: S) {
            self.0.apply(simd, self.1, (self.2, 1), &mut Scratch::default());
        }
    }

    #[test]
    fn the_largest_sums_fit_their_integers() {
        const INPUTS: usize = 1600;
        let count = PANEL * INPUTS;
        for weights in [Weights::Int8(vec![-128; count]), Weights::F32(vec![-128.0; count])] {
            let layer = Convolution::new([PANEL, INPUTS, 1, 1], weights, vec![1.0; PANEL]);
            let conv = IntegerConv::new(&layer, &frame(INPUTS), &frame(PANEL), 0).unwrap();
            for arch in [Arch::new(), Arch::Scalar] {
                for value in [0.0, 1e-3, -1e3] {
                    let mut output = vec![0.0; PANEL];
                    dispatch(arch, Apply(&conv, &[value; INPUTS], &mut output));
                    let expected = 1.0 - 128.0 * value * INPUTS as f32;
                    for found in output {
                        assert!((found / expected - 1.0).abs() < 1e-3, "{arch:?}: {found}, not {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn outputs_that_fill_no_panel_are_refused() {
        for outputs in [1, PANEL - 1, PANEL + 1, 3 * PANEL / 2] {
            let layer =
                Convolution::new([outputs, 2, 1, 1], Weights::Int8(vec![1; 2 * outputs]), vec![0.0; outputs]);
            let refused = IntegerConv::new(&layer, &frame(2), &frame(outputs), 0).err().unwrap();
            assert!(refused.to_string().contains(&format!("{outputs} outputs")), "{refused}");
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn sums_are_the_same_with_and_without_vnni() {
        use crate::inference::int_simd::without_vnni;

        // Where there is no AVX-512, there is nothing to compare.
        let Some(simd) = pulp::x86::V4::try_new() else { return };
        const INPUTS: usize = 128;
        let weights: Vec<i8> = (0..2 * PANEL * INPUTS).map(|n| (n * 37 % 255) as i8).collect();
        let layer = Convolution::new([2 * PANEL, INPUTS, 1, 1], Weights::Int8(weights), vec![0.5; 2 * PANEL]);
        let conv = IntegerConv::new(&layer, &frame(INPUTS), &frame(2 * PANEL), 0).unwrap();
        let input: Vec<f32> = (0..INPUTS).map(|n| (n * 7919 % 1000) as f32 / 500.0 - 1.0).collect();
        let (mut with, mut without) = (vec![0.0; 2 * PANEL], vec![0.0; 2 * PANEL]);
        dispatch(Arch::V4(simd), Apply(&conv, &input, &mut with));
        without_vnni(simd, Apply(&conv, &input, &mut without));
        assert_eq!(with, without);
        assert!(with.iter().any(|value| *value != 0.5));
    }
}
