//! Several templates matched together: products of all rows, then one DTW each.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::dtw::{Alignment, SubsequenceDtw};
use crate::features::Frames;
use crate::inference::Dense;

/// Rows from which on no more templates are put together: what is computed of them stays in the cache.
const TOGETHER: usize = 240;

/// Templates stacked row upon row. Rows must have unit length.
pub struct TemplateBank {
    groups: Vec<Group>,
}

/// Templates whose local costs are computed together.
struct Group {
    /// 1 - cosine for each row.
    costs: Dense,
    /// Rows of each template.
    templates: Vec<Range<usize>>,
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
    /// Stacks `templates`, which must have rows of the same number of values.
    pub fn new<'a>(templates: impl IntoIterator<Item = &'a Frames>) -> Self {
        let mut templates = templates.into_iter().peekable();
        let dim = templates.peek().map_or(0, |first| first.dim());
        let mut groups = Vec::new();
        let (mut rows, mut ranges) = (Frames::new(dim), Vec::new());
        let mut close = |rows: &mut Frames, templates: &mut Vec<_>| {
            if !templates.is_empty() {
                groups.push(Group { costs: Dense::new(1.0, rows), templates: std::mem::take(templates) });
            }
            rows.clear();
        };
        for template in templates {
            let first = rows.rows();
            template.iter().for_each(|row| rows.push(row));
            ranges.push(first..rows.rows());
            if rows.rows() >= TOGETHER {
                close(&mut rows, &mut ranges);
            }
        }
        close(&mut rows, &mut ranges);
        Self { groups }
    }

    fn templates(&self) -> impl Iterator<Item = &Range<usize>> {
        self.groups.iter().flat_map(|group| &group.templates)
    }

    /// Number of templates.
    pub fn len(&self) -> usize {
        self.templates().count()
    }

    /// True without any template.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Rows of the longest template.
    pub fn longest(&self) -> usize {
        self.templates().map(Range::len).max().unwrap_or(0)
    }

    /// The best alignment of each template anywhere in `stream`.
    pub fn best_matches(&self, stream: &Frames) -> Vec<Match> {
        pulp::Arch::new().dispatch(BestMatches(self, stream))
    }
}

struct BestMatches<'a>(&'a TemplateBank, &'a Frames);

impl WithSimd for BestMatches<'_> {
    type Output = Vec<Match>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<Match> {
        let Self(bank, stream) = self;
        let (mut found, mut costs) = (Vec::with_capacity(bank.len()), Vec::new());
        for Group { costs: rows, templates } in &bank.groups {
            rows.apply(simd, stream.as_slice(), &mut costs);
            for template in templates {
                let mut best = Match { cost: f32::INFINITY, start: 0, end: 0 };
                let mut dtw = SubsequenceDtw::new(template.len());
                for (index, column) in costs.chunks_exact(rows.outputs()).enumerate() {
                    let alignment = dtw.push(simd, &column[template.clone()]);
                    if alignment.cost < best.cost {
                        best =
                            Match { cost: alignment.cost, start: alignment.start as usize, end: index + 1 };
                    }
                }
                found.push(best);
            }
        }
        found
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
        let dtw: Vec<_> = bank.templates().map(|template| SubsequenceDtw::new(template.len())).collect();
        let outputs = bank.groups.iter().map(|group| group.costs.outputs());
        Self {
            arch: pulp::Arch::new(),
            alignments: Vec::with_capacity(dtw.len()),
            costs: Vec::with_capacity(outputs.max().unwrap_or(0)),
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
        alignments.clear();
        let mut states = dtw.iter_mut();
        // Loops, not closures: only what is inlined here is compiled for these instructions.
        for Group { costs: rows, templates } in &bank.groups {
            rows.apply(simd, frame, costs);
            for (template, dtw) in templates.iter().zip(&mut states) {
                alignments.push(dtw.push(simd, &costs[template.clone()]));
            }
        }
    }
}
