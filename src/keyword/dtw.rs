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
    /// Local costs of the template rows.
    local: Vec<f32>,
    /// Accumulated costs, shifted by two so that the virtual rows -2 and -1 exist.
    total: Vec<f32>,
    start: Vec<u32>,
}

impl Column {
    fn new(rows: usize) -> Self {
        Self { local: vec![0.0; rows], total: vec![f32::INFINITY; rows + 2], start: vec![0; rows + 2] }
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
        let Column { local, total, start } = &mut self.current;
        local.copy_from_slice(costs);
        let (previous, before) = (&self.previous, &self.before);
        // Equal lengths for every slice, so that the loop needs no bounds checks.
        let (one_total, one_start) = (&previous.total[1..=rows], &previous.start[1..=rows]);
        let (two_total, two_start) = (&previous.total[..rows], &previous.start[..rows]);
        let (slow_total, slow_start) = (&before.total[1..=rows], &before.start[1..=rows]);
        let (last_local, total, start) = (&previous.local[..rows], &mut total[2..], &mut start[2..]);
        let mut above = f32::INFINITY;
        for i in 0..rows {
            let cost = costs[i];
            let straight = one_total[i] + cost;
            let slow = slow_total[i] + 0.5 * (last_local[i] + cost);
            let fast = two_total[i] + above + cost;
            above = cost;
            let (mut best, mut from) = (straight, one_start[i]);
            if slow < best {
                (best, from) = (slow, slow_start[i]);
            }
            if fast < best {
                (best, from) = (fast, two_start[i]);
            }
            (total[i], start[i]) = (best, from);
        }
        self.frame += 1;
        self.current.open(self.frame);
        std::mem::swap(&mut self.before, &mut self.previous);
        std::mem::swap(&mut self.previous, &mut self.current);
        let last = rows + 1;
        Alignment { cost: self.previous.total[last] / rows as f32, start: self.previous.start[last] }
    }
}
