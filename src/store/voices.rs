//! Voices in the store, beside the profiles.

use std::path::PathBuf;

use super::{Store, StoreError, format};
use crate::speaker::voice::Voice;

/// Ending of voice files.
const EXTENSION: &str = "voice";

impl Store {
    /// Names of the stored voices, sorted. None when the folder does not exist.
    pub fn voice_names(&self) -> Result<Vec<String>, StoreError> {
        self.list(EXTENSION)
    }

    /// Reads one voice.
    pub fn load_voice(&self, name: &str) -> Result<Voice, StoreError> {
        let path = self.path(name, EXTENSION)?;
        let bytes = Self::read(&path)?.ok_or_else(|| self.unknown_voice(name))?;
        format::decode_voice(&bytes).map_err(|reason| StoreError::Damaged { path, reason })
    }

    /// Fails if a voice of this name cannot be added; asked before the work of enrolling.
    pub fn check_voice_free(&self, name: &str) -> Result<(), StoreError> {
        match self.path(name, EXTENSION)?.symlink_metadata() {
            Ok(_) => Err(StoreError::VoiceExists(name.into())),
            Err(_) => Ok(()),
        }
    }

    /// Adds a voice, or replaces the one of that name: the old or the new is there, never a part.
    pub fn save_voice(&self, voice: &Voice) -> Result<PathBuf, StoreError> {
        let path = self.path(&voice.name, EXTENSION)?;
        let bytes = format::encode_voice(voice)
            .map_err(|reason| StoreError::Damaged { path: path.clone(), reason })?;
        self.write(path, &bytes)
    }

    /// Deletes a voice.
    pub fn remove_voice(&self, name: &str) -> Result<(), StoreError> {
        Self::delete(self.path(name, EXTENSION)?)?.then_some(()).ok_or_else(|| self.unknown_voice(name))
    }

    fn unknown_voice(&self, name: &str) -> StoreError {
        StoreError::UnknownVoice { name: name.into(), folder: self.folder.clone() }
    }
}
