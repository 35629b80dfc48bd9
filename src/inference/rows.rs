//! What a layer reads: the rows that are new and those kept from before.

/// Rows over time of one layer's input; `bands` x `channels` values each, channels innermost, between
/// `pad` zeros on either side.
#[derive(Clone)]
pub struct Rows {
    data: Vec<f32>,
    shape: Shape,
}

/// Sizes of [`Rows`].
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Rows kept from before.
    pub kept: usize,
    /// New rows, at most.
    pub new: usize,
    /// Values along the row.
    pub bands: usize,
    /// Values of a band.
    pub channels: usize,
    /// Bands of zeros on either side.
    pub pad: usize,
}

impl Shape {
    /// Values from one row to the next.
    pub fn stride(&self) -> usize {
        (self.bands + 2 * self.pad) * self.channels
    }

    /// Where band `band` of new row `row` begins in [`Rows::as_slice`].
    pub fn place(&self, row: usize, band: usize) -> usize {
        (self.kept + row) * self.stride() + (self.pad + band) * self.channels
    }
}

impl Rows {
    /// All zero.
    pub fn new(shape: Shape) -> Self {
        Self { data: vec![0.0; (shape.kept + shape.new) * shape.stride()], shape }
    }

    /// Sizes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// All rows, kept ones first, with their padding.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// [`Rows::as_slice`], mutable.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The `count` values from `place` on.
    pub fn slice_mut(&mut self, place: usize, count: usize) -> &mut [f32] {
        &mut self.data[place..place + count]
    }

    /// Lets the newest rows be those kept from before, when `new` of them have come.
    pub fn roll(&mut self, new: usize) {
        let stride = self.shape.stride();
        self.data.copy_within(new * stride..(new + self.shape.kept) * stride, 0);
    }

    /// Takes over the rows kept from before, from rows of the same shape but for the number of new ones.
    pub fn copy_from(&mut self, other: &Self) {
        let kept = self.shape.kept * self.shape.stride();
        self.data[..kept].copy_from_slice(&other.data[..kept]);
    }
}
