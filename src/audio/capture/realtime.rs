//! With which priority the microphone's thread runs.

use std::fs;

/// Priority of the thread that takes the audio from the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Realtime {
    /// It goes before all ordinary threads.
    Granted,
    /// The system refused, for this reason.
    Denied(String),
    /// It was not asked for: where a sound server stands between, the server's own priority counts.
    NotAsked,
}

impl Realtime {
    /// As it is now; others may have raised or lowered it.
    pub(super) fn of_capture(denied: Option<&String>) -> Self {
        match (is_realtime(), denied) {
            (true, _) => Self::Granted,
            (false, Some(reason)) => Self::Denied(reason.clone()),
            (false, None) => Self::NotAsked,
        }
    }
}

/// Whether a thread of cpal's is scheduled in real time.
fn is_realtime() -> bool {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return false };
    let mut stats = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    stats.any(|stat| {
        // The name is in brackets and may hold anything; the policy is the 39th value after it.
        let Some((start, values)) = stat.rsplit_once(')') else { return false };
        let policy = values.split_ascii_whitespace().nth(38);
        start.ends_with("(cpal_alsa_in") && matches!(policy, Some("1" | "2"))
    })
}
