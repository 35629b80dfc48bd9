//! Notifications as programs outside get them: JSON lines, and the environment of hooks.
//!
//! A record is one flat object; `docs/events.md` lists its fields. A field without a value is left out. New fields may
//! come; those there are keep name and meaning.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::HookEvent;
use crate::control::{Notification, State};
use crate::digits;
use crate::engine::event::EventKind;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its kind.
    pub event: HookEvent,
    /// All its fields, `event` among them.
    pub fields: Map<String, Value>,
}

/// Makes records of notifications.
#[derive(Debug, Default)]
pub struct Recorder {
    /// State and last error told last.
    told: Option<(State, String)>,
}

impl Recorder {
    /// The record of an event, or of a status whose state or error is not that of the status before.
    /// Other notifications have none.
    pub fn record(&mut self, notification: &Notification) -> Option<Record> {
        match notification {
            Notification::Event(event) => {
                let kind = match event.kind {
                    EventKind::Candidate => return None,
                    EventKind::Detected => HookEvent::Detected,
                    EventKind::Rejected(_) => HookEvent::Rejected,
                    EventKind::OtherVoice => HookEvent::OtherVoice,
                };
                Record::new(kind, &**event)
            }
            Notification::Status(status) => {
                let now = Some((status.state, status.last_error.clone()));
                let news = now != self.told;
                self.told = now;
                news.then(|| Record::new(HookEvent::State, status)).flatten()
            }
            Notification::Profiles(_)
            | Notification::Threshold(_)
            | Notification::Enrolment { .. }
            | Notification::AudioLost { .. } => None,
        }
    }
}

impl Record {
    fn new(event: HookEvent, source: &impl Serialize) -> Option<Self> {
        let Value::Object(mut fields) = digits::json(source) else { return None };
        fields.insert("event".into(), serde_json::to_value(event).ok()?);
        fields.retain(|_, value| !value.is_null());
        Some(Self { event, fields })
    }
}

#[cfg(test)]
pub mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::control::Status;
    use crate::engine::event::{Event, Evidence, Reason, Speaker, Timing};

    /// A verdict as the daemon gives it.
    pub fn verdict(sequence: u64, reason: Option<Reason>) -> Notification {
        let evidence = Evidence {
            keyword_score: 1.1,
            cepstral_score: 0.9,
            speaker_score: None,
            speaker_cosine: None,
            level_dbfs: -31.5,
            snr_db: 24.0,
            ..Evidence::default()
        };
        let timing = Timing {
            sequence,
            start_us: 5_000_000,
            end_us: 6_000_000,
            decided_us: 6_080_000,
            end_unix_us: 1_800_000_000_000_000,
            latency_ms: 80.0,
        };
        Notification::Event(Arc::new(Event {
            kind: reason.map_or(EventKind::Detected, EventKind::Rejected),
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
            timing: Some(timing),
        }))
    }

    /// A status of this state.
    pub fn status(state: State) -> Notification {
        Notification::Status(Status { state, input_device: "front".into(), ..Status::default() })
    }

    #[test]
    fn verdicts_keep_their_fields_and_digits() {
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
            r#""decided_us":6080000"#,
            r#""end_unix_us":1800000000000000"#,
            r#""latency_ms":80.0"#,
            r#""start":16000"#,
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
    fn each_change_of_state_is_told_once() {
        let mut recorder = Recorder::default();
        let mut told = |state| recorder.record(&status(state)).map(|record| record.fields["state"].clone());
        assert_eq!(told(State::Starting).unwrap(), "starting");
        assert_eq!(told(State::NoDevice).unwrap(), "no-device");
        assert_eq!(told(State::NoDevice), None);
        assert_eq!(told(State::Listening).unwrap(), "listening");
        assert_eq!(told(State::NoDevice).unwrap(), "no-device");
        assert_eq!(recorder.record(&Notification::Profiles(Vec::new())), None);
        let trouble = Status { state: State::NoDevice, last_error: "unplugged".into(), ..Status::default() };
        let record = recorder.record(&Notification::Status(trouble.clone())).unwrap();
        assert_eq!(record.fields["last_error"], "unplugged");
        assert_eq!(recorder.record(&Notification::Status(Status { overruns: 1, ..trouble })), None);
    }
}
