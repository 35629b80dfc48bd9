//! The models: embedded in the program, or some of them from a folder with a manifest of its own.
//!
//! A file's checksum is compared with the manifest before anything parses it.

mod file;
pub mod manifest;
mod program;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::inference::{Choice, Geometry, InferenceError, KeywordNet, Runtime, SpeakerNet};
use crate::keyword::cohort::{Cohort, CohortTable};
use manifest::{Entry, Manifest, Role};

/// Larger files are no encoders that a small board could run.
const MAX_ENCODER: u64 = 64 << 20;
/// Larger files are no cohorts.
const MAX_COHORT: u64 = 8 << 20;

/// Everything learned that the engine needs. Immutable; shared by all streams.
pub struct Models {
    /// Keyword encoder.
    pub keyword: KeywordNet,
    /// Speaker encoder.
    pub speaker: SpeakerNet,
    /// Score-normalisation cohort.
    pub cohort: Cohort,
    /// Names these very models: a profile made by others cannot be compared.
    pub fingerprint: String,
    /// Where each of them comes from.
    pub sources: [Source; 3],
}

/// A model's file and what the manifest says of it.
#[derive(Clone)]
pub struct Source {
    /// What it is for.
    pub role: Role,
    /// Its file.
    pub path: PathBuf,
    /// Of the file, in hexadecimal digits.
    pub sha256: String,
    /// Name for people.
    pub name: Option<String>,
    /// Licence for people.
    pub licence: Option<String>,
}

/// Models that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file is missing or unreadable.
    #[error("{path:?}: {source}; a model folder holds manifest.toml and the files that it names")]
    Read { path: PathBuf, source: std::io::Error },
    /// The manifest is not one.
    #[error("{path:?}: not a model manifest: {source}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Line and reason.
        source: Box<toml::de::Error>,
    },
    /// The file is not the one that the manifest describes.
    #[error(
        "{path:?}: SHA-256 is {found}, the manifest says {expected}; the file is damaged or not this model"
    )]
    Checksum {
        path: PathBuf,
        /// From the manifest.
        expected: String,
        /// Of the file.
        found: String,
    },
    /// The checksum is right, the content is not a model of this kind.
    #[error("{path:?}: not a usable model: {reason}")]
    Foreign { path: PathBuf, reason: String },
    /// A cohort of another keyword encoder's vectors.
    #[error(
        "{path}: this cohort belongs to another keyword encoder than {encoder} (SHA-256 {sha256}); make one for it \
         from a folder of speech: wakeword models cohort --from DIR"
    )]
    Cohort {
        /// The cohort.
        path: PathBuf,
        /// The keyword encoder in use.
        encoder: PathBuf,
        /// Its checksum.
        sha256: String,
    },
}

/// The built-in model for `role`.
fn built_in(role: Role) -> &'static [u8] {
    match role {
        Role::KeywordEncoder => include_bytes!("../models/keyword_encoder.onnx"),
        Role::SpeakerEncoder => include_bytes!("../models/speaker_encoder.onnx"),
        Role::Cohort => include_bytes!("../models/cohort.bin"),
    }
}

impl Models {
    /// The models that the manifest of `folder` names, and the built-in ones for what it does not name.
    pub fn load(folder: Option<&Path>) -> Result<Self, ModelError> {
        let files = Files::read(folder)?;
        let (keyword, speaker, cohort) = (
            files.keyword.encoder(KeywordNet::load)?,
            files.speaker.encoder(SpeakerNet::load)?,
            &files.cohort,
        );
        let foreign = |reason| ModelError::Foreign { path: cohort.source.path.clone(), reason };
        let table: CohortTable =
            postcard::from_bytes(&cohort.bytes).map_err(|error| foreign(error.to_string()))?;
        let mut fingerprint = Sha256::new();
        for (one, frames) in [
            (&files.keyword, frames(&keyword.choice, keyword.geometry())),
            (&files.speaker, frames(&speaker.choice, speaker.geometry())),
            (&files.cohort, None),
        ] {
            fingerprint.update(&one.source.sha256);
            fingerprint.update(frames.unwrap_or_default());
        }
        Ok(Self {
            cohort: Cohort::new(&table, keyword.geometry().dimension).map_err(foreign)?,
            keyword,
            speaker,
            fingerprint: hex(&fingerprint.finalize()[..8]),
            sources: [files.keyword.source, files.speaker.source, files.cohort.source],
        })
    }

    /// Whether the files are there and those of the manifest, without parsing them.
    pub fn check(folder: Option<&Path>) -> Result<(), ModelError> {
        Files::read(folder).map(drop)
    }
}

/// The keyword encoder of a model folder, whether or not the folder has a cohort for it.
pub fn keyword_encoder(folder: &Path) -> Result<(KeywordNet, Source), ModelError> {
    let model = Manifests::read(Some(folder))?.model(Role::KeywordEncoder)?;
    Ok((model.encoder(KeywordNet::load)?, model.source))
}

/// The window of an encoder where the manifest may decide it, which makes it another encoder.
fn frames(choice: &Choice, geometry: Geometry) -> Option<String> {
    (choice.runtime == Runtime::TractOnnx).then(|| geometry.frames.to_string())
}

/// A model's file with the right checksum.
struct Model {
    source: Source,
    entry: Entry,
    bytes: Bytes,
}

impl Model {
    fn encoder<T>(
        &self,
        load: fn(Bytes, Option<Geometry>) -> Result<T, InferenceError>,
    ) -> Result<T, ModelError> {
        load(self.bytes.clone(), self.entry.geometry).map_err(|error| ModelError::Foreign {
            path: self.source.path.clone(),
            reason: error.to_string(),
        })
    }
}

/// The files to use, with the right checksums.
struct Files {
    keyword: Model,
    speaker: Model,
    cohort: Model,
}

impl Files {
    fn read(folder: Option<&Path>) -> Result<Self, ModelError> {
        let manifests = Manifests::read(folder)?;
        let files = Self {
            keyword: manifests.model(Role::KeywordEncoder)?,
            speaker: manifests.model(Role::SpeakerEncoder)?,
            cohort: manifests.model(Role::Cohort)?,
        };
        let Source { path, sha256, .. } = &files.keyword.source;
        if files.cohort.entry.encoder.as_ref() != Some(sha256) {
            return Err(ModelError::Cohort {
                path: files.cohort.source.path.clone(),
                encoder: path.clone(),
                sha256: sha256.clone(),
            });
        }
        Ok(files)
    }
}

/// That of the folder, if any, and that of what is built in.
struct Manifests<'a> {
    own: Option<(&'a Path, Manifest)>,
    built_in: Manifest,
}

impl<'a> Manifests<'a> {
    fn read(folder: Option<&'a Path>) -> Result<Self, ModelError> {
        let own = folder.map(|folder| Ok((folder, Manifest::read(folder)?))).transpose()?;
        Ok(Self { own, built_in: Manifest::built_in()? })
    }

    /// The folder's model for `role`, or the built-in one, once its checksum is right.
    fn model(&self, role: Role) -> Result<Model, ModelError> {
        let own = self.own.as_ref().and_then(|(folder, manifest)| Some((*folder, manifest.entry(role)?)));
        let (path, entry, bytes) = if let Some((folder, entry)) = own {
            let path = folder.join(&entry.file);
            let most = if role == Role::Cohort { MAX_COHORT } else { MAX_ENCODER };
            let bytes = file::read(&path, most);
            let bytes = bytes.map_err(|source| ModelError::Read { path: path.clone(), source })?;
            (path, entry, Bytes::from(bytes))
        } else {
            let path = Path::new("(built in)");
            let Some(entry) = self.built_in.entry(role) else {
                let source = std::io::ErrorKind::NotFound.into();
                return Err(ModelError::Read { path: path.join(manifest::FILE), source });
            };
            let bytes = built_in(role);
            let copy = program::copy(bytes).map_or(Bytes::from_static(bytes), Bytes::from);
            (path.join(&entry.file), entry, copy)
        };
        let sha256 = sha256(&bytes);
        if sha256 != entry.sha256 {
            return Err(ModelError::Checksum { path, expected: entry.sha256.clone(), found: sha256 });
        }
        let (name, licence) = (entry.name.clone(), entry.licence.clone());
        let source = Source { role, path, sha256, name, licence };
        Ok(Model { source, entry: entry.clone(), bytes })
    }
}

/// The SHA-256 of a file in hexadecimal digits, as manifests state it.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
