//! SpeechIO's submission interface (SBI): a list of recordings in, a line of text for each out. Here the text
//! is one of the enrolled phrases, or nothing.

pub mod image;
pub mod phrases;
pub mod scp;
pub mod takes;
mod usual;

use std::path::Path;

use rayon::prelude::*;

use crate::audio::{AudioError, read_clip};
use phrases::PhraseList;
use scp::Utterance;

/// Lines `ID<TAB>TEXT` for all `utterances`, in their order. The text is empty where no phrase fits, and where
/// a recording cannot be used, which goes to `warn`.
pub fn recognise(list: &PhraseList<'_>, utterances: &[Utterance], warn: &(dyn Fn(String) + Sync)) -> Vec<u8> {
    let text = |utterance: &Utterance| {
        let Some(path) = &utterance.path else { return "" };
        recognise_one(list, path).unwrap_or_else(|error| {
            warn(format!("{}: {error}; its text is empty", String::from_utf8_lossy(&utterance.id)));
            ""
        })
    };
    let texts: Vec<&str> = utterances.par_iter().map(text).collect();
    let mut lines = Vec::new();
    for (utterance, text) in utterances.iter().zip(texts) {
        lines.extend_from_slice(&utterance.id);
        lines.push(b'\t');
        lines.extend_from_slice(text.as_bytes());
        lines.push(b'\n');
    }
    lines
}

fn recognise_one<'a>(list: &PhraseList<'a>, path: &Path) -> Result<&'a str, AudioError> {
    let clip = read_clip(path)?;
    let found = list.best(&clip.samples).filter(phrases::Found::is_sure);
    Ok(found.map_or("", |found| found.text))
}
