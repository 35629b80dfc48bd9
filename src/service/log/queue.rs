//! Lines of the log on their way to whoever reads them. Whoever logs never waits: not for a pipe that nobody reads, nor
//! for a disk that is full.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait.
const ROOM: usize = 1024;

/// The queue, and the thread that writes what is in it.
#[derive(Clone, Debug)]
pub struct LogQueue {
    lines: Sender<Entry>,
    /// Lines for which there was no room, or that could not be written.
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// Everything before it is to be written first.
    Flush(Sender<()>),
}

impl LogQueue {
    /// Starts the thread, which writes to `out`.
    pub fn new(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, waiting) = bounded(ROOM);
        let lost = Arc::new(AtomicU64::new(0));
        let count = lost.clone();
        thread::Builder::new().name("log".into()).spawn(move || write_all(&waiting, &count, out))?;
        Ok(Self { lines, lost })
    }

    /// Waits until what was logged is written, but no longer than `timeout`.
    pub fn flush(&self, timeout: Duration) {
        let (done, flushed) = bounded(1);
        if self.lines.send_timeout(Entry::Flush(done), timeout).is_ok() {
            // It is written, or nobody reads.
            let _ = flushed.recv_timeout(timeout);
        }
    }
}

fn write_all(waiting: &Receiver<Entry>, lost: &AtomicU64, mut out: impl Write) {
    for entry in waiting {
        match entry {
            Entry::Line(line) => {
                let missed = lost.swap(0, Ordering::Relaxed);
                let told = if missed == 0 {
                    Ok(())
                } else {
                    writeln!(
                        out,
                        "{missed} lines of the log are missing here: they could not be written in time"
                    )
                };
                match told.and_then(|()| out.write_all(&line)) {
                    Ok(()) => {}
                    // What is missing is told once something can be written again.
                    Err(_) => drop(lost.fetch_add(missed + 1, Ordering::Relaxed)),
                }
            }
            Entry::Flush(done) => drop(done.try_send(())),
        }
    }
}

/// One line, sent when it is complete.
pub struct Line<'a> {
    queue: &'a LogQueue,
    bytes: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let line = Entry::Line(std::mem::take(&mut self.bytes));
        if let Err(TrySendError::Full(_)) = self.queue.lines.try_send(line) {
            self.queue.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { queue: self, bytes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn log(queue: &LogQueue, text: &str) {
        queue.make_writer().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_log_that_nobody_reads_stops_nobody() {
        let (mut reader, writer) = io::pipe().unwrap();
        let queue = LogQueue::new(writer).unwrap();
        // Far more than pipe and queue hold.
        for _ in 0..20_000 {
            log(&queue, "a line of the log that is of an ordinary length\n");
        }
        queue.flush(Duration::from_millis(50));
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            log(&queue, "last\n");
            queue.flush(Duration::from_secs(60));
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let whole = text.lines().filter(|line| line.starts_with("a line")).count();
        let missing = text.lines().find_map(|line| line.split_once(" lines of the log are missing")).unwrap();
        assert!(whole + missing.0.parse::<usize>().unwrap() >= 20_000, "{whole}, {missing:?}");
    }

    #[test]
    fn a_log_that_cannot_be_written_is_no_reason_to_end() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let queue = LogQueue::new(full).unwrap();
        (0..10).for_each(|_| log(&queue, "a line\n"));
        queue.flush(Duration::from_secs(60));
        assert_eq!(queue.lost.load(Ordering::Relaxed), 10);
    }
}
