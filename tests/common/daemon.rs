//! The built daemon in a home of its own, as users run it.

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use super::home::Home;

/// Longest that anything of the daemon's may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

pub const NAME: &str = "org.wakeword.Wakeword1";
pub const ROOT: &str = "/org/wakeword/Wakeword1";

/// A folder with the demo voice enrolled as `demo`.
pub fn enrolled(store: &Path) {
    let takes = super::repository("enroll/demo/enroll");
    let enroll = wakeword(store)
        .args(["enroll", "demo", "--user", "anna", "--phrase", super::PHRASE, "--from"])
        .arg(takes)
        .output()
        .unwrap();
    assert!(enroll.status.success(), "{enroll:?}");
}

fn wakeword(store: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wakeword"));
    command.arg("--store").arg(store);
    command
}

/// Sends a signal to the daemon of this process number.
pub fn signal(id: u32, signal: Signal) {
    rustix::process::kill_process(Pid::from_raw(id as i32).unwrap(), signal).unwrap();
}

/// A running daemon.
pub struct Daemon {
    child: Child,
    events: Receiver<Value>,
    seen: Vec<Value>,
    config: PathBuf,
    notices: Receiver<String>,
    /// What it told the service manager.
    pub notified: Vec<String>,
}

impl Daemon {
    /// Starts it with this configuration; the profiles are those in `store` of the home.
    pub fn start(home: &Home, config: &str) -> Self {
        let file = home.path("config.toml");
        std::fs::write(&file, config).unwrap();
        let socket = home.path("notify");
        let _ = std::fs::remove_file(&socket);
        let notify = UnixDatagram::bind(&socket).unwrap();
        // Read at once, as systemd does: whoever writes to a full socket waits.
        let (teller, notices) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = notify.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                if text.lines().any(|line| teller.send(line.into()).is_err()) {
                    return;
                }
            }
        });
        let log = std::fs::File::options().create(true).append(true).open(home.path("daemon.log")).unwrap();
        let mut child = home
            .command(env!("CARGO_BIN_EXE_wakeword"))
            .arg("--config")
            .arg(&file)
            .arg("--store")
            .arg(home.path("store"))
            .args(["run", "--json"])
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", "2000000")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let (sender, events) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, events, seen: Vec::new(), config: file, notices, notified: Vec::new() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its memory that is in use, in MiB.
    pub fn resident_mib(&self) -> f64 {
        self.memory_mib("VmRSS:")
    }

    /// A field of the kernel's account of its memory, in MiB.
    pub fn memory_mib(&self, field: &str) -> f64 {
        super::process::memory_mib(self.id(), field)
    }

    /// Replaces the configuration file.
    pub fn configure(&self, config: &str) {
        std::fs::write(&self.config, config).unwrap();
    }

    /// The next event for which `wanted` holds; others before it are kept in mind.
    #[track_caller]
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            match self.events.recv_timeout(TIMEOUT.saturating_sub(start.elapsed())) {
                Ok(event) => {
                    self.seen.push(event.clone());
                    if wanted(&event) {
                        return event;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("waited in vain for {what}: {:#?}", self.seen),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended before {what}: {:#?}", self.seen),
            }
        }
    }

    /// Waits until it is in this state.
    #[track_caller]
    pub fn wait_for(&mut self, state: &str) -> Value {
        self.wait(state, |event| event["event"] == "state" && event["state"] == state)
    }

    /// Waits until it hears; a machine that is too busy for the test may make it complain of that.
    #[track_caller]
    pub fn wait_until_it_hears(&mut self) {
        self.wait("listening", |event| {
            // It hears without a profile and under load too, and says so.
            let error = event["last_error"].as_str().unwrap_or_default();
            let hears =
                || ["audio is lost", "no profile to listen for"].iter().any(|part| error.contains(part));
            event["state"] == "listening" || event["state"] == "degraded" && hears()
        });
    }

    /// Waits until it woke.
    #[track_caller]
    pub fn wait_for_wake(&mut self) -> Value {
        self.wait("a detection", |event| event["event"] == "detected")
    }

    /// All detections so far, also those passed over while waiting.
    pub fn detections(&mut self) -> Vec<Value> {
        self.seen.extend(self.events.try_iter());
        self.seen.iter().filter(|event| event["event"] == "detected").cloned().collect()
    }

    /// Reads what it told the service manager until `line` is there.
    #[track_caller]
    pub fn wait_for_notice(&mut self, line: &str) {
        super::home::wait_until(line, || {
            self.notified.extend(self.notices.try_iter());
            self.notified.iter().any(|told| told.starts_with(line))
        });
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> ExitStatus {
        let mut status = None;
        super::home::wait_until("its end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
