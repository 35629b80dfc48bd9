//! Profiles and voices on disk: one file each, sealed with the store's key, written whole or not at all.

mod access;
mod error;
mod format;
mod key;
mod kind;
pub mod transfer;
mod write;

#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use access::Access;
pub use error::StoreError;
use key::Lock;
pub use kind::Kind;
pub use write::{Readers, put};

use crate::profile::Profile;
use crate::speaker::voice::Voice;

/// Longest profile name, in bytes.
const MAX_NAME: usize = 64;
/// Larger files are not profiles.
const MAX_BYTES: u64 = 64 << 20;

/// Seconds since 1970, as what is stored says when it was made.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

/// A folder of profiles, or the voices in the same folder.
#[derive(Clone, Debug)]
pub struct Store<T = Profile> {
    folder: PathBuf,
    access: Access,
    kind: PhantomData<T>,
}

impl Store {
    /// The store in `folder`, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), access: Access::Owner, kind: PhantomData }
    }

    /// The same for everybody to read, its key too, whoever it belongs to: part of something that is given away.
    pub fn for_anybody(self) -> Self {
        Self { access: Access::Anybody, ..self }
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
        Store { folder: self.folder.clone(), access: self.access, kind: PhantomData }
    }
}

impl<T: Kind> Store<T> {
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names of what is stored, sorted. None when the folder does not exist.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        self.access.check_folder(&self.folder)?;
        if self.access == Access::Owner {
            write::sweep(&self.folder, None);
        }
        self.files(&[T::EXTENSION])
    }

    /// Names of the files with one of these endings.
    fn files(&self, extensions: &[&str]) -> Result<Vec<String>, StoreError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::io(&self.folder, source)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| StoreError::io(&self.folder, source))?.path();
            let ours = |found| extensions.iter().any(|extension| found == *extension);
            if path.extension().is_some_and(ours) {
                names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(String::from));
            }
        }
        names.sort();
        Ok(names)
    }

    pub fn load(&self, name: &str) -> Result<T, StoreError> {
        let path = self.path(name)?;
        self.access.check_folder(&self.folder)?;
        let (bytes, length) = self.access.read(&path, MAX_BYTES)?.ok_or_else(|| self.unknown(name))?;
        if length > MAX_BYTES {
            return Err(StoreError::Damaged { path, reason: "too large for a profile".into() });
        }
        format::check(&T::FORMAT, &path, &bytes)?;
        let key = key::place(&self.folder, self.access)?;
        let lock = key::read(&key, self.access)?
            .ok_or_else(|| StoreError::NoKey { key: key.clone(), folder: self.folder.clone() })?;
        let body = format::open((&lock, &key), name, &path, &bytes)?;
        T::decode(&body).map_err(|reason| StoreError::Damaged { path, reason })
    }

    /// Fails if one of this name could not be [`put`](Self::put); asked before the work of enrolling.
    pub fn check_free(&self, name: &str, replace: bool) -> Result<(), StoreError> {
        let path = self.path(name)?;
        self.access.check_folder(&self.folder)?;
        self.known_lock()?;
        match path.symlink_metadata() {
            Ok(_) if !replace => Err(T::exists(name.into())),
            _ => Ok(()),
        }
    }

    /// Adds one; what has its name stays, even if it came a moment ago.
    pub fn add(&self, content: &T) -> Result<PathBuf, StoreError> {
        self.put(content, false)
    }

    /// Adds one, or replaces the one of its name: the old or the new is there, never a part.
    pub fn save(&self, content: &T) -> Result<PathBuf, StoreError> {
        self.put(content, true)
    }

    /// Deletes one, and what a crash may have left of it.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.path(name)?;
        write::sweep(&self.folder, Some(&path));
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(self.unknown(name)),
            Err(source) => Err(StoreError::io(&path, source)),
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

    /// The key that there is; `None` if the first file is yet to come. Files without a key are an error: those of
    /// a new key beside them would belong to another store.
    fn known_lock(&self) -> Result<Option<Lock>, StoreError> {
        let key = key::place(&self.folder, self.access)?;
        let lock = key::read(&key, self.access)?;
        if lock.is_none() && !self.files(&[Profile::EXTENSION, Voice::EXTENSION])?.is_empty() {
            return Err(StoreError::NoKey { key, folder: self.folder.clone() });
        }
        Ok(lock)
    }

    /// [`Self::save`], or without `replace` [`Self::add`].
    pub fn put(&self, content: &T, replace: bool) -> Result<PathBuf, StoreError> {
        let path = self.path(content.name())?;
        self.access.check_folder(&self.folder)?;
        let lock = match self.known_lock()? {
            Some(lock) => lock,
            None => key::make(&key::place(&self.folder, self.access)?, self.access)?,
        };
        let sealed = content.encode().and_then(|body| format::seal(&T::FORMAT, &lock, content.name(), &body));
        let bytes = sealed.map_err(|reason| StoreError::Damaged { path: path.clone(), reason })?;
        write::whole(&path, &bytes, replace).map_err(|error| match error {
            StoreError::Io { source, .. } if !replace && source.kind() == ErrorKind::AlreadyExists => {
                T::exists(content.name().into())
            }
            other => other,
        })?;
        Ok(path)
    }
}
