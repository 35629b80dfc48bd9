//! The owner's near words: templates that a candidate must be unlike.

use crate::features::Frames;
use crate::keyword::path::{Path, align, distance};
use crate::profile::{NearWord, Take};

/// Takes that count: those nearest to the candidate.
const TAKES: usize = 3;
/// Near words that count: those nearest to the candidate.
const NEAR_WORDS: usize = 2;

/// On which side of the way from the takes to the near words a candidate lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearMargin {
    /// By keyword vectors: about 1 at a take, about -1 at a near word.
    pub keyword: f32,
    /// By cepstra: DTW cost to the near words less that to the takes, -2 to 2.
    pub cepstral: f32,
}

impl NearMargin {
    /// Compares the keyword `vectors` and `cepstra` of a candidate with `takes` and with `near` words; `None` without
    /// near words, or where nothing can be aligned.
    pub fn new(takes: &[Take], near: &[NearWord], vectors: &Frames, cepstra: &Frames) -> Option<Self> {
        if near.is_empty() {
            return None;
        }
        let mut nearest: Vec<(&Take, Path)> =
            takes.iter().filter_map(|take| Some((take, align(&take.vectors, vectors)?))).collect();
        nearest.sort_by(|a, b| a.1.cost.total_cmp(&b.1.cost));
        nearest.truncate(TAKES);
        let sides = near.iter().filter_map(|word| {
            let sides: Option<Vec<f32>> =
                nearest.iter().map(|(take, path)| side(take, path, word, vectors)).collect();
            mean(sides?.into_iter(), TAKES)
        });
        let cost = |template: &Frames| Some(align(template, cepstra)?.cost);
        let to_near = mean(near.iter().filter_map(|word| cost(&word.cepstra)), NEAR_WORDS)?;
        let to_takes = mean(takes.iter().filter_map(|take| cost(&take.cepstra)), TAKES)?;
        Some(Self { keyword: mean(sides, NEAR_WORDS)?, cepstral: to_near - to_takes })
    }
}

/// Distance of the candidate from `word` less that from `take`, for each unit of distance between these two.
fn side(take: &Take, path: &Path, word: &NearWord, vectors: &Frames) -> Option<f32> {
    let (heard, said) = (frames(path, take), frames(&align(&take.vectors, &word.vectors)?, take));
    let (mut gain, mut width) = (0.0, 0.0);
    for (row, taken) in take.vectors.iter().enumerate() {
        let (candidate, near) = (vectors.row(heard[row]), word.vectors.row(said[row]));
        gain += distance(candidate, near) - distance(candidate, taken);
        width += distance(near, taken);
    }
    Some(gain / width.max(f32::EPSILON))
}

/// The last frame that each row of the take is aligned with.
fn frames(path: &Path, take: &Take) -> Vec<usize> {
    let mut frames = vec![0; take.vectors.rows()];
    path.pairs.iter().for_each(|(row, frame)| frames[*row] = *frame);
    frames
}

/// Mean of the `count` lowest values; `None` for none.
fn mean(values: impl Iterator<Item = f32>, count: usize) -> Option<f32> {
    let mut values: Vec<f32> = values.collect();
    values.sort_by(f32::total_cmp);
    values.truncate(count);
    (!values.is_empty()).then(|| values.iter().sum::<f32>() / values.len() as f32)
}
