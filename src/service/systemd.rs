//! What systemd is told of the service. Without its socket, nothing is told and nothing fails.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use super::notice::Status;

/// The daemon serves: everything that waits for it may start.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The daemon reads its configuration again; [`ready`] ends that.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("no reload notification: {error}"),
    }
}

/// The daemon is on its way out.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// The line that `systemctl status` shows.
pub fn status(status: &Status) {
    let mut line = status.state.name().to_owned();
    let more = if status.last_error.is_empty() { &status.input_device } else { &status.last_error };
    if !more.is_empty() {
        line = format!("{line}: {more}");
    }
    // A second line would be read as another message.
    notify(&[NotifyState::Status(&line.replace(char::is_control, " "))]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("cannot reach systemd: {error}");
    }
}

/// Proof of life, so that systemd restarts a daemon that hears nothing any more.
#[derive(Debug)]
pub struct Watchdog {
    /// Half the time that systemd waits; absent if it does not.
    every: Option<Duration>,
    beat: Mutex<Beat>,
}

#[derive(Debug, Default)]
struct Beat {
    frames: u64,
    sent: Option<Instant>,
}

impl Watchdog {
    /// As systemd asks for in the environment.
    pub fn from_environment() -> Self {
        Self { every: sd_notify::watchdog_enabled().map(|time| time / 2), beat: Mutex::default() }
    }

    /// Audio came through: `frames` were heard since the start. To be called several times within the
    /// unit's `WatchdogSec`; the same number as before counts for nothing.
    pub fn fed(&self, frames: u64) {
        self.beat(|beat| std::mem::replace(&mut beat.frames, frames) != frames);
    }

    /// No audio is due, for want of a microphone or because of a mute, and whoever waits for it is alive.
    pub fn excused(&self) {
        self.beat(|_| true);
    }

    fn beat(&self, alive: impl FnOnce(&mut Beat) -> bool) {
        let Some(every) = self.every else { return };
        let mut beat = self.beat.lock().unwrap_or_else(PoisonError::into_inner);
        if alive(&mut beat) && beat.sent.is_none_or(|sent| sent.elapsed() >= every) {
            beat.sent = Some(Instant::now());
            notify(&[NotifyState::Watchdog]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;
    use std::thread::sleep;

    use tempfile::TempDir;

    use super::*;
    use crate::service::notice::State;

    /// What a service is told by `part`, which runs in a process of its own: the socket is named in the
    /// environment, which a test may not change.
    fn told(part: &str, watchdog: Option<Duration>) -> Vec<String> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "--ignored", "--nocapture", &format!("service::systemd::tests::{part}")]);
        child.env("NOTIFY_SOCKET", &path).env_remove("WATCHDOG_PID").env_remove("WATCHDOG_USEC");
        if let Some(time) = watchdog {
            child.env("WATCHDOG_USEC", time.as_micros().to_string());
        }
        let output = child.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        let mut messages = Vec::new();
        while let Ok(length) = socket.recv(&mut buffer) {
            messages.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
        }
        messages
    }

    #[test]
    #[ignore = "run by other tests, with a socket"]
    fn part_life() {
        let at = |state, last_error: &str| {
            status(&Status {
                state,
                input_device: "front".into(),
                last_error: last_error.into(),
                ..Status::default()
            });
        };
        at(State::Starting, "");
        ready();
        at(State::Degraded, "a bad\nREADY=1\nline");
        reloading();
        ready();
        stopping();
    }

    #[test]
    fn systemd_is_never_told_something_else() {
        let messages = told("part_life", None);
        assert_eq!(messages[0], "STATUS=starting: front\n");
        assert_eq!(messages[1], "READY=1\n");
        assert_eq!(messages[2], "STATUS=degraded: a bad READY=1 line\n");
        let time = messages[3].strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(time.trim_end().parse::<u64>().unwrap() > 0);
        assert_eq!(messages[4..], ["READY=1\n", "STOPPING=1\n"]);
    }

    #[test]
    #[ignore = "run by other tests, with a socket"]
    fn part_watchdog() {
        let watchdog = Watchdog::from_environment();
        let later = || sleep(Duration::from_millis(110));
        watchdog.fed(0);
        later();
        watchdog.fed(160);
        // Alive, but it is too early to say so again.
        watchdog.fed(320);
        later();
        watchdog.fed(320);
        later();
        watchdog.fed(320);
        watchdog.excused();
    }

    #[test]
    fn the_watchdog_is_never_fed_while_audio_stands_still() {
        assert_eq!(told("part_watchdog", Some(Duration::from_millis(200))), ["WATCHDOG=1\n"; 2]);
    }

    #[test]
    fn a_watchdog_that_nobody_asked_for_never_speaks() {
        assert_eq!(told("part_watchdog", None), [""; 0]);
    }
}
