//! A pause after the phrase was said again and again in other voices: whoever tries voices does not get to try many.

use std::collections::HashMap;

use crate::engine::event::{Event, EventKind, Reason};

/// Refusals in a row after which a profile pauses.
const REFUSALS: u32 = 5;
/// Refusals further apart than this are not in a row, in microseconds (1 min).
const IN_A_ROW_US: u64 = 60_000_000;
/// How long a profile pauses, in microseconds (30 s).
const PAUSE_US: u64 = 30_000_000;

/// What was refused lately, by the name of the profile.
#[derive(Debug, Default)]
pub struct Lockout {
    profiles: HashMap<String, Refusals>,
}

#[derive(Debug, Default)]
struct Refusals {
    count: u32,
    /// Sample after the last refused phrase: the same phrase may be refused more than once while it grows.
    end: u64,
    /// When it ended: CLOCK_MONOTONIC in microseconds.
    end_us: u64,
    /// When the pause ends, on the same clock.
    until_us: u64,
}

impl Lockout {
    /// Takes an event. A detection during the pause comes back as a refusal; the first refusal of a pause says so.
    pub fn judge(&mut self, mut event: Event) -> (Event, bool) {
        let Some(timing) = event.timing else { return (event, false) };
        let refusals = self.profiles.entry(event.profile.clone()).or_default();
        match event.kind {
            EventKind::Detected if timing.end_us < refusals.until_us => {
                event.kind = EventKind::Rejected(Reason::Paused);
            }
            EventKind::Detected => *refusals = Refusals::default(),
            EventKind::Rejected(Reason::OtherSpeaker) if event.start >= refusals.end => {
                let in_a_row = timing.start_us.saturating_sub(refusals.end_us) <= IN_A_ROW_US;
                refusals.count = if in_a_row { refusals.count + 1 } else { 1 };
                (refusals.end, refusals.end_us) = (event.end, timing.end_us);
                if refusals.count >= REFUSALS {
                    let begins = refusals.until_us <= timing.end_us;
                    refusals.until_us = timing.end_us + PAUSE_US;
                    return (event, begins);
                }
            }
            EventKind::Rejected(_) | EventKind::OtherVoice | EventKind::Candidate => {}
        }
        (event, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Notification;
    use crate::service::record::tests::verdict;

    /// A phrase of a second that began at this second.
    fn said(second: u64, reason: Option<Reason>) -> Event {
        let Notification::Event(event) = verdict(1, reason) else { panic!("no event") };
        let mut event = Event { start: second * 16_000, end: (second + 1) * 16_000, ..(*event).clone() };
        let timing = event.timing.as_mut().unwrap();
        (timing.start_us, timing.end_us) = (second * 1_000_000, (second + 1) * 1_000_000);
        event
    }

    #[test]
    fn five_other_voices_in_a_row_pause_a_profile() {
        let other = Some(Reason::OtherSpeaker);
        let mut lockout = Lockout::default();
        for second in [10, 10, 10, 20, 30, 40] {
            assert!(!lockout.judge(said(second, other)).1);
        }
        assert!(lockout.judge(said(50, other)).1, "the fifth begins the pause");
        assert!(!lockout.judge(said(60, other)).1, "it has begun already");
        let paused = lockout.judge(said(70, None)).0;
        assert_eq!(paused.kind, EventKind::Rejected(Reason::Paused));
        assert!(lockout.judge(said(92, None)).0.is_detected(), "the pause is over");
    }

    #[test]
    fn refusals_that_are_not_in_a_row_pause_nobody() {
        let other = Some(Reason::OtherSpeaker);
        let mut lockout = Lockout::default();
        let apart = (0..10).map(|number| said(number * 70, other));
        // The owner is heard in between, or the words are others.
        let mixed = (0..4).map(|number| said(1000 + number, other)).chain([said(1010, None)]);
        let words = (0..10).map(|number| said(1020 + number, Some(Reason::OtherPhrase)));
        let later = (0..4).map(|number| said(1040 + number, other)).chain([said(1050, None)]);
        for event in apart.chain(mixed).chain(words).chain(later) {
            let detected = event.is_detected();
            let (event, begins) = lockout.judge(event);
            assert!(!begins && event.is_detected() == detected, "{event:?}");
        }
    }
}
