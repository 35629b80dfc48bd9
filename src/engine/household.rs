//! The phrase in a voice that is not its owner's.

use super::event::{Event, EventKind};
use super::rule::Rule;

/// What of the phrase that is being said just now fits best.
#[derive(Default)]
pub struct Household {
    best: Option<Event>,
    /// Where the last phrase ended that woke somebody.
    woken: u64,
}

impl Household {
    /// A phrase until `end` woke its owner: what another profile makes of it is nothing to tell.
    pub fn woke(&mut self, end: u64) {
        *self = Self { best: None, woken: end };
    }

    /// Takes a refused candidate, which may be judged again while the phrase goes on.
    pub fn hear(&mut self, rule: &Rule, refused: &Event) {
        let words = refused.evidence.keyword_score;
        let better = self.best.as_ref().is_none_or(|best| best.evidence.keyword_score < words);
        if better
            && refused.start >= self.woken
            && refused.reason().is_some_and(|reason| rule.other_voice(&refused.evidence, reason))
        {
            self.best = Some(Event { kind: EventKind::OtherVoice, user: String::new(), ..refused.clone() });
        }
    }

    /// What was said, decided at sample `now`.
    pub fn take(&mut self, now: u64) -> Option<Event> {
        self.best.take().map(|best| Event { decided: now, ..best })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{Evidence, Reason};

    #[test]
    fn a_phrase_that_woke_is_no_other_voice() {
        let rule = Rule { household: true, ..Rule::default() };
        let evidence = Evidence {
            keyword_score: 0.9,
            cepstral_score: 0.5,
            speaker_score: Some(0.1),
            speaker_cosine: Some(0.05),
            level_dbfs: -30.0,
            snr_db: 40.0,
            ..Evidence::default()
        };
        let at = |start: u64| Event {
            kind: EventKind::Rejected(Reason::OtherSpeaker),
            profile: "anna".into(),
            user: "anna".into(),
            speaker: None,
            phrase: "x".into(),
            start,
            end: start + 16_000,
            decided: start + 16_000,
            evidence,
            score: 1.0,
            threshold: 1.6,
            margin: -0.6,
            timing: None,
        };
        let mut household = Household::default();
        household.woke(17_000);
        household.hear(&rule, &at(1_000));
        assert_eq!(household.take(20_000), None);
        household.hear(&rule, &at(18_000));
        assert_eq!(household.take(40_000).map(|told| told.start), Some(18_000));
    }
}
