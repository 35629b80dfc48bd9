//! The configuration file: parsed, checked, typed.

mod check;
mod error;
mod keys;
mod places;
mod values;

#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use error::{ConfigError, Problem};
pub use places::{default_store, expand};
pub use values::{BusKind, Channel, HookEvent, LogLevel};

use crate::engine::rule::Rule;

/// Larger files are not configurations.
const MAX_BYTES: u64 = 1 << 20;

/// Everything that can be configured; see `config.example.toml`.
///
/// Unknown keys are refused by [`Config::load`], which can name the nearest one, not by serde.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Where the models come from.
    pub models: ModelConfig,
    /// Where the profiles are.
    pub store: StoreConfig,
    /// When to wake.
    pub detection: DetectionConfig,
    /// What to listen to.
    pub audio: AudioConfig,
    /// Where to tell of it.
    pub bus: BusConfig,
    /// How the daemon behaves.
    pub service: ServiceConfig,
    /// What the daemon says of itself.
    pub log: LogConfig,
    /// Commands to run on events.
    #[serde(rename = "hook")]
    pub hooks: Vec<HookConfig>,
}

/// `[models]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct ModelConfig {
    /// Folder with a `manifest.toml`; what it does not name is built in.
    #[serde(deserialize_with = "values::folder")]
    pub path: Option<PathBuf>,
}

/// `[store]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct StoreConfig {
    /// Folder of the profiles; [`default_store`] if absent.
    #[serde(deserialize_with = "values::folder")]
    pub path: Option<PathBuf>,
}

/// `[detection]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct DetectionConfig {
    /// Fused score needed, 0 to 5.
    #[serde(deserialize_with = "values::score")]
    pub threshold: f32,
    /// Whether a phrase in another voice than its owner's is told of.
    pub household: bool,
}

impl DetectionConfig {
    /// The rule to judge by.
    pub fn rule(&self) -> Rule {
        Rule { threshold: self.threshold, household: self.household, ..Rule::default() }
    }
}

impl Default for DetectionConfig {
    fn default() -> Self {
        let Rule { threshold, household, .. } = Rule::default();
        Self { threshold, household }
    }
}

/// `[audio]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct AudioConfig {
    /// Name of the microphone; the system's default if absent.
    pub device: Option<String>,
    /// Which of its channels.
    pub channel: Channel,
}

/// `[bus]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct BusConfig {
    /// Which bus.
    #[serde(deserialize_with = "values::bus")]
    pub kind: BusKind,
    /// D-Bus address in place of that bus's own.
    pub address: Option<String>,
    /// Whether refused phrases are sent as well.
    pub rejected: bool,
}

/// `[service]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct ServiceConfig {
    /// Seconds of audio kept for applications that take over, 1 to 60.
    #[serde(deserialize_with = "values::preroll")]
    pub preroll_s: u32,
    /// How much more score is needed while the device itself plays, 0 to 5.
    #[serde(deserialize_with = "values::score")]
    pub playback_margin: f32,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self { preroll_s: 8, playback_margin: 0.3 }
    }
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct LogConfig {
    /// The least important message that is shown.
    #[serde(deserialize_with = "values::level")]
    pub level: LogLevel,
}

/// One `[[hook]]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct HookConfig {
    /// Program and arguments; no shell is involved. Never empty.
    #[serde(deserialize_with = "values::command")]
    pub command: Vec<String>,
    /// The events on which it runs. Never empty.
    #[serde(deserialize_with = "values::events")]
    pub on: Vec<HookEvent>,
    /// Seconds after which it is killed, 1 to 3600.
    #[serde(deserialize_with = "values::timeout")]
    pub timeout_s: u32,
}

impl Default for HookConfig {
    /// Without a command, which [`Config::load`] does not let pass.
    fn default() -> Self {
        Self { command: Vec::new(), on: vec![HookEvent::Detected], timeout_s: 10 }
    }
}

/// Where the values of a [`Config`] come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// The file that was read, if there is one.
    pub file: Option<PathBuf>,
    /// The keys that it sets, with their tables: `detection.threshold`; `hook` for all hooks.
    pub keys: Vec<String>,
}

impl Config {
    /// Reads `file`, or the first of the usual places that exists, or the defaults.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load_with_origin(file).map(|(config, _)| config)
    }

    /// The same, and which values are from the file.
    pub fn load_with_origin(file: Option<&Path>) -> Result<(Self, Origin), ConfigError> {
        let file = file.map(Path::to_owned).or_else(places::existing);
        let (mut config, keys) = match &file {
            Some(path) => check::parse(&read(path)?)
                .map_err(|problems| ConfigError::Invalid { path: path.clone(), problems })?,
            None => Default::default(),
        };
        // A machine's service has no session.
        if places::is_machine_service() && !keys.iter().any(|key| key == "bus.kind") {
            config.bus.kind = BusKind::System;
        }
        Ok((config, Origin { file, keys }))
    }
}

/// The text of a file, which neither hangs nor fills the memory whatever `path` is.
fn read(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.into(), source };
    let kind = std::fs::metadata(path).map_err(failed)?.file_type();
    // A pipe would wait for its writer. `/dev/null` is a usual way to say: the defaults.
    if !kind.is_file() && !kind.is_char_device() {
        return Err(ConfigError::NotAFile { path: path.into() });
    }
    let mut options = std::fs::OpenOptions::new();
    // A terminal would wait for somebody to type.
    options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ConfigError::TooLarge { path: path.into() });
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        ConfigError::NotText { path: path.into(), line }
    })
}
