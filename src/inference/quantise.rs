//! Weights and values as integers.

/// The `count` weights of each output as integers, and what one of them is worth.
pub fn quantised(weights: &[f32], count: usize) -> (Vec<i16>, Vec<f32>) {
    /// The most that those of an output may come to: about a bit more for the inputs than for the weights.
    const MOST: f32 = (1 << 17) as f32;
    let (mut integers, mut units) = (Vec::with_capacity(weights.len()), Vec::new());
    for weights in weights.chunks_exact(count) {
        let largest = weights.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let sum: f32 = weights.iter().map(|x| x.abs()).sum();
        let unit = (largest / f32::from(i16::MAX)).max(sum / MOST);
        let unit = if unit > 0.0 { unit } else { 1.0 };
        integers.extend(weights.iter().map(|x| nearest(x / unit)));
        units.push(unit);
    }
    (integers, units)
}

/// The integer nearest to `x`, which must be one of 16 bits: the lowest bits of a sum whose last bit is 1.
#[inline(always)]
pub fn nearest(x: f32) -> i16 {
    const ROUND: f32 = 12_582_912.0;
    (x + ROUND).to_bits() as i16
}

/// The most that the magnitudes of an output's `count` weights come to.
pub fn largest_sum<T: Copy + Into<i64>>(weights: &[T], count: usize) -> i64 {
    let sums = weights.chunks_exact(count).map(|some| some.iter().map(|x| (*x).into().abs()).sum());
    sums.max().unwrap_or(0)
}
