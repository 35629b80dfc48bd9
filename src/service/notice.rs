//! What the daemon tells its sinks: the bus, JSON lines, hooks, the log.

use std::sync::Arc;

use serde::Serialize;

use super::enroller::EnrolStep;
use crate::engine::event::{Detection, Reason};
use crate::profile::Profile;

/// What the daemon is doing. The names are those on the bus, in the log and in `systemctl status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Models or microphone are not ready yet.
    #[default]
    Starting,
    /// A phrase said now is heard.
    Listening,
    /// Somebody muted it: nothing is heard.
    Held,
    /// There is no usable microphone; it is being waited for.
    NoDevice,
    /// It listens, but not as it should: the last error says why.
    Degraded,
    /// On its way out.
    Stopping,
}

impl State {
    /// The public name.
    pub fn name(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Listening => "listening",
            State::Held => "held",
            State::NoDevice => "no-device",
            State::Degraded => "degraded",
            State::Stopping => "stopping",
        }
    }
}

/// The daemon's condition at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// The microphone in use; empty without one.
    pub input_device: String,
    /// Whether a mute hold is in force.
    pub muted: bool,
    /// Whether a playback hold is in force.
    pub playback: bool,
    /// Times that the ring was full.
    pub overruns: u64,
    /// Samples lost since the start, at 16 kHz: in the ring, or before they came here.
    pub lost_samples: u64,
    /// The last error in words; empty if there was none.
    pub last_error: String,
}

/// What the engine heard, with what only the daemon knows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WakeEvent {
    /// Counts what was heard since the start, from 1.
    pub sequence: u64,
    /// Why it was refused, if it was.
    pub reason: Option<Reason>,
    /// When the phrase began: CLOCK_MONOTONIC in microseconds.
    pub start_us: u64,
    /// When it ended: CLOCK_MONOTONIC in microseconds.
    pub end_us: u64,
    /// From the phrase's end to the verdict, in milliseconds.
    pub latency_ms: f64,
    /// Everything measured; its positions are samples at 16 kHz since the stream's beginning.
    #[serde(flatten)]
    pub detection: Detection,
}

/// Something that the sinks hear of.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A verdict: accepted, or refused with a reason.
    Verdict(Arc<WakeEvent>),
    /// A phrase in another voice than its owner's, in household mode.
    OtherVoice(Arc<WakeEvent>),
    /// The condition changed.
    Status(Status),
    /// All enrolled profiles, after any of them changed.
    Profiles(Vec<Arc<Profile>>),
    /// The score needed by profiles without a threshold of their own, after it changed.
    Threshold(f32),
    /// How an enrolment goes, for the claimant alone.
    Enrolment {
        /// Unique bus name of the claimant.
        owner: String,
        /// What happened.
        step: EnrolStep,
    },
    /// A reader of handed-over audio was too slow: it lost this many samples at 16 kHz.
    AudioLost {
        /// What [`AudioStream::id`](super::command::AudioStream::id) said.
        stream: u32,
        /// Samples lost.
        samples: u64,
    },
}
