//! The daemon end to end: a virtual microphone into which recordings are played, a private bus, the built
//! binary, and clients of the bus as anybody has them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use common::daemon::{Daemon, NAME, ROOT, enrolled, signal};
use common::home::{Home, Running, wait_until};
use common::load::Load;
use common::sandbox::confine;
use common::{Format, PLAIN, cut, noise, seconds, stretch, write_wav};
use rustix::process::Signal;
use serde_json::Value;

const QUIET: &str = "";
const TALKATIVE: &str = "[bus]\nrejected = true\n";

/// One daemon at a time: two sound servers on a small machine lose audio.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A home with the demo voice enrolled, and recordings to play.
fn home_with(rate: u32, channels: u16) -> Home {
    let home = Home::with_microphone(rate, channels);
    furnish(&home, rate, channels);
    home
}

fn furnish(home: &Home, rate: u32, channels: u16) {
    enrolled(&home.path("store"));
    let format = Format { rate, channels, ..PLAIN };
    write_wav(&home.path("phrase.wav"), cut(17.5, 21.0), format);
    write_wav(&home.path("stranger.wav"), cut(11.8, 15.0), format);
}

/// The noise that every real room has, until it is dropped or the sound server dies: a virtual microphone
/// alone gives digital silence, which is a fault.
fn room(home: &Home) -> Running {
    let file = home.path("room.wav");
    if !file.exists() {
        let quiet: Vec<f32> = noise(7, seconds(600.0)).into_iter().map(|sample| sample * 1e-3).collect();
        write_wav(&file, &quiet, PLAIN);
    }
    home.start_playing(&file)
}

/// A daemon that listens, with all that it needs. Dropped in this order's reverse.
fn listening(config: &str) -> (MutexGuard<'static, ()>, Home, Running, Daemon) {
    let alone = alone();
    let home = home_with(16_000, 1);
    let room = room(&home);
    let mut daemon = Daemon::start(&home, config);
    daemon.wait_until_it_hears();
    (alone, home, room, daemon)
}

/// What a client of the bus says to a question about the daemon.
fn busctl(home: &Home, arguments: &[&str]) -> std::process::Output {
    home.command("busctl").arg("--user").args(arguments).output().unwrap()
}

fn property(home: &Home, name: &str) -> String {
    let interface = format!("{NAME}.Daemon");
    let answer = busctl(home, &["get-property", NAME, ROOT, &interface, name]);
    String::from_utf8(answer.stdout).unwrap().trim().to_owned()
}

/// Waits until the daemon is on the bus.
fn wait_for_name(home: &Home) {
    wait_until("the name", || !property(home, "State").is_empty());
}

/// The signals of the daemon as another program sees them, until it is dropped.
struct Monitor {
    child: std::process::Child,
    output: std::path::PathBuf,
}

impl Monitor {
    fn start(home: &Home) -> Self {
        let output = home.path("signals");
        let child = home
            .command("busctl")
            .args(["--user", "monitor", "--json=short"])
            .arg(format!("--match=type='signal',path='{ROOT}'"))
            .stdout(std::fs::File::create(&output).unwrap())
            .spawn()
            .unwrap();
        let monitor = Self { child, output };
        // It is ready when it shows what the bus says.
        std::thread::sleep(Duration::from_millis(500));
        monitor
    }

    fn signals(&self, member: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.output).unwrap();
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["member"] == member)
            .collect()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wakes_on_the_bus(rate: u32, channels: u16) {
    let _alone = alone();
    let home = home_with(rate, channels);
    let _room = room(&home);
    let mut daemon = Daemon::start(&home, TALKATIVE);
    daemon.wait_until_it_hears();
    wait_for_name(&home);
    let monitor = Monitor::start(&home);
    home.play(&home.path("stranger.wav"));
    home.play(&home.path("phrase.wav"));
    let event = daemon.wait_for_wake();
    assert_eq!(event["user"], "anna");
    wait_until("the signal", || !monitor.signals("Detected").is_empty());
    let detected = monitor.signals("Detected");
    assert_eq!(detected.len(), 1, "{detected:#?}");
    let body = &detected[0]["payload"]["data"];
    assert_eq!(body[0], "demo");
    let field = |name: &str| body[1][name]["data"].clone();
    assert_eq!((field("user"), field("phrase")), ("anna".into(), common::PHRASE.into()));
    let number = |name: &str| field(name).as_f64().unwrap_or_else(|| panic!("{name} in {body:#?}"));
    assert!(number("score") >= number("threshold"));
    assert!((number("margin") - (number("score") - number("threshold"))).abs() < 1e-5);
    let length = number("end_us") - number("start_us");
    assert!((0.8e6..1.6e6).contains(&length), "{length} us of phrase");
    assert!((0.0..5000.0).contains(&number("latency_ms")));
    // The bus says what the line of JSON says, under the same names.
    let told = body[1].as_object().unwrap().iter().map(|(name, field)| (name.as_str(), &field["data"]));
    let said = event.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value));
    let said = said.filter(|(name, _)| !["event", "profile"].contains(name));
    assert!(told.eq(said), "{body:#?}, {event:#?}");
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros() as f64 - number("end_unix_us");
    assert!((0.0..60e6).contains(&since), "it ended {since} us ago");
    assert!(number("start") < number("end") && number("end") <= number("decided"), "{event:#?}");
    wait_until("the stranger's refusal", || !monitor.signals("Rejected").is_empty());
    assert!(
        monitor
            .signals("Rejected")
            .iter()
            .all(|signal| signal["payload"]["data"][1]["reason"]["data"].is_string())
    );
}

#[test]
fn a_microphone_of_16_khz_mono_wakes() {
    wakes_on_the_bus(16_000, 1);
}

#[test]
fn a_microphone_of_48_khz_stereo_wakes() {
    wakes_on_the_bus(48_000, 2);
}

#[test]
fn the_daemon_survives_the_sound_server() {
    let _alone = alone();
    let mut home = home_with(16_000, 1);
    let mut _room = room(&home);
    let mut daemon = Daemon::start(&home, QUIET);
    daemon.wait_until_it_hears();
    for _ in 0..2 {
        home.kill_sound_server();
        daemon.wait_for("no-device");
        home.start_sound_server();
        home.add_microphone(16_000, 1);
        _room = room(&home);
        daemon.wait_until_it_hears();
        home.play(&home.path("phrase.wav"));
        daemon.wait_for_wake();
    }
    assert_eq!(daemon.detections().len(), 2);
}

#[test]
fn the_daemon_waits_for_a_missing_microphone() {
    let _alone = alone();
    let mut home = Home::bare();
    home.start_bus();
    furnish(&home, 48_000, 2);
    let mut daemon = Daemon::start(&home, QUIET);
    daemon.wait_for("no-device");
    home.start_sound_server();
    home.add_microphone(16_000, 1);
    let room = room(&home);
    daemon.wait_until_it_hears();
    home.play(&home.path("phrase.wav"));
    daemon.wait_for_wake();
    // What is left of the sound system is silent.
    drop(room);
    home.remove_microphone();
    daemon.wait("a complaint", |event| {
        let silent = || event["last_error"].as_str().is_some_and(|text| text.contains("digital silence"));
        event["state"] == "no-device" || event["state"] == "degraded" && silent()
    });
    // It comes back with another rate and more channels.
    home.add_microphone(48_000, 2);
    let _room = self::room(&home);
    wait_until("it to wake again", || {
        home.play(&home.path("phrase.wav"));
        daemon.detections().len() >= 2
    });
}

#[test]
fn a_busy_microphone_is_opened_once_free() {
    let _alone = alone();
    let home = home_with(16_000, 1);
    let _room = room(&home);
    let held = home.path("held");
    let plugin = home.path("libbusy.so");
    let source = common::repository("tests/common/busy.c");
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-DPIC", "-o"])
        .args([&plugin, &source])
        .arg("-lasound")
        .status();
    assert!(compiled.unwrap().success());
    let alsa = format!("pcm_type.busy {{ lib {plugin:?} }}\npcm.!default {{ type busy held {held:?} }}\n",);
    std::fs::write(home.path("home/.asoundrc"), alsa).unwrap();
    std::fs::write(&held, "").unwrap();
    let mut daemon = Daemon::start(&home, QUIET);
    let state = daemon.wait_for("no-device");
    assert!(state["last_error"].as_str().unwrap().contains("in use"), "{state}");
    std::fs::remove_file(&held).unwrap();
    daemon.wait_until_it_hears();
    home.play(&home.path("phrase.wav"));
    daemon.wait_for_wake();
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_daemon_hears_after_suspend() {
    let (_alone, home, _room, mut daemon) = listening(QUIET);
    common::sleep::pretend(daemon.id(), &home.path(""));
    let slept = format!("slept for {}", common::sleep::SECONDS);
    daemon.wait("the sleep", |event| event["last_error"].as_str().is_some_and(|text| text.contains(&slept)));
    daemon.wait_until_it_hears();
    home.play(&home.path("phrase.wav"));
    daemon.wait_for_wake();
}

#[test]
fn an_overloaded_daemon_reports_loss_and_recovers() {
    let (_alone, home, _room, mut daemon) = listening(QUIET);
    wait_for_name(&home);
    home.play(&home.path("phrase.wav"));
    let calm = daemon.wait_for_wake();
    let before = daemon.resident_mib();

    let load = Load::on_every_core(&home);
    // The sound server of such a machine may lose some of it: then it is said again.
    let mut said = 1;
    while said < 7 && daemon.detections().len() < 4 {
        home.play(&home.path("stranger.wav"));
        home.play(&home.path("phrase.wav"));
        said += 1;
    }
    drop(load);
    let detections = daemon.detections();
    assert!((4..=said).contains(&detections.len()), "it woke {} times of {said}", detections.len());
    let score = |event: &Value| event["score"].as_f64().unwrap();
    for event in &detections {
        assert!((score(event) - score(&calm)).abs() < 0.3, "{event}, not {calm}");
    }

    let lost = || property(&home, "LostSamples").split(' ').nth(1).unwrap().parse::<u64>().unwrap();
    let before_that = lost();
    // So overloaded that it does not run at all, each time for longer than the sound system keeps audio.
    for _ in 0..4 {
        signal(daemon.id(), Signal::STOP);
        std::thread::sleep(Duration::from_millis(700));
        signal(daemon.id(), Signal::CONT);
        std::thread::sleep(Duration::from_millis(800));
    }
    wait_until("the loss to be told", || lost() > before_that + 16_000);
    wait_until("the complaint", || property(&home, "LastError").contains("audio is lost"));
    home.play(&home.path("phrase.wav"));
    daemon.wait_for_wake();
    let grown = daemon.resident_mib() - before;
    assert!(grown < 8.0, "it grew by {grown} MiB");
}

#[test]
fn the_daemon_survives_a_restarted_bus() {
    let _alone = alone();
    let mut home = home_with(16_000, 1);
    let _room = room(&home);
    let mut daemon = Daemon::start(&home, QUIET);
    daemon.wait_until_it_hears();
    for _ in 0..2 {
        home.kill_bus();
        daemon.wait_for("degraded");
        // Without a bus it still listens.
        home.play(&home.path("phrase.wav"));
        daemon.wait_for_wake();
        home.start_bus();
        daemon.wait_until_it_hears();
        wait_for_name(&home);
    }
    let monitor = Monitor::start(&home);
    home.play(&home.path("phrase.wav"));
    wait_until("the signal", || !monitor.signals("Detected").is_empty());
}

#[test]
fn the_daemon_obeys_signals_and_the_service_manager() {
    let _alone = alone();
    let home = home_with(16_000, 1);
    let _room = room(&home);
    let mut daemon = Daemon::start(&home, QUIET);
    daemon.wait_for_notice("READY=1");
    daemon.wait_until_it_hears();
    daemon.wait_for_notice("STATUS=listening");
    daemon.wait_for_notice("WATCHDOG=1");

    // Under load: a thousand reloads while the phrase is said lose nothing of it. The sound server of a busy
    // machine may, and then it is said again.
    let (saying, id) = (AtomicBool::new(true), daemon.id());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for sent in 0.. {
                if sent >= 1000 && !saying.load(Ordering::Relaxed) {
                    return;
                }
                signal(id, Signal::HUP);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        for _ in 0..6 {
            home.play(&home.path("phrase.wav"));
            if !daemon.detections().is_empty() {
                break;
            }
        }
        saying.store(false, Ordering::Relaxed);
    });
    assert!(!daemon.detections().is_empty(), "it never woke");
    daemon.wait_for_notice("RELOADING=1");
    daemon.wait_for_notice("MONOTONIC_USEC=");
    daemon.wait_for_notice("READY=1");

    // A bad file changes nothing, and is reported.
    daemon.configure("[detection]\nthreshold = 4.9\ntreshold = 1\n");
    signal(daemon.id(), Signal::HUP);
    wait_until("the report", || property(&home, "LastError").contains("treshold"));
    home.play(&home.path("phrase.wav"));
    assert_eq!(daemon.wait_for_wake()["threshold"], Value::from(1.56));
    // A good one does what it says.
    daemon.configure("[detection]\nthreshold = 0.9\n");
    signal(daemon.id(), Signal::HUP);
    std::thread::sleep(Duration::from_millis(500));
    // Of before.
    daemon.detections();
    home.play(&home.path("phrase.wav"));
    assert_eq!(daemon.wait_for_wake()["threshold"], Value::from(0.9));

    signal(daemon.id(), Signal::TERM);
    daemon.wait_for_notice("STOPPING=1");
    assert!(daemon.end().success());
}

#[test]
fn a_voice_enrolled_meanwhile_is_named_after_reload() {
    let (_alone, home, _room, mut daemon) = listening("[detection]\nhousehold = true\n");
    // Slowed down, the owner sounds like a larger person.
    write_wav(&home.path("other.wav"), &stretch(cut(17.5, 21.0), 1.25), PLAIN);
    let other_voice = |daemon: &mut Daemon| {
        home.play(&home.path("other.wav"));
        daemon.wait("the phrase in another voice", |event| event["event"] == "other-voice")
    };
    let event = other_voice(&mut daemon);
    assert_eq!((&event["profile"], &event["user"]), (&"demo".into(), &"".into()));
    assert_eq!(event["speaker"], Value::Null, "{event}");

    write_wav(&home.path("talk.wav"), &stretch(cut(45.6, 48.4), 1.25), PLAIN);
    let mut enroll = home.command(env!("CARGO_BIN_EXE_wakeword"));
    enroll.arg("--store").arg(home.path("store")).args(["speakers", "enroll", "bert", "--from"]);
    assert!(enroll.arg(home.path("talk.wav")).status().unwrap().success());
    signal(daemon.id(), Signal::HUP);
    std::thread::sleep(Duration::from_millis(500));
    let event = other_voice(&mut daemon);
    assert_eq!(event["speaker"], "bert", "{event}");
    assert!(event["speaker_similarity"].as_f64().unwrap() >= 0.45, "{event}");
    // The owner's phrase is its own, and in nobody's enrolled voice.
    home.play(&home.path("phrase.wav"));
    let event = daemon.wait_for_wake();
    assert_eq!((&event["user"], &event["speaker"]), (&"anna".into(), &Value::Null), "{event}");
}

#[test]
fn a_mute_ends_with_its_client() {
    let (_alone, home, _room, mut daemon) = listening(QUIET);
    wait_for_name(&home);
    let (bus, proxy) = client(&home);
    let _cookie: u32 = zbus::block_on(proxy.call("Hold", &("mute", "a test", "tests"))).unwrap();
    daemon.wait_for("held");
    assert_eq!(property(&home, "Muted"), "b true");
    home.play(&home.path("phrase.wav"));
    assert!(daemon.detections().is_empty());
    drop(proxy);
    zbus::block_on(bus.close()).unwrap();
    daemon.wait_until_it_hears();
    home.play(&home.path("phrase.wav"));
    daemon.wait_for_wake();
}

/// A connection of its own, and the daemon seen over it.
fn client(home: &Home) -> (zbus::Connection, zbus::Proxy<'static>) {
    let builder = zbus::connection::Builder::address(home.session_bus().as_str());
    let bus = zbus::block_on(builder.build()).unwrap();
    let daemon = zbus::Proxy::new(&bus, NAME, ROOT, "org.wakeword.Wakeword1.Daemon");
    let daemon = zbus::block_on(daemon).unwrap();
    (bus, daemon)
}

#[test]
fn handed_over_audio_holds_the_phrase_and_what_follows() {
    let (_alone, home, _room, mut daemon) = listening(QUIET);
    wait_for_name(&home);
    let (_bus, proxy) = client(&home);
    home.play(&home.path("phrase.wav"));
    let event = daemon.wait_for_wake();
    type Details = std::collections::HashMap<String, zbus::OwnedVariant>;
    let (reader, details): (zbus::OwnedFd, Details) =
        zbus::block_on(proxy.call("OpenAudio", &(6000u32))).unwrap();
    let number = |name: &str| u64::try_from(details[name].try_clone().unwrap()).unwrap();
    let (start, end) = (number("phrase_start") as usize, number("phrase_end") as usize);
    let mut reader = std::fs::File::from(std::os::fd::OwnedFd::from(reader));
    let preroll = number("preroll_samples") as usize;
    let mut bytes = vec![0; 2 * (preroll + 16_000)];
    reader.read_exact(&mut bytes).unwrap();
    let samples: Vec<f32> = bytes
        .chunks_exact(2)
        .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32768.0)
        .collect();
    // The engine finds the phrase again, in the audio itself, where it was said to be.
    let heard = common::events(&samples[..preroll]);
    let heard = common::detected(&heard);
    assert_eq!(heard.len(), 1, "{heard:#?}");
    assert!(heard[0].start.abs_diff(start as u64) < 3200 && heard[0].end.abs_diff(end as u64) < 3200);
    // And its date is that of the event.
    let dated = number("first_us") + start as u64 * 1_000_000 / 16_000;
    assert!(dated.abs_diff(event["start_us"].as_u64().unwrap()) < 50_000);
    drop(reader);
    home.play(&home.path("phrase.wav"));
    daemon.wait_for_wake();
}

#[test]
fn a_damaged_profile_leaves_the_others_active() {
    let _alone = alone();
    let home = home_with(16_000, 1);
    let _room = room(&home);
    let good = std::fs::read(home.path("store/demo.wakeword")).unwrap();
    std::fs::write(home.path("store/broken.wakeword"), &good[..good.len() / 2]).unwrap();
    let mut daemon = Daemon::start(&home, QUIET);
    daemon.wait("a complaint that names the file", |event| {
        let named = || event["last_error"].as_str().is_some_and(|text| text.contains("broken.wakeword"));
        event["state"] == "degraded" && named()
    });
    home.play(&home.path("phrase.wav"));
    daemon.wait_for_wake();
    // Repaired while it runs: noticed without being told.
    std::fs::remove_file(home.path("store/broken.wakeword")).unwrap();
    daemon.wait_until_it_hears();
}

#[test]
fn hooks_run_on_every_event_without_delay() {
    let _alone = alone();
    let home = home_with(16_000, 1);
    let _room = room(&home);
    let out = home.path("hook");
    let config = format!(
        "[[hook]]\ncommand = [\"sleep\", \"100\"]\ntimeout_s = 1\n\
         [[hook]]\ncommand = [\"sh\", \"-c\", \"echo $WAKEWORD_USER $WAKEWORD_EVENT >> {}\"]\n",
        out.display()
    );
    let mut daemon = Daemon::start(&home, &config);
    daemon.wait_until_it_hears();
    for times in 1..=2 {
        home.play(&home.path("phrase.wav"));
        daemon.wait_for_wake();
        wait_until("the hook", || {
            std::fs::read_to_string(&out).is_ok_and(|text| text == "anna detected\n".repeat(times))
        });
    }
}

#[test]
fn the_daemon_hears_in_the_sandbox() {
    let _alone = alone();
    let home = home_with(16_000, 1);
    let _room = room(&home);
    let confined = || {
        confine(&home.path(""));
        assert!(std::fs::write("/tmp/wakeword-outside", "").is_err(), "landlock does nothing");
        Daemon::start(&home, QUIET)
    };
    let mut daemon = std::thread::scope(|scope| scope.spawn(confined).join().unwrap());
    daemon.wait_until_it_hears();
    wait_for_name(&home);
    home.play(&home.path("phrase.wav"));
    daemon.wait_for_wake();
}

/// The findings of `wakeword doctor`: what, and whether it is in order.
fn doctor(home: &Home, configuration: &str) -> Vec<(String, bool)> {
    let config = home.path("doctor.toml");
    std::fs::write(&config, configuration).unwrap();
    let mut doctor = home.command(env!("CARGO_BIN_EXE_wakeword"));
    doctor.args(["doctor", "--json", "--config"]).arg(&config).arg("--store").arg(home.path("store"));
    let output = doctor.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let findings: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let all_well = findings.iter().all(|finding| finding["ok"] == true);
    assert_eq!(output.status.code(), Some(if all_well { 0 } else { 3 }), "{text}");
    let plain = |finding: &Value| (finding["what"].as_str().unwrap().into(), finding["ok"] == true);
    findings.iter().map(plain).collect()
}

#[test]
fn doctor_finds_faults_and_only_faults() {
    let _alone = alone();
    let mut home = home_with(16_000, 1);
    let room = room(&home);
    let mut daemon = Daemon::start(&home, QUIET);
    daemon.wait_until_it_hears();
    wait_for_name(&home);
    let findings = doctor(&home, "");
    // Whether a busy machine loses audio, and grants priority, is its own affair.
    for what in ["configuration", "models", "profiles", "sound system"] {
        assert!(findings.contains(&(what.into(), true)), "{what}: {findings:?}");
    }
    assert!(findings.iter().any(|(what, _)| what == "microphone"));
    assert!(findings.iter().any(|(what, _)| what == "bus"));

    drop((daemon, room));
    home.kill_sound_server();
    home.kill_bus();
    std::fs::write(home.path("store/demo.wakeword"), "damaged").unwrap();
    let findings = doctor(&home, "[audio]\ndevise = \"x\"\n");
    for what in ["configuration", "profiles", "microphone", "bus"] {
        assert!(findings.contains(&(what.into(), false)), "{what}: {findings:?}");
    }
    assert!(findings.contains(&("models".into(), true)));
}
