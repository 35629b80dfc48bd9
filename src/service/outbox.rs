//! A way to somebody slow, which never makes the sender wait.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

/// A queue and the thread that works through it. What finds the queue full is counted and dropped.
#[derive(Debug)]
pub struct Outbox<T> {
    queue: Sender<T>,
    /// As the log calls the thread.
    reader: String,
    lost: AtomicU64,
    /// Closed when the thread has ended.
    ended: Receiver<Infallible>,
}

impl<T: Send + 'static> Outbox<T> {
    /// Starts `work` on a queue of `room` places; the log calls it `reader`.
    pub fn new(
        reader: String,
        room: usize,
        work: impl FnOnce(Receiver<T>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (queue, items) = bounded(room);
        let (end, ended) = bounded(0);
        thread::Builder::new().name("outbox".into()).spawn(move || {
            work(items);
            drop(end);
        })?;
        Ok(Self { queue, reader, lost: AtomicU64::new(0), ended })
    }

    /// Adds `item`, or drops it if there is no room or nobody reads any more. False if it was dropped for
    /// want of room.
    pub fn push(&self, item: T) -> bool {
        match self.queue.try_send(item) {
            Ok(()) => self.report(),
            Err(TrySendError::Full(_)) => {
                if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!("{} is too slow: events are being dropped", self.reader);
                }
                return false;
            }
            Err(TrySendError::Disconnected(_)) => {}
        }
        true
    }

    /// Lets the thread do what is left, but waits for it no longer than until `deadline`.
    pub fn finish(self, deadline: Instant) {
        self.report();
        drop(self.queue);
        // Nothing is ever sent: it is the end of the thread that is received.
        let _ = self.ended.recv_deadline(deadline);
    }

    fn report(&self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!("{} missed {lost} events", self.reader);
        }
    }
}
