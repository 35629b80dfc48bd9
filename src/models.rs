//! The models: embedded in the program, or from a folder with a manifest of its own.
//!
//! A file's checksum is compared with the manifest before anything parses it.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::inference::{InferenceError, KeywordNet, SpeakerNet};
use crate::keyword::cohort::{Cohort, CohortTable};

const MANIFEST: &str = "manifest.toml";
const KEYWORD: &str = "keyword_encoder";
const SPEAKER: &str = "speaker_encoder";
const COHORT: &str = "cohort";
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
    /// The manifest lacks a model.
    #[error("{path}: no entry with role {role:?}")]
    NoEntry {
        /// The manifest.
        path: PathBuf,
        /// What the model is for.
        role: &'static str,
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
    role: String,
    file: String,
    sha256: String,
}

/// Where model files come from.
enum Source<'a> {
    Embedded,
    Folder(&'a Path),
}

impl Source<'_> {
    fn path(&self, file: &str) -> PathBuf {
        match self {
            Source::Embedded => Path::new("(built in)").join(file),
            Source::Folder(folder) => folder.join(file),
        }
    }

    fn read(&self, file: &str) -> Result<Cow<'static, [u8]>, ModelError> {
        let embedded: &[u8] = match (self, file) {
            (Source::Folder(folder), _) => return read_file(&folder.join(file)).map(Cow::Owned),
            (_, MANIFEST) => include_bytes!("../models/manifest.toml"),
            (_, "keyword_encoder.onnx") => include_bytes!("../models/keyword_encoder.onnx"),
            (_, "speaker_encoder.onnx") => include_bytes!("../models/speaker_encoder.onnx"),
            (_, "cohort.bin") => include_bytes!("../models/cohort.bin"),
            _ => {
                let source = std::io::ErrorKind::NotFound.into();
                return Err(ModelError::Read { path: self.path(file), source });
            }
        };
        Ok(Cow::Borrowed(embedded))
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
    /// The models of `folder`, or the built-in ones.
    pub fn load(folder: Option<&Path>) -> Result<Self, ModelError> {
        let Files { keyword, speaker, cohort, fingerprint } = Files::read(folder)?;
        let foreign = |path: PathBuf, reason: String| ModelError::Foreign { path, reason };
        let network = |path| move |error: InferenceError| foreign(path, error.to_string());
        let table: CohortTable =
            postcard::from_bytes(&cohort.1).map_err(|error| foreign(cohort.0.clone(), error.to_string()))?;
        Ok(Self {
            keyword: KeywordNet::load(&keyword.1).map_err(network(keyword.0))?,
            speaker: SpeakerNet::load(&speaker.1).map_err(network(speaker.0))?,
            cohort: Cohort::new(&table).map_err(|reason| foreign(cohort.0, reason))?,
            fingerprint,
        })
    }

    /// Whether the files are there and those of the manifest, without parsing them.
    pub fn check(folder: Option<&Path>) -> Result<(), ModelError> {
        Files::read(folder).map(drop)
    }
}

type Bytes = (PathBuf, Cow<'static, [u8]>);

/// The files of a manifest, with the right checksums.
struct Files {
    keyword: Bytes,
    speaker: Bytes,
    cohort: Bytes,
    fingerprint: String,
}

impl Files {
    fn read(folder: Option<&Path>) -> Result<Self, ModelError> {
        let source = folder.map_or(Source::Embedded, Source::Folder);
        let manifest = source.read(MANIFEST)?;
        let manifest: Manifest = toml::from_slice(&manifest)
            .map_err(|error| ModelError::Manifest { path: source.path(MANIFEST), source: Box::new(error) })?;

        let mut fingerprint = Sha256::new();
        let mut verified = |role| {
            let entry = manifest.model.iter().find(|entry| entry.role == role);
            let entry = entry.ok_or_else(|| ModelError::NoEntry { path: source.path(MANIFEST), role })?;
            let bytes = source.read(&entry.file)?;
            let found = hex(&Sha256::digest(&bytes));
            let path = source.path(&entry.file);
            if found != entry.sha256 {
                return Err(ModelError::Checksum { path, expected: entry.sha256.clone(), found });
            }
            fingerprint.update(found);
            Ok((path, bytes))
        };
        let (keyword, speaker, cohort) = (verified(KEYWORD)?, verified(SPEAKER)?, verified(COHORT)?);
        Ok(Self { keyword, speaker, cohort, fingerprint: hex(&fingerprint.finalize()[..8]) })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
