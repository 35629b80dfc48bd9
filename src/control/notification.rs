//! What the daemon tells its sinks: the bus, JSON lines, hooks, the log.

use std::sync::Arc;

use super::{EnrolStep, Status};
use crate::engine::event::Event;
use crate::profile::Profile;

/// Something that the sinks hear of.
#[derive(Clone, Debug)]
pub enum Notification {
    /// The engine heard something; its `timing` is there.
    Event(Arc<Event>),
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
        /// What [`AudioStream::id`](super::AudioStream::id) said.
        stream: u32,
        /// Samples lost.
        samples: u64,
    },
}
