//! Profiles and voices on disk: one file each, written whole or not at all.

mod format;
mod kind;

#[cfg(test)]
mod tests;

use std::io::{ErrorKind, Write as _};
use std::marker::PhantomData;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

pub use self::kind::Kind;
use crate::profile::Profile;
use crate::speaker::voice::Voice;

/// Longest profile name, in bytes.
const MAX_NAME: usize = 64;
/// Larger files are not profiles.
const MAX_BYTES: u64 = 64 << 20;

/// A folder of profiles, or the voices in the same folder.
#[derive(Clone, Debug)]
pub struct Store<T = Profile> {
    folder: PathBuf,
    kind: PhantomData<T>,
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
        Self { folder: folder.into(), kind: PhantomData }
    }

    /// Gives a profile another name, under which there must be none. Whose it is does not change.
    pub fn rename(&self, name: &str, new: &str) -> Result<PathBuf, StoreError> {
        let mut profile = self.load(name)?;
        profile.name = new.into();
        // In between it is there twice rather than not at all.
        let path = self.add(&profile)?;
        self.remove(name)?;
        Ok(path)
    }

    /// The voices beside the profiles.
    pub fn voices(&self) -> Store<Voice> {
        Store { folder: self.folder.clone(), kind: PhantomData }
    }
}

impl<T: Kind> Store<T> {
    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names of what is stored, sorted. None when the folder does not exist.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::Io { path: self.folder.clone(), source }),
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| StoreError::Io { path: self.folder.clone(), source })?.path();
            if path.extension().is_some_and(|found| found == T::EXTENSION) {
                names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(String::from));
            }
        }
        names.sort();
        Ok(names)
    }

    /// Reads one.
    pub fn load(&self, name: &str) -> Result<T, StoreError> {
        let path = self.path(name)?;
        let failed = |source| StoreError::Io { path: path.clone(), source };
        let size = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(self.unknown(name)),
            Err(source) => return Err(failed(source)),
        };
        if size > MAX_BYTES {
            return Err(StoreError::Damaged { path, reason: "too large for a profile".into() });
        }
        let bytes = std::fs::read(&path).map_err(failed)?;
        T::decode(&bytes).map_err(|reason| StoreError::Damaged { path, reason })
    }

    /// Fails if one of this name cannot be added; asked before the work of enrolling.
    pub fn check_free(&self, name: &str) -> Result<(), StoreError> {
        match self.path(name)?.symlink_metadata() {
            Ok(_) => Err(T::exists(name.into())),
            Err(_) => Ok(()),
        }
    }

    /// Adds one; what has its name stays, even if it came a moment ago.
    pub fn add(&self, content: &T) -> Result<PathBuf, StoreError> {
        self.write(content, false)
    }

    /// Adds one, or replaces the one of its name: the old or the new is there, never a part.
    pub fn save(&self, content: &T) -> Result<PathBuf, StoreError> {
        self.write(content, true)
    }

    /// Deletes one.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name)?;
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(self.unknown(name)),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    fn unknown(&self, name: &str) -> StoreError {
        T::unknown(name.into(), self.folder.clone())
    }

    fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let good =
            !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.') && name.chars().all(allowed);
        if !good {
            return Err(StoreError::BadName(name.into()));
        }
        Ok(self.folder.join(format!("{name}.{}", T::EXTENSION)))
    }

    fn write(&self, content: &T, replace: bool) -> Result<PathBuf, StoreError> {
        let path = self.path(content.name())?;
        let bytes = content.encode().map_err(|reason| StoreError::Damaged { path: path.clone(), reason })?;
        let failed = |source| StoreError::Io { path: path.clone(), source };
        let folder_failed = |source| StoreError::Io { path: self.folder.clone(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(folder_failed)?;
        // Temporary files are created with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(folder_failed)?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        file.write_all(&bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        let placed = if replace { file.persist(&path) } else { file.persist_noclobber(&path) };
        placed.map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists if !replace => T::exists(content.name().into()),
            _ => failed(error.error),
        })?;
        // The new name is only safe once the folder is on disk too.
        std::fs::File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(folder_failed)?;
        Ok(path)
    }
}
