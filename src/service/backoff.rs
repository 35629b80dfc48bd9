//! When to try again.

use std::time::{Duration, Instant};

const FIRST_WAIT: Duration = Duration::from_millis(250);
/// While somebody may be waiting for it, a returned microphone is found again within this ...
const SOON: Duration = Duration::from_secs(1);
/// ... for so many attempts; later ones come ever less often, down to one in half a minute.
const SOON_ATTEMPTS: u32 = 60;
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Attempts that come less and less often.
#[derive(Debug, Default)]
pub struct Backoff {
    attempts: u32,
    due: Option<Instant>,
}

impl Backoff {
    /// Plans the next attempt after a failure at `now`.
    pub fn failed(&mut self, now: Instant) -> Duration {
        let doubled = |from: Duration, times: u32| from.saturating_mul(1 << times.min(16));
        let wait = match self.attempts.checked_sub(SOON_ATTEMPTS) {
            None => doubled(FIRST_WAIT, self.attempts).min(SOON),
            Some(late) => doubled(SOON, late).min(MAX_WAIT),
        };
        self.attempts = self.attempts.saturating_add(1);
        self.due = Some(now + wait);
        wait
    }

    /// Plans an attempt at once, whatever failed before: something changed.
    pub fn hasten(&mut self, now: Instant) {
        (self.attempts, self.due) = (0, Some(now));
    }

    /// It worked: nothing is planned, and the next failure is a first one.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Nothing is planned any more.
    pub fn cancel(&mut self) {
        self.due = None;
    }

    /// Whether an attempt is due; says so once.
    pub fn take_due(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_never_come_at_once_nor_later_than_half_a_minute() {
        let mut backoff = Backoff::default();
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..80 {
            let wait = backoff.failed(now);
            assert!(!backoff.take_due(now + wait - Duration::from_millis(1)));
            now += wait;
            assert!(backoff.take_due(now));
            assert!(!backoff.take_due(now), "said twice");
            waits.push(wait);
        }
        assert!(waits.is_sorted());
        assert_eq!((waits[0], waits[79]), (FIRST_WAIT, MAX_WAIT));
        assert_eq!(waits[SOON_ATTEMPTS as usize - 1], SOON);
        backoff.succeeded();
        assert_eq!(backoff.failed(now), FIRST_WAIT);
        backoff.hasten(now);
        assert!(backoff.take_due(now));
    }
}
