//! Convolutions without copies: with channels innermost, what one output sees are a few contiguous runs of
//! its input, one a row.

use std::ops::Range;

use pulp::{Scalar, Simd};

use super::layer::{Activation, Convolution, Window};
use super::rows::Shape;

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

/// The number of outputs is a multiple of this: one vector of 16 and a half, or whole ones of less.
pub const OUTPUTS: usize = 24;
/// Outputs computed together as long as there are so many: whole vectors.
const WIDE: usize = 2 * OUTPUTS;

/// A convolution between rows of known shapes.
pub struct Conv {
    wide: Panels<WIDE, 3>,
    narrow: Panels<OUTPUTS, 2>,
    /// All positions along the new rows.
    positions: Vec<Position>,
    /// Of them, those along one row.
    bands: usize,
    seen: Seen,
    activation: Activation,
}

/// What an output sees of each row of its input.
struct Seen {
    /// Values.
    run: usize,
    /// From those of one row to those of the next.
    stride: usize,
}

/// The weights of a panel's outputs for one input, in lines of 16. Aligned, so that no vector lies across two cache
/// lines.
#[repr(align(64))]
struct Weight<const LINES: usize>([[f32; 16]; LINES]);

/// Panels of outputs that are computed together.
struct Panels<const PANEL: usize, const LINES: usize> {
    /// Channel of the first.
    first: usize,
    /// Of each panel, in the order of their use: time, band, input.
    weights: Vec<Vec<Weight<LINES>>>,
    /// One a panel.
    bias: Vec<Weight<LINES>>,
}

impl Conv {
    /// Packs the weights; the outputs must be a multiple of [`OUTPUTS`].
    pub fn new(layer: &Convolution, input: &Shape, output: &Shape) -> Self {
        let [outputs, inputs, time, bands] = layer.shape;
        let mut weights = layer.weights.floats().into_owned();
        for (weights, scale) in weights.chunks_exact_mut(inputs * time * bands).zip(&layer.scale) {
            weights.iter_mut().for_each(|weight| *weight *= scale);
        }
        let wide = outputs / WIDE * WIDE;
        Self {
            wide: Panels::new(&weights, &layer.bias, layer.shape, 0..wide),
            narrow: Panels::new(&weights, &layer.bias, layer.shape, wide..outputs),
            positions: positions(layer, input, output, 0).collect(),
            bands: output.bands,
            seen: Seen { run: bands * inputs, stride: layer.window.dilations[0] * input.stride() },
            activation: layer.activation,
        }
    }

    /// Computes the first `rows` new rows of `output`.
    #[inline(always)]
    pub fn apply<S: Simd>(&self, simd: S, input: &[f32], output: &mut [f32], rows: usize) {
        // The numbers of vectors and positions are constants of the loops, so that all sums, the weights and
        // a value stay in the registers: 16 with AVX2, 32 with NEON and AVX-512.
        match S::F32_LANES {
            4 => {
                self.panels::<S, WIDE, 3, 6, 3, 12>(simd, &self.wide, input, output, rows);
                self.panels::<S, OUTPUTS, 2, 6, 3, 6>(simd, &self.narrow, input, output, rows);
            }
            8 => {
                self.panels::<S, WIDE, 3, 3, 3, 6>(simd, &self.wide, input, output, rows);
                self.panels::<S, OUTPUTS, 2, 3, 3, 3>(simd, &self.narrow, input, output, rows);
            }
            16 => {
                self.panels::<S, WIDE, 3, 3, 8, 3>(simd, &self.wide, input, output, rows);
                self.panels::<S, OUTPUTS, 2, 2, 8, 2>(simd, &self.narrow, input, output, rows);
            }
            _ => {
                let simd = Scalar::new();
                self.panels::<Scalar, WIDE, 3, 8, 1, 8>(simd, &self.wide, input, output, rows);
                self.panels::<Scalar, OUTPUTS, 2, 8, 1, 8>(simd, &self.narrow, input, output, rows);
            }
        }
    }

    /// `V` vectors of a panel's outputs at `M` positions together, or `ONE` at a single one.
    #[inline(always)]
    fn panels<
        S: Simd,
        const PANEL: usize,
        const LINES: usize,
        const V: usize,
        const M: usize,
        const ONE: usize,
    >(
        &self,
        simd: S,
        panels: &Panels<PANEL, LINES>,
        input: &[f32],
        output: &mut [f32],
        rows: usize,
    ) {
        let all = PANEL.div_ceil(S::F32_LANES);
        for (panel, (weights, bias)) in panels.weights.iter().zip(&panels.bias).enumerate() {
            let places = panels.first + panel * PANEL..panels.first + (panel + 1) * PANEL;
            for some in self.positions[..rows * self.bands].chunks(M) {
                if let [position] = some {
                    for first in (0..all).step_by(ONE) {
                        let of = (first, weights.as_slice(), bias);
                        self.tile::<S, LINES, ONE, 1>(simd, &[*position], of, input, output, &places);
                    }
                    continue;
                }
                // The last are repeated where they do not fill a tile.
                let positions = std::array::from_fn(|m| some[m.min(some.len() - 1)]);
                for first in (0..all).step_by(V) {
                    let of = (first, weights.as_slice(), bias);
                    self.tile::<S, LINES, V, M>(simd, &positions, of, input, output, &places);
                }
            }
        }
    }

    /// The vectors of a panel of outputs from `first` on, at some positions; the panel is at `channels`.
    #[inline(always)]
    fn tile<S: Simd, const LINES: usize, const V: usize, const M: usize>(
        &self,
        simd: S,
        positions: &[Position; M],
        of: (usize, &[Weight<LINES>], &Weight<LINES>),
        input: &[f32],
        output: &mut [f32],
        channels: &Range<usize>,
    ) {
        let sums = self.sums::<S, LINES, V, M>(simd, positions, of, input);
        for (position, sums) in positions.iter().zip(&sums) {
            let slots = &mut output[position.to + channels.start..position.to + channels.end];
            store::<S, V>(simd, slots, of.0, sums);
        }
    }

    /// The vectors of a panel of outputs from `first` on, at some positions.
    #[inline(always)]
    fn sums<S: Simd, const LINES: usize, const V: usize, const M: usize>(
        &self,
        simd: S,
        positions: &[Position; M],
        (first, weights, bias): (usize, &[Weight<LINES>], &Weight<LINES>),
        input: &[f32],
    ) -> [[S::f32s; V]; M] {
        let mut sums = [[simd.splat_f32s(0.0); V]; M];
        for sums in &mut sums {
            sums.copy_from_slice(&bias.vectors::<S>()[first..][..V]);
        }
        for (row, weights) in weights.chunks_exact(self.seen.run).enumerate() {
            let mut seen = [&[][..]; M];
            for (seen, position) in seen.iter_mut().zip(positions) {
                *seen = &input[position.from + row * self.seen.stride..][..weights.len()];
            }
            for (k, weights) in weights.iter().enumerate() {
                let weights = &weights.vectors::<S>()[first..][..V];
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
        for sum in sums.as_flattened_mut() {
            let leaky = simd.max_f32s(*sum, simd.mul_f32s(*sum, slope));
            *sum = simd.max_f32s(leaky, floor);
        }
        sums
    }
}

/// Puts the vectors of a panel from `first` on in their place.
#[inline(always)]
fn store<S: Simd, const V: usize>(simd: S, slots: &mut [f32], first: usize, sums: &[S::f32s; V]) {
    let count = slots.len();
    if count.is_multiple_of(S::F32_LANES) {
        S::as_mut_simd_f32s(slots).0[first..][..V].copy_from_slice(sums);
        return;
    }
    for (v, sum) in sums.iter().enumerate() {
        let part = |v: usize| (v * S::F32_LANES).min(count);
        simd.partial_store_f32s(&mut slots[part(first + v)..part(first + v + 1)], *sum);
    }
}

impl<const PANEL: usize, const LINES: usize> Panels<PANEL, LINES> {
    /// Those of `outputs`, a multiple of `PANEL`, among row-major weights.
    fn new(weights: &[f32], bias: &[f32], shape: [usize; 4], outputs: Range<usize>) -> Self {
        let [_, inputs, time, bands] = shape;
        let count = inputs * time * bands;
        let part = |values: &[f32], shape: [usize; 4]| {
            let lines = |values: [f32; PANEL]| {
                let mut weight = Weight([[0.0; 16]; LINES]);
                weight.0.as_flattened_mut()[..PANEL].copy_from_slice(&values);
                weight
            };
            packed(values, shape).map(lines).collect::<Vec<_>>()
        };
        let places = outputs.clone().step_by(PANEL).map(|first| first..first + PANEL);
        let weights = |place: Range<usize>| {
            part(&weights[place.start * count..place.end * count], [PANEL, inputs, time, bands])
        };
        Self {
            first: outputs.start,
            weights: places.map(weights).collect(),
            bias: part(&bias[outputs.clone()], [outputs.len(), 1, 1, 1]),
        }
    }
}

impl<const LINES: usize> Weight<LINES> {
    #[inline(always)]
    fn vectors<S: Simd>(&self) -> &[S::f32s] {
        S::as_simd_f32s(self.0.as_flattened()).0
    }
}

/// Row-major weights in the order panel, time, band, input.
pub fn packed<T: Copy, const PANEL: usize>(
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
