//! Profiles on their way to another machine, encrypted with a passphrase.
//!
//! The file: magic, version, salt, nonce, then the body of a profile under XChaCha20-Poly1305, whose key is
//! Argon2id (RFC 9106) of passphrase and salt. Everything before the body is authenticated too. The common format
//! for such files, that of age, would have brought a hundred packages for its messages in many languages.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{Key, KeyInit as _, XChaCha20Poly1305, XNonce};

use super::key::random;
use super::{Kind as _, MAX_BYTES, StoreError, write};
use crate::profile::Profile;
use crate::text::text;

/// Ending of exported files.
pub const EXTENSION: &str = "wakecase";
/// The shortest passphrase that an export takes, in characters: whoever has the file may guess for ever.
pub const SHORTEST: usize = 8;

const MAGIC: &[u8; 8] = b"WAKECASE";
const SALT: usize = 16;
const NONCE: usize = 24;
const SALT_AT: usize = MAGIC.len() + 1;
const NONCE_AT: usize = SALT_AT + SALT;
const BODY_AT: usize = NONCE_AT + NONCE;
/// Memory in KiB, passes and lanes of Argon2id: the choice of RFC 9106 for machines with little memory.
const COST: (u32, u32, u32) = (64 * 1024, 3, 4);

/// A profile that cannot be exported or imported.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The file is something else.
    #[error("not an exported profile; make one with `wakeword profiles export NAME`")]
    Foreign,
    /// The file is of another version.
    #[error("exported by another version of wakeword (format {0}, this one reads {known}); enrol on this machine instead", known = Profile::FORMAT.version)]
    Version(u8),
    /// The passphrase does not open it.
    #[error("the passphrase is wrong, or the file damaged")]
    Locked,
    /// The passphrase would be guessed.
    #[error("the passphrase has fewer than {SHORTEST} characters; choose a longer one, such as five words")]
    Short,
    /// It opens, but holds no profile that can be used.
    #[error("{0}")]
    Content(String),
    /// The system has no random numbers or too little memory.
    #[error("encryption is not possible: {0}")]
    System(String),
}

/// The bytes of a file with `profile` under `passphrase`.
pub fn export(profile: &Profile, passphrase: &str) -> Result<Vec<u8>, TransferError> {
    if passphrase.chars().count() < SHORTEST {
        return Err(TransferError::Short);
    }
    let body = profile.encode().map_err(TransferError::Content)?;
    let mut bytes = [&MAGIC[..], &[Profile::FORMAT.version], &[0; SALT + NONCE]].concat();
    random(&mut bytes[SALT_AT..]).map_err(|error| TransferError::System(error.to_string()))?;
    let (cipher, nonce) = lock(&bytes, passphrase)?;
    let payload = Payload { msg: &body, aad: &bytes };
    let sealed = cipher.encrypt(&nonce, payload).map_err(|error| TransferError::System(error.to_string()))?;
    bytes.extend(sealed);
    Ok(bytes)
}

/// Writes what [`export`] made to a file that must not be there yet, for its owner alone, whole or not at all.
pub fn write_export(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write::whole(path, bytes, false)
}

/// The profile in what [`export`] made.
pub fn import(bytes: &[u8], passphrase: &str) -> Result<Profile, TransferError> {
    check(bytes)?;
    let (head, sealed) = bytes.split_at(BODY_AT);
    let (cipher, nonce) = lock(head, passphrase)?;
    let payload = Payload { msg: sealed, aad: head };
    let body = cipher.decrypt(&nonce, payload).map_err(|_| TransferError::Locked)?;
    let profile = Profile::decode(&body).map_err(TransferError::Content)?;
    check_text(&profile)?;
    Ok(profile)
}

/// Made by another program than this, a profile may hold anything. That of a challenge has no phrase.
pub(super) fn check_text(profile: &Profile) -> Result<(), TransferError> {
    for (what, value) in
        [("phrase", &profile.phrase), ("user", &profile.user), ("models' fingerprint", &profile.models)]
    {
        if !value.is_empty() && text(value).as_ref() != Ok(value) {
            return Err(TransferError::Content(format!("its {what} cannot be shown; it is refused")));
        }
    }
    Ok(())
}

/// Whether a file is an export at all; asked before the passphrase.
pub fn check(bytes: &[u8]) -> Result<(), TransferError> {
    if bytes.len() < BODY_AT || bytes.len() as u64 > MAX_BYTES || !bytes.starts_with(MAGIC) {
        return Err(TransferError::Foreign);
    }
    let version = bytes[MAGIC.len()];
    if version == Profile::FORMAT.version { Ok(()) } else { Err(TransferError::Version(version)) }
}

/// Cipher and nonce of a file that begins with `head`.
fn lock(head: &[u8], passphrase: &str) -> Result<(XChaCha20Poly1305, XNonce), TransferError> {
    let failed = |error: argon2::Error| TransferError::System(error.to_string());
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(failed)?;
    let mut key = Key::default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &head[SALT_AT..NONCE_AT], &mut key)
        .map_err(failed)?;
    let mut nonce = XNonce::default();
    nonce.copy_from_slice(&head[NONCE_AT..BODY_AT]);
    Ok((XChaCha20Poly1305::new(&key), nonce))
}
