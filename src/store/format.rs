//! The files: magic, version, key id, nonce, length of the name, name; then the body (postcard) under
//! XChaCha20-Poly1305, by which everything before it is authenticated too.

use std::path::Path;

use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead as _, Payload};

use super::StoreError;
use super::key::{ID, Lock, random};

/// What tells one kind of file from another, and its version: another one is refused.
pub struct Format {
    pub magic: &'static [u8; MAGIC],
    pub version: u8,
    /// What it is, with its article.
    pub name: &'static str,
}

const MAGIC: usize = 8;
const NONCE: usize = 24;
const ID_AT: usize = MAGIC + 1;
const NONCE_AT: usize = ID_AT + ID;
const NAME_AT: usize = NONCE_AT + NONCE + 1;

/// The file of `body`, to be stored under `name`; the error is a reason in words.
pub fn seal(format: &Format, lock: &Lock, name: &str, body: &[u8]) -> Result<Vec<u8>, String> {
    let mut nonce = [0; NONCE];
    random(&mut nonce).map_err(|error| error.to_string())?;
    let length = u8::try_from(name.len()).map_err(|error| error.to_string())?;
    let mut bytes = format.magic.to_vec();
    bytes.push(format.version);
    bytes.extend_from_slice(&lock.id);
    bytes.extend_from_slice(&nonce);
    bytes.push(length);
    bytes.extend_from_slice(name.as_bytes());
    let payload = Payload { msg: body, aad: &bytes };
    let sealed = lock.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|error| error.to_string())?;
    bytes.extend(sealed);
    Ok(bytes)
}

/// Whether `bytes`, those of the file at `path`, are of this kind and version: asked before the key, which files of
/// other versions may not have.
pub fn check(format: &Format, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    if bytes.len() <= MAGIC || !bytes.starts_with(format.magic) {
        return Err(StoreError::Damaged { path: path.into(), reason: format!("not {}", format.name) });
    }
    let (found, known) = (bytes[MAGIC], format.version);
    if found == known { Ok(()) } else { Err(StoreError::Version { path: path.into(), found, known }) }
}

/// The body in the checked `bytes` of the file at `path`, which has to be that of `name`. `key` is where `lock` comes from.
pub fn open(
    (lock, key): (&Lock, &Path),
    name: &str,
    path: &Path,
    bytes: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let damaged = |reason: String| StoreError::Damaged { path: path.into(), reason };
    let cut_short = || damaged("cut short".into());
    let length = *bytes.get(NAME_AT - 1).ok_or_else(cut_short)?;
    let (head, sealed) = bytes.split_at_checked(NAME_AT + usize::from(length)).ok_or_else(cut_short)?;
    let mut nonce = XNonce::default();
    nonce.copy_from_slice(&head[NONCE_AT..NAME_AT - 1]);
    if let Ok(body) = lock.cipher.decrypt(&nonce, Payload { msg: sealed, aad: head }) {
        return match std::str::from_utf8(&head[NAME_AT..]) {
            Ok(inside) if inside == name => Ok(body),
            inside => Err(StoreError::Renamed { path: path.into(), name: inside.unwrap_or_default().into() }),
        };
    }
    if head[ID_AT..NONCE_AT] != lock.id {
        return Err(StoreError::OtherKey { path: path.into(), key: key.into() });
    }
    Err(damaged("damaged (its seal is broken)".into()))
}
