//! Profiles and voices on disk: one file each, written whole or not at all.

mod format;
mod voices;

#[cfg(test)]
mod tests;

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::profile::Profile;

/// Ending of profile files.
const EXTENSION: &str = "wakeword";
/// Longest profile name, in bytes.
const MAX_NAME: usize = 64;
/// Larger files are not profiles.
const MAX_BYTES: u64 = 64 << 20;

/// A folder of profiles.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A profile that cannot be stored, found or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The name cannot be a file's.
    #[error(
        "{0:?} cannot name a profile or a speaker: use 1 to {MAX_NAME} letters, digits, '-', '_' or '.', not '.' first"
    )]
    BadName(String),
    /// No such profile.
    #[error("no profile named {name:?} in {folder}; `wakeword profiles list` shows those there are")]
    Unknown {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The name is taken.
    #[error("a profile named {0:?} exists; choose another name, or `wakeword profiles remove {0}` first")]
    Exists(String),
    /// No such voice.
    #[error("no speaker named {name:?} in {folder}; `wakeword speakers list` shows those there are")]
    UnknownVoice {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The voice's name is taken.
    #[error("a speaker named {0:?} exists; choose another name, or replace it with --replace")]
    VoiceExists(String),
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not an intact profile or voice.
    #[error("{path}: {reason}; enrol again, or restore the file from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Store {
    /// The store in `folder`, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names of the stored profiles, sorted. None when the folder does not exist.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        self.list(EXTENSION)
    }

    /// Reads one profile.
    pub fn load(&self, name: &str) -> Result<Profile, StoreError> {
        let path = self.path(name, EXTENSION)?;
        let unknown = || StoreError::Unknown { name: name.into(), folder: self.folder.clone() };
        let bytes = Self::read(&path)?.ok_or_else(unknown)?;
        format::decode(&bytes).map_err(|reason| StoreError::Damaged { path, reason })
    }

    /// Fails if a profile of this name cannot be added; asked before the work of enrolling.
    pub fn check_free(&self, name: &str) -> Result<(), StoreError> {
        match self.path(name, EXTENSION)?.symlink_metadata() {
            Ok(_) => Err(StoreError::Exists(name.into())),
            Err(_) => Ok(()),
        }
    }

    /// Adds a profile, or replaces the one of that name: the old or the new is there, never a part.
    pub fn save(&self, profile: &Profile) -> Result<PathBuf, StoreError> {
        let path = self.path(&profile.name, EXTENSION)?;
        let bytes =
            format::encode(profile).map_err(|reason| StoreError::Damaged { path: path.clone(), reason })?;
        self.write(path, &bytes)
    }

    /// Deletes a profile.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name, EXTENSION)?;
        let unknown = || StoreError::Unknown { name: name.into(), folder: self.folder.clone() };
        Self::delete(path)?.then_some(()).ok_or_else(unknown)
    }

    fn path(&self, name: &str, extension: &str) -> Result<PathBuf, StoreError> {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let good =
            !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.') && name.chars().all(allowed);
        if !good {
            return Err(StoreError::BadName(name.into()));
        }
        Ok(self.folder.join(format!("{name}.{extension}")))
    }

    fn list(&self, extension: &str) -> Result<Vec<String>, StoreError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::Io { path: self.folder.clone(), source }),
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| StoreError::Io { path: self.folder.clone(), source })?.path();
            if path.extension().is_some_and(|found| found == extension) {
                names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(String::from));
            }
        }
        names.sort();
        Ok(names)
    }

    /// The bytes of a file of this store, or `None` if there is none.
    fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        let size = match std::fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Io { path: path.into(), source }),
        };
        if size > MAX_BYTES {
            return Err(StoreError::Damaged { path: path.into(), reason: "too large for a profile".into() });
        }
        std::fs::read(path).map(Some).map_err(|source| StoreError::Io { path: path.into(), source })
    }

    fn write(&self, path: PathBuf, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let failed = |source| StoreError::Io { path: path.clone(), source };
        let folder_failed = |source| StoreError::Io { path: self.folder.clone(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(folder_failed)?;
        // Temporary files are created with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(folder_failed)?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        // The new name is only safe once the folder is on disk too.
        std::fs::File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(folder_failed)?;
        Ok(path)
    }

    /// Whether there was something to delete.
    fn delete(path: PathBuf) -> Result<bool, StoreError> {
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }
}
