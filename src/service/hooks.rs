//! Commands that users have run on events.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::Receiver;

use super::hook_run;
use super::outbox::Outbox;
use super::record::{Record, Recorder};
use crate::config::HookConfig;
use crate::control::Notification;

/// Events that may wait for a hook that still runs.
const ROOM: usize = 32;

/// All hooks. Each has a thread of its own, so that one that hangs delays only itself.
#[derive(Debug)]
pub struct Hooks {
    hooks: Vec<(HookConfig, Outbox<Arc<Record>>)>,
    recorder: Mutex<Recorder>,
}

impl Hooks {
    /// Starts a thread for each hook. One whose thread cannot be started is logged and left out.
    pub fn new(configured: &[HookConfig]) -> Self {
        let mut hooks = Vec::new();
        for hook in configured {
            let run = hook.clone();
            let work = move |records| work(&run, records);
            match Outbox::new(format!("the hook {:?}", hook.command), ROOM, work) {
                Ok(outbox) => hooks.push((hook.clone(), outbox)),
                Err(error) => tracing::error!("no thread for the hook {:?}: {error}", hook.command),
            }
        }
        Self { hooks, recorder: Mutex::default() }
    }

    /// Has the hooks for this event run. Never waits: an event for which a hook has no time is dropped and
    /// counted in the log.
    pub fn fire(&self, notification: &Notification) {
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(record) = recorder.record(notification).map(Arc::new) else { return };
        for (hook, outbox) in &self.hooks {
            if hook.on.contains(&record.event) {
                outbox.push(record.clone());
            }
        }
    }

    /// Lets the hooks come to an end, but waits for all of them no longer than until `deadline`.
    pub fn finish(self, deadline: Instant) {
        for (_, outbox) in self.hooks {
            outbox.finish(deadline);
        }
    }
}

/// Runs the hook for one event after the other.
fn work(hook: &HookConfig, records: Receiver<Arc<Record>>) {
    for record in records {
        if let Err(error) = hook_run::run(hook, &record) {
            tracing::warn!("hook {:?}: {error}", hook.command);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::thread;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::config::HookEvent;
    use crate::control::State;
    use crate::engine::event::Reason;
    use crate::service::record::tests::{status, verdict};

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// A hook that a shell runs in `folder`.
    fn shell(folder: &Path, script: &str, on: &[HookEvent]) -> HookConfig {
        // When the test is over the folder may be gone before the shell is there.
        let script = format!("cd '{}' || exit; {script}", folder.display());
        let command = ["sh", "-c", &script].map(String::from).to_vec();
        HookConfig { command, on: on.to_vec(), ..HookConfig::default() }
    }

    #[test]
    fn a_hook_never_misses_its_event_or_gets_another() {
        let folder = TempDir::new().unwrap();
        let write = |name| format!("echo $WAKEWORD_EVENT $WAKEWORD_SEQUENCE$WAKEWORD_STATE >> {name}");
        let hooks = Hooks::new(&[
            shell(folder.path(), &write("heard"), &[HookEvent::Detected]),
            shell(
                folder.path(),
                &write("all"),
                &[HookEvent::Detected, HookEvent::Rejected, HookEvent::State],
            ),
        ]);
        for notification in [
            status(State::Listening),
            verdict(1, None),
            verdict(2, Some(Reason::Uncertain)),
            status(State::Listening),
            status(State::Stopping),
        ] {
            hooks.fire(&notification);
        }
        hooks.finish(Instant::now() + TIMEOUT);
        let text = |name| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(text("heard"), "detected 1\n");
        assert_eq!(text("all"), "state listening\ndetected 1\nrejected 2\nstate stopping\n");
    }

    #[test]
    fn a_hook_that_hangs_never_delays_events_or_other_hooks() {
        let folder = TempDir::new().unwrap();
        let hooks = Hooks::new(&[
            shell(folder.path(), "touch hanging; exec sleep 1000", &[HookEvent::Detected]),
            shell(folder.path(), "touch ran", &[HookEvent::State]),
        ]);
        let begun = Instant::now();
        // More than fit into the queue: waiting for room would take minutes.
        for sequence in 1..=1000 {
            hooks.fire(&verdict(sequence, None));
        }
        hooks.fire(&status(State::Listening));
        assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
        while !folder.path().join("ran").exists() {
            assert!(begun.elapsed() < TIMEOUT);
            thread::sleep(Duration::from_millis(20));
        }
        hooks.finish(Instant::now());
        assert!(begun.elapsed() < TIMEOUT);
    }

    #[test]
    fn dropped_events_are_never_silent() {
        let folder = TempDir::new().unwrap();
        let log = Arc::new(fs::File::create(folder.path().join("log")).unwrap());
        let subscriber = tracing_subscriber::fmt().with_writer(log).with_ansi(false).finish();
        tracing::subscriber::with_default(subscriber, || {
            let hook = shell(folder.path(), "while ! [ -e go ]; do sleep 0.05; done", &[HookEvent::Detected]);
            let hooks = Hooks::new(&[hook]);
            for sequence in 1..=100 {
                hooks.fire(&verdict(sequence, None));
            }
            fs::write(folder.path().join("go"), "").unwrap();
            hooks.finish(Instant::now() + TIMEOUT);
        });
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        let missed = log.split(" missed ").skip(1).filter_map(|rest| rest.split(' ').next());
        let missed: usize = missed.map(|number| number.parse::<usize>().unwrap()).sum();
        // One may be running while the queue fills.
        assert!((67..=68).contains(&missed), "{log}");
        // The first may leave the queue when it is full already.
        assert!((1..=2).contains(&log.matches("too slow").count()), "{log}");
    }
}
