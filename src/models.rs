//! The models: embedded in the program, or some of them from a folder with a manifest of its own.
//!
//! A file's checksum is compared with the manifest before anything parses it.

mod program;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::inference::{InferenceError, KeywordNet, SpeakerNet};
use crate::keyword::cohort::{Cohort, CohortTable};

const MANIFEST: &str = "manifest.toml";
/// Larger files are not models of ours.
const MAX_BYTES: u64 = 256 << 20;

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
}

/// Models that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file is missing or unreadable.
    #[error("{path}: {source}; a model folder holds manifest.toml and the files that it names")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The manifest is not one.
    #[error("{path}: not a model manifest: {source}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Line and reason.
        source: Box<toml::de::Error>,
    },
    /// The file is not the one that the manifest describes.
    #[error(
        "{path}: SHA-256 is {found}, the manifest says {expected}; the file is damaged or not this model"
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// From the manifest.
        expected: String,
        /// Of the file.
        found: String,
    },
    /// The checksum is right, the content is not a model of this kind.
    #[error("{path}: not a usable model: {reason}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Manifest {
    model: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    role: Role,
    file: String,
    sha256: String,
}

/// What a model is for.
#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Role {
    KeywordEncoder,
    SpeakerEncoder,
    Cohort,
}

impl Manifest {
    fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(MANIFEST);
        toml::from_slice(&read_file(&path)?)
            .map_err(|error| ModelError::Manifest { path, source: Box::new(error) })
    }
}

/// The built-in model for `role`, with the name of its file.
fn built_in(role: Role) -> (&'static str, &'static [u8]) {
    match role {
        Role::KeywordEncoder => ("keyword_encoder.onnx", include_bytes!("../models/keyword_encoder.onnx")),
        Role::SpeakerEncoder => ("speaker_encoder.onnx", include_bytes!("../models/speaker_encoder.onnx")),
        Role::Cohort => ("cohort.bin", include_bytes!("../models/cohort.bin")),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, ModelError> {
    let failed = |source| ModelError::Read { path: path.into(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MAX_BYTES {
        return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
    }
    std::fs::read(path).map_err(failed)
}

impl Models {
    /// The models that the manifest of `folder` names, and the built-in ones for what it does not name.
    pub fn load(folder: Option<&Path>) -> Result<Self, ModelError> {
        let Files { keyword, speaker, cohort, fingerprint } = Files::read(folder)?;
        let foreign = |path: PathBuf, reason: String| ModelError::Foreign { path, reason };
        let network = |path| move |error: InferenceError| foreign(path, error.to_string());
        let table: CohortTable =
            postcard::from_bytes(&cohort.1).map_err(|error| foreign(cohort.0.clone(), error.to_string()))?;
        Ok(Self {
            keyword: KeywordNet::load(keyword.1).map_err(network(keyword.0))?,
            speaker: SpeakerNet::load(speaker.1).map_err(network(speaker.0))?,
            cohort: Cohort::new(&table).map_err(|reason| foreign(cohort.0, reason))?,
            fingerprint,
        })
    }

    /// Whether the files are there and those of the manifest, without parsing them.
    pub fn check(folder: Option<&Path>) -> Result<(), ModelError> {
        Files::read(folder).map(drop)
    }
}

type File = (PathBuf, Bytes);

/// The files to use, with the right checksums.
struct Files {
    keyword: File,
    speaker: File,
    cohort: File,
    fingerprint: String,
}

impl Files {
    fn read(folder: Option<&Path>) -> Result<Self, ModelError> {
        let own = folder.map(|folder| Ok((folder, Manifest::read(folder)?))).transpose()?;
        let mut fingerprint = Sha256::new();
        let mut verified = |role| {
            let named = own.as_ref().and_then(|(folder, manifest)| {
                let entry = manifest.model.iter().find(|entry| entry.role == role)?;
                Some((folder.join(&entry.file), &entry.sha256))
            });
            let (path, bytes) = match &named {
                Some((path, _)) => (path.clone(), read_file(path)?.into()),
                None => {
                    let (name, bytes) = built_in(role);
                    (
                        Path::new("(built in)").join(name),
                        program::copy(bytes).map_or(Bytes::from_static(bytes), Bytes::from),
                    )
                }
            };
            let found = hex(&Sha256::digest(&bytes));
            if let Some((_, expected)) = named.filter(|(_, expected)| **expected != found) {
                return Err(ModelError::Checksum { path, expected: expected.clone(), found });
            }
            fingerprint.update(found);
            Ok((path, bytes))
        };
        let keyword = verified(Role::KeywordEncoder)?;
        let speaker = verified(Role::SpeakerEncoder)?;
        let cohort = verified(Role::Cohort)?;
        Ok(Self { keyword, speaker, cohort, fingerprint: hex(&fingerprint.finalize()[..8]) })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
