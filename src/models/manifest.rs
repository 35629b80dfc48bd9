//! `manifest.toml`: which models a folder has, and what is said of them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ModelError, file};
use crate::inference::Geometry;

/// Its name in a model folder.
pub const FILE: &str = "manifest.toml";
/// Longer files are no manifests.
const MAX_BYTES: u64 = 1 << 20;

/// A model folder's manifest.
#[derive(Deserialize)]
pub struct Manifest {
    model: Vec<Entry>,
}

/// What a manifest says of a model. Other fields, such as where it comes from, are for people.
#[derive(Clone, Deserialize)]
pub struct Entry {
    /// What it is for.
    pub role: Role,
    /// Its file, relative to the manifest's folder.
    pub file: String,
    /// Of the file, in hexadecimal digits.
    pub sha256: String,
    /// Name for people.
    pub name: Option<String>,
    /// Licence for people.
    pub licence: Option<String>,
    /// Of an encoder.
    pub geometry: Option<Geometry>,
    /// SHA-256 of the keyword encoder to which a cohort belongs.
    pub encoder: Option<String>,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Turns log-mel frames into keyword vectors.
    KeywordEncoder,
    /// Turns filterbank frames into the embedding of a voice.
    SpeakerEncoder,
    /// General speech in the keyword encoder's vectors.
    Cohort,
}

impl Manifest {
    /// Reads that of `folder`.
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(FILE);
        let text =
            file::read(&path, MAX_BYTES).map_err(|source| ModelError::Read { path: path.clone(), source })?;
        Self::parse(&text, path)
    }

    /// That of the models inside the program.
    pub fn built_in() -> Result<Self, ModelError> {
        Self::parse(include_bytes!("../../models/manifest.toml"), Path::new("(built in)").join(FILE))
    }

    fn parse(text: &[u8], path: PathBuf) -> Result<Self, ModelError> {
        toml::from_slice(text).map_err(|error| ModelError::Manifest { path, source: Box::new(error) })
    }

    /// What it says of the model for `role`.
    pub fn entry(&self, role: Role) -> Option<&Entry> {
        self.model.iter().find(|entry| entry.role == role)
    }
}

/// `text` with `entry` (from `[[model]]` on) in place of its cohort, or at its end.
pub fn with_cohort(text: &str, entry: &str) -> String {
    let mut blocks: Vec<String> = vec![String::new()];
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "[[model]]" {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut() {
            block.push_str(line);
        }
    }
    let cohort = |block: &String| block.lines().any(|line| line.replace(' ', "") == "role=\"cohort\"");
    blocks.retain(|block| !cohort(block));
    format!("{}\n\n{entry}", blocks.concat().trim_end())
}
