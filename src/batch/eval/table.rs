//! Tab-separated tables with a line of titles.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::text::without_mark;

/// A table that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The system refused.
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// A column is missing.
    #[error("{path}: no column {column:?} in its first line; needed are {needed}")]
    Column { path: PathBuf, column: &'static str, needed: String },
    /// A line is too short.
    #[error("{path}:{line}: fewer fields than the first line has titles")]
    Short {
        path: PathBuf,
        /// Counted from one.
        line: usize,
    },
}

/// Some columns of a table.
pub struct Table<const N: usize> {
    /// The number of the line, counted from one, and its fields, trimmed.
    pub rows: Vec<(usize, [String; N])>,
}

impl<const N: usize> Table<N> {
    /// The columns in any order, each by the first of its titles that the table has. Empty lines do not count; a
    /// byte-order mark is passed over.
    pub fn read(path: &Path, columns: [&[&'static str]; N]) -> Result<Self, TableError> {
        let failed = |source| TableError::Io { path: path.into(), source };
        let bytes = std::fs::read(path).map_err(failed)?;
        let text = std::str::from_utf8(without_mark(&bytes))
            .map_err(|_| failed(std::io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text")))?;
        let mut lines = text.lines();
        let titles: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(columns) {
            let mut found = column.iter().map(|name| titles.iter().position(|title| title.trim() == *name));
            let missing = || {
                let needed = columns.map(|column| column[0]).join(", ");
                TableError::Column { path: path.into(), column: column[0], needed }
            };
            *place = found.find_map(|place| place).ok_or_else(missing)?;
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
