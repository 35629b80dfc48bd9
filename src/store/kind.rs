//! What differs between the kinds of files in a store.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::format::Format;
use crate::features::{Frames, mfcc};
use crate::profile::Profile;
use crate::speaker::voice::Voice;

/// Something that is stored, one file each.
pub trait Kind: Serialize + DeserializeOwned {
    /// Its files.
    const FORMAT: Format;
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

    /// Whether its parts have the shapes that they must have.
    fn sound(&self) -> bool;

    /// The error that there is none of this name.
    fn unknown(name: String, folder: PathBuf) -> StoreError;

    /// The error that the name is taken.
    fn exists(name: String) -> StoreError;

    /// The body of its file; the error is a reason in words.
    fn encode(&self) -> Result<Vec<u8>, String> {
        postcard::to_stdvec(self).map_err(|error| error.to_string())
    }

    /// What a body holds; the error is a reason in words.
    fn decode(body: &[u8]) -> Result<Self, String> {
        let content: Self = postcard::from_bytes(body).map_err(|error| format!("damaged ({error})"))?;
        if content.sound() { Ok(content) } else { Err("damaged (shapes)".into()) }
    }
}

impl Kind for Profile {
    const FORMAT: Format = Format { magic: b"WAKEWORD", version: 5, name: "a profile" };
    const EXTENSION: &'static str = "wakeword";
    const NOUN: &'static str = "profile";
    const ENROL: &'static str = "wakeword enroll NAME --phrase TEXT";

    fn name(&self) -> &str {
        &self.name
    }

    fn models(&self) -> &str {
        &self.models
    }

    fn sound(&self) -> bool {
        // The encoders decide how many values a vector and an embedding have; all takes have as many.
        let Some(first) = self.takes.first() else { return false };
        let (vector, embedding) = (first.vectors.dim(), first.embedding.len());
        let frames = |frames: &Frames, dim| frames.dim() == dim && !frames.is_empty();
        let heard = |cepstra, one: &[f32]| frames(cepstra, mfcc::DIM) && one.len() == embedding;
        let sound = self.takes.iter().all(|take| {
            frames(&take.vectors, vector)
                && heard(&take.cepstra, &take.embedding)
                && take.line_embedding.len() == embedding
                && take.augmented.iter().all(|other| heard(&other.cepstra, &other.embedding))
        });
        sound && embedding > 0
    }

    fn unknown(name: String, folder: PathBuf) -> StoreError {
        StoreError::Unknown { name, folder }
    }

    fn exists(name: String) -> StoreError {
        StoreError::Exists(name)
    }
}

impl Kind for Voice {
    const FORMAT: Format = Format { magic: b"WAKEVOIC", version: 2, name: "a speaker's voice" };
    const EXTENSION: &'static str = "voice";
    const NOUN: &'static str = "speaker";
    const ENROL: &'static str = "wakeword speakers enroll NAME --from DIR";

    fn name(&self) -> &str {
        &self.name
    }

    fn models(&self) -> &str {
        &self.models
    }

    fn sound(&self) -> bool {
        !self.embedding.is_empty()
    }

    fn unknown(name: String, folder: PathBuf) -> StoreError {
        StoreError::UnknownVoice { name, folder }
    }

    fn exists(name: String) -> StoreError {
        StoreError::VoiceExists(name)
    }
}
