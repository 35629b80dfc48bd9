//! The daemon on a real bus of its own, seen by real clients. The test plays the supervisor.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::future::poll_fn;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::process::{Child, ChildStdout, Command as Process, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use futures_core::Stream as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use wakeword::bus::{self, BusKind, BusOptions, NAME, PATH, profile_path};
use wakeword::engine::event::{Detection, Evidence, Reason};
use wakeword::profile::{Profile, Scales};
use wakeword::service::command::{BusCondition, Command, CommandError};
use wakeword::service::handoff::Handoff;
use wakeword::service::notice::{Notice, State, Status, WakeEvent};
use zbus::connection::Builder;
use zbus::message::Type;
use zbus::{Connection, DBusError as _, MatchRule, Message, MessageStream, OwnedVariant, block_on};

const DAEMON: &str = "org.wakeword.Wakeword1.Daemon";
const PROFILE: &str = "org.wakeword.Wakeword1.Profile";

/// Nothing here takes as long unless it hangs.
const LONG: Duration = Duration::from_secs(20);

/// A bus that nobody else is on.
struct Bus {
    folder: TempDir,
    daemon: Child,
}

impl Bus {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let daemon = Self::run(&folder);
        Self { folder, daemon }
    }

    fn run(folder: &TempDir) -> Child {
        let mut daemon = Process::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--address=unix:path={}/bus", folder.path().display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("unix:"), "{line:?}");
        daemon
    }

    fn address(&self) -> String {
        format!("unix:path={}/bus", self.folder.path().display())
    }

    fn kill(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }

    fn restart(&mut self) {
        self.kill();
        let _ = fs::remove_file(self.folder.path().join("bus"));
        self.daemon = Self::run(&self.folder);
    }

    fn busctl(&self, arguments: &[&str]) -> Output {
        Process::new("busctl").arg(format!("--address={}", self.address())).args(arguments).output().unwrap()
    }

    /// The program's own commands, on this bus.
    fn wakeword(&self, arguments: &[&str]) -> Process {
        let mut process = Process::new(cargo_bin!("wakeword"));
        process.args(arguments).env("DBUS_SESSION_BUS_ADDRESS", self.address());
        process
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// The daemon's bus thread with a supervisor that does what it is told.
struct Service {
    notices: Option<Sender<Notice>>,
    /// What the supervisor was told, in words.
    told: Receiver<String>,
    conditions: Receiver<BusCondition>,
    handoff: Arc<Mutex<Handoff>>,
    /// While locked, the supervisor hangs.
    attention: Arc<Mutex<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    fn start(bus: &Bus, rejected: bool) -> Self {
        let service = Self::begin(bus, rejected);
        assert_eq!(service.condition(), BusCondition::Serving);
        service
    }

    fn begin(bus: &Bus, rejected: bool) -> Self {
        let (command_sender, commands) = bounded(16);
        let (notices, notice_receiver) = bounded(64);
        let (tell, told) = unbounded();
        let (condition_sender, conditions) = unbounded();
        let handoff = Arc::new(Mutex::new(Handoff::new(2)));
        let attention = Arc::new(Mutex::new(()));
        let options =
            BusOptions { kind: BusKind::Session, address: Some(bus.address()), rejected, threshold: 1.5 };
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
        Self { notices: Some(notices), told, conditions, handoff, attention, thread: Some(thread) }
    }

    fn condition(&self) -> BusCondition {
        self.conditions.recv_timeout(LONG).unwrap()
    }

    fn told(&self) -> String {
        self.told.recv_timeout(LONG).unwrap()
    }

    fn tell(&self, notice: Notice) {
        self.notices.as_ref().unwrap().send_timeout(notice, LONG).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.notices = None;
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
        Command::OpenAudio { preroll_ms, answer } => {
            let stream = audio.lock().unwrap().open(preroll_ms, Some((800, 12_000)));
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
        Command::Bus(_) | Command::Stop => panic!("not for the supervisor of a test"),
    }
}

/// Somebody else on the bus.
struct Client {
    connection: Connection,
    signals: MessageStream,
}

impl Client {
    fn new(bus: &Bus) -> Self {
        block_on(async {
            let connection = Builder::address(bus.address().as_str()).build().await.unwrap();
            let rule = MatchRule::builder().msg_type(Type::Signal).path_namespace(PATH).build().unwrap();
            let signals = MessageStream::for_match_rule(rule, &connection, None).await.unwrap();
            Self { connection, signals }
        })
    }

    fn name(&self) -> String {
        self.connection.unique_name().unwrap().to_string()
    }

    fn call<B>(&self, path: &str, interface: &str, member: &str, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + zbus::wire::DynamicType,
    {
        in_time(self.connection.call_method(Some(NAME), path, Some(interface), member, body))
    }

    fn daemon<B>(&self, member: &str, body: &B) -> zbus::Result<Message>
    where
        B: serde::Serialize + zbus::wire::DynamicType,
    {
        self.call(PATH, DAEMON, member, body)
    }

    fn property(&self, path: &str, interface: &str, name: &str) -> OwnedVariant {
        let get = self.call(path, "org.freedesktop.DBus.Properties", "Get", &(interface, name));
        get.unwrap().body().deserialize().unwrap()
    }

    /// The next signal: its member, its path and itself.
    fn signal(&mut self) -> (String, String, Message) {
        let message = in_time(poll_fn(|context| Pin::new(&mut self.signals).poll_next(context)));
        let message = message.expect("the bus is gone").unwrap();
        let header = message.header();
        (header.member().unwrap().to_string(), header.path().unwrap().to_string(), message.clone())
    }

    fn properties_changed(&mut self) -> (String, HashMap<String, OwnedVariant>) {
        let (member, path, message) = self.signal();
        assert_eq!(member, "PropertiesChanged");
        let (_, changed, _) = parts::<(String, HashMap<String, OwnedVariant>, Vec<String>)>(&message);
        (path, changed)
    }
}

fn in_time<T>(work: impl Future<Output = T>) -> T {
    block_on(async {
        let runtime = zruntime::SharedRuntime::current().unwrap();
        runtime.timeout(LONG, work).await.expect("it hangs")
    })
}

fn parts<T: DeserializeOwned + zbus::Type>(message: &Message) -> T {
    message.body().deserialize().unwrap()
}

/// Name and text of an error.
fn refusal(answer: zbus::Result<Message>) -> (String, String) {
    let (name, text) = match answer.unwrap_err() {
        zbus::Error::MethodError(name, text, _) => (name.to_string(), text),
        zbus::Error::FDO(error) => (error.name().to_string(), error.description().map(ToOwned::to_owned)),
        other => panic!("{other}"),
    };
    (name.rsplit('.').next().unwrap().to_owned(), text.unwrap_or_default())
}

fn event(sequence: u64, reason: Option<Reason>) -> Notice {
    let evidence = Evidence {
        keyword_score: 0.875,
        cepstral_score: 0.75,
        speaker_score: Some(1.25),
        speaker_cosine: (sequence != 2).then_some(0.5),
        level_dbfs: -23.5,
        snr_db: 18.25,
    };
    Notice::Verdict(Arc::new(WakeEvent {
        sequence,
        reason,
        start_us: 1_000_000,
        end_us: 2_000_000,
        latency_ms: 140.5,
        detection: Detection {
            profile: "anna".into(),
            user: "Anna Müller".into(),
            phrase: "hello sunflower".into(),
            start: 16_000,
            end: 32_000,
            decided: 34_000,
            evidence,
            score: 2.0,
            threshold: 1.5,
            margin: 0.5,
        },
    }))
}

fn profile(name: &str) -> Profile {
    let scales = Scales { keyword: 1.0, cepstra: 1.0, voice: 1.0 };
    Profile::new(name, "hello sunflower", "models", (Vec::new(), scales))
}

fn profiles(all: &[&Profile]) -> Notice {
    Notice::Profiles(all.iter().map(|&profile| Arc::new(profile.clone())).collect())
}

/// A process whose lines are read as they come, and that ends with the test.
struct Follower(Child, BufReader<ChildStdout>);

impl Follower {
    fn new(mut process: Process) -> Self {
        let mut child = process.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self(child, lines)
    }

    /// The next line that is JSON; waits for it.
    fn json(&mut self) -> Value {
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

#[test]
fn a_detection_is_never_told_without_its_evidence() {
    let bus = Bus::start();
    let service = Service::start(&bus, false);
    let mut client = Client::new(&bus);
    let mut monitor = Process::new("busctl");
    monitor.args([&format!("--address={}", bus.address()), "monitor", "--json=short", NAME]);
    let mut monitor = Follower::new(monitor);
    // A reader that came too late would wait for ever: it is told until it has heard.
    let done = Arc::new(Mutex::new(false));
    let (telling, notices) = (done.clone(), service.notices.clone().unwrap());
    let teller = thread::spawn(move || {
        for sequence in (1..).step_by(2) {
            if *telling.lock().unwrap() {
                return;
            }
            notices.send_timeout(event(sequence, None), LONG).unwrap();
            thread::sleep(Duration::from_millis(100));
        }
    });
    let heard = loop {
        let message = monitor.json();
        if message["member"] == "Detected" {
            break message;
        }
    };
    *done.lock().unwrap() = true;
    teller.join().unwrap();
    assert_eq!(heard["interface"], DAEMON);
    assert_eq!(heard["path"], PATH);
    assert_eq!(heard["payload"]["type"], "sa{sv}");
    assert_eq!(heard["payload"]["data"][0], "anna");
    let mut details = heard["payload"]["data"][1].clone();
    assert!(details["sequence"]["data"].take().as_u64().unwrap() % 2 == 1);
    let d = |value: f64| json!({"type": "d", "data": value});
    assert_eq!(
        details,
        json!({
            "phrase": {"type": "s", "data": "hello sunflower"},
            "user": {"type": "s", "data": "Anna Müller"},
            "score": d(2.0), "threshold": d(1.5), "margin": d(0.5),
            "keyword_score": d(0.875), "cepstral_score": d(0.75),
            "speaker_score": d(1.25), "speaker_cosine": d(0.5),
            "snr_db": d(18.25), "level_dbfs": d(-23.5), "latency_ms": d(140.5),
            "start_us": {"type": "t", "data": 1_000_000}, "end_us": {"type": "t", "data": 2_000_000},
            "sequence": {"type": "t", "data": null},
        })
    );

    // A voice that was not asked has no score, not a bad one.
    service.tell(event(2, None));
    loop {
        let (member, _, message) = client.signal();
        assert_eq!(member, "Detected");
        let (_, details) = parts::<(String, HashMap<String, OwnedVariant>)>(&message);
        if *details["sequence"] == 2u64.into() {
            assert!(!details.contains_key("speaker_cosine"));
            return;
        }
    }
}

#[test]
fn refusals_are_never_told_unless_asked_for() {
    for rejected in [false, true] {
        let bus = Bus::start();
        let service = Service::start(&bus, rejected);
        let mut client = Client::new(&bus);
        service.tell(event(1, Some(Reason::OtherSpeaker)));
        service.tell(event(2, None));
        let (member, _, message) = client.signal();
        if rejected {
            assert_eq!(member, "Rejected");
            let (profile, details) = parts::<(String, HashMap<String, OwnedVariant>)>(&message);
            assert_eq!((profile.as_str(), &*details["reason"]), ("anna", &"other-speaker".into()));
            assert_eq!(client.signal().0, "Detected");
        } else {
            assert_eq!(member, "Detected");
        }
    }
}

#[test]
fn a_hold_never_outlives_its_caller_nor_is_it_ended_by_another() {
    let mut bus = Bus::start();
    let service = Service::start(&bus, false);
    let (caller, other) = (Client::new(&bus), Client::new(&bus));
    let cookie: u32 = parts(&caller.daemon("Hold", &("mute", "a call\n\u{7}", "phone")).unwrap());
    assert_eq!(service.told(), format!("hold Mute \"a call  \" \"phone\" {}", caller.name()));

    let (name, text) = refusal(other.daemon("Release", &(cookie,)));
    assert_eq!((name.as_str(), text.as_str()), ("UnknownHold", "no hold of yours has the cookie 1"));
    assert_eq!(service.told(), format!("release 1 {}", other.name()));
    caller.daemon("Release", &(cookie,)).unwrap();
    assert_eq!(service.told(), format!("release 1 {}", caller.name()));

    // Who never held anything is not worth a word.
    drop(other);
    let name = caller.name();
    drop(caller);
    assert_eq!(service.told(), format!("vanished {name}"));

    // busctl is gone as soon as it has its answer.
    let call = ["call", NAME, PATH, DAEMON, "Hold", "sss", "playback", "music", "player"];
    let answer = bus.busctl(&call);
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "u 2\n");
    let held = service.told();
    assert!(held.starts_with("hold Playback \"music\" \"player\" :"), "{held}");
    assert_eq!(service.told(), format!("vanished {}", held.split(' ').next_back().unwrap()));

    // With the bus go all callers.
    let caller = Client::new(&bus);
    caller.daemon("Hold", &("mute", "", "")).unwrap();
    service.told();
    bus.kill();
    assert_eq!(service.told(), format!("vanished {}", caller.name()));
}

#[test]
fn audio_never_goes_to_another_than_the_caller() {
    let bus = Bus::start();
    let service = Service::start(&bus, false);
    let (mut reader, mut bystander) = (Client::new(&bus), Client::new(&bus));
    let block: Vec<f32> = (0..16_000u16).map(|n| f32::from(n) / 32768.0).collect();
    let push = || {
        let mut losses = Vec::new();
        service.handoff.lock().unwrap().push(&block, 9_000_000, |stream, samples| {
            losses.push(Notice::AudioLost { stream, samples });
        });
        losses
    };
    push();
    let answer = reader.daemon("OpenAudio", &(1000u32,)).unwrap();
    let (audio, details) = {
        let body = answer.body();
        let (audio, details): (zbus::OwnedFd, HashMap<String, OwnedVariant>) = body.deserialize().unwrap();
        (OwnedFd::from(audio), details)
    };
    assert_eq!(service.told(), "audio 1000");
    let expected: HashMap<&str, OwnedVariant> = [
        ("rate", 16_000u32.into()),
        ("channels", 1u32.into()),
        ("format", zbus::Str::from("s16le").into()),
        ("preroll_samples", 16_000u64.into()),
        ("first_us", 8_000_000u64.into()),
        ("phrase_start", 800u64.into()),
        ("phrase_end", 12_000u64.into()),
        ("stream", details["stream"].try_clone().unwrap()),
    ]
    .into();
    assert_eq!(details, expected.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());

    let mut file = File::from(audio);
    let mut read = || {
        let mut bytes = vec![0; 32_000];
        file.read_exact(&mut bytes).unwrap();
        bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect::<Vec<_>>()
    };
    let past: Vec<u16> = (0..16_000).collect();
    assert_eq!(read(), past);
    push();
    assert_eq!(read(), past, "the present");

    let losses: Vec<Notice> = std::iter::repeat_with(push).flatten().take(1).collect();
    losses.into_iter().for_each(|loss| service.tell(loss));
    service.tell(event(1, None));
    let (member, _, message) = reader.signal();
    assert_eq!(member, "AudioLost");
    let (stream, samples) = parts::<(u32, u64)>(&message);
    assert_eq!(OwnedVariant::from(stream), details["stream"]);
    assert!(samples >= 16_000, "{samples}");
    assert_eq!(reader.signal().0, "Detected");
    assert_eq!(bystander.signal().0, "Detected");
}

#[test]
fn a_bus_that_comes_back_never_misses_the_daemon() {
    let mut bus = Bus::start();
    let service = Service::start(&bus, false);
    service.tell(profiles(&[&profile("anna")]));
    for round in 0..5u64 {
        bus.restart();
        assert!(matches!(service.condition(), BusCondition::Lost(_)));
        // What changed in between is what is found afterwards.
        let status = Status { state: State::Listening, overruns: round, ..Status::default() };
        service.tell(Notice::Status(status));
        assert_eq!(service.condition(), BusCondition::Serving);
        let client = Client::new(&bus);
        client.property(&profile_path("anna"), PROFILE, "Phrase");
        let deadline = Instant::now() + LONG;
        while *client.property(PATH, DAEMON, "Overruns") != round.into() {
            assert!(Instant::now() < deadline, "the status was lost");
        }
    }
}

#[test]
fn a_bus_that_hangs_never_hangs_the_daemon() {
    let bus = Bus::start();
    let service = Service::start(&bus, false);
    let signal = |name: &str| {
        let id = bus.daemon.id().to_string();
        assert!(Process::new("kill").args([name, &id]).status().unwrap().success());
    };
    signal("-STOP");
    let deadline = Instant::now() + LONG;
    let condition = loop {
        service.tell(event(1, None));
        if let Ok(condition) = service.conditions.try_recv() {
            break condition;
        }
        assert!(Instant::now() < deadline, "nobody noticed");
    };
    assert!(matches!(condition, BusCondition::Lost(_)));
    signal("-CONT");
    assert_eq!(service.condition(), BusCondition::Serving);
}

#[test]
fn a_name_that_is_taken_is_never_fought_over() {
    let bus = Bus::start();
    let first = Service::start(&bus, false);
    let second = Service::begin(&bus, false);
    assert_eq!(second.condition(), BusCondition::NameTaken);
    let client = Client::new(&bus);
    client.property(PATH, DAEMON, "State");
    // Some tries later it has not left a connection behind for each.
    thread::sleep(Duration::from_secs(3));
    let names = bus.busctl(&["list", "--unique", "--no-legend"]).stdout;
    let connections = String::from_utf8(names).unwrap().lines().count();
    assert!(connections <= 6, "{connections} connections");
    assert!(second.conditions.is_empty());
    drop(first);
    assert_eq!(second.condition(), BusCondition::Serving);
    second.tell(event(1, None));
    client.property(PATH, DAEMON, "State");
}

#[test]
fn a_missing_bus_is_never_given_up() {
    let mut bus = Bus::start();
    bus.kill();
    let service = Service::begin(&bus, false);
    assert!(matches!(service.condition(), BusCondition::Lost(_)));
    bus.restart();
    assert_eq!(service.condition(), BusCondition::Serving);
}

#[test]
fn profiles_on_the_bus_are_never_other_than_the_enrolled_ones() {
    let bus = Bus::start();
    let service = Service::start(&bus, false);
    let mut client = Client::new(&bus);
    let (mut anna, zoe) = (profile("anna"), profile("Zoë 2"));
    service.tell(profiles(&[&anna, &zoe]));
    let mut added: Vec<String> = (0..2)
        .map(|_| {
            let (member, path, message) = client.signal();
            assert_eq!((member.as_str(), path.as_str()), ("InterfacesAdded", PATH));
            type Interfaces = HashMap<String, HashMap<String, OwnedVariant>>;
            let (object, interfaces) = parts::<(zbus::OwnedObjectPath, Interfaces)>(&message);
            let properties = &interfaces[PROFILE];
            assert_eq!(*properties["Threshold"], 1.5f64.into());
            assert_eq!(*properties["Enabled"], true.into());
            object.to_string()
        })
        .collect();
    added.sort();
    let paths = [format!("{PATH}/profiles/Zo_c3_ab_202"), format!("{PATH}/profiles/anna")];
    assert_eq!(added, paths);

    let objects = client.call(PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", &()).unwrap();
    type Objects = HashMap<zbus::OwnedObjectPath, HashMap<String, HashMap<String, OwnedVariant>>>;
    let objects: Objects = parts(&objects);
    let mut names: Vec<String> = objects
        .values()
        .filter_map(|interfaces| interfaces.get(PROFILE))
        .map(|properties| properties["Name"].try_clone().unwrap().try_into().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["Zoë 2", "anna"]);

    // What is asked of an object is asked of its profile.
    let anna_path = profile_path("anna");
    let ask = |path: &str, member: &str, body: f64| client.call(path, PROFILE, member, &(body,));
    client.call(&paths[0], PROFILE, "SetEnabled", &(false,)).unwrap();
    assert_eq!(service.told(), "enabled Zoë 2 false");
    ask(&anna_path, "SetThreshold", 2.25).unwrap();
    assert_eq!(service.told(), "threshold anna Some(2.25)");
    ask(&anna_path, "SetThreshold", 0.0).unwrap();
    assert_eq!(service.told(), "threshold anna None");
    for bad in [-0.5, 5.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        assert_eq!(refusal(ask(&anna_path, "SetThreshold", bad)).0, "InvalidArgument", "{bad}");
    }
    let (error, text) = refusal(client.call(&anna_path, PROFILE, "Remove", &()));
    assert_eq!((error.as_str(), text.as_str()), ("UnknownProfile", "no profile named \"anna\""));

    anna.settings.threshold = Some(2.25);
    anna.settings.enabled = false;
    service.tell(profiles(&[&anna, &zoe]));
    let (path, changed) = client.properties_changed();
    assert_eq!((path, changed.len()), (anna_path.clone(), 2));
    assert_eq!((&*changed["Threshold"], &*changed["Enabled"]), (&2.25f64.into(), &false.into()));
    service.tell(Notice::Threshold(1.75));
    let (path, changed) = client.properties_changed();
    assert_eq!((path.as_str(), &*changed["Threshold"]), (paths[0].as_str(), &1.75f64.into()));

    service.tell(profiles(&[&anna]));
    let (member, _, message) = client.signal();
    assert_eq!(member, "InterfacesRemoved");
    let (object, interfaces) = parts::<(zbus::OwnedObjectPath, Vec<String>)>(&message);
    assert_eq!((object.as_str(), interfaces), (paths[0].as_str(), vec![PROFILE.to_owned()]));
    let gone = client.call(&paths[0], PROFILE, "Remove", &());
    assert_eq!(refusal(gone).0, "UnknownObject");
}

#[test]
fn the_condition_is_never_stale_nor_a_flood() {
    let bus = Bus::start();
    let service = Service::start(&bus, false);
    let mut client = Client::new(&bus);
    let mut status = Status { state: State::Listening, input_device: "mic".into(), ..Status::default() };
    service.tell(Notice::Status(status.clone()));
    let (_, changed) = client.properties_changed();
    assert_eq!(changed.len(), 2);
    assert_eq!((&*changed["State"], &*changed["InputDevice"]), (&"listening".into(), &"mic".into()));

    let began = Instant::now();
    for count in 1..=500 {
        status.overruns = count;
        status.lost_samples = 160 * count;
        service.tell(Notice::Status(status.clone()));
    }
    let mut signals = 0;
    loop {
        let (_, changed) = client.properties_changed();
        signals += 1;
        if *changed["LostSamples"] == 80_000u64.into() {
            break;
        }
    }
    assert!(signals <= began.elapsed().as_secs() + 2, "{signals} signals in {:?}", began.elapsed());
    status.muted = true;
    service.tell(Notice::Status(status));
    assert_eq!(*client.properties_changed().1["Muted"], true.into());
}

#[test]
fn a_supervisor_that_hangs_never_hangs_its_callers() {
    let bus = Bus::start();
    let service = Service::start(&bus, false);
    let client = Client::new(&bus);
    let hang = service.attention.lock().unwrap();
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let client = Client::new(&bus);
            thread::spawn(move || refusal(client.daemon("Reload", &())).0)
        })
        .collect();
    // Everything else goes on meanwhile.
    assert_eq!(*client.property(PATH, DAEMON, "State"), "starting".into());
    let mut kinds: Vec<String> = calls.into_iter().map(|call| call.join().unwrap()).collect();
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, ["Busy", "Timeout"]);
    drop(hang);
    let deadline = Instant::now() + LONG;
    loop {
        let (name, text) = refusal(client.daemon("Reload", &()));
        if name != "Busy" {
            assert_eq!((name.as_str(), text.as_str()), ("Failed", "config.toml, line 3: no such key"));
            return;
        }
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn strange_arguments_never_reach_the_supervisor() {
    let bus = Bus::start();
    let service = Service::start(&bus, false);
    let client = Client::new(&bus);
    let (name, text) = refusal(client.daemon("Hold", &("sleep\n", "", "")));
    assert_eq!(name, "InvalidArgument");
    assert_eq!(text, "no kind of hold is called \"sleep \": use mute or playback");
    assert_eq!(refusal(client.daemon("Hold", &(1u32,))).0, "InvalidArgs");
    assert_eq!(refusal(client.daemon("Release", &("one",))).0, "InvalidArgs");
    assert_eq!(refusal(client.daemon("OpenAudio", &())).0, "InvalidArgs");
    assert_eq!(refusal(client.daemon("Listen", &())).0, "UnknownMethod");
    assert!(service.told.is_empty());
    let long = "x".repeat(1 << 20);
    client.daemon("Hold", &("mute", long.as_str(), long.as_str())).unwrap();
    assert!(service.told().len() < 400);
}

/// Regenerate the files with `WAKEWORD_WRITE_XML=1 cargo test --release --test bus description`.
#[test]
fn the_installed_description_is_never_another_than_the_service_gives() {
    let bus = Bus::start();
    let service = Service::start(&bus, false);
    let mut client = Client::new(&bus);
    service.tell(profiles(&[&profile("anna")]));
    assert_eq!(client.signal().0, "InterfacesAdded");
    for (path, interface) in [(PATH.to_owned(), DAEMON), (profile_path("anna"), PROFILE)] {
        let answer = client.call(&path, "org.freedesktop.DBus.Introspectable", "Introspect", &()).unwrap();
        let xml: String = parts(&answer);
        let from = xml.find(&format!("  <interface name=\"{interface}\">")).unwrap();
        let end = "  </interface>\n";
        let to = from + xml[from..].find(end).unwrap() + end.len();
        let head = xml[..xml.find("<node>").unwrap()].trim_start();
        let given = format!("{head}<node>\n{}</node>\n", &xml[from..to]);
        let file = format!("{}/systemd/{interface}.xml", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("WAKEWORD_WRITE_XML").is_some() {
            fs::write(&file, &given).unwrap();
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), given, "{file}");
    }
}

#[test]
fn status_never_shows_another_daemon_than_the_one_that_runs() {
    let bus = Bus::start();
    let absent = bus.wakeword(&["status"]).output().unwrap();
    assert_eq!(absent.status.code(), Some(1));
    let text = String::from_utf8(absent.stderr).unwrap();
    assert_eq!(text, "wakeword: no daemon runs on this bus; start it with: wakeword run\n");

    let service = Service::start(&bus, false);
    let mut client = Client::new(&bus);
    service.tell(profiles(&[&profile("Zoë")]));
    client.signal();
    service.tell(Notice::Status(Status {
        state: State::Held,
        input_device: "desk microphone".into(),
        muted: true,
        lost_samples: 320,
        last_error: "the microphone was away".into(),
        ..Status::default()
    }));
    client.properties_changed();
    let shown = bus.wakeword(&["status"]).output().unwrap();
    assert!(shown.status.success());
    let text = String::from_utf8(shown.stdout).unwrap();
    for part in ["held", "desk microphone", "muted", "320 samples", "was away", "Zoë", "hello sunflower"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let shown = bus.wakeword(&["status", "--json"]).output().unwrap();
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["daemon"]["State"], "held");
    assert_eq!(shown["profiles"][0]["Name"], "Zoë");
    assert_eq!(shown["profiles"][0]["Threshold"], 1.5);
}

#[test]
fn monitor_never_gives_up_a_daemon_or_a_bus_that_goes_away() {
    let mut bus = Bus::start();
    let mut monitor = Follower::new(bus.wakeword(&["monitor", "--json"]));
    assert_eq!(monitor.json(), json!({"event": "no-daemon"}));
    let service = Service::start(&bus, true);
    assert_eq!(monitor.json(), json!({"event": "daemon"}));
    assert_eq!(monitor.json()["changed"]["State"], "starting");
    service.tell(event(1, Some(Reason::OtherPhrase)));
    service.tell(event(2, None));
    let heard = monitor.json();
    assert_eq!((&heard["event"], &heard["sequence"]), (&json!("detected"), &json!(2)));
    assert_eq!(heard["user"], "Anna Müller");
    service.tell(profiles(&[&profile("anna")]));
    assert_eq!(monitor.json()["properties"]["Name"], "anna");
    service.tell(profiles(&[]));
    assert_eq!(monitor.json(), json!({"event": "removed", "object": profile_path("anna")}));
    drop(service);
    assert_eq!(monitor.json(), json!({"event": "no-daemon"}));
    bus.kill();
    assert_eq!(monitor.json()["event"], "no-bus");
    bus.restart();
    assert_eq!(monitor.json(), json!({"event": "no-daemon"}));
    let _service = Service::start(&bus, true);
    assert_eq!(monitor.json(), json!({"event": "daemon"}));
}
