//! Whether the server falls behind a client that sends in real time.

use std::time::{Duration, Instant};

/// So far a stream may be behind.
const MOST: Duration = Duration::from_secs(2);

/// Compares the audio heard with the time that it took. Audio that comes faster than real time, as from a file, is
/// never behind, however much of it waits.
#[derive(Debug, Default)]
pub struct Lag {
    /// When audio last came that nothing had to wait for, and how much was heard since.
    since: Option<(Instant, Duration)>,
    skipping: bool,
}

impl Lag {
    /// Nothing waited: the next audio comes as fast as it is heard.
    pub fn caught_up(&mut self) {
        *self = Self::default();
    }

    /// Audio of this length is there. Whether it is to be skipped, to come to the newest; and whether it is the first.
    pub fn skips(&mut self, audio: Duration, now: Instant) -> (bool, bool) {
        let (since, heard) = self.since.get_or_insert((now, Duration::ZERO));
        let behind = (now - *since).saturating_sub(*heard);
        *heard += audio;
        let first = !self.skipping && behind > MOST;
        self.skipping |= first;
        (self.skipping, first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: Duration = Duration::from_millis(100);

    /// Which of a hundred chunks are skipped, if each takes so long and never anything but the first is waited for.
    fn skipped(work: Duration) -> Vec<usize> {
        let (mut lag, start) = (Lag::default(), Instant::now());
        let skips = |chunk: &usize| lag.skips(CHUNK, start + work * u32::try_from(*chunk).unwrap()).0;
        (0..100).filter(skips).collect()
    }

    #[test]
    fn audio_faster_than_real_time_is_never_behind() {
        assert!(skipped(CHUNK / 100).is_empty());
        assert!(skipped(CHUNK).is_empty());
    }

    #[test]
    fn audio_is_skipped_once_it_is_two_seconds_behind() {
        // Each chunk of 100 ms takes 200: the 21st has just been waited for long enough.
        assert_eq!(skipped(2 * CHUNK), (21..100).collect::<Vec<_>>());
    }

    #[test]
    fn skipping_ends_when_nothing_waits() {
        let (mut lag, start) = (Lag::default(), Instant::now());
        assert_eq!(lag.skips(CHUNK, start), (false, false));
        assert_eq!(lag.skips(CHUNK, start + 30 * CHUNK), (true, true));
        assert_eq!(lag.skips(CHUNK, start + 30 * CHUNK), (true, false));
        lag.caught_up();
        assert_eq!(lag.skips(CHUNK, start + 90 * CHUNK), (false, false));
    }
}
