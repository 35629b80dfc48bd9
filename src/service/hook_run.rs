//! One run of a hook's command.

use std::io::{PipeReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use super::record::Record;
use crate::config::HookConfig;

/// How often a silent command is looked at.
const STEP: Duration = Duration::from_millis(20);
/// Output that is kept of a command, in bytes.
const KEPT: usize = 2048;
/// Lines of it that are shown.
const LINES: usize = 5;
/// What is meant for the daemon alone: what tells a process that it is a service, and where its secrets are.
const DAEMON_ONLY: [&str; 7] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "CREDENTIALS_DIRECTORY",
];

/// Why a run did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It did not start.
    #[error("cannot run {program:?}: {source}; name a program that is installed, or its whole path")]
    Start {
        /// The program.
        program: String,
        source: std::io::Error,
    },
    /// It could not be waited for.
    #[error("lost sight of it: {0}")]
    Lost(#[from] std::io::Error),
    /// It said that it failed.
    #[error("{status}{}", said(output))]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// Its last lines.
        output: String,
    },
    /// It was killed.
    #[error("killed after {seconds} s, its timeout_s{}", said(output))]
    TooLong {
        /// Its time limit.
        seconds: u32,
        /// Its last lines.
        output: String,
    },
}

fn said(output: &str) -> String {
    if output.is_empty() { String::new() } else { format!("; it said: {output}") }
}

/// Runs the command with the record in its environment until it ends or its time is over.
pub fn run(hook: &HookConfig, record: &Record) -> Result<(), HookError> {
    let (mut output, writer) = std::io::pipe()?;
    let mut child = start(hook, record, writer)?;
    let limit = Duration::from_secs(hook.timeout_s.into());
    let started = Instant::now();
    let mut tail = Tail { bytes: Vec::new(), open: true };
    let ended = loop {
        tail.read(&mut output, STEP)?;
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if started.elapsed() >= limit {
            kill(&mut child)?;
            break None;
        }
    };
    // What it wrote last; a program that it left in the background may hold the pipe open for ever.
    for _ in 0..4 {
        tail.read(&mut output, Duration::ZERO)?;
    }
    match ended {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(HookError::Failed { status, output: tail.lines() }),
        None => Err(HookError::TooLong { seconds: hook.timeout_s, output: tail.lines() }),
    }
}

/// The command, in a process group of its own.
fn start(hook: &HookConfig, record: &Record, output: std::io::PipeWriter) -> Result<Child, HookError> {
    let (program, arguments) =
        hook.command.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
    let mut command = Command::new(program);
    command.args(arguments).process_group(0).stdin(Stdio::null());
    for name in DAEMON_ONLY {
        command.env_remove(name);
    }
    for (name, value) in &record.fields {
        let text = value.as_str().map_or_else(|| value.to_string(), String::from);
        command.env(format!("WAKEWORD_{}", name.to_uppercase()), text);
    }
    command.env("WAKEWORD_JSON", Value::Object(record.fields.clone()).to_string());
    command.stdout(output.try_clone()?).stderr(output);
    command.spawn().map_err(|source| HookError::Start { program: program.into(), source })
}

/// Kills the child and whatever it started that did not leave its group.
fn kill(child: &mut Child) -> std::io::Result<()> {
    // An error means that the group is gone.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    child.wait().map(|_| ())
}

/// The end of what a command says.
struct Tail {
    bytes: Vec<u8>,
    open: bool,
}

impl Tail {
    /// Takes what is there, waiting for it at most this long.
    fn read(&mut self, output: &mut PipeReader, wait: Duration) -> std::io::Result<()> {
        if !self.open {
            sleep(wait);
            return Ok(());
        }
        let timeout = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
        let mut ready = [PollFd::new(&*output, PollFlags::IN)];
        match poll(&mut ready, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut block = [0; 65_536];
        let length = output.read(&mut block)?;
        self.open = length > 0;
        self.bytes.extend_from_slice(&block[..length]);
        self.bytes.drain(..self.bytes.len().saturating_sub(KEPT));
        Ok(())
    }

    fn lines(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(LINES)..].join(" / ")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::service::record::Recorder;
    use crate::service::record::tests::verdict;

    fn run_shell(script: &str, timeout_s: u32) -> Result<(), HookError> {
        run_command(&["sh", "-c", script], timeout_s)
    }

    fn run_command(words: &[&str], timeout_s: u32) -> Result<(), HookError> {
        let command = words.iter().map(ToString::to_string).collect();
        let record = Recorder::default().record(&verdict(7, None)).unwrap();
        run(&HookConfig { command, timeout_s, ..HookConfig::default() }, &record)
    }

    #[test]
    fn hooks_get_every_field_verbatim() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("environment");
        run_shell(&format!("env | grep ^WAKEWORD_ > '{}'", file.display()), 60).unwrap();
        let text = fs::read_to_string(file).unwrap();
        for line in [
            "WAKEWORD_EVENT=detected",
            "WAKEWORD_PROFILE=anna",
            "WAKEWORD_USER=Anna \"A\" O'Neil",
            "WAKEWORD_PHRASE=hello $(sunflower)",
            "WAKEWORD_SCORE=1.9",
            "WAKEWORD_SEQUENCE=7",
        ] {
            assert!(text.lines().any(|there| there == line), "no {line} in {text}");
        }
        let json = text.lines().find_map(|line| line.strip_prefix("WAKEWORD_JSON=")).unwrap();
        let object: Value = serde_json::from_str(json).unwrap();
        assert_eq!(object["user"], "Anna \"A\" O'Neil");
    }

    #[test]
    fn a_command_and_its_children_end_in_time() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("child");
        let script = format!("echo waiting; sleep 1000 & echo $! > '{}'; wait", file.display());
        let error = run_shell(&script, 1).unwrap_err().to_string();
        assert!(error.contains("killed after 1 s") && error.contains("waiting"), "{error}");
        let child = fs::read_to_string(file).unwrap();
        let begun = Instant::now();
        // Whoever adopts it may take a moment to bury it.
        while fs::read_to_string(format!("/proc/{}/stat", child.trim()))
            .is_ok_and(|stat| !stat.contains(") Z"))
        {
            assert!(begun.elapsed() < Duration::from_secs(60), "{child} lives");
            sleep(STEP);
        }
    }

    #[test]
    fn a_background_program_does_not_keep_its_hook_running() {
        let begun = Instant::now();
        run_shell("sleep 100 & exit 0", 90).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn output_of_any_length_is_drained_and_cut() {
        let script = "head -c 50000000 /dev/zero | tr '\\0' 'x'; head -c 50000000 /dev/zero >&2; echo; echo last; exit 3";
        let error = run_shell(script, 120).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("/ last"), "{error}");
        assert!(error.len() < 2 * KEPT, "{}", error.len());
    }

    #[test]
    fn a_failure_states_its_reason() {
        let error = run_shell("echo no such light >&2; exit 4", 60).unwrap_err().to_string();
        assert!(error.contains("exit status: 4") && error.contains("no such light"), "{error}");
        let error = run_shell("kill -9 $$", 60).unwrap_err().to_string();
        assert!(error.contains("signal: 9"), "{error}");
        let error = run_command(&["/no/such program"], 60).unwrap_err().to_string();
        assert!(error.contains("/no/such program") && error.contains("No such file"), "{error}");
    }

    #[test]
    fn a_command_has_no_input() {
        run_shell("[ -z \"$(cat)\" ]", 60).unwrap();
    }
}
