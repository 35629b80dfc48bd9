//! How the melody of a candidate differs from that of the takes.

use crate::features::Frames;
use crate::features::level::percentile;
use crate::keyword::path::align;
use crate::profile::Take;

/// Frames that have to be voiced in both; fewer say nothing.
const MIN_VOICED: usize = 8;

/// Median over the takes of how much the pitch of a candidate moves otherwise than theirs: the mean absolute
/// deviation, from its median, of the difference of the log frequencies (natural logarithm) along the cepstral
/// alignment. `cepstra` are those of the candidate, `pitch` its log frequencies (0 where unvoiced). `None` where too
/// little is voiced, as in a whisper.
pub fn pitch_deviation(takes: &[Take], cepstra: &Frames, pitch: &[f32]) -> Option<f32> {
    let mut deviations: Vec<f32> = takes.iter().filter_map(|take| deviation(take, cepstra, pitch)).collect();
    (!deviations.is_empty()).then(|| percentile(&mut deviations, 0.5))
}

fn deviation(take: &Take, cepstra: &Frames, pitch: &[f32]) -> Option<f32> {
    let path = align(&take.cepstra, cepstra)?;
    let difference = |(row, frame): &(usize, usize)| {
        let (taken, heard) = (*take.pitch.get(*row)?, *pitch.get(*frame)?);
        (taken > 0.0 && heard > 0.0).then_some(heard - taken)
    };
    let mut differences: Vec<f32> = path.pairs.iter().filter_map(difference).collect();
    if differences.len() < MIN_VOICED {
        return None;
    }
    let median = percentile(&mut differences, 0.5);
    // A pitch tracker errs by octaves: what is left of one counts.
    let octave = std::f32::consts::LN_2;
    let folded = differences.iter().map(|difference| {
        let rest = difference - median;
        (rest - octave * (rest / octave).round()).abs()
    });
    Some(folded.sum::<f32>() / differences.len() as f32)
}
