//! JSON lines for programs: one [record](super::record) a line.

use std::io::{ErrorKind, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::Receiver;
use serde_json::Value;

use super::outbox::Outbox;
use super::record::{Record, Recorder};
use crate::control::Notification;

/// Lines that may wait for a slow reader.
const ROOM: usize = 256;

/// The writer of lines. It has a thread of its own, so that a reader that stops makes nobody wait.
#[derive(Debug)]
pub struct JsonLines {
    outbox: Outbox<Record>,
    recorder: Mutex<Recorder>,
}

impl JsonLines {
    /// Starts writing to `out`, which is to be standard output.
    pub fn new(out: impl Write + Send + 'static) -> std::io::Result<Self> {
        let work = move |records| write_all(records, out);
        Ok(Self {
            outbox: Outbox::new("the reader of JSON lines".into(), ROOM, work)?,
            recorder: Mutex::default(),
        })
    }

    /// Writes the line of a verdict or of a new state; other notifications have none. Never waits: what a slow
    /// reader has no time for is dropped and counted in the log.
    pub fn send(&self, notification: &Notification) {
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = recorder.record(notification) {
            self.outbox.push(record);
        }
    }

    /// Lets what is left be written, but waits no longer than until `deadline` for its reader.
    pub fn finish(self, deadline: Instant) {
        self.outbox.finish(deadline);
    }
}

/// Writes until there is nobody left to read.
fn write_all(records: Receiver<Record>, mut out: impl Write) {
    for record in records {
        let line = Value::Object(record.fields);
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return,
            Err(error) => return tracing::error!("no more JSON lines: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::control::State;
    use crate::engine::event::Reason;
    use crate::service::record::tests::{status, verdict};
    use std::io::{BufRead as _, BufReader};

    const TIMEOUT: Duration = Duration::from_secs(60);

    #[test]
    fn a_line_never_lacks_its_event() {
        let (reader, writer) = std::io::pipe().unwrap();
        let lines = JsonLines::new(writer).unwrap();
        let notifications =
            [status(State::Listening), verdict(1, None), verdict(2, Some(Reason::OtherPhrase))];
        notifications.iter().for_each(|notification| lines.send(notification));
        lines.finish(Instant::now() + TIMEOUT);
        let lines: Vec<Value> = BufReader::new(reader)
            .lines()
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect();
        let events: Vec<&Value> = lines.iter().map(|line| &line["event"]).collect();
        assert_eq!(events, ["state", "detected", "rejected"]);
        assert_eq!(lines[2]["reason"], "other-phrase");
    }

    #[test]
    fn a_reader_that_stops_never_blocks_the_sender() {
        let (reader, writer) = std::io::pipe().unwrap();
        let lines = JsonLines::new(writer).unwrap();
        // Far more than pipe and queue hold; nobody reads.
        for sequence in 0..20_000 {
            lines.send(&verdict(sequence, None));
        }
        // Still nobody reads: this waits in vain, which the test would show if it were for ever.
        lines.finish(Instant::now() + Duration::from_millis(50));
        drop(reader);
    }

    #[test]
    fn a_reader_that_leaves_never_makes_an_error() {
        let folder = tempfile::TempDir::new().unwrap();
        let log = std::sync::Arc::new(std::fs::File::create(folder.path().join("log")).unwrap());
        let subscriber = tracing_subscriber::fmt().with_writer(log).finish();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (sender, records) = crossbeam_channel::unbounded();
        for sequence in 0..3 {
            sender.send(Recorder::default().record(&verdict(sequence, None)).unwrap()).unwrap();
        }
        // Writing ends at the first line, although more could come.
        tracing::subscriber::with_default(subscriber, || write_all(records, writer));
        assert_eq!(std::fs::read_to_string(folder.path().join("log")).unwrap(), "");
        assert!(sender.send(Recorder::default().record(&verdict(3, None)).unwrap()).is_err());
    }
}
