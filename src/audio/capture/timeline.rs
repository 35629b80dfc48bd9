//! When a sample was heard, and whether any are missing, judged by CLOCK_MONOTONIC.

/// How long a window is, in microseconds.
const WINDOW_US: f64 = 1e6;
/// The sound card's clock and the system's may differ by this much, in parts of one.
const DRIFT: f64 = 1000e-6;
/// A delay up to this is put down to scheduling, in microseconds.
const SLACK_US: f64 = 15_000.0;

/// Places the frames of a stream in time.
///
/// Each block says when the frame after its last was heard, as far as its receiver can tell: never too
/// early, but late by whatever kept the receiver from running. So the least late block of each second
/// counts: the time at which it puts the stream's first frame is the stream's origin. The origin follows
/// a drift of up to 1000 ppm. When it lies more than 15 ms later than that explains, frames are
/// missing, as many as fit into the whole delay. Fewer are noticed once they add up to that; a loss of less
/// than 0.1 % for good cannot be told from drift. A loss is known within three seconds.
pub(super) struct Timeline {
    us_per_frame: f64,
    /// Frames so far.
    frames: u64,
    /// When the first frame was heard.
    origin: Option<f64>,
    /// The earliest origin that a block of this window has claimed.
    earliest: f64,
    window_end: Option<f64>,
    missing_us: f64,
}

impl Timeline {
    pub(super) fn new(rate: u32) -> Self {
        Self {
            us_per_frame: 1e6 / f64::from(rate),
            frames: 0,
            origin: None,
            earliest: f64::INFINITY,
            window_end: None,
            missing_us: 0.0,
        }
    }

    /// Takes the next `frames`; the one that follows them was heard at `heard_us`.
    pub(super) fn push(&mut self, frames: u64, heard_us: u64) {
        self.frames += frames;
        let heard = heard_us as f64;
        self.earliest = self.earliest.min(heard - self.frames as f64 * self.us_per_frame);
        if heard < *self.window_end.get_or_insert(heard + WINDOW_US) {
            return;
        }
        let late = self.origin.map_or(0.0, |origin| self.earliest - origin);
        self.origin = match self.origin {
            Some(origin) if (0.0..=SLACK_US).contains(&late) => Some(origin + late.min(DRIFT * WINDOW_US)),
            _ => Some(self.earliest),
        };
        if late > SLACK_US {
            self.missing_us += late;
        }
        self.earliest = f64::INFINITY;
        self.window_end = Some(heard + WINDOW_US);
    }

    /// When the stream's first frame was heard, judging by what was delivered lately: CLOCK_MONOTONIC
    /// in microseconds. May lie before the clock's zero.
    pub(super) fn origin_us(&self) -> i64 {
        self.origin.unwrap_or(self.earliest) as i64
    }

    /// Frames that never came.
    pub(super) fn missing(&self) -> u64 {
        (self.missing_us / self.us_per_frame) as u64
    }
}
