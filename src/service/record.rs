//! Notices as programs outside get them: JSON lines, and the environment of hooks.
//!
//! A record is one flat object. `event` says which kind:
//!
//! - `detected`: a phrase was accepted. The fields are those of [`WakeEvent`](super::notice::WakeEvent)
//!   and [`Detection`](crate::engine::event::Detection): sequence, profile, user, phrase, score,
//!   threshold, margin, `start_us`, `end_us`, `latency_ms` and so on; `speaker` and `speaker_similarity` where
//!   it was said in one of the enrolled voices.
//! - `rejected`: one was refused. The same fields, and `reason`, a
//!   [`Reason`](crate::engine::event::Reason) such as `other-speaker`.
//! - `other-voice`: in household mode, somebody other than its owner said a phrase. The same fields; `user` is empty.
//! - `state`: the daemon's state changed, or what it last complained of. The fields are those of
//!   [`Status`](super::notice::Status).
//!
//! A field without a value is left out. New fields may come; those there are keep name and meaning.

use serde::Serialize;
use serde_json::{Map, Value};

use super::notice::{Notice, State};
use crate::config::HookEvent;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its kind.
    pub event: HookEvent,
    /// All its fields, `event` among them.
    pub fields: Map<String, Value>,
}

/// Makes records of notices.
#[derive(Debug, Default)]
pub struct Recorder {
    /// State and last error told last.
    told: Option<(State, String)>,
}

impl Recorder {
    /// The record of a verdict, or of a status whose state or error is not that of the status before.
    /// Other notices have none.
    pub fn record(&mut self, notice: &Notice) -> Option<Record> {
        match notice {
            Notice::Verdict(event) if event.reason.is_none() => Record::new(HookEvent::Detected, &**event),
            Notice::Verdict(event) => Record::new(HookEvent::Rejected, &**event),
            Notice::OtherVoice(event) => Record::new(HookEvent::OtherVoice, &**event),
            Notice::Status(status) => {
                let now = Some((status.state, status.last_error.clone()));
                let news = now != self.told;
                self.told = now;
                news.then(|| Record::new(HookEvent::State, status)).flatten()
            }
            Notice::Profiles(_)
            | Notice::Threshold(_)
            | Notice::Enrolment { .. }
            | Notice::AudioLost { .. } => None,
        }
    }
}

impl Record {
    fn new(event: HookEvent, source: &impl Serialize) -> Option<Self> {
        let mut fields = object(source);
        fields.insert("event".into(), serde_json::to_value(event).ok()?);
        fields.retain(|_, value| !value.is_null());
        Some(Self { event, fields })
    }
}

/// The fields of something that is an object in JSON. Through text, which gives numbers of 32 bits no
/// digits that were never measured.
fn object(source: &impl Serialize) -> Map<String, Value> {
    let text = serde_json::to_string(source);
    text.and_then(|text| serde_json::from_str(&text)).unwrap_or_default()
}

#[cfg(test)]
pub mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::event::{Detection, Evidence, Reason, Speaker};
    use crate::service::notice::{Status, WakeEvent};

    /// A verdict as the daemon gives it.
    pub fn verdict(sequence: u64, reason: Option<Reason>) -> Notice {
        let evidence = Evidence {
            keyword_score: 1.1,
            cepstral_score: 0.9,
            speaker_score: None,
            speaker_cosine: None,
            level_dbfs: -31.5,
            snr_db: 24.0,
        };
        let detection = Detection {
            profile: "anna".into(),
            user: "Anna \"A\" O'Neil".into(),
            speaker: Some(Speaker { name: "anna".into(), similarity: 0.625 }),
            phrase: "hello $(sunflower)".into(),
            start: 16_000,
            end: 32_000,
            decided: 33_000,
            evidence,
            score: 1.9,
            threshold: 1.6,
            margin: 0.3,
        };
        let (start_us, end_us) = (5_000_000, 6_000_000);
        Notice::Verdict(Arc::new(WakeEvent {
            sequence,
            reason,
            start_us,
            end_us,
            latency_ms: 80.0,
            detection,
        }))
    }

    /// A status of this state.
    pub fn status(state: State) -> Notice {
        Notice::Status(Status { state, input_device: "front".into(), ..Status::default() })
    }

    #[test]
    fn a_verdict_never_loses_its_fields_or_gains_digits() {
        let mut recorder = Recorder::default();
        let detected = recorder.record(&verdict(7, None)).unwrap();
        assert_eq!(detected.event, HookEvent::Detected);
        let text = Value::from(detected.fields).to_string();
        for field in [
            r#""event":"detected""#,
            r#""sequence":7"#,
            r#""speaker":"anna""#,
            r#""speaker_similarity":0.625"#,
            r#""profile":"anna""#,
            r#""score":1.9,"#,
            r#""margin":0.3,"#,
            r#""end_us":6000000"#,
        ] {
            assert!(text.contains(field), "no {field} in {text}");
        }
        assert!(!text.contains("null"), "{text}");
        let rejected = recorder.record(&verdict(8, Some(Reason::OtherSpeaker))).unwrap();
        assert_eq!(rejected.event, HookEvent::Rejected);
        assert_eq!(rejected.fields["reason"], "other-speaker");
        assert_eq!(rejected.fields["event"], "rejected");
    }

    #[test]
    fn a_state_is_never_told_twice_nor_a_new_trouble_kept_back() {
        let mut recorder = Recorder::default();
        let mut told = |state| recorder.record(&status(state)).map(|record| record.fields["state"].clone());
        assert_eq!(told(State::Starting).unwrap(), "starting");
        assert_eq!(told(State::NoDevice).unwrap(), "no-device");
        assert_eq!(told(State::NoDevice), None);
        assert_eq!(told(State::Listening).unwrap(), "listening");
        assert_eq!(told(State::NoDevice).unwrap(), "no-device");
        assert_eq!(recorder.record(&Notice::Profiles(Vec::new())), None);
        let trouble = Status { state: State::NoDevice, last_error: "unplugged".into(), ..Status::default() };
        let record = recorder.record(&Notice::Status(trouble.clone())).unwrap();
        assert_eq!(record.fields["last_error"], "unplugged");
        assert_eq!(recorder.record(&Notice::Status(Status { overruns: 1, ..trouble })), None);
    }
}
