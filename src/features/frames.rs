//! A matrix of feature frames in one allocation.

use serde::{Deserialize, Serialize};

/// Row-major `[rows, dim]` matrix: one row a frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frames {
    dim: usize,
    data: Vec<f32>,
}

impl Frames {
    /// An empty matrix with rows of `dim` values.
    pub fn new(dim: usize) -> Self {
        Self { dim, data: Vec::new() }
    }

    /// An empty matrix with room for `rows` rows.
    pub fn with_capacity(dim: usize, rows: usize) -> Self {
        Self { dim, data: Vec::with_capacity(dim * rows) }
    }

    /// Wraps `data`, whose length must be a multiple of `dim`.
    pub fn from_vec(dim: usize, data: Vec<f32>) -> Self {
        assert!(dim > 0 && data.len().is_multiple_of(dim), "data must hold whole rows");
        Self { dim, data }
    }

    /// Values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    pub fn rows(&self) -> usize {
        self.data.len().checked_div(self.dim).unwrap_or(0)
    }

    /// True without any row.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Row `index`.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.data[index * self.dim..(index + 1) * self.dim]
    }

    /// Row `index`, mutable.
    pub fn row_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.data[index * self.dim..(index + 1) * self.dim]
    }

    /// All rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.data.chunks_exact(self.dim.max(1))
    }

    /// All rows in order, mutable.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [f32]> {
        self.data.chunks_exact_mut(self.dim.max(1))
    }

    /// Appends a row of `dim` values.
    pub fn push(&mut self, row: &[f32]) {
        debug_assert_eq!(row.len(), self.dim);
        self.data.extend_from_slice(row);
    }

    /// Appends a row of zeros and returns it.
    pub fn push_zeroed(&mut self) -> &mut [f32] {
        let start = self.data.len();
        self.data.resize(start + self.dim, 0.0);
        &mut self.data[start..]
    }

    /// Drops all rows, keeps the memory.
    pub fn clear(&mut self) {
        self.data.clear();
    }

    /// The values, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// A copy of rows `from..to`.
    pub fn slice(&self, from: usize, to: usize) -> Frames {
        Frames { dim: self.dim, data: self.data[from * self.dim..to * self.dim].to_vec() }
    }

    /// Subtracts each column's mean.
    pub fn centre_columns(&mut self) {
        let rows = self.rows();
        if rows == 0 {
            return;
        }
        for column in 0..self.dim {
            let mean = self.iter().map(|row| f64::from(row[column])).sum::<f64>() / rows as f64;
            self.iter_mut().for_each(|row| row[column] -= mean as f32);
        }
    }

    /// Gives each column unit variance; constant columns are left alone.
    pub fn scale_columns(&mut self) {
        let rows = self.rows();
        if rows == 0 {
            return;
        }
        for column in 0..self.dim {
            let power = self.iter().map(|row| f64::from(row[column]).powi(2)).sum::<f64>() / rows as f64;
            if power > 1e-12 {
                let gain = (1.0 / power.sqrt()) as f32;
                self.iter_mut().for_each(|row| row[column] *= gain);
            }
        }
    }

    /// Gives each row unit Euclidean length; zero rows stay zero.
    pub fn normalise_rows(&mut self) {
        self.iter_mut().for_each(normalise);
    }
}

/// Scales `row` to unit Euclidean length; a zero row stays zero.
pub fn normalise(row: &mut [f32]) {
    let norm = dot(row, row).sqrt();
    if norm > 1e-12 {
        row.iter_mut().for_each(|x| *x /= norm);
    }
}

/// Inner product, in eight independent lanes so that the compiler vectorises it.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f32>() + tail
}
