//! What systemd is told of the service. Without its socket, nothing is told and nothing fails.

use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use sd_notify::NotifyState;

use super::outbox::Outbox;
use crate::control::Status;

/// Messages that may wait for a service manager that is busy itself.
const ROOM: usize = 256;

/// The service manager. It is told from a thread of its own: nobody waits for it.
pub struct Systemd {
    words: Option<Outbox<Word>>,
    /// Half the time after which it restarts a daemon without a sign of life; absent if it never does.
    every: Option<Duration>,
    /// When the last sign of life was sent, and how much had been heard by then.
    beat: Option<Instant>,
    samples: u64,
}

#[derive(Debug)]
enum Word {
    Ready,
    Reloading,
    Stopping,
    Status(String),
    Alive,
}

impl Systemd {
    /// As the environment says.
    pub fn from_environment() -> std::io::Result<Self> {
        let words = match std::env::var_os("NOTIFY_SOCKET") {
            Some(_) => Some(Outbox::new("systemd".into(), ROOM, speak)?),
            None => None,
        };
        let every = sd_notify::watchdog_enabled().map(|time| time / 2);
        Ok(Self { words, every, beat: None, samples: 0 })
    }

    /// The daemon serves: everything that waits for it may start.
    pub fn ready(&self) {
        self.tell(Word::Ready);
    }

    /// The daemon reads its configuration again; [`ready`](Self::ready) ends that.
    pub fn reloading(&self) {
        self.tell(Word::Reloading);
    }

    /// The line that `systemctl status` shows.
    pub fn status(&self, status: &Status) {
        let mut line = status.state.name().to_owned();
        let more = if status.last_error.is_empty() { &status.input_device } else { &status.last_error };
        if !more.is_empty() {
            line = format!("{line}: {more}");
        }
        // A second line would be read as another message.
        self.tell(Word::Status(line.replace(char::is_control, " ")));
    }

    /// Audio came through: `samples` were heard since the start. To be called several times within the
    /// unit's `WatchdogSec`; the same number as before counts for nothing.
    pub fn fed(&mut self, samples: u64) {
        if std::mem::replace(&mut self.samples, samples) != samples {
            self.alive();
        }
    }

    /// Proof of life: audio came, or none is due for want of a microphone or because of a mute, and whoever
    /// waits for it is alive.
    pub fn alive(&mut self) {
        let Some(every) = self.every else { return };
        if self.beat.is_none_or(|beat| beat.elapsed() >= every) {
            self.beat = Some(Instant::now());
            self.tell(Word::Alive);
        }
    }

    /// The daemon is on its way out, once what was said is out or at `deadline`.
    pub fn stopping(self, deadline: Instant) {
        self.tell(Word::Stopping);
        if let Some(words) = self.words {
            words.finish(deadline);
        }
    }

    fn tell(&self, word: Word) {
        if let Some(words) = &self.words {
            words.push(word);
        }
    }
}

fn speak(words: Receiver<Word>) {
    for word in words {
        let told = match &word {
            Word::Ready => sd_notify::notify(&[NotifyState::Ready]),
            Word::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
            Word::Status(line) => sd_notify::notify(&[NotifyState::Status(line)]),
            Word::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
            Word::Reloading => NotifyState::monotonic_usec_now()
                .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now])),
        };
        if let Err(error) = told {
            tracing::warn!("cannot tell systemd {word:?}: {error}");
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
    use crate::control::State;

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
        let systemd = Systemd::from_environment().unwrap();
        let at = |state, last_error: &str| {
            systemd.status(&Status {
                state,
                input_device: "front".into(),
                last_error: last_error.into(),
                ..Status::default()
            });
        };
        at(State::Starting, "");
        systemd.ready();
        at(State::Degraded, "a bad\nREADY=1\nline");
        systemd.reloading();
        systemd.ready();
        systemd.stopping(Instant::now() + Duration::from_secs(10));
    }

    #[test]
    fn systemd_is_told_the_state() {
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
        let mut systemd = Systemd::from_environment().unwrap();
        let later = || sleep(Duration::from_millis(110));
        systemd.fed(0);
        later();
        systemd.fed(160);
        // Alive, but it is too early to say so again.
        systemd.fed(320);
        later();
        systemd.fed(320);
        later();
        systemd.fed(320);
        systemd.alive();
        systemd.stopping(Instant::now() + Duration::from_secs(10));
    }

    #[test]
    fn the_watchdog_starves_while_audio_stands_still() {
        assert_eq!(
            told("part_watchdog", Some(Duration::from_millis(200))),
            ["WATCHDOG=1\n", "WATCHDOG=1\n", "STOPPING=1\n"]
        );
    }

    #[test]
    fn an_unrequested_watchdog_is_silent() {
        assert_eq!(told("part_watchdog", None), ["STOPPING=1\n"]);
    }
}
