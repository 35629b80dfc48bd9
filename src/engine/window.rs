//! Minima over the last columns of a set of costs.

/// The last `depth` columns of `width` costs.
pub struct SlidingMinimum {
    columns: Vec<f32>,
    minima: Vec<f32>,
    next: usize,
}

impl SlidingMinimum {
    /// Without any column, every minimum is infinite.
    pub fn new(width: usize, depth: usize) -> Self {
        Self { columns: vec![f32::INFINITY; width * depth], minima: vec![f32::INFINITY; width], next: 0 }
    }

    /// Forgets all columns.
    pub fn reset(&mut self) {
        self.columns.fill(f32::INFINITY);
    }

    /// Replaces the oldest column; returns the minimum of each cost over the columns kept.
    pub fn push(&mut self, column: impl Iterator<Item = f32>) -> &[f32] {
        let width = self.minima.len();
        let slot = &mut self.columns[self.next * width..(self.next + 1) * width];
        slot.iter_mut().zip(column).for_each(|(old, new)| *old = new);
        self.next = (self.next + 1) % (self.columns.len() / width.max(1)).max(1);
        self.minima.fill(f32::INFINITY);
        for column in self.columns.chunks_exact(width.max(1)) {
            self.minima.iter_mut().zip(column).for_each(|(least, x)| *least = least.min(*x));
        }
        &self.minima
    }
}
