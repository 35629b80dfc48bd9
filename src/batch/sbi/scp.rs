//! Lists of recordings: `ID<TAB>PATH` lines.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use crate::text::without_mark;

/// A recording to recognise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utterance {
    /// As in the list, byte for byte.
    pub id: Vec<u8>,
    /// The recording; `None` where the list has none.
    pub path: Option<PathBuf>,
}

/// The utterances of a list in their order. Fields are separated by the first tab, or where there is none
/// by the first space. Blank lines are nothing; an identifier counts once. What is odd goes to `warn`.
pub fn parse(list: &[u8], warn: &dyn Fn(String)) -> Vec<Utterance> {
    let mut seen = HashSet::new();
    let mut utterances = Vec::new();
    for (index, line) in without_mark(list).split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let number = index + 1;
        let separator = line.iter().position(|byte| *byte == b'\t');
        let separator = separator.or_else(|| line.iter().position(|byte| *byte == b' '));
        let (id, path) = separator.map_or((line, None), |at| {
            (line[..at].trim_ascii_end(), Some(PathBuf::from(OsStr::from_bytes(line[at..].trim_ascii()))))
        });
        let shown = String::from_utf8_lossy(id);
        if !seen.insert(id.to_vec()) {
            warn(format!("line {number}: {shown:?} was listed before; only the first counts"));
            continue;
        }
        if path.is_none() {
            warn(format!("line {number}: no path after {shown:?}; its text is empty"));
        }
        if id.contains(&b' ') {
            warn(format!(
                "line {number}: the identifier {shown:?} holds a space, which scorers may not expect"
            ));
        }
        utterances.push(Utterance { id: id.to_vec(), path });
    }
    utterances
}
