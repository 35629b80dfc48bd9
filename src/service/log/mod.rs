//! The log, on standard error.

mod queue;

use std::fmt;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;

use rustix::fs::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogLevel;

pub use queue::LogQueue;

/// The variable that comes before the configuration.
const VARIABLE: &str = "WAKEWORD_LOG";

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The variable cannot be understood.
    #[error("{VARIABLE}={value:?}: {source}; set it to error, warn, info, debug or trace")]
    Filter {
        /// Its value.
        value: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The system gave no thread for it.
    #[error("no thread for the log: {0}")]
    Thread(#[from] std::io::Error),
    /// There is one already.
    #[error("the log was set up twice")]
    Twice,
}

/// Starts the log for this process: what `level` lets pass, or what the variable `WAKEWORD_LOG` does. A
/// terminal gets colours; the journal gets priorities and no times, which it has itself. Lines are written by a thread:
/// at the end, [`LogQueue::flush`] waits for the last.
pub fn init(level: LogLevel) -> Result<LogQueue, LogError> {
    let filter = match std::env::var(VARIABLE) {
        Ok(value) if !value.is_empty() => {
            EnvFilter::try_new(&value).map_err(|source| LogError::Filter { value, source })?
        }
        _ => EnvFilter::new(directives(level)),
    };
    let queue = LogQueue::new(std::io::stderr())?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(queue.clone());
    // It would be said on standard error, which is what failed.
    let log = log.log_internal_errors(false);
    let plain = format().with_target(false);
    let started = if is_journal() {
        let lines = plain.without_time().with_level(false);
        tracing::subscriber::set_global_default(
            log.with_ansi(false).event_format(Prioritised(lines)).finish(),
        )
    } else {
        let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        tracing::subscriber::set_global_default(log.with_ansi(colours).event_format(plain).finish())
    };
    started.map_err(|_| LogError::Twice)?;
    Ok(queue)
}

/// Libraries speak of their own matters: of them, only what went wrong counts.
fn directives(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "warn,wakeword=info",
        LogLevel::Debug => "warn,wakeword=debug",
        LogLevel::Trace => "warn,wakeword=trace",
    }
}

/// Whether standard error is the stream to the journal that systemd speaks of, and was not redirected.
fn is_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    fstat(std::io::stderr().as_fd()).is_ok_and(|file| stream == format!("{}:{}", file.st_dev, file.st_ino))
}

/// Lines that begin with the priority of syslog, which the journal takes off again.
struct Prioritised(Format<format::Full, ()>);

impl<S, N> FormatEvent<S, N> for Prioritised
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = match *event.metadata().level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{priority}>")?;
        self.0.format_event(context, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::MetadataExt as _;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    #[test]
    #[ignore = "run by other tests, with another standard error"]
    fn part_log() {
        match init(LogLevel::Info) {
            Ok(queue) => {
                tracing::error!("one");
                tracing::warn!("two");
                tracing::info!("three");
                tracing::debug!("four");
                tracing::info!(target: "library", "five");
                queue.flush(std::time::Duration::from_secs(60));
            }
            Err(error) => eprintln!("{error}"),
        }
    }

    /// What is logged to a file with these variables set; `JOURNAL` names that file as the journal.
    fn logged(variables: &[(&str, &str)]) -> String {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("stderr");
        let file = File::create(&path).unwrap();
        let metadata = file.metadata().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "--ignored", "--nocapture", "service::log::tests::part_log"]);
        child.env_remove("JOURNAL_STREAM").env_remove(VARIABLE).stderr(file);
        for (name, value) in variables {
            let stream = format!("{}:{}", metadata.dev(), metadata.ino());
            child.env(name, if *value == "here" { &*stream } else { *value });
        }
        assert!(child.output().unwrap().status.success());
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_journal_gets_priorities_and_no_times() {
        assert_eq!(logged(&[("JOURNAL_STREAM", "here")]), "<3>one\n<4>two\n<6>three\n");
        let debug = logged(&[("JOURNAL_STREAM", "here"), (VARIABLE, "debug")]);
        assert_eq!(debug, "<3>one\n<4>two\n<6>three\n<7>four\n<6>five\n");
    }

    #[test]
    fn a_redirected_log_is_not_the_journal() {
        for variables in [&[][..], &[("JOURNAL_STREAM", "8:1234")]] {
            let text = logged(variables);
            let first = text.lines().next().unwrap();
            assert!(first.contains("ERROR") && first.ends_with("one") && first.contains('T'), "{text}");
            assert!(!text.contains('<') && !text.contains('\x1b') && !text.contains("four"), "{text}");
        }
    }

    #[test]
    fn a_wrong_level_is_reported() {
        let text = logged(&[(VARIABLE, "wakeword=loud")]);
        assert!(text.contains("WAKEWORD_LOG=\"wakeword=loud\"") && text.contains("debug"), "{text}");
    }
}
