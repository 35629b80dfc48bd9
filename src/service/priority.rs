//! Real-time priority for the capture thread, from RealtimeKit where the system itself refuses it.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What cpal calls its capture thread.
const CAPTURE_THREAD: &str = "cpal_alsa_in";
/// Above ordinary programs, below the sound server.
const PRIORITY: u32 = 10;

/// Why the capture thread has no real-time priority.
#[derive(Debug, thiserror::Error)]
pub enum PriorityError {
    /// The thread cannot be found.
    #[error("no capture thread")]
    NoThread,
    /// The system refused a limit that RealtimeKit asks for.
    #[error("{0}")]
    System(#[from] io::Error),
    /// RealtimeKit is not there, or refused.
    #[error("RealtimeKit: {0}")]
    Kit(#[from] zbus::Error),
}

/// Asks RealtimeKit on the system bus; answers the priority given. May take as long as a bus call.
pub fn ask_realtime_kit() -> Result<u32, PriorityError> {
    let thread = capture_thread()?.ok_or(PriorityError::NoThread)?;
    zbus::block_on(async {
        let bus = zbus::Connection::system().await?;
        let name = "org.freedesktop.RealtimeKit1";
        let kit = zbus::proxy::Builder::<zbus::Proxy<'_>>::new(&bus)
            .destination(name)
            .path("/org/freedesktop/RealtimeKit1")
            .interface(name)
            // It answers for single properties only.
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await?;
        let most: i32 = kit.get_property("MaxRealtimePriority").await?;
        let longest: i64 = kit.get_property("RTTimeUSecMax").await?;
        // The kit serves only processes that the kernel stops when they run wild.
        let longest = u64::try_from(longest).unwrap_or(0);
        let limit = getrlimit(Resource::Rttime);
        if limit.current.is_none_or(|current| current > longest) {
            let limit = Rlimit { current: Some(longest), maximum: Some(longest) };
            setrlimit(Resource::Rttime, limit).map_err(io::Error::from)?;
        }
        let priority = PRIORITY.min(most.try_into().unwrap_or(0));
        let caller = u64::from(std::process::id());
        kit.call::<_, _, ()>("MakeThreadRealtimeWithPID", &(caller, thread, priority)).await?;
        Ok(priority)
    })
}

fn capture_thread() -> io::Result<Option<u64>> {
    for entry in std::fs::read_dir("/proc/self/task")? {
        let entry = entry?;
        // A thread may end while it is looked at.
        let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        if name.trim_end() == CAPTURE_THREAD {
            return Ok(entry.file_name().to_str().and_then(|number| number.parse().ok()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "needs RealtimeKit on the system bus"]
    fn realtime_kit_gets_the_right_thread() {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let capture = std::thread::Builder::new().name(CAPTURE_THREAD.into());
        let capture = capture.spawn(move || ended.recv()).unwrap();
        let thread = loop {
            if let Some(thread) = capture_thread().unwrap() {
                break thread;
            }
        };
        assert_eq!(ask_realtime_kit().unwrap(), PRIORITY);
        let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).unwrap();
        let values: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        // Priority and policy, of which 2 is round robin.
        assert_eq!((values[37], values[38]), (&*PRIORITY.to_string(), "2"), "{stat}");
        drop(end);
        let _ = capture.join().unwrap();
    }
}
