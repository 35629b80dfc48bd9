//! Enrolment: from takes of a phrase to a profile.

mod augment;
mod check;
pub mod dialogue;
mod endpoint;
mod learn;
mod near;
mod quality;
mod session;
pub mod takes;

pub use crate::text::text;
pub use check::Measures;
pub use endpoint::{EndpointEvent, Endpointer};
pub use learn::{learn, learn_listed};
pub use near::{MAX_NEAR_WORDS, NEAR_WORDS, NearWordError, add_near_words, near_word};
pub use quality::{Problem, Quality, Reason};
pub use session::{Session, SessionState, TakeReport, test};

/// Takes that are asked for.
pub const TAKES: usize = 5;
/// Takes that a profile keeps: each costs time whenever something like the phrase is heard.
pub const MAX_TAKES: usize = 15;
/// Takes needed for a profile.
pub const MIN_TAKES: usize = 3;
/// Takes needed for a profile that is one of a list.
pub const MIN_LISTED_TAKES: usize = 2;

/// Why takes give no profile.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EnrolError {
    /// Nothing in the take of this index rises above its noise.
    #[error("take {}: no speech found; speak closer to the microphone, with a moment of quiet around the phrase", .0 + 1)]
    NoSpeech(usize),
    /// Not enough takes.
    #[error("{0} usable takes, {MIN_TAKES} are needed; record five")]
    TooFew(usize),
    /// Not enough takes even for a phrase that only has to be told from others of a list.
    #[error("{0} usable takes, {MIN_LISTED_TAKES} are needed")]
    TooFewListed(usize),
}
