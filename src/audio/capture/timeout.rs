//! Calls into ALSA, which may print and may never return.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::CaptureError;

/// How long the sound system may take to answer.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The last call that did not return in time.
static STUCK: Mutex<Option<JoinHandle<()>>> = Mutex::new(None);

/// Runs `work` on a thread of its own, and waits no longer than five seconds for it.
///
/// A sound server that hangs keeps whoever calls it for good. There is at most one such thread: as long as it
/// hangs, later calls fail at once.
pub(super) fn with_timeout<T: Send + 'static>(
    device: &str,
    work: impl FnOnce() -> Result<T, CaptureError> + Send + 'static,
) -> Result<T, CaptureError> {
    let failed = |reason: String| CaptureError::System { device: device.to_owned(), reason };
    let no_answer = "the sound server does not answer";
    let mut stuck = STUCK.lock().unwrap_or_else(PoisonError::into_inner);
    if stuck.as_ref().is_some_and(|thread| !thread.is_finished()) {
        return Err(failed(no_answer.to_owned()));
    }
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().name("open".to_owned()).spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(quietly(work));
    });
    let thread = thread.map_err(|error| failed(error.to_string()))?;
    receiver.recv_timeout(OPEN_TIMEOUT).unwrap_or_else(|_| {
        *stuck = Some(thread);
        Err(failed(no_answer.to_owned()))
    })
}

/// Runs `work` while what ALSA would print on stderr, even where nothing is wrong, goes to the log.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let said = alsa::Output::local_error_handler();
    let result = work();
    if let Ok(said) = said {
        let said = said.borrow().to_string();
        if !said.is_empty() {
            tracing::debug!(alsa = said.trim_end(), "what ALSA says");
        }
    }
    result
}
