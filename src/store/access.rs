//! Who may look into a store: files and folders are their owner's alone, or they are not used.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::StoreError;

/// Bits of a mode that let anybody but the owner in.
const OTHERS: u32 = 0o077;
/// Modes of folders and of files.
pub const FOLDER_MODE: u32 = 0o700;
pub const FILE_MODE: u32 = 0o600;

/// For whom a store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For the user that this runs as: whatever others could read or change is refused.
    Owner,
    /// For everybody on purpose, as in an image that is given away.
    Anybody,
}

impl Access {
    /// Refuses a folder that others may look into. One that does not exist passes.
    pub fn check_folder(self, folder: &Path) -> Result<(), StoreError> {
        match folder.metadata() {
            Ok(found) => self.check(folder, &found, FOLDER_MODE),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(StoreError::io(folder, source)),
        }
    }

    fn check(self, path: &Path, found: &Metadata, wanted: u32) -> Result<(), StoreError> {
        if self == Self::Anybody {
            return Ok(());
        }
        let (owner, us) = (found.uid(), rustix::process::geteuid().as_raw());
        if owner != us {
            return Err(StoreError::Owner { path: path.into(), owner, us });
        }
        let mode = found.permissions().mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(StoreError::Open { path: path.into(), mode, wanted });
        }
        Ok(())
    }

    /// The bytes of a file that nobody else could have read or changed, and its true length: of a longer one
    /// than `most` bytes nothing is read. `None` if there is none.
    pub fn read(self, path: &Path, most: u64) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let failed = |source| StoreError::io(path, source);
        let Some(file) = self.open(path)? else { return Ok(None) };
        let found = file.metadata().map_err(failed)?;
        if !found.is_file() {
            return Err(StoreError::Damaged { path: path.into(), reason: "not a regular file".into() });
        }
        self.check(path, &found, FILE_MODE)?;
        let mut bytes = Vec::new();
        if found.len() <= most {
            file.take(most).read_to_end(&mut bytes).map_err(failed)?;
        }
        Ok(Some((bytes, found.len())))
    }

    fn open(self, path: &Path) -> Result<Option<File>, StoreError> {
        // A pipe would wait for its writer.
        let mut flags = OFlags::NONBLOCK;
        flags.set(OFlags::NOFOLLOW, self == Self::Owner);
        match OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                Err(StoreError::Link(path.into()))
            }
            Err(source) => Err(StoreError::io(path, source)),
        }
    }
}
