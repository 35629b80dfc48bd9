//! The Auto-KWS 2021 challenge: its folders, its predictions.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::hear;
use super::score::{LabelError, Labels, read_labels};
use crate::engine::Engine;
use crate::engine::rule::Rule;
use crate::enroll::takes::{self, Recording, TakesError, audio_files};
use crate::enroll::{Quality, add_near_words, near_word};
use crate::features::SAMPLE_RATE;
use crate::models::Models;
use crate::profile::Profile;

/// Takes used of the training layout, which has more than a challenge enrolment.
const TRAINING_TAKES: usize = 5;

/// One speaker's folder.
#[derive(Debug)]
pub struct Speaker {
    pub name: OsString,
    pub enroll: Vec<PathBuf>,
    /// Recordings of the owner's near words; none in most datasets.
    pub near: Vec<PathBuf>,
    /// Recordings to decide on.
    pub test: Vec<PathBuf>,
    /// True labels, where known.
    pub labels: Option<Labels>,
}

/// A challenge folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A folder cannot be read.
    #[error(transparent)]
    Folder(#[from] TakesError),
    /// There is no speaker.
    #[error(
        "{0:?}: no speaker folders; each needs enroll/ (or enrollment/) and test/, or keywords/ and others/"
    )]
    NoSpeakers(PathBuf),
    /// The labels do not fit.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// The predictions cannot be written.
    #[error("{path:?}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
}

/// The speakers of `dataset`, sorted by name. Labels come from `solution` where it is given, and from
/// the folders of the training layout.
pub fn speakers(dataset: &Path, solution: Option<&Path>) -> Result<Vec<Speaker>, DatasetError> {
    let failed = |source| TakesError::Folder { path: dataset.into(), source };
    let mut speakers = Vec::new();
    for entry in std::fs::read_dir(dataset).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        speakers.extend(speaker(&entry.path(), entry.file_name())?);
    }
    if speakers.is_empty() {
        return Err(DatasetError::NoSpeakers(dataset.into()));
    }
    speakers.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(solution) = solution {
        for speaker in &mut speakers {
            let path = solution.join(suffixed(&speaker.name, "_test_labels.txt"));
            let labels = read_labels(&path)?;
            if let Some(name) =
                speaker.test.iter().map(|path| file_name(path)).find(|name| !labels.contains_key(name))
            {
                return Err(LabelError::Missing { path, name }.into());
            }
            speaker.labels = Some(labels);
        }
    }
    Ok(speakers)
}

/// The speaker in `folder`, if it is in one of the known layouts.
fn speaker(folder: &Path, name: OsString) -> Result<Option<Speaker>, DatasetError> {
    let enroll =
        ["enroll", "enrollment"].map(|part| folder.join(part)).into_iter().find(|part| part.is_dir());
    if let Some(enroll) = enroll {
        let test = folder.join("test");
        let test = if test.is_dir() { audio_files(&test)? } else { Vec::new() };
        let near = folder.join("near");
        let near = if near.is_dir() { audio_files(&near)? } else { Vec::new() };
        return Ok(Some(Speaker { name, enroll: audio_files(&enroll)?, near, test, labels: None }));
    }
    let (keywords, others) = (folder.join("keywords"), folder.join("others"));
    if !keywords.is_dir() || !others.is_dir() {
        return Ok(None);
    }
    let mut enroll = audio_files(&keywords)?;
    let mut test = enroll.split_off(enroll.len().min(TRAINING_TAKES));
    let others = audio_files(&others)?;
    let labelled = |paths: &[PathBuf], label| paths.iter().map(|p| (file_name(p), label)).collect::<Vec<_>>();
    let labels = labelled(&test, true).into_iter().chain(labelled(&others, false)).collect();
    test.extend(others);
    Ok(Some(Speaker { name, enroll, near: Vec::new(), test, labels: Some(labels) }))
}

/// The last component of `path`.
pub fn file_name(path: &Path) -> OsString {
    path.file_name().unwrap_or_default().to_owned()
}

fn suffixed(name: &OsString, suffix: &str) -> OsString {
    let mut name = name.clone();
    name.push(suffix);
    name
}

/// Learns a speaker's phrase. A recording that cannot be used is left out and goes to `warn`.
pub fn enrol(models: &Models, files: &[PathBuf], warn: &(dyn Fn(String) + Sync)) -> Option<Profile> {
    let mut recordings: Vec<Recording> = Vec::new();
    for path in files {
        match takes::read_one(path) {
            Ok(recording) => recordings.push(recording),
            Err(error) => warn(format!("{error}; left out of the enrolment")),
        }
    }
    loop {
        match takes::learn(models, &recordings) {
            Ok(learned) => return Some(Profile::new("speaker", "", &models.fingerprint, learned)),
            Err(TakesError::NoSpeech(path)) => {
                warn(format!("{path:?}: no speech found; left out of the enrolment"));
                recordings.retain(|recording| recording.path != path);
            }
            Err(error) => {
                warn(format!("{error}; nothing will be accepted"));
                return None;
            }
        }
    }
}

/// Teaches `profile` the near words in `files`. A recording that cannot be used is left out and goes to `warn`.
pub fn teach_near_words(
    models: &Models,
    limits: &Quality,
    profile: &mut Profile,
    files: &[PathBuf],
    warn: &(dyn Fn(String) + Sync),
) {
    let mut words = Vec::new();
    for path in files {
        let heard = takes::read_one(path).map_err(|error| error.to_string()).and_then(|recording| {
            let word = near_word(models, limits, profile, &recording.clip.samples);
            word.map_err(|error| format!("{}: {error}", path.display()))
        });
        match heard {
            Ok(word) => words.push(word),
            Err(error) => warn(format!("{error}; left out of the near words")),
        }
    }
    add_near_words(profile, words);
}

/// What became of one test file.
pub struct Prediction {
    pub name: OsString,
    /// Whether the speaker's phrase was heard.
    pub accepted: bool,
    /// Length of the audio in seconds.
    pub seconds: f64,
    /// Whether that is all of it: what was not heard is refused.
    pub complete: bool,
}

/// Decides on every file, in order. One that cannot be read, and every file without a profile, is
/// refused; what was wrong goes to `warn`.
pub fn predict(
    models: &Arc<Models>,
    rule: &Rule,
    profile: Option<Arc<Profile>>,
    files: &[PathBuf],
    warn: &(dyn Fn(String) + Sync),
) -> Vec<Prediction> {
    let profiles: Vec<Arc<Profile>> = profile.into_iter().collect();
    let mut engine = Engine::new(models.clone(), &profiles, rule.clone());
    let decide = |path: &PathBuf| {
        let mut accepted = false;
        let (samples, end) = hear(&mut engine, path, |event| accepted |= event.is_detected());
        if let Err(error) = &end {
            warn(format!("{error}"));
        }
        let seconds = samples as f64 / SAMPLE_RATE as f64;
        Prediction { name: file_name(path), accepted, seconds, complete: end.is_ok() }
    };
    files.iter().map(decide).collect()
}

/// The file of predictions of `speaker` in `folder`.
pub fn predictions_path(folder: &Path, speaker: &OsString) -> PathBuf {
    folder.join(suffixed(speaker, "_predictions.txt"))
}

/// Writes one line `NAME<TAB>0|1` a prediction; the file appears whole or not at all.
pub fn write_predictions(path: &Path, predictions: &[Prediction]) -> Result<(), DatasetError> {
    let failed = |source| DatasetError::Write { path: path.into(), source };
    let mut lines = Vec::new();
    for prediction in predictions {
        lines.extend_from_slice(prediction.name.as_bytes());
        lines.extend_from_slice(if prediction.accepted { b"\t1\n" } else { b"\t0\n" });
    }
    super::write_whole(path, &lines).map_err(failed)
}
