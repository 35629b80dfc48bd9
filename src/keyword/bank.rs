//! Several templates matched together: a matrix product, then one DTW each.

use std::ops::Range;

use ndarray::{ArrayView2, linalg::general_mat_mul};
use pulp::{Simd, WithSimd};

use super::dtw::{Alignment, SubsequenceDtw};
use crate::features::Frames;
use crate::features::frames::dot;

/// Templates whose local costs are computed together: few enough for them to stay in the cache.
const TOGETHER: usize = 4;

/// Templates stacked row upon row. Rows must have unit length.
#[derive(Clone, Debug)]
pub struct TemplateBank {
    rows: Frames,
    /// `offsets[k]..offsets[k + 1]` are the rows of template `k`.
    offsets: Vec<usize>,
}

/// An alignment of a whole template with frames `start..end` of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Mean cost per template frame, 0 to 2; infinite if the stream is too short.
    pub cost: f32,
    /// First frame.
    pub start: usize,
    /// Frame after the last.
    pub end: usize,
}

impl TemplateBank {
    /// Stacks `templates`, each with rows of `dim` values.
    pub fn new<'a>(dim: usize, templates: impl IntoIterator<Item = &'a Frames>) -> Self {
        let mut bank = Self { rows: Frames::new(dim), offsets: vec![0] };
        for template in templates {
            template.iter().for_each(|row| bank.rows.push(row));
            bank.offsets.push(bank.rows.rows());
        }
        bank
    }

    /// Number of templates.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// True without any template.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows of the longest template.
    pub fn longest(&self) -> usize {
        self.offsets.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }

    /// The best alignment of each template anywhere in `stream`.
    pub fn best_matches(&self, stream: &Frames) -> Vec<Match> {
        let arch = pulp::Arch::new();
        let (mut best, mut costs) = (Vec::with_capacity(self.len()), Vec::new());
        for first in (0..self.len()).step_by(TOGETHER) {
            let offsets = &self.offsets[first..=(first + TOGETHER).min(self.len())];
            let rows = offsets[0]..offsets[offsets.len() - 1];
            let all = rows.len();
            self.local_costs(stream, rows.clone(), &mut costs);
            let within = offsets.windows(2).map(|pair| pair[0] - rows.start..pair[1] - rows.start);
            best.extend(within.map(|rows| arch.dispatch(BestMatch { costs: &costs, all, rows })));
        }
        best
    }

    /// `[stream frames, rows]`: 1 - cosine.
    fn local_costs(&self, stream: &Frames, rows: Range<usize>, costs: &mut Vec<f32>) {
        let (frames, count, dim) = (stream.rows(), rows.len(), self.rows.dim());
        costs.clear();
        costs.resize(frames * count, 1.0);
        let bank = &self.rows.as_slice()[rows.start * dim..rows.end * dim];
        let shapes = (
            ArrayView2::from_shape((frames, dim), stream.as_slice()),
            ArrayView2::from_shape((count, dim), bank),
            ndarray::ArrayViewMut2::from_shape((frames, count), costs),
        );
        if let (Ok(stream), Ok(bank), Ok(mut product)) = shapes {
            general_mat_mul(-1.0, &stream, &bank.t(), 1.0, &mut product);
        }
    }
}

/// The best alignment of a template anywhere in a stream.
struct BestMatch<'a> {
    /// Local costs, `[stream frames, all]`.
    costs: &'a [f32],
    /// Rows of all templates.
    all: usize,
    /// Those of this one.
    rows: Range<usize>,
}

impl WithSimd for BestMatch<'_> {
    type Output = Match;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Match {
        let mut best = Match { cost: f32::INFINITY, start: 0, end: 0 };
        let mut dtw = SubsequenceDtw::new(self.rows.len());
        for (index, column) in self.costs.chunks_exact(self.all.max(1)).enumerate() {
            let alignment = dtw.push(simd, &column[self.rows.clone()]);
            if alignment.cost < best.cost {
                best = Match { cost: alignment.cost, start: alignment.start as usize, end: index + 1 };
            }
        }
        best
    }
}

/// The running state of a bank against one stream.
#[derive(Clone, Debug)]
pub struct BankTracker {
    arch: pulp::Arch,
    dtw: Vec<SubsequenceDtw>,
    costs: Vec<f32>,
    alignments: Vec<Alignment>,
}

impl BankTracker {
    /// State at the beginning of a stream.
    pub fn new(bank: &TemplateBank) -> Self {
        let dtw: Vec<_> =
            bank.offsets.windows(2).map(|pair| SubsequenceDtw::new(pair[1] - pair[0])).collect();
        Self {
            arch: pulp::Arch::new(),
            alignments: Vec::with_capacity(dtw.len()),
            costs: Vec::with_capacity(bank.rows.rows()),
            dtw,
        }
    }

    /// Forgets the stream; frame numbers begin at zero again.
    pub fn reset(&mut self) {
        self.dtw.iter_mut().for_each(SubsequenceDtw::reset);
    }

    /// Extends every template's alignments by the stream's next frame (unit length). No allocation.
    pub fn push(&mut self, bank: &TemplateBank, frame: &[f32]) -> &[Alignment] {
        self.arch.dispatch(Push(self, bank, frame));
        &self.alignments
    }
}

struct Push<'a>(&'a mut BankTracker, &'a TemplateBank, &'a [f32]);

impl WithSimd for Push<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(BankTracker { dtw, costs, alignments, .. }, bank, frame) = self;
        costs.clear();
        alignments.clear();
        // Loops, not closures: only what is inlined here is compiled for these instructions.
        for row in bank.rows.iter() {
            costs.push(1.0 - dot(row, frame));
        }
        for (dtw, rows) in dtw.iter_mut().zip(bank.offsets.windows(2)) {
            alignments.push(dtw.push(simd, &costs[rows[0]..rows[1]]));
        }
    }
}
