//! The configuration file: parsed, checked, typed.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Larger files are not configurations.
const MAX_BYTES: u64 = 1 << 20;

/// Everything that can be configured; see `config.example.toml`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the models come from.
    pub models: ModelConfig,
    /// Where the profiles are.
    pub store: StoreConfig,
    /// When to wake.
    pub detection: DetectionConfig,
}

/// `[models]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Folder with a `manifest.toml`; the built-in models if absent.
    pub path: Option<PathBuf>,
}

/// `[store]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Folder of the profiles; the user's data folder if absent.
    pub path: Option<PathBuf>,
}

/// `[detection]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectionConfig {
    /// Fused score needed; the built-in operating point if absent.
    pub threshold: Option<f32>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a configuration.
    #[error("{path}: {source}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        source: Box<toml::de::Error>,
    },
    /// A value is out of its range.
    #[error("{path}: {key} = {value}: {reason}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key with its table.
        key: &'static str,
        /// What it was set to.
        value: String,
        /// The values allowed.
        reason: &'static str,
    },
}

impl Config {
    /// Reads `file`, or the first of the usual places that exists, or the defaults.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        match file {
            Some(file) => Self::read(file),
            None => places()
                .iter()
                .find(|path| path.exists())
                .map_or_else(|| Ok(Self::default()), |path| Self::read(path)),
        }
    }

    fn read(path: &Path) -> Result<Self, ConfigError> {
        let failed = |source| ConfigError::Read { path: path.into(), source };
        if std::fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
            return Err(failed(std::io::ErrorKind::FileTooLarge.into()));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let config: Self = toml::from_str(&text)
            .map_err(|error| ConfigError::Parse { path: path.into(), source: Box::new(error) })?;
        config.checked(path)
    }

    fn checked(self, path: &Path) -> Result<Self, ConfigError> {
        match self.detection.threshold {
            Some(value) if !(0.0..=5.0).contains(&value) => Err(ConfigError::Value {
                path: path.into(),
                key: "detection.threshold",
                value: value.to_string(),
                reason: "a score between 0 and 5",
            }),
            _ => Ok(self),
        }
    }
}

/// Where a configuration is looked for, in this order.
fn places() -> Vec<PathBuf> {
    let mut places = Vec::new();
    places.extend(xdg("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("wakeword/config.toml")));
    places.push("/etc/wakeword/config.toml".into());
    places
}

/// The folder of profiles when none is configured.
pub fn default_store() -> Option<PathBuf> {
    xdg("XDG_DATA_HOME", ".local/share").map(|folder| folder.join("wakeword/profiles"))
}

/// A base folder after the XDG specification: the variable if it is an absolute path, else in the home.
fn xdg(variable: &str, in_home: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| std::env::home_dir().map(|home| home.join(in_home)))
}
