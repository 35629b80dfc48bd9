//! What the daemon can be asked to do and what it tells: the types that its core and its front ends share.
//!
//! The core (`service`) takes [`Command`]s and sends [`Notification`]s. A front end (`bus`) knows nothing else of it.

mod command;
mod enrolment;
mod notification;
mod reader;
mod status;

pub use command::{
    Answer, AudioStream, BusCondition, Command, CommandError, EnrolRequest, HoldKind, MAX_READERS,
    MAX_READERS_PER_CLIENT,
};
pub use enrolment::{EnrolResult, EnrolStep};
pub use notification::Notification;
pub use reader::HandedAudio;
pub use status::{State, Status};
