//! Signals become commands.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use crossbeam_channel::Sender;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::control::Command;

/// Exit status after a second SIGINT, as shells give it for a program that died of one.
const INTERRUPTED: i32 = 128 + SIGINT;

/// From now on SIGTERM and SIGINT send [`Command::Stop`] and SIGHUP sends [`Command::Reload`]. A SIGINT
/// that comes while the daemon is stopping ends the process at once. To be called once.
pub fn forward(commands: Sender<Command>) -> std::io::Result<()> {
    let stopping = Arc::new(AtomicBool::new(false));
    // Before the flag is set by the same signal, or the first one would do.
    flag::register_conditional_shutdown(SIGINT, INTERRUPTED, stopping.clone())?;
    flag::register(SIGINT, stopping.clone())?;
    flag::register(SIGTERM, stopping)?;
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let forward = move || {
        for signal in &mut signals {
            let command = if signal == SIGHUP { Command::Reload { answer: None } } else { Command::Stop };
            if commands.send(command).is_err() {
                // Nobody is left to command.
                return;
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(forward)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Child, Stdio};
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    /// A daemon that says what it is told and does not stop for it.
    #[test]
    #[ignore = "run by other tests, which send signals"]
    fn part_daemon() {
        let (sender, receiver) = crossbeam_channel::bounded(8);
        forward(sender).unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "\nready").unwrap();
        while let Ok(command) = receiver.recv_timeout(Duration::from_secs(60)) {
            writeln!(out, "{command:?}").unwrap();
        }
    }

    struct Daemon(Child, BufReader<std::process::ChildStdout>);

    impl Daemon {
        fn start() -> Self {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "--ignored", "--nocapture", "service::signals::tests::part_daemon"]);
            let mut child = child.stdout(Stdio::piped()).spawn().unwrap();
            let out = BufReader::new(child.stdout.take().unwrap());
            let mut daemon = Self(child, out);
            while daemon.line() != "ready" {}
            daemon
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "it ended");
            line.trim_end().into()
        }

        fn send(&self, signal: Signal) {
            kill_process(Pid::from_child(&self.0), signal).unwrap();
        }
    }

    impl Drop for Daemon {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn each_signal_has_its_command() {
        let mut daemon = Daemon::start();
        for (signal, command) in [
            (Signal::HUP, "Reload { answer: None }"),
            (Signal::TERM, "Stop"),
            (Signal::HUP, "Reload { answer: None }"),
        ] {
            daemon.send(signal);
            assert_eq!(daemon.line(), command);
        }
    }

    #[test]
    fn a_second_interrupt_ends_at_once() {
        for first in [Signal::INT, Signal::TERM] {
            let mut daemon = Daemon::start();
            daemon.send(first);
            assert_eq!(daemon.line(), "Stop");
            daemon.send(Signal::INT);
            assert_eq!(daemon.0.wait().unwrap().code(), Some(INTERRUPTED));
        }
    }
}
