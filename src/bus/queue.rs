//! Where calls from the bus become commands, and their answers come back.

use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, TrySendError, bounded};

use super::error::BusError;
use crate::control::{Answer, Command};

/// An answer that takes longer is not waited for.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Longest text of a caller that is passed on, in characters.
const TEXT: usize = 120;

/// Asks the supervisor.
#[derive(Clone)]
pub struct CommandQueue {
    commands: Sender<Command>,
}

impl CommandQueue {
    pub fn new(commands: Sender<Command>) -> Self {
        Self { commands }
    }

    /// Sends a command and waits for its answer, on another thread, so that other calls go on.
    pub async fn ask<T: Send + 'static>(
        &self,
        command: impl FnOnce(Answer<T>) -> Command,
    ) -> Result<T, BusError> {
        let (answer, reply) = bounded(1);
        self.commands.try_send(command(answer)).map_err(|error| match error {
            TrySendError::Full(_) => BusError::Busy("too many calls wait for an answer; try again".into()),
            TrySendError::Disconnected(_) => stopping(),
        })?;
        match zruntime::unblock(move || reply.recv_timeout(PATIENCE)).await {
            Ok(answer) => Ok(answer?),
            Err(RecvTimeoutError::Timeout) => {
                Err(BusError::Timeout(format!("no answer within {} s; try again", PATIENCE.as_secs())))
            }
            Err(RecvTimeoutError::Disconnected) => Err(stopping()),
        }
    }

    /// Tells the supervisor something. One that takes nothing any more is not waited for for ever.
    pub fn tell(&self, command: Command) {
        if let Err(error) = self.commands.send_timeout(command, PATIENCE) {
            tracing::warn!("the supervisor did not take {:?}", error.into_inner());
        }
    }
}

fn stopping() -> BusError {
    BusError::Stopping("the daemon is stopping".into())
}

/// A caller's text as it may appear in a log: short, and on one line.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_cannot_forge_lines_of_the_log() {
        assert_eq!(clean("call\n\u{1b}[31mERROR\0"), "call  [31mERROR ");
        assert_eq!(clean(&"é".repeat(5000)).chars().count(), TEXT);
    }
}
