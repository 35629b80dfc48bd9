//! What the supervisor knows of the microphone, and when it is to be opened again.

use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::watch::{Watch, microphone_places};
use crate::audio::capture::{Health, Retry};
use crate::features::SAMPLE_RATE;

/// Exact zeros for so long are no room, however quiet.
const DEAD_AFTER: Duration = Duration::from_secs(5);
/// After so long, and then ever less often, the microphone is opened again: what is said in that moment is
/// lost, and some sources are silent whenever nobody speaks.
const REVIVED_AFTER: Duration = Duration::from_secs(60);
/// An order to open the microphone that takes longer hangs.
const OPENING: Duration = Duration::from_secs(10);

/// The microphone as far as it has shown itself.
pub struct Microphone {
    /// Audio came from it.
    pub hearing: bool,
    /// It was missing or lost since it last gave audio.
    pub failed: bool,
    /// An order to open it was given then and not answered yet.
    opening: Option<Instant>,
    /// The capture that reports of progress are about is the one asked for.
    open: bool,
    retry: Backoff,
    watch: Watch,
    /// Reopened so many times because it was dead.
    revivals: u32,
    /// Overruns and lost samples of this capture, and of those before it.
    losses: (u64, u64),
    past: (u64, u64),
    gauge: LossGauge,
    /// Samples heard at the last look.
    samples: u64,
}

/// What the latest progress says.
#[derive(Debug, Default, PartialEq)]
pub struct Progress {
    /// It is the first audio of this capture.
    pub first: bool,
    /// It gives exact zeros, and has done so for some time.
    pub dead: bool,
    /// It should be opened again: a removed source often leaves a stream that lives on in silence.
    pub revive: bool,
}

impl Microphone {
    pub fn new() -> Self {
        Self {
            hearing: false,
            failed: false,
            opening: None,
            open: false,
            retry: Backoff::default(),
            watch: Watch::new(microphone_places()),
            revivals: 0,
            losses: (0, 0),
            past: (0, 0),
            gauge: LossGauge::new(Instant::now()),
            samples: 0,
        }
    }

    /// An order to open it was given.
    pub fn ordered(&mut self, now: Instant) {
        (self.opening, self.open) = (Some(now), false);
    }

    /// The order was carried out; audio may follow.
    pub fn opened(&mut self) {
        (self.opening, self.open) = (None, true);
        self.add_up();
    }

    /// It could not be opened, or was lost. How long until the next attempt.
    pub fn lost(&mut self, retry: Retry, now: Instant) -> Duration {
        let heard = self.hearing;
        self.ended();
        self.failed = true;
        match retry {
            // Only for a microphone that had worked: one that never does would be opened without end.
            Retry::Now if heard => {
                self.retry.hasten(now);
                Duration::ZERO
            }
            _ => self.retry.failed(now),
        }
    }

    /// It was let go on purpose: nothing is tried until somebody opens it again.
    pub fn closed(&mut self) {
        self.ended();
        self.retry.cancel();
    }

    fn ended(&mut self) {
        (self.hearing, self.opening, self.open) = (false, None, false);
        self.add_up();
    }

    /// Audio came in, `samples` since the start. Says nothing about a capture that is to be replaced.
    pub fn progressed(&mut self, samples: u64, health: &Health) -> Option<Progress> {
        if !self.open {
            return None;
        }
        let first = samples > self.samples && !self.hearing;
        if first {
            (self.hearing, self.failed) = (true, false);
            self.retry.succeeded();
        }
        self.samples = samples;
        self.losses = (health.overruns, health.lost_samples);
        if health.dead_for.is_zero() {
            self.revivals = 0;
        }
        let patience = REVIVED_AFTER * (1 << self.revivals.min(4));
        let revive = health.dead_for >= patience;
        if revive {
            self.revivals += 1;
        }
        Some(Progress { first, dead: health.dead_for >= DEAD_AFTER, revive })
    }

    /// Whether it is missing, and an attempt to open it is due.
    pub fn due(&mut self, missing: bool, now: Instant) -> bool {
        let missing = missing && self.opening.is_none();
        if self.watch.changed() && missing {
            self.retry.hasten(now);
        }
        self.retry.take_due(now) && missing
    }

    /// Whether no audio is due because the microphone is waited for, and the waiting goes on.
    pub fn waits(&self, now: Instant) -> bool {
        !self.hearing && self.opening.is_none_or(|since| now - since <= OPENING)
    }

    /// Whether more is lost than may happen on a busy machine.
    pub fn loses(&mut self, now: Instant) -> bool {
        self.gauge.look(self.lost_samples(), now)
    }

    /// Times that the ring was full.
    pub fn overruns(&self) -> u64 {
        self.past.0 + self.losses.0
    }

    /// Samples that never came or found no room.
    pub fn lost_samples(&self) -> u64 {
        self.past.1 + self.losses.1
    }

    /// The next capture counts from zero.
    fn add_up(&mut self) {
        let (overruns, samples) = std::mem::take(&mut self.losses);
        self.past = (self.past.0 + overruns, self.past.1 + samples);
    }
}

/// Tells losses that spoil the listening from single blocks that a busy machine missed.
struct LossGauge {
    since: Instant,
    /// Samples lost when this look began.
    before: u64,
    bad: bool,
}

impl LossGauge {
    const SPAN: Duration = Duration::from_secs(10);
    /// One in a hundred.
    const MANY: u64 = 10 * SAMPLE_RATE as u64 / 100;

    fn new(now: Instant) -> Self {
        Self { since: now, before: 0, bad: false }
    }

    /// Bad at once when too much was lost, and until ten seconds went better.
    fn look(&mut self, lost: u64, now: Instant) -> bool {
        let many = lost.saturating_sub(self.before) >= Self::MANY;
        self.bad |= many;
        if now - self.since >= Self::SPAN {
            *self = Self { since: now, before: lost, bad: many };
        }
        self.bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::capture::Realtime;

    const SECOND: Duration = Duration::from_secs(1);

    fn health(lost_samples: u64, dead_for: Duration) -> Health {
        Health {
            overruns: 0,
            lost_samples,
            device_overruns: 0,
            dead_for,
            stalled_for: Duration::ZERO,
            realtime: Realtime::NotAsked,
        }
    }

    #[test]
    fn losses_never_stay_unsaid_nor_a_problem_for_ever() {
        let start = Instant::now();
        let mut gauge = LossGauge::new(start);
        assert!(!gauge.look(256, start + SECOND), "a single block");
        assert!(gauge.look(256 + 1600, start + 2 * SECOND), "too much");
        assert!(gauge.look(1856, start + 10 * SECOND), "too much in these ten seconds");
        assert!(!gauge.look(1856, start + 20 * SECOND), "nothing since");
    }

    #[test]
    fn a_dead_microphone_is_never_reopened_ever_more_often() {
        let mut microphone = Microphone::new();
        microphone.opened();
        let (mut now, mut dead_for, mut revived) = (Instant::now(), Duration::ZERO, Vec::new());
        for second in 0..600 {
            now += SECOND;
            dead_for += SECOND;
            let progress = microphone.progressed(16_000 * (second + 1), &health(0, dead_for)).unwrap();
            assert_eq!((progress.first, progress.dead), (second == 0, dead_for >= DEAD_AFTER));
            if progress.revive {
                revived.push(second + 1);
                dead_for = Duration::ZERO;
                // The next capture is dead from its first sample.
                microphone.ordered(now);
                microphone.opened();
            }
        }
        assert_eq!(revived, [60, 180, 420]);
    }

    #[test]
    fn losses_are_never_forgotten_nor_counted_twice() {
        let (mut microphone, now) = (Microphone::new(), Instant::now());
        microphone.opened();
        assert!(microphone.progressed(160, &health(100, Duration::ZERO)).is_some());
        microphone.ordered(now);
        let late = microphone.progressed(320, &health(100, Duration::ZERO));
        assert_eq!(late, None, "of the capture that is being replaced");
        microphone.opened();
        assert!(microphone.progressed(480, &health(20, Duration::ZERO)).is_some());
        assert_eq!(microphone.lost_samples(), 120);
        microphone.closed();
        microphone.opened();
        assert_eq!(microphone.lost_samples(), 120);
    }
}
