//! The phrase in a voice that is not its owner's.

use super::event::{Detection, Reason};
use super::rule::Rule;

/// What of the phrase that is being said just now fits best.
#[derive(Default)]
pub struct Household {
    best: Option<Detection>,
}

impl Household {
    /// Takes a refused candidate, which may be judged again while the phrase goes on.
    pub fn hear(&mut self, rule: &Rule, refused: &Detection, reason: Option<Reason>) {
        let words = refused.evidence.keyword_score;
        let better = self.best.as_ref().is_none_or(|best| best.evidence.keyword_score < words);
        if better && reason.is_some_and(|reason| rule.other_voice(&refused.evidence, reason)) {
            self.best = Some(Detection { user: String::new(), ..refused.clone() });
        }
    }

    /// What was said, decided at sample `now`.
    pub fn take(&mut self, now: u64) -> Option<Detection> {
        self.best.take().map(|best| Detection { decided: now, ..best })
    }
}
