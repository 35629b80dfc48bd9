//! What can be wrong with a configuration.

use std::path::PathBuf;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path:?}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    /// A folder, a pipe or a device.
    #[error("{path:?}: not a regular file; name a file like config.example.toml")]
    NotAFile { path: PathBuf },
    /// The file is too large for a configuration.
    #[error("{path:?}: too large for a configuration, which may have 1 MiB")]
    TooLarge { path: PathBuf },
    /// The file is not text.
    #[error("{path:?}, line {line}: not UTF-8 text; save the file as UTF-8")]
    NotText {
        path: PathBuf,
        /// Where the first wrong byte is, from 1.
        line: usize,
    },
    /// The file is not a configuration.
    #[error("{path:?}{}", listed(problems))]
    Invalid {
        path: PathBuf,
        /// All that is wrong with it, in the order of the lines; at least one.
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, serde::Serialize, thiserror::Error)]
#[error("line {line}: {text}")]
pub struct Problem {
    /// Where, from 1.
    pub line: usize,
    /// What, and what would be right.
    pub text: String,
}

/// One problem on the file's own line, more of them on a line each.
fn listed(problems: &[Problem]) -> String {
    match problems {
        [problem] => format!(", {problem}"),
        _ => problems.iter().map(|problem| format!("\n  {problem}")).collect(),
    }
}
