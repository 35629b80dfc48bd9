//! What the daemon can be asked to do, by the bus or a signal.
//!
//! Every command carries the channel for its answer, which has room for it: answering never blocks. If
//! an answer can no longer be sent, the caller has given up, and what was begun for it ends.

use std::fmt;
use std::os::fd::OwnedFd;

use crossbeam_channel::Sender;

/// Why something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldKind {
    /// Listen to nothing.
    Mute,
    /// The device itself is playing: wake only for a clearly better score.
    Playback,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No hold has this cookie, or somebody else's has.
    #[error("no hold of yours has the cookie {0}")]
    UnknownHold(u32),
    /// No such profile.
    #[error("no profile named {0:?}")]
    UnknownProfile(String),
    /// The value cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// Somebody else has the claim.
    #[error("another program enrols; try again when it is done")]
    Claimed,
    /// The caller has no claim.
    #[error("claim the enrolment first")]
    NotClaimed,
    /// The claimant's last enrolment goes on.
    #[error("an enrolment is under way; wait for its end, or stop it")]
    Enrolling,
    /// The microphone is muted or missing.
    #[error("no audio: {0}")]
    NoAudio(String),
    /// It cannot be done now.
    #[error("{0}; try again")]
    Busy(&'static str),
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
}

/// The answer to a command.
pub type Answer<T> = Sender<Result<T, CommandError>>;

/// Something to be done by the supervisor.
#[derive(Debug)]
pub enum Command {
    /// Begin a hold; answers its cookie.
    Hold {
        /// What kind.
        kind: HoldKind,
        /// Why, in words.
        reason: String,
        /// Which application asks.
        application: String,
        /// Unique bus name of the caller.
        owner: String,
        answer: Answer<u32>,
    },
    /// End a hold.
    Release {
        cookie: u32,
        /// Unique bus name of the caller.
        owner: String,
        answer: Answer<()>,
    },
    /// A caller left the bus: its holds, its claim and its audio end.
    Vanished {
        /// Its unique bus name.
        owner: String,
    },
    /// Read configuration and profiles again.
    Reload {
        /// Done; the error says what is wrong with the new configuration. Absent from a signal.
        answer: Option<Answer<()>>,
    },
    /// Hand over audio: the past, then what is heard until the reader closes.
    OpenAudio {
        /// How much of the past, in milliseconds.
        preroll_ms: u32,
        /// Unique bus name of the caller.
        owner: String,
        answer: Answer<AudioStream>,
    },
    /// Change a profile for good.
    SetEnabled {
        profile: String,
        /// Whether to listen for it.
        enabled: bool,
        answer: Answer<()>,
    },
    /// Change a profile for good.
    SetThreshold {
        profile: String,
        /// Score needed; the configured one if absent.
        threshold: Option<f32>,
        answer: Answer<()>,
    },
    /// Delete a profile for good.
    Remove { profile: String, answer: Answer<()> },
    /// Let the caller alone enrol, until it releases that or leaves. Meanwhile nothing wakes anybody.
    Claim {
        /// Unique bus name of the caller.
        owner: String,
        answer: Answer<()>,
    },
    /// End a claim, and its enrolment.
    ReleaseClaim {
        /// Unique bus name of the caller.
        owner: String,
        answer: Answer<()>,
    },
    /// Begin to enrol; how it goes comes as [`Notification::Enrolment`](super::Notification::Enrolment).
    StartEnrolment {
        /// Unique bus name of the claimant.
        owner: String,
        request: EnrolRequest,
        /// It has begun.
        answer: Answer<()>,
    },
    /// Stop the enrolment that may be under way; nothing is stored.
    StopEnrolment {
        /// Unique bus name of the claimant.
        owner: String,
        answer: Answer<()>,
    },
    /// How the bus itself is.
    Bus(BusCondition),
    /// Drain and end.
    Stop,
}

/// What is to be enrolled.
#[derive(Clone, Debug)]
pub struct EnrolRequest {
    /// Name of the profile.
    pub profile: String,
    /// The phrase as text.
    pub phrase: String,
    /// Who says it.
    pub user: String,
    /// Whether a profile of this name is to be replaced.
    pub replace: bool,
    /// Whether another profile that wakes for the same already is no reason to stop.
    pub allow_duplicate: bool,
}

/// Whether the daemon can be reached over the bus. It listens and detects either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusCondition {
    /// The name is owned and calls are answered.
    Serving,
    /// Another process owns the name.
    NameTaken,
    /// There is no connection, for this reason.
    Lost(String),
}

impl fmt::Display for BusCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BusCondition::Serving => write!(f, "the bus is served"),
            BusCondition::NameTaken => {
                write!(f, "another daemon is on the bus already; see it with: wakeword status")
            }
            BusCondition::Lost(reason) => write!(f, "no bus, trying again: {reason}"),
        }
    }
}

/// Readers of audio at a time, of all clients and of one.
pub const MAX_READERS: usize = 8;
/// See [`MAX_READERS`].
pub const MAX_READERS_PER_CLIENT: usize = 4;

/// Audio for a reader: 16 kHz, mono, signed 16 bit, little-endian.
#[derive(Debug)]
pub struct AudioStream {
    /// Names the stream in [`Notification::AudioLost`](super::Notification::AudioLost). Streams open at
    /// the same time differ modulo [`MAX_READERS`], so that as many
    /// places are enough to remember whose they are.
    pub id: u32,
    /// The end to read from.
    pub reader: OwnedFd,
    /// Samples of the past that come first; less than asked for if less is kept.
    pub preroll_samples: u64,
    /// When the first sample was heard: CLOCK_MONOTONIC in microseconds.
    pub first_us: u64,
    /// The last detected phrase, if all of it lies in the pre-roll: first sample and the one after
    /// the last, counted from the stream's first.
    pub phrase: Option<(u64, u64)>,
}
