//! Tab-separated tables with a line of titles.

use std::path::{Path, PathBuf};

/// A table that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// The table.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A column is missing.
    #[error("{path}: no column {column:?} in its first line; needed are {needed}")]
    Column {
        /// The table.
        path: PathBuf,
        /// What is missing.
        column: &'static str,
        /// All that are needed.
        needed: String,
    },
    /// A line is too short.
    #[error("{path}:{line}: fewer fields than the first line has titles")]
    Short {
        /// The table.
        path: PathBuf,
        /// Counted from one.
        line: usize,
    },
}

/// Some columns of a table.
pub struct Table<const N: usize> {
    /// Number of the line, counted from one, and the fields, without space around them.
    pub rows: Vec<(usize, [String; N])>,
}

impl<const N: usize> Table<N> {
    /// The columns with the titles `columns`, wherever they are; empty lines are passed over.
    pub fn read(path: &Path, columns: [&'static str; N]) -> Result<Self, TableError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| TableError::Io { path: path.into(), source })?;
        let mut lines = text.lines();
        let titles: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(columns) {
            let found = titles.iter().position(|title| title.trim() == column);
            let missing = || TableError::Column { path: path.into(), column, needed: columns.join(", ") };
            *place = found.ok_or_else(missing)?;
        }
        let mut rows = Vec::new();
        for (index, line) in lines.enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let fields: Vec<&str> = line.split('\t').collect();
            if places.iter().any(|place| *place >= fields.len()) {
                return Err(TableError::Short { path: path.into(), line: index + 2 });
            }
            rows.push((index + 2, places.map(|place| fields[place].trim().to_owned())));
        }
        Ok(Self { rows })
    }
}
