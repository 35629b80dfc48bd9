//! What callers are told went wrong.

use crate::control::CommandError;

/// An error on the bus, named `org.wakeword.Wakeword1.Error.` and its variant; the text is for people.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.wakeword.Wakeword1.Error")]
pub enum BusError {
    /// The bus itself failed.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// The caller has no hold with this cookie.
    UnknownHold(String),
    /// There is no such profile.
    UnknownProfile(String),
    /// An argument cannot be used.
    InvalidArgument(String),
    /// Somebody else enrols.
    AlreadyClaimed(String),
    /// The caller has not claimed the enrolment.
    NotClaimed(String),
    /// An enrolment is under way already.
    AlreadyInUse(String),
    /// There is no audio to hand over.
    NoAudio(String),
    /// It was tried and failed.
    Failed(String),
    /// No answer came in time.
    Timeout(String),
    /// Too much is being asked at once.
    Busy(String),
    /// The daemon is on its way out.
    Stopping(String),
}

impl From<CommandError> for BusError {
    fn from(error: CommandError) -> Self {
        let text = error.to_string();
        match error {
            CommandError::UnknownHold(_) => BusError::UnknownHold(text),
            CommandError::UnknownProfile(_) => BusError::UnknownProfile(text),
            CommandError::Invalid(_) => BusError::InvalidArgument(text),
            CommandError::Claimed => BusError::AlreadyClaimed(text),
            CommandError::NotClaimed => BusError::NotClaimed(text),
            CommandError::Enrolling => BusError::AlreadyInUse(text),
            CommandError::NoAudio(_) => BusError::NoAudio(text),
            CommandError::Busy(_) => BusError::Busy(text),
            CommandError::Failed(_) => BusError::Failed(text),
        }
    }
}
