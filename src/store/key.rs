//! The key of a store: given by systemd as a credential, or made with the first file and kept beside the folder.

use std::path::{Path, PathBuf};

use chacha20poly1305::{Key, KeyInit as _, XChaCha20Poly1305};
use sha2::{Digest as _, Sha256};

use super::access::Access;
use super::{StoreError, write};

/// Bytes of a key.
pub const KEY: usize = 32;
/// Bytes by which a file knows its key.
pub const ID: usize = 8;
/// Name of the credential.
const CREDENTIAL: &str = "wakeword.key";

/// A key, ready for use.
pub struct Lock {
    pub cipher: XChaCha20Poly1305,
    pub id: [u8; ID],
}

impl Lock {
    fn new(key: &[u8; KEY]) -> Self {
        let digest = Sha256::new().chain_update(b"wakeword key").chain_update(key).finalize();
        let mut id = [0; ID];
        id.copy_from_slice(&digest[..ID]);
        Self { cipher: XChaCha20Poly1305::new(&Key::from(*key)), id }
    }
}

/// Where the key of `folder` is. A credential comes first; then `profiles.key` beside the folder `profiles`, so
/// that a copy of the folder alone says nothing. A service that is given credentials without the key, and has none on
/// the disk, was to have it from there: none is made for it.
pub fn place(folder: &Path, access: Access) -> Result<PathBuf, StoreError> {
    let given = credential().filter(|_| access == Access::Owner);
    if let Some(given) = given.as_ref().filter(|given| given.exists()) {
        return Ok(given.clone());
    }
    let no_place = || StoreError::NoPlace(folder.into());
    // `.` and `..` have no name of their own.
    let named = if folder.file_name().is_some() { Ok(folder.into()) } else { folder.canonicalize() };
    let named: PathBuf = named.map_err(|_| no_place())?;
    let mut name = named.file_name().ok_or_else(no_place)?.to_owned();
    name.push(".key");
    let beside = named.with_file_name(name);
    match given {
        Some(given) if matches!(beside.try_exists(), Ok(false)) => Err(StoreError::NoCredential(given)),
        _ => Ok(beside),
    }
}

/// Where systemd puts the key, if it gives this service any credentials.
fn credential() -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL))
}

/// The key at `path`, if there is one.
pub fn read(path: &Path, access: Access) -> Result<Option<Lock>, StoreError> {
    // Credentials are guarded by systemd, with modes of its own.
    let given = credential().is_some_and(|given| given == path);
    let access = if given { Access::Anybody } else { access };
    let Some((bytes, length)) = access.read(path, KEY as u64)? else { return Ok(None) };
    match <&[u8; KEY]>::try_from(&bytes[..]) {
        Ok(key) => Ok(Some(Lock::new(key))),
        Err(_) => Err(StoreError::BadKey { path: path.into(), found: length }),
    }
}

/// Makes the key at `path`, or returns the one that somebody else has made meanwhile.
pub fn make(path: &Path, access: Access) -> Result<Lock, StoreError> {
    let mut key = [0; KEY];
    random(&mut key).map_err(|source| StoreError::io(path, source))?;
    match write::whole(path, &key, false) {
        Ok(()) => Ok(Lock::new(&key)),
        Err(StoreError::Io { path, source }) if source.kind() == std::io::ErrorKind::AlreadyExists => {
            read(&path, access)?.ok_or(StoreError::Io { path, source })
        }
        Err(error) => Err(error),
    }
}

/// Fills `bytes` with what nobody can guess.
pub fn random(bytes: &mut [u8]) -> std::io::Result<()> {
    getrandom::fill(bytes).map_err(std::io::Error::from)
}
