//! Enrolment of a whole list of phrases from a folder of recordings.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::audio::AudioError;
use crate::enroll::takes::{Recording, TakesError, audio_files, read_one};
use crate::enroll::{EnrolError, learn_listed};
use crate::models::Models;
use crate::profile::Profile;

/// Recordings that give no list of phrases.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// A folder or a recording cannot be used.
    #[error(transparent)]
    Takes(#[from] TakesError),
    /// The takes of one phrase give no profile.
    #[error("{folder:?}: {source}")]
    Enrol {
        /// Folder of the takes.
        folder: PathBuf,
        source: EnrolError,
    },
    /// No recordings anywhere.
    #[error("{0:?}: no recordings; each folder PHRASE or SPEAKER/PHRASE in it holds two or more takes")]
    Empty(PathBuf),
}

/// One profile for every folder under `root` that holds recordings, in the order of their paths. The folder's
/// name is the phrase, that of the folder around it the user; profiles are called by their number.
pub fn enrol(models: &Models, root: &Path) -> Result<Vec<Profile>, ListError> {
    let mut folders = Vec::new();
    collect(root, &mut folders)?;
    if folders.is_empty() {
        return Err(ListError::Empty(root.into()));
    }
    let enrol_one = |(number, (folder, files)): (usize, (PathBuf, Vec<PathBuf>))| {
        let recordings =
            files.iter().map(|file| read_one(file)).collect::<Result<Vec<Recording>, AudioError>>();
        let recordings = recordings.map_err(TakesError::from)?;
        let samples: Vec<&[f32]> = recordings.iter().map(|recording| &recording.clip.samples[..]).collect();
        let learned = learn_listed(models, &samples).map_err(|error| match error {
            EnrolError::NoSpeech(take) => ListError::Takes(TakesError::NoSpeech(files[take].clone())),
            source => ListError::Enrol { folder: folder.clone(), source },
        })?;
        let name = |path: Option<&Path>| {
            path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
        };
        let phrase = name(Some(&folder));
        let mut profile = Profile::new(&format!("{:04}", number + 1), &phrase, &models.fingerprint, learned);
        if folder.parent() != Some(root) {
            profile.user = name(folder.parent());
        }
        Ok(profile)
    };
    folders.into_par_iter().enumerate().map(enrol_one).collect()
}

/// Adds the folders under `folder` that hold recordings, and these.
fn collect(folder: &Path, found: &mut Vec<(PathBuf, Vec<PathBuf>)>) -> Result<(), TakesError> {
    let failed = |source| TakesError::Folder { path: folder.into(), source };
    let mut inner = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // Links to folders are not followed: they may lead round in circles.
        if entry.file_type().map_err(failed)?.is_dir() {
            inner.push(entry.path());
        }
    }
    inner.sort();
    let files = audio_files(folder)?;
    if !files.is_empty() {
        found.push((folder.into(), files));
    }
    inner.iter().try_for_each(|folder| collect(folder, found))
}
