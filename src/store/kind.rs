//! What differs between the kinds of files in a store.

use std::path::PathBuf;

use super::{StoreError, format};
use crate::profile::Profile;
use crate::speaker::voice::Voice;

/// Something that is stored, one file each.
pub trait Kind: Sized {
    /// Ending of its files.
    const EXTENSION: &'static str;
    /// What people call it.
    const NOUN: &'static str;
    /// The command that makes one.
    const ENROL: &'static str;

    /// Name under which it is stored.
    fn name(&self) -> &str;

    /// Fingerprint of the models that made it.
    fn models(&self) -> &str;

    /// The bytes of its file; the error is a reason in words.
    fn encode(&self) -> Result<Vec<u8>, String>;

    /// What the bytes of a file hold; the error is a reason in words.
    fn decode(bytes: &[u8]) -> Result<Self, String>;

    /// The error that there is none of this name.
    fn unknown(name: String, folder: PathBuf) -> StoreError;

    /// The error that the name is taken.
    fn exists(name: String) -> StoreError;
}

impl Kind for Profile {
    const EXTENSION: &'static str = "wakeword";
    const NOUN: &'static str = "profile";
    const ENROL: &'static str = "wakeword enroll NAME --phrase TEXT";

    fn name(&self) -> &str {
        &self.name
    }

    fn models(&self) -> &str {
        &self.models
    }

    fn encode(&self) -> Result<Vec<u8>, String> {
        format::encode(self)
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        format::decode(bytes)
    }

    fn unknown(name: String, folder: PathBuf) -> StoreError {
        StoreError::Unknown { name, folder }
    }

    fn exists(name: String) -> StoreError {
        StoreError::Exists(name)
    }
}

impl Kind for Voice {
    const EXTENSION: &'static str = "voice";
    const NOUN: &'static str = "speaker";
    const ENROL: &'static str = "wakeword speakers enroll NAME --from DIR";

    fn name(&self) -> &str {
        &self.name
    }

    fn models(&self) -> &str {
        &self.models
    }

    fn encode(&self) -> Result<Vec<u8>, String> {
        format::encode_voice(self)
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        format::decode_voice(bytes)
    }

    fn unknown(name: String, folder: PathBuf) -> StoreError {
        StoreError::UnknownVoice { name, folder }
    }

    fn exists(name: String) -> StoreError {
        StoreError::VoiceExists(name)
    }
}
