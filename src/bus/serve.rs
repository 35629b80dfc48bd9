//! The thread of the bus: connects, publishes, and does so again when the bus is lost.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, never, select, unbounded};
use futures_core::Stream;
use zbus::fdo::{ObjectManager, RequestNameFlags};
use zbus::names::{BusName, UniqueName};
use zbus::{Connection, MatchRule, MessageStream, message};
use zruntime::Task;

use super::daemon::{Daemon, Shared};
use super::enrollment::Enrollment;
use super::publish::{News, Publisher};
use super::queue::CommandQueue;
use super::{BusOptions, NAME, PATH, builder};
use crate::control::{BusCondition, Command, Notification};

/// First and longest wait before the bus is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A bus that takes longer to greet or to take a message is not there.
const BUS_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until `notifications` closes.
pub fn run(options: &BusOptions, commands: Sender<Command>, notifications: &Receiver<Notification>) {
    let queue = CommandQueue::new(commands);
    let mut news = News::new(options.threshold);
    let mut reported = None;
    let mut report = |condition: BusCondition| {
        if reported.as_ref() != Some(&condition) {
            queue.tell(Command::Bus(condition.clone()));
            reported = Some(condition);
        }
    };
    let mut wait = RETRY.0;
    loop {
        let lost = match Session::begin(options, &queue, &news) {
            Ok(session) => {
                report(BusCondition::Serving);
                wait = RETRY.0;
                match session.serve(&mut news, notifications) {
                    End::Done => return,
                    End::Lost(reason) => BusCondition::Lost(reason),
                }
            }
            Err(zbus::Error::NameTaken) => BusCondition::NameTaken,
            Err(error) => BusCondition::Lost(error.to_string()),
        };
        report(lost);
        // Nobody hears of what happens meanwhile, but its result is what they find afterwards.
        let until = Instant::now() + wait;
        loop {
            match notifications.recv_deadline(until) {
                Ok(notification) => news.keep(notification),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        wait = (wait * 2).min(RETRY.1);
    }
}

/// Why a session ended.
enum End {
    Done,
    Lost(String),
}

/// One connection, as long as it lasts.
struct Session {
    publisher: Publisher,
    shared: Arc<Shared>,
    queue: CommandQueue,
    rejected: bool,
    /// Names that left the bus; closed when the bus itself is gone.
    left: Receiver<String>,
    /// Ends with the session: it would keep the connection open.
    _watch: Task<(), zruntime::Shared>,
}

impl Session {
    fn begin(options: &BusOptions, queue: &CommandQueue, news: &News) -> zbus::Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.show(&news.status);
        let (leaving, left) = unbounded();
        let (publisher, watch) = zbus::block_on(in_time(async {
            let connection = builder(options.kind, options.address.as_deref())
                .serve_at(PATH, Daemon::new(queue.clone(), shared.clone()))
                .serve_at(PATH, Enrollment::new(queue.clone(), shared.clone()))
                .serve_at(PATH, ObjectManager)
                .method_timeout(BUS_TIMEOUT)
                .build()
                .await?;
            let watch = watch(&connection, leaving).await?;
            let publisher = Publisher::new(connection.clone(), queue.clone(), news).await?;
            connection.request_name_with_flags(NAME, RequestNameFlags::DO_NOT_QUEUE).await?;
            // For those who kept watching over a restart of the bus.
            publisher.greet(news).await?;
            Ok((publisher, watch))
        }))?;
        Ok(Self { publisher, shared, queue: queue.clone(), rejected: options.rejected, left, _watch: watch })
    }

    fn serve(mut self, news: &mut News, notifications: &Receiver<Notification>) -> End {
        let end = loop {
            let due = self.publisher.counters_due().map_or_else(never, crossbeam_channel::at);
            let published = select! {
                recv(notifications) -> notification => match notification {
                    Ok(notification) => self.publish(news, notification),
                    Err(_) => break End::Done,
                },
                recv(self.left) -> name => match name {
                    Ok(owner) => {
                        if self.shared.forget_client(&owner) {
                            self.queue.tell(Command::Vanished { owner });
                        }
                        Ok(())
                    }
                    Err(_) => break End::Lost("the bus closed the connection".into()),
                },
                recv(due) -> _ => {
                    zbus::block_on(in_time(self.publisher.counters(&news.status)))
                }
            };
            if let Err(error) = published {
                break End::Lost(error.to_string());
            }
        };
        // With the connection go all who called over it.
        for owner in self.shared.forget_clients() {
            self.queue.tell(Command::Vanished { owner });
        }
        zbus::block_on(self.publisher.close());
        end
    }

    fn publish(&mut self, news: &mut News, notification: Notification) -> zbus::Result<()> {
        zbus::block_on(in_time(async {
            match &notification {
                Notification::Event(event) if event.reason().is_none() || self.rejected => {
                    self.publisher.event(event).await?;
                }
                Notification::AudioLost { stream, samples } => {
                    if let Some(owner) = self.shared.owner(*stream) {
                        let owner = BusName::Unique(UniqueName::try_from(owner)?);
                        self.publisher.audio_lost(owner, *stream, *samples).await?;
                    }
                }
                Notification::Enrolment { owner, step } => {
                    let owner = BusName::Unique(UniqueName::try_from(owner.as_str())?);
                    self.publisher.enrolment(owner, step).await?;
                }
                _ => {}
            }
            news.keep(notification);
            self.shared.show(&news.status);
            self.publisher.status(&news.status).await?;
            self.publisher.profiles(news).await
        }))
    }
}

/// Passes on the unique names that leave the bus, until the bus is gone.
async fn watch(connection: &Connection, leaving: Sender<String>) -> zbus::Result<Task<(), zruntime::Shared>> {
    let rule = MatchRule::builder()
        .msg_type(message::Type::Signal)
        .sender("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .member("NameOwnerChanged")
        .arg(2, "")
        .build()?;
    let stream = MessageStream::for_match_rule(rule, connection, None).await?;
    let task = async move {
        let mut stream = pin!(stream);
        while let Some(Ok(message)) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            let body = message.body();
            if let Ok((name, _, _)) = body.deserialize::<(&str, &str, &str)>()
                && name.starts_with(':')
                && leaving.send(name.into()).is_err()
            {
                return;
            }
        }
    };
    Ok(zruntime::spawn(task))
}

/// Gives up on what takes too long.
async fn in_time<T>(work: impl Future<Output = zbus::Result<T>>) -> zbus::Result<T> {
    let runtime = zruntime::SharedRuntime::current()?;
    runtime.timeout(BUS_TIMEOUT, work).await.unwrap_or_else(|_| {
        Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "the bus does not answer").into())
    })
}
