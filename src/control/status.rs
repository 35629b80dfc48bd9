//! The condition of the daemon.

use serde::Serialize;

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
    /// A program enrols a phrase: what is said wakes nobody.
    Enrolling,
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
            State::Enrolling => "enrolling",
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
