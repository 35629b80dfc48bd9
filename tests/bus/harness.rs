//! The two sides of a test of the bus: the daemon's bus thread with a supervisor of the test's own, and
//! somebody else on the bus.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io::{BufRead as _, BufReader};
use std::pin::Pin;
use std::process::{Child, ChildStdout, Command as Process, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use futures_core::Stream as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wakeword::bus::{self, BusKind, BusOptions, NAME, PATH};
use wakeword::control::{BusCondition, Command, CommandError, Notification};
use wakeword::service::handoff::Handoff;
use zbus::connection::Builder;
use zbus::message::Type;
use zbus::{Connection, DBusError as _, MatchRule, Message, MessageStream, OwnedVariant, block_on};

use crate::common::home::Home;

pub const DAEMON: &str = "org.wakeword.Wakeword1.Daemon";
/// Nothing here takes as long unless it hangs.
pub const LONG: Duration = Duration::from_secs(20);

/// The daemon's bus thread with a supervisor that does what it is told.
pub struct Service {
    pub notifications: Option<Sender<Notification>>,
    /// What the supervisor was told, in words.
    pub told: Receiver<String>,
    pub conditions: Receiver<BusCondition>,
    pub handoff: Arc<Mutex<Handoff>>,
    /// While locked, the supervisor hangs.
    pub attention: Arc<Mutex<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    pub fn start(home: &Home, rejected: bool) -> Self {
        let service = Self::begin(home, rejected);
        assert_eq!(service.condition(), BusCondition::Serving);
        service
    }

    pub fn begin(home: &Home, rejected: bool) -> Self {
        let (command_sender, commands) = unbounded();
        let (notifications, notice_receiver) = bounded(64);
        let (tell, told) = unbounded();
        let (condition_sender, conditions) = unbounded();
        let handoff = Arc::new(Mutex::new(Handoff::new(2)));
        let attention = Arc::new(Mutex::new(()));
        let options = BusOptions {
            kind: BusKind::Session,
            address: Some(home.session_bus()),
            rejected,
            threshold: 1.5,
        };
        let thread = thread::spawn(move || bus::run(&options, command_sender, &notice_receiver));
        let (audio, listening) = (handoff.clone(), attention.clone());
        thread::spawn(move || {
            let mut holds = HashMap::new();
            for command in commands {
                drop(listening.lock().unwrap());
                match command {
                    Command::Bus(condition) => drop(condition_sender.send(condition)),
                    command => drop(tell.send(obey(command, &mut holds, &audio))),
                }
            }
        });
        Self {
            notifications: Some(notifications),
            told,
            conditions,
            handoff,
            attention,
            thread: Some(thread),
        }
    }

    pub fn condition(&self) -> BusCondition {
        self.conditions.recv_timeout(LONG).unwrap()
    }

    pub fn told(&self) -> String {
        self.told.recv_timeout(LONG).unwrap()
    }

    pub fn tell(&self, notification: Notification) {
        self.notifications.as_ref().unwrap().send_timeout(notification, LONG).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.notifications = None;
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

/// Carries out a command; says in words what it was.
fn obey(command: Command, holds: &mut HashMap<u32, String>, audio: &Mutex<Handoff>) -> String {
    match command {
        Command::Hold { kind, reason, application, owner, answer } => {
            let cookie = holds.len() as u32 + 1;
            let _ = answer.send(Ok(cookie));
            let told = format!("hold {kind:?} {reason:?} {application:?} {owner}");
            holds.insert(cookie, owner);
            told
        }
        Command::Release { cookie, owner, answer } => {
            let known = holds.get(&cookie) == Some(&owner);
            let _ = answer.send(if known { Ok(()) } else { Err(CommandError::UnknownHold(cookie)) });
            format!("release {cookie} {owner}")
        }
        Command::Vanished { owner } => format!("vanished {owner}"),
        Command::Reload { answer } => {
            let error = CommandError::Failed("config.toml, line 3: no such key".into());
            let _ = answer.unwrap().send(Err(error));
            "reload".into()
        }
        Command::OpenAudio { preroll_ms, owner, answer } => {
            let stream = audio.lock().unwrap().open(&owner, preroll_ms, Some((800, 12_000)));
            let _ = answer.send(stream.map_err(|error| CommandError::NoAudio(error.to_string())));
            format!("audio {preroll_ms}")
        }
        Command::SetEnabled { profile, enabled, answer } => {
            let _ = answer.send(Ok(()));
            format!("enabled {profile} {enabled}")
        }
        Command::SetThreshold { profile, threshold, answer } => {
            let _ = answer.send(Ok(()));
            format!("threshold {profile} {threshold:?}")
        }
        Command::Remove { profile, answer } => {
            let _ = answer.send(Err(CommandError::UnknownProfile(profile.clone())));
            format!("remove {profile}")
        }
        Command::Claim { owner, answer } => {
            let _ = answer.send(Ok(()));
            format!("claim {owner}")
        }
        Command::ReleaseClaim { owner, answer } => {
            let _ = answer.send(Err(CommandError::NotClaimed));
            format!("release claim {owner}")
        }
        Command::StartEnrolment { owner, request, answer } => {
            let _ = answer.send(Err(CommandError::Enrolling));
            format!("enrol {owner} {request:?}")
        }
        Command::StopEnrolment { owner, answer } => {
            let _ = answer.send(Ok(()));
            format!("stop {owner}")
        }
        Command::Bus(_) | Command::Stop => panic!("not for the supervisor of a test"),
    }
}

/// Somebody else on the bus.
pub struct Client {
    pub connection: Connection,
    pub signals: MessageStream,
}

impl Client {
    pub fn new(home: &Home) -> Self {
        block_on(async {
            let connection = Builder::address(home.session_bus().as_str()).build().await.unwrap();
            let rule = MatchRule::builder().msg_type(Type::Signal).path_namespace(PATH).build().unwrap();
            let signals = MessageStream::for_match_rule(rule, &connection, None).await.unwrap();
            Self { connection, signals }
        })
    }

    pub fn name(&self) -> String {
        self.connection.unique_name().unwrap().to_string()
    }

    pub fn call<B>(&self, path: &str, interface: &str, member: &str, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + zbus::wire::DynamicType,
    {
        in_time(self.connection.call_method(Some(NAME), path, Some(interface), member, body))
    }

    pub fn daemon<B>(&self, member: &str, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + zbus::wire::DynamicType,
    {
        self.call(PATH, DAEMON, member, body)
    }

    pub fn property(&self, path: &str, interface: &str, name: &str) -> OwnedVariant {
        let get = self.call(path, "org.freedesktop.DBus.Properties", "Get", &(interface, name));
        get.unwrap().body().deserialize().unwrap()
    }

    /// The next signal: its member, its path and itself.
    pub fn signal(&mut self) -> (String, String, Message) {
        let message = in_time(poll_fn(|context| Pin::new(&mut self.signals).poll_next(context)));
        let message = message.expect("the bus is gone").unwrap();
        let header = message.header();
        (header.member().unwrap().to_string(), header.path().unwrap().to_string(), message.clone())
    }

    pub fn properties_changed(&mut self) -> (String, HashMap<String, OwnedVariant>) {
        let (member, path, message) = self.signal();
        assert_eq!(member, "PropertiesChanged");
        let (_, changed, _) = parts::<(String, HashMap<String, OwnedVariant>, Vec<String>)>(&message);
        (path, changed)
    }
}

pub fn in_time<T>(work: impl Future<Output = T>) -> T {
    block_on(async {
        let runtime = zruntime::SharedRuntime::current().unwrap();
        runtime.timeout(LONG, work).await.expect("it hangs")
    })
}

pub fn parts<T: DeserializeOwned + zbus::Type>(message: &Message) -> T {
    message.body().deserialize().unwrap()
}

/// Name and text of an error.
pub fn refusal(answer: zbus::Result<Message>) -> (String, String) {
    let (name, text) = match answer.unwrap_err() {
        zbus::Error::MethodError(name, text, _) => (name.to_string(), text),
        zbus::Error::FDO(error) => (error.name().to_string(), error.description().map(ToOwned::to_owned)),
        other => panic!("{other}"),
    };
    (name.rsplit('.').next().unwrap().to_owned(), text.unwrap_or_default())
}

/// A process whose lines are read as they come, and that ends with the test.
pub struct Follower(Child, BufReader<ChildStdout>);

impl Follower {
    pub fn new(mut process: Process) -> Self {
        let mut child = process.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self(child, lines)
    }

    /// The next line that is JSON; waits for it.
    pub fn json(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.1.read_line(&mut line).unwrap() > 0, "it ended");
            if let Ok(value) = serde_json::from_str(&line) {
                return value;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
