//! Recordings with a table of what is said in them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::table::{Table, TableError};
use crate::features::SAMPLE_RATE;

/// A folder of recordings with tables of what is said in them.
#[derive(Debug)]
pub struct Dataset {
    /// Folder of the takes.
    pub takes: PathBuf,
    /// The phrase, in one token: `hello_sunflower`.
    pub token: String,
    /// Sorted by path.
    pub recordings: Vec<Recording>,
}

/// One recording and what is said in it.
#[derive(Debug)]
pub struct Recording {
    /// WAV or FLAC.
    pub path: PathBuf,
    /// In the order of the table.
    pub segments: Vec<Segment>,
}

/// Something said, or another sound.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The range, in samples at 16 kHz from the beginning.
    pub samples: Range<u64>,
    /// Whether it should be accepted.
    pub accept: bool,
}

/// A dataset that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The system refused.
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// There are no recordings.
    #[error(
        "{0}.tsv: not there, and {0}/ holds no table; a split is SPLIT.tsv beside SPLIT.flac or .wav, or a folder of such pairs"
    )]
    NoTables(PathBuf),
    /// A table without its recording.
    #[error("{0}: no recording of this name ending in .flac or .wav beside it")]
    NoRecording(PathBuf),
    /// The table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A line of a table that cannot be used.
    #[error("{path}:{line}: {reason}")]
    Line {
        path: PathBuf,
        /// Counted from one.
        line: usize,
        reason: String,
    },
    /// Two phrases to accept, where an enrolment has one.
    #[error(
        "{path}:{line}: {found:?} is to be accepted, and elsewhere {phrase:?}; an enrolment has one phrase"
    )]
    Phrases {
        path: PathBuf,
        /// Counted from one.
        line: usize,
        found: String,
        phrase: String,
    },
}

impl Dataset {
    /// The takes in `folder/config` and the recordings of `split`: `folder/split.tsv` with a recording beside
    /// it, or all such pairs in the folder `folder/split`.
    pub fn read(folder: &Path, config: &str, split: &str) -> Result<Self, DatasetError> {
        let place = folder.join(split);
        let table = suffixed(&place, "tsv");
        let tables = if table.is_file() { vec![table] } else { tables(&place)? };
        if tables.is_empty() {
            return Err(DatasetError::NoTables(place));
        }
        let mut phrase = None;
        let recordings =
            tables.iter().map(|table| read_table(table, &mut phrase)).collect::<Result<Vec<_>, _>>()?;
        let words = phrase.unwrap_or_else(|| config.to_owned());
        let token = words.split_whitespace().collect::<Vec<_>>().join("_");
        Ok(Self { takes: folder.join(config), token, recordings })
    }
}

/// `path` with an ending added, whatever dots its name has.
fn suffixed(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn tables(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let failed = |source| DatasetError::Io { path: folder.into(), source };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let paths = std::fs::read_dir(folder).map_err(failed)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "tsv"));
    paths.sort();
    Ok(paths)
}

/// Seconds as samples at 16 kHz, if both are positions in a recording and the end comes last.
fn range(start: &str, end: &str) -> Option<Range<u64>> {
    let [start, end] = [start, end].map(|text| text.parse::<f64>().ok());
    let (start, end) = start.zip(end)?;
    let sample = |seconds: f64| (seconds * SAMPLE_RATE as f64) as u64;
    (0.0 <= start && start < end && end.is_finite()).then(|| sample(start)..sample(end))
}

fn read_table(path: &Path, phrase: &mut Option<String>) -> Result<Recording, DatasetError> {
    let recording = ["flac", "wav"].map(|ending| path.with_extension(ending));
    let recording = recording.into_iter().find(|path| path.is_file());
    let recording = recording.ok_or_else(|| DatasetError::NoRecording(path.into()))?;
    let table = Table::read(path, [&["start_s"], &["end_s"], &["text"], &["expected"]])?;
    let mut segments = Vec::new();
    for (number, [start, end, found, expected]) in table.rows {
        let wrong = |reason| DatasetError::Line { path: path.into(), line: number, reason };
        let samples = range(&start, &end).ok_or_else(|| {
            wrong(format!(
                "{start:?} to {end:?} is no range: give seconds from the beginning, the start first"
            ))
        })?;
        let accept = match &*expected {
            "accept" => true,
            "refuse" => false,
            _ => return Err(wrong(format!("expected is {expected:?}; it is accept or refuse"))),
        };
        if segments.iter().any(|other: &Segment| other.samples == samples && other.accept != accept) {
            return Err(wrong(format!("{start} to {end} s has the other label in a line before")));
        }
        match phrase {
            _ if !accept => {}
            None => *phrase = Some(found),
            Some(phrase) if *phrase == found => {}
            Some(phrase) => {
                let phrase = phrase.clone();
                return Err(DatasetError::Phrases { path: path.into(), line: number, found, phrase });
            }
        }
        segments.push(Segment { samples, accept });
    }
    Ok(Recording { path: recording, segments })
}
