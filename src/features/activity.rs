//! Where a recording rises above its noise.

use std::ops::Range;

/// Runs of frames whose level is at least `onset` (dBFS).
pub fn runs(levels: &[f32], onset: f32) -> Vec<Range<usize>> {
    let loud = levels.iter().enumerate().filter(|(_, level)| **level >= onset);
    join(loud.map(|(frame, _)| frame..frame + 1), 0)
}

/// Joins neighbouring runs that are at most `pause` frames apart.
pub fn join(runs: impl IntoIterator<Item = Range<usize>>, pause: usize) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last) if run.start - last.end <= pause => last.end = run.end,
            _ => joined.push(run),
        }
    }
    joined
}
