//! Which frames of a stream each row of a template is aligned with.

use crate::features::Frames;
use crate::features::frames::dot;

/// The best alignment of a whole template anywhere in a stream, by the steps of [`super::dtw`].
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Mean cost for each row of the template, 0 to 2.
    pub cost: f32,
    /// Pairs of template row and stream frame, in order; a row may have two frames, and two rows may share one.
    pub pairs: Vec<(usize, usize)>,
}

/// 1 - cosine of two rows of unit length.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    1.0 - dot(a, b)
}

/// How a cell of the alignment was reached.
#[derive(Clone, Copy)]
enum Step {
    Start,
    /// One row, one frame.
    Straight,
    /// One row, two frames.
    Slow,
    /// Two rows, one frame.
    Fast,
}

/// Aligns `template` with `stream`, both with rows of unit length; `None` if the stream is too short.
pub fn align(template: &Frames, stream: &Frames) -> Option<Path> {
    let (rows, frames) = (template.rows(), stream.rows());
    let local: Vec<f32> =
        stream.iter().flat_map(|frame| template.iter().map(move |row| distance(row, frame))).collect();
    let local = |row: usize, frame: usize| local[frame * rows + row];
    let mut total = vec![f32::INFINITY; rows * frames];
    let mut steps = vec![Step::Start; rows * frames];
    for frame in 0..frames {
        for row in 0..rows {
            let cost = local(row, frame);
            let before = |rows_back: usize, frames_back: usize| {
                if row + 1 == rows_back && frame + 1 >= frames_back {
                    // The template begins anywhere.
                    Some(0.0)
                } else {
                    let cell = (frame.checked_sub(frames_back)?) * rows + row.checked_sub(rows_back)?;
                    Some(total[cell])
                }
            };
            let straight = before(1, 1).map(|total| total + cost);
            let slow = (frame >= 1)
                .then(|| before(1, 2))
                .flatten()
                .map(|total| total + (cost + local(row, frame - 1)) / 2.0);
            let fast =
                (row >= 1).then(|| before(2, 1)).flatten().map(|total| total + cost + local(row - 1, frame));
            let mut best = (f32::INFINITY, Step::Start);
            for (reached, step) in [(straight, Step::Straight), (slow, Step::Slow), (fast, Step::Fast)] {
                if let Some(value) = reached
                    && value < best.0
                {
                    best = (value, step);
                }
            }
            (total[frame * rows + row], steps[frame * rows + row]) = best;
        }
    }
    let end = (0..frames).min_by(|a, b| total[(a + 1) * rows - 1].total_cmp(&total[(b + 1) * rows - 1]))?;
    let cost = total[(end + 1) * rows - 1] / rows as f32;
    if !cost.is_finite() {
        return None;
    }
    let (mut row, mut frame) = (rows as isize - 1, end as isize);
    let mut pairs = Vec::with_capacity(2 * rows);
    while row >= 0 && frame >= 0 {
        let (r, f) = (row as usize, frame as usize);
        pairs.push((r, f));
        match steps[f * rows + r] {
            Step::Start => break,
            Step::Straight => (row, frame) = (row - 1, frame - 1),
            Step::Slow => {
                pairs.push((r, f - 1));
                (row, frame) = (row - 1, frame - 2);
            }
            Step::Fast => {
                pairs.push((r - 1, f));
                (row, frame) = (row - 2, frame - 1);
            }
        }
    }
    pairs.reverse();
    Some(Path { cost, pairs })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyword::bank::TemplateBank;

    /// Rows of unit length.
    fn frames(random: &mut fastrand::Rng, rows: usize) -> Frames {
        let mut frames = Frames::from_vec(8, (0..8 * rows).map(|_| random.f32() - 0.5).collect());
        frames.normalise_rows();
        frames
    }

    #[test]
    fn a_path_costs_what_streaming_alignment_says() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..200 {
            let (rows, length) = (random.usize(1..12), random.usize(1..30));
            let (template, stream) = (frames(&mut random, rows), frames(&mut random, length));
            let expected = TemplateBank::new([&template]).best_matches(&stream)[0];
            let Some(path) = align(&template, &stream) else {
                assert!(expected.cost.is_infinite(), "{rows} rows, {length} frames");
                continue;
            };
            assert!((path.cost - expected.cost).abs() < 1e-4, "{} is not {}", path.cost, expected.cost);
            let seen: Vec<usize> = path.pairs.iter().map(|(row, _)| *row).collect();
            assert!((0..rows).all(|row| seen.contains(&row)) && seen.is_sorted(), "{seen:?}");
            assert!(path.pairs.iter().map(|(_, frame)| *frame).is_sorted());
            assert!(path.pairs.iter().all(|(_, frame)| *frame < length));
        }
    }
}
