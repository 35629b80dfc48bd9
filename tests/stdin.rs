//! Audio on standard input, by real pipes: `wakeword run --stdin` and `wakeword detect -`.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use common::daemon::{NAME, ROOT};
use common::home::{Home, wait_until};
use common::{Format, PLAIN, cut, demo_profile, living_room, seconds, write_wav};
use serde_json::Value;
use tempfile::TempDir;
use wakeword::store::Store;

const RUN: &[&str] = &["run", "--stdin", "--json"];
const DETECT: &[&str] = &["detect", "-", "--json", "--detected-only"];

/// A folder with the demo voice enrolled, and a daemon that needs no bus.
fn home() -> TempDir {
    let home = TempDir::new().unwrap();
    Store::new(home.path().join("profiles")).save(demo_profile()).unwrap();
    std::fs::write(home.path().join("config.toml"), "[bus]\nkind = \"off\"\n").unwrap();
    home
}

fn start(home: &TempDir, arguments: &[&str]) -> Child {
    let mut command = Command::new(cargo_bin!("wakeword"));
    command.env_clear().env("HOME", home.path()).args(arguments);
    command.args(["--store", "profiles", "--config", "config.toml"]).current_dir(home.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What it says to these bytes.
fn hear(home: &TempDir, arguments: &[&str], bytes: &[u8]) -> Output {
    let mut child = start(home, arguments);
    let mut pipe = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // A program that refuses them closes the pipe.
        scope.spawn(move || pipe.write_all(bytes));
        child.wait_with_output().unwrap()
    })
}

/// Beginnings of the phrases that it woke for, in samples; it has to end well.
#[track_caller]
fn woken(output: &Output) -> Vec<u64> {
    assert!(output.status.success(), "{output:?}");
    let lines = output.stdout.lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let heard = lines.filter(|event| event["event"] == "detected");
    heard.map(|event| event["start"].as_u64().unwrap_or(u64::MAX)).collect()
}

/// Samples as 16 bits, at 16 kHz.
fn s16le(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| ((sample * 32_768.0) as i16).to_le_bytes()).collect()
}

/// The bytes of a WAV file.
fn wav(home: &TempDir, samples: &[f32], format: Format) -> Vec<u8> {
    let path = home.path().join("x.wav");
    write_wav(&path, samples, format);
    std::fs::read(path).unwrap()
}

#[test]
fn a_pipe_is_heard_as_its_file_is() {
    let home = home();
    write_wav(&home.path().join("room.wav"), living_room(), PLAIN);
    let file = hear(&home, &["detect", "room.wav", "--json", "--detected-only"], b"");
    let bytes = std::fs::read(home.path().join("room.wav")).unwrap();
    let expected = woken(&file);
    assert!(expected.len() > 3, "{expected:?}");
    assert_eq!(woken(&hear(&home, DETECT, &bytes)), expected, "WAV");
    // hound writes a header of 44 bytes.
    assert_eq!(woken(&hear(&home, DETECT, &bytes[44..])), expected, "samples");
}

#[test]
fn the_daemon_hears_a_pipe_to_its_end() {
    let home = home();
    let output = hear(&home, RUN, &s16le(living_room()));
    assert_eq!(woken(&output).len(), 5, "{output:?}");
    let last = output.stdout.lines().last().unwrap().unwrap();
    assert!(last.contains("\"stopping\""), "{last}");
    // The last phrase ends with the pipe.
    assert_eq!(woken(&hear(&home, RUN, &s16le(cut(17.7, 19.75)))).len(), 1);
}

#[test]
fn samples_of_every_format_are_heard() {
    let home = home();
    for (name, bits, float) in
        [("s16le", 16, false), ("s24le", 24, false), ("s32le", 32, false), ("f32le", 32, true)]
    {
        let format = Format { rate: 48_000, channels: 2, bits, float };
        let bytes = wav(&home, cut(17.5, 21.0), format);
        let data = bytes.windows(4).position(|four| four == b"data").unwrap() + 8;
        let options = [DETECT, &["--rate", "48000", "--channels", "2", "--format", name]].concat();
        assert_eq!(woken(&hear(&home, &options, &bytes[data..])).len(), 1, "{name}");
        assert_eq!(woken(&hear(&home, DETECT, &bytes)).len(), 1, "{name}, by its header");
    }
}

#[test]
fn a_header_of_unknown_length_is_no_obstacle() {
    let home = home();
    // As ffmpeg, arecord, sox and the careless write to a pipe.
    for size in [u32::MAX, 0x8000_0000, 0x7FFF_F000, 0] {
        let mut bytes = wav(&home, cut(17.5, 21.0), PLAIN);
        bytes[40..44].copy_from_slice(&size.to_le_bytes());
        assert_eq!(woken(&hear(&home, DETECT, &bytes)).len(), 1, "{size:#x}");
        assert_eq!(woken(&hear(&home, RUN, &bytes)).len(), 1, "{size:#x}");
    }
}

#[test]
fn an_empty_pipe_is_no_error() {
    let home = home();
    for bytes in [&b""[..], b"abc"] {
        assert!(woken(&hear(&home, RUN, bytes)).is_empty());
        assert!(woken(&hear(&home, DETECT, bytes)).is_empty());
    }
}

#[test]
fn a_detection_is_told_while_the_pipe_goes_on() {
    let home = home();
    for arguments in [DETECT, RUN] {
        let mut child = start(&home, arguments);
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(&s16le(cut(17.5, 21.0))).unwrap();
        pipe.write_all(&s16le(&vec![1e-3; seconds(3.0)])).unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.into_iter().any(|line| line.contains("\"detected\"")), "{arguments:?}");
        drop(pipe);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_reader_that_leaves_ends_an_endless_pipe() {
    let home = home();
    let mut child = start(&home, DETECT);
    drop(child.stdout.take());
    let mut pipe = child.stdin.take().unwrap();
    let phrase = s16le(cut(17.5, 21.0));
    while pipe.write_all(&phrase).is_ok() {}
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_cannot_be_read_from_a_pipe_is_named() {
    let home = home();
    let flac = std::fs::read(common::repository("enroll/demo/living-room.flac")).unwrap();
    let mut strange = wav(&home, cut(1.0, 2.0), PLAIN);
    strange[20] = 7;
    for (bytes, words) in [(&flac, "FLAC"), (&strange, "type 0x0007")] {
        for (arguments, status) in [(RUN, 1), (DETECT, 3)] {
            let output = hear(&home, arguments, bytes);
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(status), "{text}");
            assert!(text.contains(words), "{text}");
        }
    }
    for arguments in [&["run", "--rate", "8000"][..], &["detect", "x.wav", "--rate", "8000"]] {
        let output = hear(&home, arguments, b"");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains("--rate"), "{text}");
    }
}

/// A daemon on a bus of its own that hears a pipe, and a program on that bus.
struct Listening {
    daemon: Child,
    pipe: ChildStdin,
    program: Child,
    lines: Lines<BufReader<ChildStdout>>,
    _home: Home,
}

impl Listening {
    fn start(program: &[&str]) -> Self {
        let mut home = Home::bare();
        home.start_bus();
        Store::new(home.path("profiles")).save(demo_profile()).unwrap();
        let mut daemon = home.command(cargo_bin!("wakeword"));
        daemon.args(["--store", "profiles", "run", "--stdin"]);
        let mut daemon = daemon.stdin(Stdio::piped()).spawn().unwrap();
        let pipe = daemon.stdin.take().unwrap();
        wait_until("the daemon on the bus", || {
            let mut ask = home.command("busctl");
            ask.args(["--user", "get-property", NAME, ROOT, &format!("{NAME}.Daemon"), "State"]);
            ask.output().unwrap().status.success()
        });
        let mut command = home.command(program[0]);
        let mut program = command.args(&program[1..]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(program.stdout.take().unwrap()).lines();
        Self { daemon, pipe, program, lines, _home: home }
    }

    /// Plays samples as a microphone would hear them.
    fn play(&mut self, samples: &[f32]) {
        let start = Instant::now();
        for (number, block) in samples.chunks(160).enumerate() {
            let due = start + Duration::from_millis(10 * number as u64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.pipe.write_all(&s16le(block)).unwrap();
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        for child in [&mut self.program, &mut self.daemon] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn the_python_example_records_the_command_after_the_phrase() {
    let folder = TempDir::new().unwrap();
    let script = common::repository("examples/listen.py");
    let paths = [script.to_str().unwrap(), folder.path().to_str().unwrap()];
    let mut listening = Listening::start(&["/usr/bin/python3", paths[0], "--once", paths[1]]);
    assert_eq!(listening.lines.next().unwrap().unwrap(), "waiting for a phrase");
    listening.play(cut(17.7, 19.9));
    listening.play(cut(2.5, 4.4));
    listening.play(&common::noise(1, seconds(3.0)).iter().map(|sample| sample * 1e-3).collect::<Vec<_>>());
    let line = listening.lines.next().unwrap().unwrap();
    assert!(line.starts_with("demo said 'hello sunflower'"), "{line}");
    assert!(listening.program.wait().unwrap().success());
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let command = wakeword::audio::read_clip(&file).unwrap().samples;
    // The words, and the pause after them; not the phrase before.
    assert!((seconds(1.9)..seconds(3.6)).contains(&command.len()), "{} samples", command.len());
    let loudest = command.iter().fold(0.0f32, |most, sample| most.max(sample.abs()));
    assert!(loudest > 0.05, "{loudest}");
}

#[test]
fn the_shell_example_says_who_spoke() {
    let script = common::repository("examples/listen.sh");
    let mut listening = Listening::start(&[script.to_str().unwrap()]);
    // Nothing tells that busctl listens: it does so long before the third phrase.
    for _ in 0..3 {
        listening.play(cut(17.7, 20.7));
    }
    assert_eq!(listening.lines.next().unwrap().unwrap(), "demo spoke");
}
