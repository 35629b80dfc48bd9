//! Several templates matched together: one matrix product, then one DTW each.

use ndarray::{ArrayView2, linalg::general_mat_mul};

use super::dtw::{Alignment, SubsequenceDtw};
use crate::features::Frames;
use crate::features::frames::dot;

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
        let mut best = vec![Match { cost: f32::INFINITY, start: 0, end: 0 }; self.len()];
        let mut tracker = BankTracker::new(self);
        let costs = self.local_costs(stream);
        for (index, column) in costs.iter().enumerate() {
            for (best, alignment) in best.iter_mut().zip(tracker.advance(self, column)) {
                if alignment.cost < best.cost {
                    *best = Match { cost: alignment.cost, start: alignment.start as usize, end: index + 1 };
                }
            }
        }
        best
    }

    /// `[stream frames, all rows]`: 1 - cosine.
    fn local_costs(&self, stream: &Frames) -> Frames {
        let (frames, rows, dim) = (stream.rows(), self.rows.rows(), self.rows.dim());
        let mut costs = vec![1.0; frames * rows];
        let shapes = (
            ArrayView2::from_shape((frames, dim), stream.as_slice()),
            ArrayView2::from_shape((rows, dim), self.rows.as_slice()),
            ndarray::ArrayViewMut2::from_shape((frames, rows), &mut costs),
        );
        if let (Ok(stream), Ok(bank), Ok(mut product)) = shapes {
            general_mat_mul(-1.0, &stream, &bank.t(), 1.0, &mut product);
        }
        Frames::from_vec(rows.max(1), costs)
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
        let mut costs = std::mem::take(&mut self.costs);
        costs.clear();
        self.arch.dispatch(
            #[inline(always)]
            || costs.extend(bank.rows.iter().map(|row| 1.0 - dot(row, frame))),
        );
        self.advance(bank, &costs);
        self.costs = costs;
        &self.alignments
    }

    fn advance(&mut self, bank: &TemplateBank, costs: &[f32]) -> &[Alignment] {
        self.alignments.clear();
        let Self { arch, dtw, alignments, .. } = self;
        // The loops are compiled once more for wider vectors than every machine has.
        arch.dispatch(
            #[inline(always)]
            || {
                for (dtw, rows) in dtw.iter_mut().zip(bank.offsets.windows(2)) {
                    alignments.push(dtw.push(&costs[rows[0]..rows[1]]));
                }
            },
        );
        &self.alignments
    }
}
