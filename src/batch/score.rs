//! The Auto-KWS 2021 score.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::text::without_mark;

/// Weight of the false-alarm rate in the score.
const FALSE_ALARM_WEIGHT: f64 = 9.0;

/// True labels of a speaker's test files, by file name.
pub type Labels = HashMap<OsString, bool>;

/// Rates of one speaker. Positives or negatives without any file count as no error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Share of the positives that were refused.
    pub miss_rate: f64,
    /// Share of the negatives that were accepted.
    pub false_alarm_rate: f64,
    /// Miss rate + 9 x false-alarm rate.
    pub score: f64,
}

/// Labels that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// The file cannot be read.
    #[error("{path:?}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    /// A line is not `NAME 0|1`.
    #[error("{path:?}:{line}: expected \"NAME 0\" or \"NAME 1\"")]
    Line {
        path: PathBuf,
        /// Counted from one.
        line: usize,
    },
    /// Two labels of one file that differ.
    #[error("{path:?}:{line}: {name:?} has the other label in a line before")]
    Contradiction {
        path: PathBuf,
        /// Counted from one.
        line: usize,
        name: OsString,
    },
    /// A test file has no label.
    #[error("{path:?}: no label for {name:?}")]
    Missing { path: PathBuf, name: OsString },
}

/// Reads lines of `NAME<white space>0|1`.
pub fn read_labels(path: &Path) -> Result<Labels, LabelError> {
    let bytes = std::fs::read(path).map_err(|source| LabelError::Read { path: path.into(), source })?;
    let mut labels = Labels::new();
    for (index, line) in without_mark(&bytes).split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let wrong = || LabelError::Line { path: path.into(), line: index + 1 };
        let split = line.iter().rposition(u8::is_ascii_whitespace).ok_or_else(wrong)?;
        let label = match &line[split + 1..] {
            b"0" => false,
            b"1" => true,
            _ => return Err(wrong()),
        };
        let name = OsStr::from_bytes(line[..split].trim_ascii_end()).to_owned();
        if labels.insert(name.clone(), label).is_some_and(|before| before != label) {
            return Err(LabelError::Contradiction { path: path.into(), line: index + 1, name });
        }
    }
    Ok(labels)
}

impl Score {
    /// Rates of (truth, prediction) pairs.
    pub fn of(pairs: impl Iterator<Item = (bool, bool)>) -> Self {
        let mut counts = [[0f64; 2]; 2];
        pairs.for_each(|(truth, said)| counts[usize::from(truth)][usize::from(said)] += 1.0);
        let rate = |errors: f64, others: f64| if errors == 0.0 { 0.0 } else { errors / (errors + others) };
        Self::from_rates(rate(counts[1][0], counts[1][1]), rate(counts[0][1], counts[0][0]))
    }

    fn from_rates(miss_rate: f64, false_alarm_rate: f64) -> Self {
        Self { miss_rate, false_alarm_rate, score: miss_rate + FALSE_ALARM_WEIGHT * false_alarm_rate }
    }

    /// Mean over speakers; `None` for none.
    pub fn mean(scores: &[Score]) -> Option<Self> {
        let count = scores.len() as f64;
        let mean = |part: fn(&Score) -> f64| scores.iter().map(part).sum::<f64>() / count;
        (!scores.is_empty()).then(|| Self::from_rates(mean(|s| s.miss_rate), mean(|s| s.false_alarm_rate)))
    }
}
