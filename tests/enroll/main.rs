//! Enrolment as its users meet it: takes that are good or bad in every way, judged alone, and the whole dialogue
//! in a real terminal with a virtual microphone into which the takes are played.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[path = "../common/mod.rs"]
mod common;
mod near;
mod through_daemon;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use common::home::{Home, Running, wait_until};
use common::{PHRASE, PLAIN, cut, models, noise, seconds, takes, write_wav};
use serde_json::Value;
use wakeword::enroll::{EndpointEvent, Endpointer, Quality, Reason, Session, SessionState, TakeReport};
use wakeword::profile::Profile;
use wakeword::store::Store;

/// Fainter than a quiet room, but no digital silence.
const ROOM: f32 = 1e-4;

fn quality() -> Quality {
    Quality::built_in().unwrap()
}

fn session() -> Session {
    Session::new(models().clone(), quality(), 5, &[])
}

fn scaled(samples: &[f32], factor: f32) -> Vec<f32> {
    samples.iter().map(|sample| (sample * factor).clamp(-1.0, 1.0)).collect()
}

/// `samples` in the middle of noise that begins and ends a second before and after them.
fn within_noise(samples: &[f32], level: f32) -> Vec<f32> {
    let mut noise = scaled(&noise(3, samples.len() + seconds(2.0)), level);
    noise[seconds(1.0)..].iter_mut().zip(samples).for_each(|(noise, sample)| *noise += sample);
    noise
}

/// `samples` in the middle of a rumble hardly less loud than they are, which nobody takes for speech.
fn within_rumble(samples: &[f32]) -> Vec<f32> {
    let mut low = 0.0;
    let mut rumble: Vec<f32> = noise(5, samples.len() + seconds(2.5))
        .iter()
        .map(|sample| {
            low += 0.05 * (sample - low);
            0.6 * low
        })
        .collect();
    rumble[seconds(1.0)..].iter_mut().zip(samples).for_each(|(noise, sample)| *noise += sample);
    rumble
}

/// A take that is bad in one way each, with the reason for which it is refused.
fn bad_takes() -> Vec<(&'static str, Reason, Vec<f32>)> {
    let take = &takes()[1];
    vec![
        ("quiet", Reason::TooQuiet, within_noise(&scaled(take, 0.02), ROOM)),
        ("clipped", Reason::Clipped, within_noise(&scaled(take, 30.0), ROOM)),
        ("noisy", Reason::TooNoisy, within_rumble(take)),
        ("short", Reason::TooShort, within_noise(&take[seconds(0.5)..seconds(0.7)], ROOM)),
        ("words", Reason::WrongPhrase, within_noise(cut(45.6, 48.4), ROOM)),
        ("voice", Reason::InconsistentVoice, within_noise(cut(27.3, 28.9), ROOM)),
    ]
}

fn reasons(report: &TakeReport) -> Vec<Reason> {
    report.problems.iter().map(|problem| problem.reason).collect()
}

#[test]
fn a_bad_take_is_never_learned_from_and_never_spoils_the_others() {
    let mut session = session();
    let mut bad = bad_takes().into_iter();
    for take in takes() {
        let report = session.take(take);
        assert!(report.accepted && report.problems.is_empty(), "{report:?}");
        for (name, reason, samples) in bad.by_ref().take(2) {
            let report = session.take(&samples);
            assert!(!report.accepted && reasons(&report).contains(&reason), "{name}: {report:?}");
        }
    }
    assert_eq!(session.state(), SessionState::Complete);
    assert_eq!(session.warnings(), []);
    let (learned, scales) = session.learn().unwrap();
    let samples: Vec<&[f32]> = takes().iter().map(|take| &take[..]).collect();
    assert!((learned, scales) == wakeword::enroll::learn(models(), &samples).unwrap());
}

#[test]
fn takes_of_another_day_never_replace_nor_contradict_the_first() {
    let of = |takes: &[Vec<f32>]| {
        let mut session = Session::new(models().clone(), quality(), takes.len(), &[]);
        takes.iter().for_each(|take| assert!(session.take(take).accepted));
        Profile::new("anna", PHRASE, &models().fingerprint, session.learn().unwrap())
    };
    let (first, all) = (of(&takes()[..3]), of(takes()));
    let mut later = Session::new(models().clone(), quality(), 2, &first.takes);
    // Even the first take is held against those that are there.
    let stranger = later.take(cut(11.8, 15.0));
    assert!(!stranger.accepted, "{stranger:?}");
    assert_eq!(later.state(), SessionState::Asking { take: 1, of: 2 });
    takes()[3..].iter().for_each(|take| assert!(later.take(take).accepted));
    assert_eq!(later.state(), SessionState::Complete);
    let (learned, scales) = later.learn().unwrap();
    assert_eq!(learned, all.takes);
    // Scales are those of five takes but for what lay around the phrases of the first three.
    let near = |ours: f32, theirs: f32| assert!((ours / theirs - 1.0).abs() < 0.2, "{ours} is not {theirs}");
    near(scales.keyword, all.scales.keyword);
    near(scales.cepstra, all.scales.cepstra);
    near(scales.voice, all.scales.voice);
}

#[test]
fn a_profile_keeps_its_latest_takes_and_none_twice() {
    let profile = |takes| Profile::new("anna", PHRASE, &models().fingerprint, takes);
    let mut first = session();
    takes().iter().for_each(|take| assert!(first.take(take).accepted));
    let first = profile(first.learn().unwrap());
    let mut later = Session::new(models().clone(), quality(), 11, &first.takes);
    let again = later.take(&takes()[2]);
    assert_eq!(reasons(&again), [Reason::Repeated], "{again:?}");
    for (number, factor) in
        [0.9, 0.8, 0.7].iter().flat_map(|factor| (0..4).map(move |number| (number, factor)))
    {
        if later.good() < 11 {
            let report = later.take(&scaled(&takes()[number], *factor));
            assert!(report.accepted, "{report:?}");
        }
    }
    let (learned, _) = later.learn().unwrap();
    assert_eq!((learned.len(), &learned[0]), (15, &first.takes[1]));
}

#[test]
fn what_is_no_phrase_is_never_accepted_and_never_asked_for_without_end() {
    let music: Vec<Vec<f32>> =
        (0..4).map(|part| cut(21.5 + part as f32, 23.5 + part as f32).into()).collect();
    let silence = vec![vec![0.0; seconds(2.0)]; 4];
    let hiss: Vec<Vec<f32>> = (0..4).map(|seed| scaled(&noise(seed, seconds(2.0)), 0.1)).collect();
    let endless = vec![within_noise(&takes()[0].repeat(4), ROOM); 4];
    for (kind, takes) in [("music", music), ("silence", silence), ("hiss", hiss), ("talk", endless)] {
        let mut session = session();
        for take in &takes {
            assert_eq!(session.state(), SessionState::Asking { take: 1, of: 5 }, "{kind}");
            let report = session.take(take);
            assert!(!report.accepted && !report.problems.is_empty(), "{kind}: {report:?}");
        }
        assert_eq!(session.state(), SessionState::GivenUp { attempts: 4 }, "{kind}");
        assert!(session.learn().is_err(), "{kind}");
    }
}

#[test]
fn five_phrases_or_two_people_never_make_a_profile() {
    let phrases =
        [(2.3, 4.5), (15.6, 17.2), (45.6, 48.4), (52.3, 54.8), (55.9, 57.3)].map(|(a, b)| cut(a, b).to_vec());
    let mut people = takes()[..3].to_vec();
    people.extend([cut(12.6, 14.2), cut(49.6, 51.3)].map(<[f32]>::to_vec));
    for (kind, takes) in [("phrases", phrases.to_vec()), ("people", people)] {
        let mut session = session();
        let good = takes.iter().filter(|take| session.take(take).accepted).count();
        assert!(good < 4 && session.state() != SessionState::Complete, "{kind}: {good}");
    }
}

#[test]
fn a_first_take_of_something_else_never_shuts_out_the_phrase() {
    let mut session = session();
    assert!(session.take(cut(45.6, 48.4)).accepted);
    assert!(!session.take(&takes()[0]).accepted);
    let report = session.take(&takes()[1]);
    assert_eq!((report.accepted, report.withdrawn, report.restored), (true, Some(1), Some(2)), "{report:?}");
    assert_eq!(session.state(), SessionState::Asking { take: 3, of: 5 });
}

/// What an endpointer finds in `samples` that come in blocks of `size`.
fn endpoints(samples: &[f32], size: usize) -> Vec<EndpointEvent> {
    let mut endpointer = Endpointer::new(&quality());
    let mut events = Vec::new();
    samples.chunks(size).for_each(|block| endpointer.push(block, |event| events.push(event)));
    events
}

#[test]
fn an_endpointer_finds_every_take_whatever_the_block_size() {
    let mut stream = Vec::new();
    for (take, name) in takes().iter().zip(["", "", "click", "", ""]) {
        stream.extend(within_noise(take, ROOM));
        if name == "click" {
            stream.extend([0.9, -0.9].repeat(40));
        }
    }
    stream.extend(scaled(&noise(9, seconds(13.0)), ROOM));
    let events = endpoints(&stream, 160);
    for size in [1, 999, 16_000, stream.len()] {
        assert!(endpoints(&stream, size) == events, "blocks of {size}");
    }
    let phrases: Vec<&Vec<f32>> = events
        .iter()
        .filter_map(|event| if let EndpointEvent::Utterance(phrase) = event { Some(phrase) } else { None })
        .collect();
    assert_eq!(phrases.len(), 5);
    let mut session = session();
    for phrase in phrases {
        assert!(session.take(phrase).accepted);
    }
    assert_eq!(events.iter().filter(|event| **event == EndpointEvent::Silence).count(), 1);
    // Talk without an end is cut off, so that somebody is told of it.
    let talk = takes()[0][seconds(0.4)..seconds(1.6)].repeat(8);
    let longest = endpoints(&talk, 160)
        .into_iter()
        .find_map(|event| if let EndpointEvent::Utterance(take) = event { Some(take) } else { None });
    assert_eq!(reasons(&session.take(&longest.unwrap())), [Reason::TooLong]);
}

// The dialogue.

/// One at a time: two sound servers on a small machine lose audio.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The noise that every real room has, until it is dropped or the sound server dies.
fn room(home: &Home) -> Running {
    home.start_playing(&recording(home, "room", &scaled(&noise(7, seconds(600.0)), ROOM)))
}

fn recording(home: &Home, name: &str, samples: &[f32]) -> PathBuf {
    let file = home.path(&format!("{name}.wav"));
    if !file.exists() {
        write_wav(&file, samples, PLAIN);
    }
    file
}

fn take(home: &Home, number: usize) -> PathBuf {
    recording(home, &number.to_string(), &takes()[number - 1])
}

fn enroll(home: &Home) -> Command {
    let mut command = home.command(env!("CARGO_BIN_EXE_wakeword"));
    command.arg("--store").arg(home.path("store")).args(["enroll", "anna", "--phrase", PHRASE]);
    command
}

/// A terminal in which the program runs.
struct Terminal<'a> {
    home: &'a Home,
}

impl<'a> Terminal<'a> {
    fn start(home: &'a Home, arguments: &[&str]) -> Self {
        let terminal = Self { home };
        let program = enroll(home);
        let script = "trap : INT; \"$@\"; echo ended with $?; sleep 600";
        let mut tmux =
            terminal.tmux(&["new-session", "-d", "-x", "110", "-y", "60", "sh", "-c", script, "sh"]);
        tmux.arg(program.get_program());
        assert!(tmux.args(program.get_args()).args(arguments).status().unwrap().success());
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command("tmux");
        command.env("LC_ALL", "C.UTF-8").arg("-S").arg(self.home.path("tmux")).args(["-f", "/dev/null"]);
        command.args(arguments);
        command
    }

    /// All that it has shown; with `-e` with its colours.
    fn text(&self, colours: &[&str]) -> String {
        let output = self.tmux(&["capture-pane", "-p", "-J", "-S", "-"]).args(colours).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn wait_for(&self, part: &str, times: usize) {
        let start = std::time::Instant::now();
        while self.text(&[]).matches(part).count() < times {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "waited in vain for {part:?}:\n{}",
                self.text(&[])
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn press(&self, key: &str) {
        assert!(self.tmux(&["send-keys", key]).status().unwrap().success());
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).status();
    }
}

#[test]
fn a_guided_enrolment_never_fails_a_patient_user() {
    let _alone = alone();
    let home = Home::start();
    let _room = room(&home);
    let terminal = Terminal::start(&home, &["--keep-audio", "kept"]);
    // A rumble that begins with the take is another sound, not the noise of the room. And this room is so quiet
    // that the takes' own background is heard as a part of the phrase, which makes voices alike.
    // Whether so short a sound is speech at all differs from time to time.
    let mut bad = bad_takes().into_iter().filter(|(name, ..)| !["noisy", "voice", "short"].contains(name));
    let words = ["too quiet", "overdriven", "other words"];
    let mut refused = 0;
    for number in 1..=5 {
        let prompt = format!("take {number} of 5: say");
        terminal.wait_for(&prompt, 1);
        // The first has to be good, or there is nothing to compare with.
        for (name, _, samples) in bad.by_ref().take(if number == 1 { 0 } else { 2 }) {
            home.play(&recording(&home, name, &samples));
            refused += 1;
            terminal.wait_for("again:", refused);
            assert!(terminal.text(&[]).contains(words[refused - 1]), "{name}:\n{}", terminal.text(&[]));
            terminal.wait_for(&prompt, if refused % 2 == 0 { 3 } else { 2 });
        }
        if number == 2 {
            terminal.wait_for("dBFS, listening", 1);
            let shown = terminal.text(&["-e"]);
            assert!(shown.contains("\u{1b}[31m"), "{shown}");
        }
        home.play(&take(&home, number));
        terminal.wait_for("good:", number);
    }
    terminal.wait_for("test: say", 1);
    assert!(!home.path("store").exists());
    home.play(&recording(&home, "phrase", cut(18.3, 20.0)));
    terminal.wait_for("accepted: score", 1);
    terminal.wait_for("a sentence without it", 1);
    terminal.wait_for("press Enter to leave it out", 2);
    terminal.press("Enter");
    for (number, (from, to)) in [(15.5, 17.3), (36.6, 38.4)].into_iter().enumerate() {
        terminal.wait_for(&format!("near word {} of 2", number + 1), 1);
        home.play(&recording(&home, &format!("near{number}"), cut(from, to)));
        terminal.wait_for("learned: it must not wake", number + 1);
    }
    terminal.wait_for("enrolled \"hello sunflower\" as anna: 5 takes", 1);
    let stored = Store::new(home.path("store")).load("anna").unwrap();
    assert_eq!((stored.takes.len(), stored.near_words.len()), (5, 2));
    // What was kept can be learned from again; beside it the profile gets takes of another day.
    let add = || {
        let mut command = home.command(env!("CARGO_BIN_EXE_wakeword"));
        command.arg("--store").arg(home.path("store")).args(["enroll", "anna", "--add", "--from", "kept"]);
        command.output().unwrap()
    };
    let kept = std::fs::metadata(home.path("kept/anna-5.wav")).unwrap();
    assert_eq!(kept.permissions().mode() & 0o777, 0o600);
    let added = || Store::new(home.path("store")).load("anna").unwrap().takes.len();
    assert!(add().status.success());
    assert_eq!(added(), 10);
    // The very same recordings teach nothing.
    let said = String::from_utf8(add().stderr).unwrap();
    assert!(said.contains("the same recording as a take that is there already"), "{said}");
    assert_eq!(added(), 10);
    // For whoever wants to see the dialogue: `cargo test --release --test enroll guided -- --nocapture`.
    eprintln!("{}", terminal.text(&["-e"]).trim_end());
}

#[test]
fn an_interrupted_enrolment_never_leaves_anything() {
    let _alone = alone();
    let home = Home::start();
    let _room = room(&home);
    let terminal = Terminal::start(&home, &[]);
    terminal.wait_for("take 1 of 5", 1);
    home.play(&take(&home, 1));
    terminal.wait_for("take 2 of 5", 1);
    terminal.press("C-c");
    terminal.wait_for("stopped; nothing was saved", 1);
    terminal.wait_for("ended with 130", 1);
    assert!(!home.path("store").exists());
}

/// A front end: the program with pipes.
struct FrontEnd {
    child: Child,
    steps: Receiver<Value>,
}

impl FrontEnd {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let mut command = enroll(home);
        let mut child = command
            .arg("--json")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, steps) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, steps }
    }

    /// The next step of this kind.
    #[track_caller]
    fn wait_for(&self, event: &str) -> Value {
        let mut seen = Vec::new();
        loop {
            match self.steps.recv_timeout(Duration::from_secs(60)) {
                Ok(step) if step["event"] == event => return step,
                Ok(step) => seen.push(step),
                Err(error) => panic!("no {event:?}, {error}, after {seen:#?}"),
            }
        }
    }
}

impl Drop for FrontEnd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_microphone_lost_in_a_take_never_costs_the_takes_before() {
    let _alone = alone();
    let mut home = Home::start();
    let mut _room = room(&home);
    let program = FrontEnd::start(&home, &["--no-test"]);
    assert_eq!(program.wait_for("ask")["take"], 1);
    home.play(&take(&home, 1));
    assert_eq!(program.wait_for("take")["accepted"], true);
    assert_eq!(program.wait_for("ask")["take"], 2);
    let playing = home.start_playing(&take(&home, 2));
    wait_until("the phrase", || program.wait_for("level")["speech"] == true);
    home.kill_sound_server();
    drop(playing);
    program.wait_for("microphone-lost");
    home.start_sound_server();
    home.add_microphone(16_000, 1);
    _room = room(&home);
    program.wait_for("microphone-back");
    for number in 2..=5 {
        home.play(&take(&home, number));
        let report = program.wait_for("take");
        assert_eq!(report["accepted"], true, "{report:#}");
    }
    assert_eq!(program.wait_for("enrolled")["takes"], 5);
    assert_eq!(Store::new(home.path("store")).names().unwrap(), ["anna"]);
}

#[test]
fn takes_by_key_never_need_a_terminal_and_colours_never_leave_one() {
    let _alone = alone();
    let home = Home::start();
    let _room = room(&home);
    let mut command = enroll(&home);
    command.args(["--manual", "--device", "default"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut wait_for = |part: &str| {
        let line = lines.find(|line| line.as_ref().unwrap().contains(part));
        line.unwrap_or_else(|| panic!("no {part:?}")).unwrap()
    };
    wait_for("take 1 of 5");
    let mut keys = child.stdin.take().unwrap();
    keys.write_all(b"\n").unwrap();
    home.play(&take(&home, 1));
    // The last of it may still be on its way.
    std::thread::sleep(Duration::from_millis(500));
    keys.write_all(b"\n").unwrap();
    let line = wait_for("good:");
    assert!(!line.contains('\u{1b}'), "{line:?}");
    wait_for("take 2 of 5");
    drop(keys);
    wait_for("the input ended; nothing was saved");
    let Output { status, stdout, .. } = child.wait_with_output().unwrap();
    assert_eq!((status.code(), &stdout[..]), (Some(1), &b""[..]));
    assert!(!home.path("store").exists());
}

#[test]
fn a_muted_microphone_sets_no_threshold() {
    let _alone = alone();
    let home = Home::start();
    // Nothing is played into the microphone, so digital silence comes from it.
    let line = calibrated(&home, &["--listen", "60s", "--save"], 3);
    assert_eq!(line["saved"], false, "{line}");
    let profile = Store::new(home.path("store")).load("demo").unwrap();
    assert_eq!(profile.settings.threshold, None);
}

/// What `calibrate --json` says of the demo voice.
fn calibrated(home: &Home, arguments: &[&str], status: i32) -> Value {
    common::daemon::enrolled(&home.path("store"));
    let mut command = home.command(env!("CARGO_BIN_EXE_wakeword"));
    command.arg("--store").arg(home.path("store")).args(["calibrate", "demo", "--json"]);
    let output = command.args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_room_is_never_called_heard_beyond_what_was_heard() {
    let _alone = alone();
    let home = Home::start();
    let _room = room(&home);
    let line = calibrated(&home, &["--listen", "3s", "--save"], 0);
    assert!((3.0..3.3).contains(&(line["room_hours"].as_f64().unwrap() * 3600.0)), "{line}");
    assert_eq!(line["saved"], true);
}
