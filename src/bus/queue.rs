//! Where calls from the bus become commands, and their answers come back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::error::BusError;
use crate::control::{Answer, Command};

/// An answer that takes longer is not waited for.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Commands that may wait for the supervisor before calls are refused.
const MAX_WAITING: usize = 64;

/// Calls of one client that may wait for their answers: one that sends more does not keep others waiting.
const MAX_WAITING_PER_CLIENT: usize = 4;

/// Longest text of a caller that is passed on, in characters.
const MAX_TEXT: usize = 120;

/// The way to the supervisor.
#[derive(Clone)]
pub struct CommandQueue {
    commands: Sender<Command>,
    /// Calls that wait for their answers, by the caller's unique name.
    waiting: Arc<Mutex<HashMap<String, usize>>>,
}

/// A call that waits, until this is dropped.
struct Waiting<'a> {
    queue: &'a CommandQueue,
    caller: &'a str,
}

impl CommandQueue {
    /// `commands` must be unbounded: what the supervisor is [told](Self::tell) neither waits nor gets lost.
    pub fn new(commands: Sender<Command>) -> Self {
        Self { commands, waiting: Arc::default() }
    }

    /// Sends a command of `caller` and waits for its answer, on another thread, so that other calls go on.
    pub async fn ask<T: Send + 'static>(
        &self,
        caller: &str,
        command: impl FnOnce(Answer<T>) -> Command,
    ) -> Result<T, BusError> {
        let _waiting = self.wait(caller)?;
        let (answer, reply) = bounded(1);
        self.commands.send(command(answer)).map_err(|_| stopping())?;
        match zruntime::unblock(move || reply.recv_timeout(ANSWER_TIMEOUT)).await {
            Ok(answer) => Ok(answer?),
            Err(RecvTimeoutError::Timeout) => {
                Err(BusError::Timeout(format!("no answer within {} s; try again", ANSWER_TIMEOUT.as_secs())))
            }
            Err(RecvTimeoutError::Disconnected) => Err(stopping()),
        }
    }

    /// Tells the supervisor something. Never waits.
    pub fn tell(&self, command: Command) {
        // Without a supervisor the process is about to end.
        let _ = self.commands.send(command);
    }

    fn wait<'a>(&'a self, caller: &'a str) -> Result<Waiting<'a>, BusError> {
        if self.commands.len() >= MAX_WAITING {
            return Err(BusError::Busy("too many calls wait for an answer; try again".into()));
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let own = waiting.entry(caller.into()).or_default();
        if *own >= MAX_WAITING_PER_CLIENT {
            let text = format!("{own} calls of yours wait for their answers; wait for one of them");
            return Err(BusError::Busy(text));
        }
        *own += 1;
        Ok(Waiting { queue: self, caller })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = waiting.get_mut(self.caller) {
            *own -= 1;
            if *own == 0 {
                waiting.remove(self.caller);
            }
        }
    }
}

fn stopping() -> BusError {
    BusError::Stopping("the daemon is stopping".into())
}

/// A caller's text as it may appear in a log: short, and on one line.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::unbounded;

    use super::*;

    #[test]
    fn a_caller_cannot_forge_lines_of_the_log() {
        assert_eq!(clean("call\n\u{1b}[31mERROR\0"), "call  [31mERROR ");
        assert_eq!(clean(&"é".repeat(5000)).chars().count(), MAX_TEXT);
    }

    #[test]
    fn one_client_cannot_take_the_place_of_another() {
        let (commands, waiting) = unbounded();
        let queue = CommandQueue::new(commands);
        let calls: Vec<_> = (0..MAX_WAITING_PER_CLIENT).map(|_| queue.wait(":1.1").unwrap()).collect();
        assert!(matches!(queue.wait(":1.1"), Err(BusError::Busy(_))));
        assert!(queue.wait(":1.2").is_ok());
        drop(calls);
        assert!(queue.wait(":1.1").is_ok() && queue.waiting.lock().unwrap().is_empty());
        // What is told neither waits for room nor gets lost.
        for _ in 0..2 * MAX_WAITING {
            queue.tell(Command::Stop);
        }
        assert!(waiting.len() == 2 * MAX_WAITING && matches!(queue.wait(":1.2"), Err(BusError::Busy(_))));
    }
}
