//! Subsequence dynamic time warping, one column per new frame.
//!
//! A template of `n` frames is aligned with any stretch of the stream. Steps (template, stream):
//! (1, 1); (1, 2), which costs the mean of its two cells; (2, 1), which costs their sum. So every
//! path pays for exactly `n` template frames, the tempo stays between 0.5 and 2, and no column
//! depends on itself, so that a vector of its cells is computed at a time.

use pulp::Simd;

/// Columns are as long as whole vectors of this many cells: the rows beyond the last say nothing to those before.
const LANES: usize = 16;

/// Where the best alignment that ends at the newest frame begins, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alignment {
    /// Mean cost per template frame: 0 (equal) to 2 (opposite); infinite if none ends here.
    pub cost: f32,
    /// Stream frame at which the alignment begins.
    pub start: u32,
}

/// The running state of one template against a stream.
#[derive(Clone, Debug)]
pub struct SubsequenceDtw {
    previous: Column,
    before: Column,
    current: Column,
    frame: u32,
}

#[derive(Clone, Debug)]
struct Column {
    /// Local costs of the template rows, after an infinite one of the row above the first.
    local: Vec<f32>,
    /// Accumulated costs, shifted by two so that the virtual rows -2 and -1 exist.
    total: Vec<f32>,
    start: Vec<u32>,
}

impl Column {
    fn new(rows: usize) -> Self {
        let rows = rows.next_multiple_of(LANES);
        let mut local = vec![0.0; rows + 1];
        local[0] = f32::INFINITY;
        Self { local, total: vec![f32::INFINITY; rows + 2], start: vec![0; rows + 2] }
    }

    /// Lets an alignment begin at the frame after this column.
    fn open(&mut self, next_frame: u32) {
        self.total[1] = 0.0;
        self.start[1] = next_frame;
    }
}

impl SubsequenceDtw {
    /// State for a template of `rows` frames.
    pub fn new(rows: usize) -> Self {
        let mut dtw = Self {
            previous: Column::new(rows),
            before: Column::new(rows),
            current: Column::new(rows),
            frame: 0,
        };
        dtw.reset();
        dtw
    }

    /// Forgets the stream; frame numbers begin at zero again.
    pub fn reset(&mut self) {
        self.frame = 0;
        for column in [&mut self.previous, &mut self.before] {
            column.total.fill(f32::INFINITY);
        }
        self.previous.open(0);
    }

    /// Extends all alignments by the stream's next frame, given its local cost against each
    /// template row.
    #[inline(always)]
    pub fn push<S: Simd>(&mut self, simd: S, costs: &[f32]) -> Alignment {
        let (previous, before) = (&self.previous, &self.before);
        self.current.local[1..=costs.len()].copy_from_slice(costs);
        let Column { local, total, start } = &mut self.current;
        let steps = [
            // Straight, slow and fast: where each comes from, and what it costs beside that.
            (&previous.total[1..], &previous.start[1..]),
            (&before.total[1..], &before.start[1..]),
            (&previous.total[..], &previous.start[..]),
        ];
        column(simd, local, &previous.local[1..], steps, &mut total[2..], &mut start[2..]);
        self.frame += 1;
        self.current.open(self.frame);
        std::mem::swap(&mut self.before, &mut self.previous);
        std::mem::swap(&mut self.previous, &mut self.current);
        let last = costs.len() + 1;
        Alignment { cost: self.previous.total[last] / costs.len() as f32, start: self.previous.start[last] }
    }
}

/// Fills a column.
#[inline(always)]
fn column<S: Simd>(
    simd: S,
    local: &[f32],
    last_local: &[f32],
    [(one_total, one_start), (slow_total, slow_start), (two_total, two_start)]: [(&[f32], &[u32]); 3],
    total: &mut [f32],
    start: &mut [u32],
) {
    // The first vectors, wherever they begin.
    let [above, local, last_local] = [local, &local[1..], last_local].map(|slice| S::as_simd_f32s(slice).0);
    let [one_total, slow_total, two_total] =
        [one_total, slow_total, two_total].map(|slice| S::as_simd_f32s(slice).0);
    let [one_start, slow_start, two_start] =
        [one_start, slow_start, two_start].map(|slice| S::as_simd_u32s(slice).0);
    let cells = S::as_mut_simd_f32s(total).0.iter_mut().zip(S::as_mut_simd_u32s(start).0);
    let half = simd.splat_f32s(0.5);
    for (i, (total, start)) in cells.enumerate() {
        let cost = local[i];
        let straight = simd.add_f32s(one_total[i], cost);
        let slow = simd.add_f32s(slow_total[i], simd.mul_f32s(half, simd.add_f32s(last_local[i], cost)));
        let fast = simd.add_f32s(simd.add_f32s(two_total[i], above[i]), cost);
        let slower = simd.less_than_f32s(slow, straight);
        let best = simd.select_f32s(slower, slow, straight);
        let from = simd.select_u32s(slower, slow_start[i], one_start[i]);
        let faster = simd.less_than_f32s(fast, best);
        *total = simd.select_f32s(faster, fast, best);
        *start = simd.select_u32s(faster, two_start[i], from);
    }
}
