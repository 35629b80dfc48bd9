//! The clock by which audio is dated, and the sleep of the machine.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CLOCK_MONOTONIC in microseconds. It stands still while the machine sleeps and never jumps.
pub fn monotonic_us() -> u64 {
    micros(ClockId::Monotonic)
}

/// The wall clock: microseconds since 1970 (UTC).
pub fn unix_us() -> u64 {
    micros(ClockId::Realtime)
}

fn micros(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000
}

/// Notices that the machine slept.
pub(super) struct SleepWatch {
    /// By how much the clock that runs on in sleep is ahead, at the beginning.
    ahead_us: u64,
}

impl SleepWatch {
    /// Shorter differences come from reading two clocks one after the other.
    const SHORTEST: Duration = Duration::from_millis(500);

    pub(super) fn new() -> Self {
        Self { ahead_us: boot_ahead_us() }
    }

    /// How long the machine has slept since the beginning, if it has.
    pub(super) fn slept(&self) -> Option<Duration> {
        self.since(boot_ahead_us())
    }

    fn since(&self, ahead_us: u64) -> Option<Duration> {
        let slept = Duration::from_micros(ahead_us.saturating_sub(self.ahead_us));
        (slept >= Self::SHORTEST).then_some(slept)
    }
}

fn boot_ahead_us() -> u64 {
    // In this order a pause between the two can only hide a sleep until the next look.
    let boot = micros(ClockId::Boottime);
    boot.saturating_sub(monotonic_us())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspended_time_is_noticed() {
        let watch = SleepWatch::new();
        assert_eq!(watch.slept(), None);
        let night = Duration::from_secs(8 * 3600);
        let morning = watch.ahead_us + night.as_micros() as u64;
        assert_eq!(watch.since(morning), Some(night));
    }
}
