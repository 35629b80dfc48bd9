//! The convolution of a stream's rows, without copies: what one output sees are a few contiguous runs
//! of its input, one a row.

use pulp::{Scalar, Simd};

use super::chain::{Activation, Convolution};
use super::rows::{Rows, Shape};

/// Outputs computed together. A multiple of what every vector register here holds.
pub const PANEL: usize = 24;
/// Positions computed together: as many as leave all their sums, the weights and a value in 16 registers.
const POSITIONS: usize = 3;

/// Aligned, so that no vector lies across two cache lines.
#[repr(align(32))]
struct Panel([f32; PANEL]);

/// Where in the input the first run of a position begins, and where its outputs go.
#[derive(Clone, Copy, Default)]
struct Position {
    from: usize,
    to: usize,
}

/// A convolution between rows of known shapes.
pub struct Conv {
    /// Weights in the order of their use: panel of outputs, time, band, input.
    weights: Vec<Panel>,
    /// One a panel.
    bias: Vec<Panel>,
    /// All positions along the new rows; the last group repeats its last.
    positions: Vec<[Position; POSITIONS]>,
    /// Values of a row that an output sees.
    run: usize,
    /// From one of these rows to the next.
    stride: usize,
    activation: Activation,
}

impl Conv {
    /// Packs the weights; the outputs must be a multiple of [`PANEL`].
    pub fn new(layer: &Convolution, input: &Shape, output: &Shape) -> Self {
        let [outputs, inputs, time, bands] = layer.shape;
        let mut weights = Vec::with_capacity(layer.weights.len() / PANEL);
        for panel in (0..outputs).step_by(PANEL) {
            for t in 0..time {
                for b in 0..bands {
                    for i in 0..inputs {
                        let of = |o| layer.weights[(((panel + o) * inputs + i) * time + t) * bands + b];
                        weights.push(Panel(std::array::from_fn(of)));
                    }
                }
            }
        }
        let positions: Vec<Position> = (0..output.new * output.bands)
            .map(|n| (n / output.bands, n % output.bands))
            .map(|(row, band)| Position {
                from: row * input.stride() + band * input.channels,
                to: output.place(row, band),
            })
            .collect();
        let group = |some: &[Position]| std::array::from_fn(|m| some[m.min(some.len() - 1)]);
        Self {
            weights,
            bias: layer.bias.as_chunks().0.iter().map(|bias| Panel(*bias)).collect(),
            positions: positions.chunks(POSITIONS).map(group).collect(),
            run: bands * inputs,
            stride: input.stride(),
            activation: layer.activation,
        }
    }

    /// Computes the new rows of `output`, one for each new row of `input`.
    #[inline(always)]
    pub fn apply<S: Simd>(&self, simd: S, input: &Rows, output: &mut Rows) {
        // The number of vectors is a constant of the loops, so that the sums stay in registers.
        match S::F32_LANES {
            4 => self.panels::<S, 6>(simd, input, output),
            8 => self.panels::<S, 3>(simd, input, output),
            _ => self.panels::<Scalar, PANEL>(Scalar::new(), input, output),
        }
    }

    #[inline(always)]
    fn panels<S: Simd, const V: usize>(&self, simd: S, input: &Rows, output: &mut Rows) {
        let panels = self.weights.chunks_exact(self.weights.len() / self.bias.len());
        for (panel, (weights, bias)) in panels.zip(&self.bias).enumerate() {
            for positions in &self.positions {
                self.tile::<S, V>(simd, positions, weights, bias, input.as_slice(), |m, outputs| {
                    let slots = output.slice_mut(positions[m].to + panel * PANEL, PANEL);
                    S::as_mut_simd_f32s(slots).0.copy_from_slice(outputs);
                });
            }
        }
    }

    /// One panel of outputs at some positions.
    #[inline(always)]
    fn tile<S: Simd, const V: usize>(
        &self,
        simd: S,
        positions: &[Position; POSITIONS],
        weights: &[Panel],
        bias: &Panel,
        input: &[f32],
        mut store: impl FnMut(usize, &[S::f32s; V]),
    ) {
        let mut sums = [[simd.splat_f32s(0.0); V]; POSITIONS];
        for sums in &mut sums {
            sums.copy_from_slice(S::as_simd_f32s(&bias.0).0);
        }
        for (row, weights) in weights.chunks_exact(self.run).enumerate() {
            let mut seen = [&[][..]; POSITIONS];
            for (seen, position) in seen.iter_mut().zip(positions) {
                *seen = &input[position.from + row * self.stride..][..weights.len()];
            }
            for (k, weights) in weights.iter().enumerate() {
                let weights = S::as_simd_f32s(&weights.0).0;
                for m in 0..POSITIONS {
                    let value = simd.splat_f32s(seen[m][k]);
                    for v in 0..V {
                        sums[m][v] = simd.mul_add_e_f32s(value, weights[v], sums[m][v]);
                    }
                }
            }
        }
        let slope = simd.splat_f32s(self.activation.slope);
        let floor = simd.splat_f32s(self.activation.floor);
        for (m, sums) in sums.iter_mut().enumerate() {
            for sum in sums.iter_mut() {
                let leaky = simd.max_f32s(*sum, simd.mul_f32s(*sum, slope));
                *sum = simd.max_f32s(leaky, floor);
            }
            store(m, sums);
        }
    }
}
