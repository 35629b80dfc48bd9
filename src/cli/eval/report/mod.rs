//! Reports of evaluations: one file of HTML each, without scripts or anything from elsewhere.

mod draw;
mod page;
pub mod streams;
pub mod trials;

use wakeword::engine::event::Event;

/// Titles of what [`evidence`] says.
const EVIDENCE: [&str; 7] = ["score", "needed", "keyword", "cepstra", "voice", "SNR", "level"];

/// What spoke for and against a verdict.
fn evidence(heard: &Event) -> [String; 7] {
    let measured = &heard.evidence;
    [
        format!("{:.2}", heard.score),
        format!("{:.2}", heard.threshold),
        format!("{:.2}", measured.keyword_score),
        format!("{:.2}", measured.cepstral_score),
        measured.speaker_cosine.map_or("-".into(), |cosine| format!("{cosine:.2}")),
        format!("{:.0}\u{a0}dB", measured.snr_db),
        format!("{:.0}\u{a0}dBFS", measured.level_dbfs),
    ]
}
