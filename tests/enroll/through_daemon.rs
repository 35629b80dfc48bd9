//! Enrolment through a running daemon: by front ends on the bus, and by the program.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use wakeword::store::Store;

use super::common::daemon::{Daemon, NAME};
use super::common::home::{Home, wait_until};
use super::common::{PHRASE, cut};
use super::{FrontEnd, alone, bad_takes, enroll, recording, room, take};

const PATH: &str = "/org/wakeword/Wakeword1";
const ENROLLMENT: &str = "org.wakeword.Wakeword1.Enrollment";

/// A front end on the bus.
struct Claimant {
    connection: zbus::Connection,
    signals: Receiver<(String, bool, u32, String)>,
}

impl Claimant {
    fn new(home: &Home) -> Self {
        let address = home.session_bus();
        let build = zbus::connection::Builder::address(address.as_str()).build();
        let connection = zbus::block_on(build).unwrap();
        let mut messages = zbus::MessageStream::from(&connection);
        let (sender, signals) = channel();
        std::thread::spawn(move || {
            use futures_core::Stream as _;
            let mut next = || {
                zbus::block_on(std::future::poll_fn(|context| {
                    std::pin::Pin::new(&mut messages).poll_next(context)
                }))
            };
            while let Some(Ok(message)) = next() {
                if message.header().member().is_some_and(|member| member.as_str() == "EnrollStatus") {
                    let body = message.body();
                    let (result, done, details): (String, bool, HashMap<String, zbus::OwnedVariant>) =
                        body.deserialize().unwrap();
                    let zbus::Variant::U32(stage) = *details["stage"] else { panic!("{details:?}") };
                    let reason = match details.get("reason").map(|reason| &**reason) {
                        Some(zbus::Variant::Str(reason)) => reason.to_string(),
                        other => other.map(ToString::to_string).unwrap_or_default(),
                    };
                    if sender.send((result, done, stage, reason)).is_err() {
                        return;
                    }
                }
            }
        });
        Self { connection, signals }
    }

    /// The name of the error, if it is one.
    fn call<B>(&self, member: &str, body: &B) -> Result<(), String>
    where
        B: serde::Serialize + zbus::wire::DynamicType,
    {
        let call = self.connection.call_method(Some(NAME), PATH, Some(ENROLLMENT), member, body);
        match zbus::block_on(call) {
            Ok(_) => Ok(()),
            Err(zbus::Error::MethodError(name, ..)) => Err(name.rsplit('.').next().unwrap().into()),
            Err(error) => panic!("{error}"),
        }
    }

    fn start(&self, profile: &str) -> Result<(), String> {
        self.call("EnrollStart", &(profile, PHRASE, HashMap::<&str, zbus::Variant<'_>>::new()))
    }

    #[track_caller]
    fn status(&self) -> (String, bool, u32, String) {
        self.signals.recv_timeout(Duration::from_secs(60)).unwrap()
    }
}

fn listening(home: &Home) -> Daemon {
    let mut daemon = Daemon::start(home, "");
    daemon.wait_until_it_hears();
    daemon
}

#[test]
fn front_ends_on_the_bus_never_mix_and_never_wake_anybody() {
    let _alone = alone();
    let home = Home::start();
    let _room = room(&home);
    let mut daemon = listening(&home);
    let (first, second) = (Claimant::new(&home), Claimant::new(&home));
    assert_eq!(first.start("anna").unwrap_err(), "NotClaimed");
    first.call("Claim", &()).unwrap();
    assert_eq!(second.call("Claim", &()).unwrap_err(), "AlreadyClaimed");
    assert_eq!(second.call("EnrollStop", &()).unwrap_err(), "NotClaimed");
    for name in ["../anna", "", ".anna", "a/b", &"a".repeat(300)] {
        assert_eq!(first.start(name).unwrap_err(), "InvalidArgument", "{name}");
    }
    first.start("anna").unwrap();
    assert_eq!(first.start("anna").unwrap_err(), "AlreadyInUse");
    let (_, _, quiet) = bad_takes().swap_remove(0);
    home.play(&recording(&home, "quiet", &quiet));
    let refused = ("enroll-retry-scan".into(), false, 0, "too-quiet".into());
    assert_eq!(first.status(), refused);
    home.play(&take(&home, 1));
    assert_eq!(first.status(), ("enroll-stage-passed".into(), false, 1, String::new()));
    // Nobody keeps a claim by leaving, and nothing of it stays.
    drop(first);
    wait_until("the claim", || second.call("Claim", &()).is_ok());
    second.start("anna").unwrap();
    for number in 1..=5 {
        home.play(&take(&home, number as usize));
        assert_eq!(second.status(), ("enroll-stage-passed".into(), false, number, String::new()));
    }
    assert_eq!(second.status(), ("enroll-completed".into(), true, 5, String::new()));
    second.call("EnrollStop", &()).unwrap();
    assert_eq!(second.start("anna").unwrap_err(), "InvalidArgument", "the name is taken");
    // Another profile of the same.
    second.start("berta").unwrap();
    for number in 1..=5 {
        home.play(&take(&home, number as usize));
        assert_eq!(second.status().0, "enroll-stage-passed");
    }
    assert_eq!(second.status(), ("enroll-duplicate".into(), true, 5, "anna".into()));
    assert_eq!(Store::new(home.path("store")).names().unwrap(), ["anna"]);
    assert!(daemon.detections().is_empty());
    second.call("Release", &()).unwrap();
    home.play(&recording(&home, "phrase", cut(18.3, 20.0)));
    assert_eq!(daemon.wait_for_wake()["profile"], "anna");
}

#[test]
fn the_program_never_opens_a_microphone_that_the_daemon_has() {
    let _alone = alone();
    let home = Home::start();
    let _room = room(&home);
    let mut daemon = listening(&home);
    let program = FrontEnd::start(&home, &["--no-test"]);
    assert_eq!(program.wait_for("microphone")["device"], "that of the running daemon");
    program.wait_for("ask");
    let other = enroll(&home).args(["--no-test"]).output().unwrap();
    let said = String::from_utf8(other.stderr).unwrap();
    assert!(!other.status.success() && said.contains("another program enrols"), "{said}");
    for number in 1..=5 {
        home.play(&take(&home, number));
        let report = program.wait_for("take");
        assert_eq!(report["accepted"], true, "{report:#}");
    }
    assert_eq!(program.wait_for("enrolled")["takes"], 5);
    drop(program);
    home.play(&recording(&home, "phrase", cut(18.3, 20.0)));
    assert_eq!(daemon.wait_for_wake()["profile"], "anna");
}

#[test]
fn a_signal_ends_an_enrolment_through_the_daemon_by_its_number() {
    let _alone = alone();
    let home = Home::start();
    let _room = room(&home);
    let _daemon = listening(&home);
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut program = FrontEnd::start(&home, &["--no-test"]);
        assert_eq!(program.wait_for("microphone")["device"], "that of the running daemon");
        program.wait_for("ask");
        kill_process(Pid::from_child(&program.child), signal).unwrap();
        assert_eq!(program.child.wait().unwrap().code(), Some(status));
        let mut said = String::new();
        program.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "wakeword: stopped; nothing was saved\n");
    }
    assert!(Store::new(home.path("store")).names().unwrap().is_empty());
}
