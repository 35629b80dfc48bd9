//! The part of a phrase that fits worst: a word that sounds nearly like it differs in one place.

use crate::features::Frames;
use crate::keyword::path::{Path, align, distance};
use crate::profile::Take;

/// Parts of a phrase.
const PARTS: usize = 8;
/// Adjacent parts that count together.
const WIDTH: usize = 3;
/// Takes that count: those nearest to the candidate.
const TAKES: usize = 3;

/// Mean cost of each part, 0 to 2.
type Parts = [f32; PARTS];

/// What the takes of a profile cost each other in each part of the phrase.
pub struct Segments {
    /// For each condition, as recorded first, and each take: the mean of what the others cost in its parts.
    usual: Vec<Vec<Parts>>,
}

impl Segments {
    /// Compares the keyword vectors of each of `takes` with those of the others, as recorded and under the other
    /// conditions.
    pub fn new(takes: &[Take]) -> Self {
        let conditions = takes.iter().map(|take| take.augmented.len()).min().unwrap_or(0);
        let recorded = usual(takes, |take| &take.vectors);
        let augmented =
            (0..conditions).map(|condition| usual(takes, |take| &take.augmented[condition].vectors));
        Self { usual: std::iter::once(recorded).chain(augmented).collect() }
    }

    /// How much more than the takes the keyword `vectors` of a candidate cost in the worst three adjacent of eight
    /// parts, in the mean over the takes nearest to them, under the condition in which that is least. `None` if they
    /// are too few for any take.
    pub fn excess(&self, takes: &[Take], vectors: &Frames) -> Option<f32> {
        let costs = |(index, take): (usize, &Take)| {
            let path = align(&take.vectors, vectors)?;
            Some((path.cost, index, part_costs(&take.vectors, vectors, &path)))
        };
        let mut nearest: Vec<(f32, usize, Parts)> = takes.iter().enumerate().filter_map(costs).collect();
        nearest.sort_by(|a, b| a.0.total_cmp(&b.0));
        nearest.truncate(TAKES);
        if nearest.is_empty() {
            return None;
        }
        let worst = |usual: &Vec<Parts>| {
            let more = |(_, take, costs): &(f32, usize, Parts)| {
                std::array::from_fn(|part| costs[part] - usual[*take][part])
            };
            let more: Vec<Parts> = nearest.iter().map(more).collect();
            let worst = mean(&more).windows(WIDTH).map(|parts| parts.iter().sum::<f32>()).reduce(f32::max);
            worst.map(|sum| sum / WIDTH as f32)
        };
        self.usual.iter().filter_map(worst).reduce(f32::min)
    }
}

/// For each take, the mean of what the `vectors` of the others cost in its parts.
fn usual(takes: &[Take], vectors: impl Fn(&Take) -> &Frames) -> Vec<Parts> {
    let of_take = |(index, take): (usize, &Take)| {
        let others = takes.iter().enumerate().filter(|(other, _)| *other != index);
        let costs: Vec<Parts> = others
            .filter_map(|(_, other)| {
                let path = align(&take.vectors, vectors(other))?;
                Some(part_costs(&take.vectors, vectors(other), &path))
            })
            .collect();
        mean(&costs)
    };
    takes.iter().enumerate().map(of_take).collect()
}

fn mean(costs: &[Parts]) -> Parts {
    let mut mean = [0.0; PARTS];
    for parts in costs {
        mean.iter_mut().zip(parts).for_each(|(sum, cost)| *sum += cost / costs.len() as f32);
    }
    mean
}

/// Mean cost in each part of `template` along `path`. A row that lies in two parts counts in both by its share.
fn part_costs(template: &Frames, stream: &Frames, path: &Path) -> Parts {
    let mut rows = vec![(0.0f32, 0.0f32); template.rows()];
    for (row, frame) in &path.pairs {
        rows[*row].0 += distance(template.row(*row), stream.row(*frame));
        rows[*row].1 += 1.0;
    }
    let length = template.rows() as f32 / PARTS as f32;
    std::array::from_fn(|part| {
        let (from, to) = (part as f32 * length, (part + 1) as f32 * length);
        let (mut sum, mut weight) = (0.0, 0.0);
        for (row, (cost, count)) in rows.iter().enumerate() {
            let overlap = to.min(row as f32 + 1.0) - from.max(row as f32);
            if overlap > 0.0 && *count > 0.0 {
                sum += overlap * cost / count;
                weight += overlap;
            }
        }
        if weight > 0.0 { sum / weight } else { 0.0 }
    })
}
