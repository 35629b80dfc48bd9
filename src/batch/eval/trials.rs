//! Trials: short clips with a known answer, each against one enrolled phrase.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::table::{Table, TableError};
use crate::batch::autokws::{self, file_name};

/// Who says what in a trial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The owner with the phrase.
    Positive,
    /// The owner with other words.
    OtherWords,
    /// Somebody else with the phrase.
    OtherVoice,
    /// A negative of another kind, by the name that the table gives it.
    Other(String),
}

impl Kind {
    /// The name in tables and results.
    pub fn name(&self) -> &str {
        match self {
            Kind::Positive => "pos",
            Kind::OtherWords => "same_speaker",
            Kind::OtherVoice => "same_word",
            Kind::Other(name) => name,
        }
    }
}

impl From<String> for Kind {
    fn from(name: String) -> Self {
        let known = [Kind::Positive, Kind::OtherWords, Kind::OtherVoice];
        known.into_iter().find(|kind| kind.name() == name).unwrap_or(Kind::Other(name))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl serde::Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One enrolment and its trials.
#[derive(Debug)]
pub struct Task {
    /// Name of its folder.
    pub name: String,
    /// Whose voice is enrolled: several tasks may share an owner.
    pub owner: String,
    pub enroll: Vec<PathBuf>,
    /// Recordings of near words.
    pub near: Vec<PathBuf>,
    /// Sorted by file.
    pub trials: Vec<Trial>,
}

/// One clip to decide on.
#[derive(Debug)]
pub struct Trial {
    pub path: PathBuf,
    pub kind: Kind,
}

/// Trials that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrialsError {
    #[error(transparent)]
    Dataset(#[from] autokws::DatasetError),
    #[error(transparent)]
    Table(#[from] TableError),
    /// A clip without a label.
    #[error("{path}: nothing says what it is: {hint}")]
    Unlabelled { path: PathBuf, hint: &'static str },
    /// A line of the table that contradicts the folders or an earlier line.
    #[error("{path}:{line}: {reason}")]
    Line {
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// What is wrong, and with what.
        reason: String,
    },
}

/// The tasks of `dataset`, in a layout of the Auto-KWS challenge. The labels of the clips come from `table`,
/// tab-separated with the columns task, owner (of the enrolled voice; `speaker` in older tables), kind and name (of the
/// file), or else from a file of labels for each task in `solution`. Rows of kind `enroll` label no trial.
pub fn tasks(
    dataset: &Path,
    solution: Option<&Path>,
    table: Option<&Path>,
) -> Result<Vec<Task>, TrialsError> {
    let mut labels = table.map(TrialTable::read).transpose()?;
    let mut tasks = Vec::new();
    for found in autokws::speakers(dataset, solution)? {
        let name = found.name.to_string_lossy().into_owned();
        let mut trials = Vec::new();
        for path in found.test {
            let file = file_name(&path);
            let kind = match &mut labels {
                Some(table) => table.kinds.remove(&(found.name.clone(), file)).map(|(_, kind)| kind),
                None => found.labels.as_ref().and_then(|labels| labels.get(&file)).map(|positive| {
                    if *positive { Kind::Positive } else { Kind::Other("negative".to_owned()) }
                }),
            };
            let hint = if table.is_some() { "it is not in the table" } else { "give --table or --solution" };
            let kind = kind.ok_or_else(|| TrialsError::Unlabelled { path: path.clone(), hint })?;
            trials.push(Trial { path, kind });
        }
        let owner = labels.as_mut().and_then(|table| table.owners.remove(&found.name));
        tasks.push(Task {
            owner: owner.unwrap_or_else(|| name.clone()),
            name,
            enroll: found.enroll,
            near: found.near,
            trials,
        });
    }
    let rest = labels.into_iter().flat_map(|table| table.kinds).min_by_key(|(_, (line, _))| *line);
    if let (Some(((task, name), (line, _))), Some(path)) = (rest, table) {
        let (task, name) = (task.to_string_lossy(), name.to_string_lossy());
        let reason = format!("task {task} has no test clip {name}");
        return Err(TrialsError::Line { path: path.into(), line, reason });
    }
    Ok(tasks)
}

/// What a table says of the tasks in it.
#[derive(Default)]
struct TrialTable {
    owners: HashMap<OsString, String>,
    /// By task and file, with the number of the line.
    kinds: HashMap<(OsString, OsString), (usize, Kind)>,
}

impl TrialTable {
    fn read(path: &Path) -> Result<Self, TrialsError> {
        let rows = Table::read(path, [&["task"], &["owner", "speaker"], &["kind"], &["name"]])?.rows;
        let mut table = Self::default();
        for (line, [task, owner, kind, name]) in rows {
            let wrong = |reason| TrialsError::Line { path: path.into(), line, reason };
            match table.owners.insert(OsString::from(&task), owner.clone()) {
                Some(other) if other != owner => {
                    return Err(wrong(format!(
                        "the owner of task {task} is {owner:?} here and {other:?} before; the column names whose \
                         voice is enrolled, not who speaks in the clip"
                    )));
                }
                _ => {}
            }
            let key = (OsString::from(&task), OsString::from(&name));
            if kind != "enroll" && table.kinds.insert(key, (line, kind.into())).is_some() {
                return Err(wrong(format!("clip {name} of task {task} is in the table before")));
            }
        }
        Ok(table)
    }
}
