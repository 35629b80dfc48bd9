//! Enrolment recordings from files.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{EnrolError, MIN_TAKES};
use crate::audio::{AudioError, Clip, is_foreign, read_clip};
use crate::models::Models;
use crate::profile::{Scales, Take};

/// Recordings that cannot be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum TakesError {
    /// A recording cannot be used.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// A folder cannot be read.
    #[error("{path:?}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        source: std::io::Error,
    },
    /// Too few recordings.
    #[error(
        "{found} recordings found in {place}, at least {MIN_TAKES} are needed; record the phrase five times"
    )]
    TooFew {
        /// How many there are.
        found: usize,
        /// Where they were looked for.
        place: String,
    },
    /// One recording given twice teaches nothing and would make every score look perfect.
    #[error("{0:?} and {1:?} hold the same audio; each take must be a recording of its own")]
    Same(PathBuf, PathBuf),
    /// A recording holds no speech.
    #[error(
        "{0:?}: no speech found; speak closer to the microphone, with a moment of quiet around the phrase"
    )]
    NoSpeech(PathBuf),
    /// The recordings were read, but give no profile.
    #[error(transparent)]
    Enrol(EnrolError),
}

/// A recording and its file.
pub struct Recording {
    pub path: PathBuf,
    /// Its audio.
    pub clip: Clip,
}

/// The recordings in `places`: files, and folders as [`audio_files`] reads them.
pub fn files(places: &[PathBuf]) -> Result<Vec<PathBuf>, TakesError> {
    let mut paths = Vec::new();
    for place in places {
        if place.is_dir() { paths.extend(audio_files(place)?) } else { paths.push(place.clone()) }
    }
    Ok(paths)
}

/// Reads the recordings in `places`, as [`files`] finds them.
pub fn read(places: &[PathBuf]) -> Result<Vec<Recording>, TakesError> {
    let paths = files(places)?;
    let found = paths.len();
    // A file that cannot be read is the better reason, so that comes first.
    let recordings = paths.into_iter().map(|path| read_one(&path)).collect::<Result<Vec<_>, AudioError>>()?;
    if found < MIN_TAKES {
        let place = places.iter().map(|place| format!("{place:?}")).collect::<Vec<_>>().join(", ");
        return Err(TakesError::TooFew { found, place });
    }
    distinct(&recordings)?;
    Ok(recordings)
}

/// Reads one recording.
pub fn read_one(path: &Path) -> Result<Recording, AudioError> {
    Ok(Recording { clip: read_clip(path)?, path: path.into() })
}

/// The WAV and FLAC files of a folder by name, sorted. Recordings of other formats that have not been converted are
/// among them, so that reading them says what to do: nothing is passed over in silence.
pub fn audio_files(folder: &Path) -> Result<Vec<PathBuf>, TakesError> {
    let failed = |source| TakesError::Folder { path: folder.into(), source };
    let (mut paths, mut foreign) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let audio =
            |ending: &OsStr| ending.eq_ignore_ascii_case("wav") || ending.eq_ignore_ascii_case("flac");
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        // A dangling link or a pipe is kept, so that reading it names it.
        if hidden || path.is_dir() {
            continue;
        }
        if path.extension().is_some_and(audio) {
            paths.push(path);
        } else if path.extension().is_some_and(is_foreign) {
            foreign.push(path);
        }
    }
    foreign.retain(|other| !paths.iter().any(|path| path.file_stem() == other.file_stem()));
    paths.extend(foreign);
    paths.sort();
    Ok(paths)
}

fn distinct(recordings: &[Recording]) -> Result<(), TakesError> {
    for (index, one) in recordings.iter().enumerate() {
        if let Some(other) = recordings[..index].iter().find(|other| other.clip.samples == one.clip.samples) {
            return Err(TakesError::Same(other.path.clone(), one.path.clone()));
        }
    }
    Ok(())
}

/// [`super::learn`] with errors that name the file.
pub fn learn(models: &Models, recordings: &[Recording]) -> Result<(Vec<Take>, Scales), TakesError> {
    let samples: Vec<&[f32]> = recordings.iter().map(|recording| &recording.clip.samples[..]).collect();
    super::learn(models, &samples).map_err(|error| match error {
        EnrolError::NoSpeech(take) => TakesError::NoSpeech(recordings[take].path.clone()),
        other => TakesError::Enrol(other),
    })
}
