//! The daemon on a real bus of its own, seen by real clients. The test plays the supervisor.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "../common/mod.rs"]
mod common;
mod enrollment;
mod harness;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Command as Process, Output};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use common::home::Home;
use harness::{Client, DAEMON, Follower, LONG, Service, parts, refusal};
use serde_json::{Value, json};
use wakeword::bus::{NAME, PATH, profile_path};
use wakeword::control::{BusCondition, Notification, State, Status};
use wakeword::engine::event::{Event, EventKind, Evidence, Reason, Speaker, Timing};
use wakeword::profile::{Profile, Scales};
use zbus::OwnedVariant;

const PROFILE: &str = "org.wakeword.Wakeword1.Profile";
const ENROLLMENT: &str = "org.wakeword.Wakeword1.Enrollment";

fn home() -> Home {
    let mut home = Home::bare();
    home.start_bus();
    home
}

fn busctl(home: &Home, arguments: &[&str]) -> Output {
    home.command("busctl").arg("--user").args(arguments).output().unwrap()
}

/// The program's own commands, on this bus.
fn wakeword(home: &Home, arguments: &[&str]) -> Process {
    let mut process = home.command(cargo_bin!("wakeword"));
    process.args(arguments);
    process
}

fn heard(sequence: u64, kind: EventKind) -> Event {
    let evidence = Evidence {
        keyword_score: 0.875,
        cepstral_score: 0.75,
        speaker_score: Some(1.25),
        speaker_cosine: (sequence != 2).then_some(0.5),
        level_dbfs: -23.5,
        snr_db: 18.25,
        ..Evidence::default()
    };
    let timing = Timing {
        sequence,
        start_us: 1_000_000,
        end_us: 2_000_000,
        decided_us: 2_140_500,
        end_unix_us: 1_800_000_000_000_000,
        latency_ms: 140.5,
    };
    Event {
        kind,
        profile: "anna".into(),
        user: "Anna Müller".into(),
        speaker: (sequence != 2).then(|| Speaker { name: "anna".into(), similarity: 0.625 }),
        phrase: "hello sunflower".into(),
        start: 16_000,
        end: 32_000,
        decided: 34_000,
        evidence,
        score: 2.06,
        threshold: 1.56,
        margin: 0.5,
        timing: Some(timing),
    }
}

fn event(sequence: u64, reason: Option<Reason>) -> Notification {
    let kind = reason.map_or(EventKind::Detected, EventKind::Rejected);
    Notification::Event(Arc::new(heard(sequence, kind)))
}

fn profile(name: &str) -> Profile {
    let scales = Scales { keyword: 1.0, cepstra: 1.0, voice: 1.0, takes: 2.0 };
    Profile::new(name, "hello sunflower", "models", (Vec::new(), scales))
}

fn profiles(all: &[&Profile]) -> Notification {
    Notification::Profiles(all.iter().map(|&profile| Arc::new(profile.clone())).collect())
}

#[test]
fn a_detection_is_never_told_without_its_evidence() {
    let home = home();
    let service = Service::start(&home, false);
    let mut client = Client::new(&home);
    let mut monitor = Process::new("busctl");
    monitor.args([&format!("--address={}", home.session_bus()), "monitor", "--json=short", NAME]);
    let mut monitor = Follower::new(monitor);
    // A reader that came too late would wait for ever: it is told until it has heard.
    let done = Arc::new(Mutex::new(false));
    let (telling, notifications) = (done.clone(), service.notifications.clone().unwrap());
    let teller = thread::spawn(move || {
        for sequence in (1..).step_by(2) {
            if *telling.lock().unwrap() {
                return;
            }
            notifications.send_timeout(event(sequence, None), LONG).unwrap();
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
    let t = |value: u64| json!({"type": "t", "data": value});
    assert_eq!(
        details,
        json!({
            "phrase": {"type": "s", "data": "hello sunflower"},
            "user": {"type": "s", "data": "Anna Müller"},
            "score": d(2.06), "threshold": d(1.56), "margin": d(0.5),
            "keyword_score": d(0.875), "cepstral_score": d(0.75),
            "speaker_score": d(1.25), "speaker_cosine": d(0.5),
            "speaker": {"type": "s", "data": "anna"}, "speaker_similarity": d(0.625),
            "snr_db": d(18.25), "level_dbfs": d(-23.5), "latency_ms": d(140.5),
            "start": t(16_000), "end": t(32_000), "decided": t(34_000),
            "start_us": t(1_000_000), "end_us": t(2_000_000), "decided_us": t(2_140_500),
            "end_unix_us": t(1_800_000_000_000_000),
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
            for absent in ["speaker_cosine", "speaker", "speaker_similarity"] {
                assert!(!details.contains_key(absent), "{absent}");
            }
            return;
        }
    }
}

#[test]
fn refusals_are_never_told_unless_asked_for() {
    for rejected in [false, true] {
        let home = home();
        let service = Service::start(&home, rejected);
        let mut client = Client::new(&home);
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
fn the_phrase_in_another_voice_is_never_told_as_a_detection() {
    let home = home();
    let service = Service::start(&home, false);
    let mut client = Client::new(&home);
    let mut monitor = Follower::new(wakeword(&home, &["monitor", "--json"]));
    while monitor.json()["event"] != "daemon" {}
    service.tell(Notification::Event(Arc::new(heard(3, EventKind::OtherVoice))));
    let (member, _, message) = client.signal();
    assert_eq!(member, "OtherVoice");
    let (profile, details) = parts::<(String, HashMap<String, OwnedVariant>)>(&message);
    assert_eq!((profile.as_str(), &*details["speaker"]), ("anna", &"anna".into()));
    assert!(!details.contains_key("reason"));
    let line = monitor.json();
    assert_eq!((&line["event"], &line["speaker"]), (&"other-voice".into(), &"anna".into()));
}

#[test]
fn a_hold_never_outlives_its_caller_nor_is_it_ended_by_another() {
    let mut home = home();
    let service = Service::start(&home, false);
    let (caller, other) = (Client::new(&home), Client::new(&home));
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
    let answer = busctl(&home, &call);
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "u 2\n");
    let held = service.told();
    assert!(held.starts_with("hold Playback \"music\" \"player\" :"), "{held}");
    assert_eq!(service.told(), format!("vanished {}", held.split(' ').next_back().unwrap()));

    // With the bus go all callers.
    let caller = Client::new(&home);
    caller.daemon("Hold", &("mute", "", "")).unwrap();
    service.told();
    home.kill_bus();
    assert_eq!(service.told(), format!("vanished {}", caller.name()));
}

#[test]
fn audio_never_goes_to_another_than_the_caller() {
    let home = home();
    let service = Service::start(&home, false);
    let (mut reader, mut bystander) = (Client::new(&home), Client::new(&home));
    let block: Vec<f32> = (0..16_000u16).map(|n| f32::from(n) / 32768.0).collect();
    let push = || {
        let mut losses = Vec::new();
        service.handoff.lock().unwrap().push(&block, 9_000_000, |stream, samples| {
            losses.push(Notification::AudioLost { stream, samples });
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

    let losses: Vec<Notification> = std::iter::repeat_with(push).flatten().take(1).collect();
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
    let mut home = home();
    let service = Service::start(&home, false);
    service.tell(profiles(&[&profile("anna")]));
    for round in 0..5u64 {
        home.kill_bus();
        home.start_bus();
        assert!(matches!(service.condition(), BusCondition::Lost(_)));
        // What changed in between is what is found afterwards.
        let status = Status { state: State::Listening, overruns: round, ..Status::default() };
        service.tell(Notification::Status(status));
        assert_eq!(service.condition(), BusCondition::Serving);
        let client = Client::new(&home);
        client.property(&profile_path("anna"), PROFILE, "Phrase");
        let deadline = Instant::now() + LONG;
        while *client.property(PATH, DAEMON, "Overruns") != round.into() {
            assert!(Instant::now() < deadline, "the status was lost");
        }
    }
}

#[test]
fn a_bus_that_hangs_never_hangs_the_daemon() {
    let home = home();
    let service = Service::start(&home, false);
    home.freeze_bus();
    let deadline = Instant::now() + LONG;
    let condition = loop {
        service.tell(event(1, None));
        if let Ok(condition) = service.conditions.try_recv() {
            break condition;
        }
        assert!(Instant::now() < deadline, "nobody noticed");
    };
    assert!(matches!(condition, BusCondition::Lost(_)));
    home.thaw_bus();
    assert_eq!(service.condition(), BusCondition::Serving);
}

#[test]
fn a_name_that_is_taken_is_never_fought_over() {
    let home = home();
    let first = Service::start(&home, false);
    let second = Service::begin(&home, false);
    assert_eq!(second.condition(), BusCondition::NameTaken);
    let client = Client::new(&home);
    client.property(PATH, DAEMON, "State");
    // Some tries later it has not left a connection behind for each.
    thread::sleep(Duration::from_secs(3));
    let names = busctl(&home, &["list", "--unique", "--no-legend"]).stdout;
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
    let mut home = home();
    home.kill_bus();
    let service = Service::begin(&home, false);
    assert!(matches!(service.condition(), BusCondition::Lost(_)));
    home.kill_bus();
    home.start_bus();
    assert_eq!(service.condition(), BusCondition::Serving);
}

#[test]
fn profiles_on_the_bus_are_never_other_than_the_enrolled_ones() {
    let home = home();
    let service = Service::start(&home, false);
    let mut client = Client::new(&home);
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
    service.tell(Notification::Threshold(1.75));
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
    let home = home();
    let service = Service::start(&home, false);
    let mut client = Client::new(&home);
    let mut status = Status { state: State::Listening, input_device: "mic".into(), ..Status::default() };
    service.tell(Notification::Status(status.clone()));
    let (_, changed) = client.properties_changed();
    assert_eq!(changed.len(), 2);
    assert_eq!((&*changed["State"], &*changed["InputDevice"]), (&"listening".into(), &"mic".into()));

    let began = Instant::now();
    for count in 1..=500 {
        status.overruns = count;
        status.lost_samples = 160 * count;
        service.tell(Notification::Status(status.clone()));
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
    service.tell(Notification::Status(status));
    assert_eq!(*client.properties_changed().1["Muted"], true.into());
}

#[test]
fn a_supervisor_that_hangs_never_hangs_its_callers() {
    let home = home();
    let service = Service::start(&home, false);
    let client = Client::new(&home);
    let hang = service.attention.lock().unwrap();
    let calls: Vec<_> = (0..80)
        .map(|_| {
            let client = Client::new(&home);
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
    let home = home();
    let service = Service::start(&home, false);
    let client = Client::new(&home);
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
    let home = home();
    let service = Service::start(&home, false);
    let mut client = Client::new(&home);
    service.tell(profiles(&[&profile("anna")]));
    assert_eq!(client.signal().0, "InterfacesAdded");
    let daemon = || PATH.to_owned();
    for (path, interface) in [(daemon(), DAEMON), (daemon(), ENROLLMENT), (profile_path("anna"), PROFILE)] {
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
    let home = home();
    let absent = wakeword(&home, &["status"]).output().unwrap();
    assert_eq!(absent.status.code(), Some(1));
    let text = String::from_utf8(absent.stderr).unwrap();
    assert_eq!(text, "wakeword: no daemon runs on this bus; start it with: wakeword run\n");

    let service = Service::start(&home, false);
    let mut client = Client::new(&home);
    service.tell(profiles(&[&profile("Zoë")]));
    client.signal();
    service.tell(Notification::Status(Status {
        state: State::Held,
        input_device: "desk microphone".into(),
        muted: true,
        lost_samples: 320,
        last_error: "the microphone was away".into(),
        ..Status::default()
    }));
    client.properties_changed();
    let shown = wakeword(&home, &["status"]).output().unwrap();
    assert!(shown.status.success());
    let text = String::from_utf8(shown.stdout).unwrap();
    for part in ["held", "desk microphone", "muted", "320 samples", "was away", "Zoë", "hello sunflower"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let shown = wakeword(&home, &["status", "--json"]).output().unwrap();
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["daemon"]["State"], "held");
    assert_eq!(shown["profiles"][0]["Name"], "Zoë");
    assert_eq!(shown["profiles"][0]["Threshold"], 1.5);

    // Found from elsewhere by what is configured.
    let elsewhere = Home::bare();
    let config = elsewhere.path("config.toml");
    let status = |text: String| {
        fs::write(&config, text).unwrap();
        wakeword(&elsewhere, &["status", "--config"]).arg(&config).output().unwrap()
    };
    assert!(status(format!("[bus]\naddress = {:?}\n", home.session_bus())).status.success());
    let nowhere = status("[bus]\nkind = \"off\"\n".into());
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8(nowhere.stderr).unwrap().contains("off the bus"));
}

#[test]
fn monitor_never_gives_up_a_daemon_or_a_bus_that_goes_away() {
    let mut home = home();
    let mut monitor = Follower::new(wakeword(&home, &["monitor", "--json"]));
    assert_eq!(monitor.json(), json!({"event": "no-daemon"}));
    let service = Service::start(&home, true);
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
    home.kill_bus();
    assert_eq!(monitor.json()["event"], "no-bus");
    home.start_bus();
    assert_eq!(monitor.json(), json!({"event": "no-daemon"}));
    let _service = Service::start(&home, true);
    assert_eq!(monitor.json(), json!({"event": "daemon"}));
}
