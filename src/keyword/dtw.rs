//! Subsequence dynamic time warping, one column per new frame.
//!
//! A template of `n` frames is aligned with any stretch of the stream. Steps (template, stream):
//! (1, 1); (1, 2), which costs the mean of its two cells; (2, 1), which costs their sum. So every
//! path pays for exactly `n` template frames, the tempo stays between 0.5 and 2, and no column
//! depends on itself, which lets the compiler vectorise it.

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
    pub fn push(&mut self, costs: &[f32]) -> Alignment {
        let rows = costs.len();
        let (previous, before) = (&self.previous, &self.before);
        let Column { local, total, start } = &mut self.current;
        local[1..].copy_from_slice(costs);
        let steps = [
            // Straight, slow and fast: where each comes from, and what it costs beside that.
            (&previous.total[1..], &previous.start[1..]),
            (&before.total[1..], &before.start[1..]),
            (&previous.total[..rows], &previous.start[..rows]),
        ];
        column(local, &previous.local[1..], steps, &mut total[2..], &mut start[2..]);
        self.frame += 1;
        self.current.open(self.frame);
        std::mem::swap(&mut self.before, &mut self.previous);
        std::mem::swap(&mut self.previous, &mut self.current);
        let last = rows + 1;
        Alignment { cost: self.previous.total[last] / rows as f32, start: self.previous.start[last] }
    }
}

/// Fills a column. Slices apart from each other, as arguments are, let the compiler vectorise the loop.
#[inline(always)]
fn column(
    local: &[f32],
    last_local: &[f32],
    [(one_total, one_start), (slow_total, slow_start), (two_total, two_start)]: [(&[f32], &[u32]); 3],
    total: &mut [f32],
    start: &mut [u32],
) {
    let rows = total.len();
    // Equal lengths for every slice, so that the loop needs no bounds checks.
    let (above, local, last_local) = (&local[..rows], &local[1..=rows], &last_local[..rows]);
    let (one_total, one_start) = (&one_total[..rows], &one_start[..rows]);
    let (slow_total, slow_start) = (&slow_total[..rows], &slow_start[..rows]);
    let (two_total, two_start) = (&two_total[..rows], &two_start[..rows]);
    let start = &mut start[..rows];
    for i in 0..rows {
        let cost = local[i];
        let straight = one_total[i] + cost;
        let slow = slow_total[i] + 0.5 * (last_local[i] + cost);
        let fast = two_total[i] + above[i] + cost;
        let slower = slow < straight;
        let best = if slower { slow } else { straight };
        let from = if slower { slow_start[i] } else { one_start[i] };
        let faster = fast < best;
        total[i] = if faster { fast } else { best };
        start[i] = if faster { two_start[i] } else { from };
    }
}
