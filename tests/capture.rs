//! The microphone, from a private sound server through ALSA and cpal to 16 kHz mono.
//!
//! Which sound server a program finds is a matter of its environment. So this program starts itself
//! again as the one that records.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod common;

use std::f32::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use common::home::{Home, Running, wait_until};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wakeword::audio::clock::monotonic_us;
use wakeword::audio::{Capture, CaptureOptions, ChannelChoice};

/// Says to a copy of this program that it is to record, and how.
const TASK: &str = "WAKEWORD_TEST_TASK";
const RATE: f32 = 16_000.0;

/// What a recorder is to do.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Task {
    device: Option<String>,
    channel: Option<u16>,
    /// Ends after so many seconds.
    seconds: f32,
    /// Reads nothing for so many seconds after opening.
    pause: f32,
    /// After a fault, keeps the stream for so many seconds.
    linger: f32,
}

/// What it says in the end.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Report {
    format: String,
    /// Why the stream, or the attempt to open it, ended.
    fault: Option<String>,
    retry: String,
    overruns: u64,
    lost_samples: u64,
    /// Digital silence at the end, in seconds.
    dead: f32,
    /// Processor time while lingering, in seconds.
    idle_cpu: f32,
    /// How long before its reading audio was heard, in milliseconds: least, most.
    age: (i64, i64),
}

#[test]
#[ignore = "a program for the other tests"]
fn recorder() {
    let Ok(task) = std::env::var(TASK) else { return };
    let task: Task = serde_json::from_str(&task).unwrap();
    let mut samples = Vec::new();
    let report = record(&task, &mut samples);
    let bytes: Vec<u8> = samples.iter().flat_map(|sample: &f32| sample.to_le_bytes()).collect();
    fs::write("samples", bytes).unwrap();
    fs::write("report.part", serde_json::to_vec(&report).unwrap()).unwrap();
    fs::rename("report.part", "report").unwrap();
}

fn record(task: &Task, samples: &mut Vec<f32>) -> Report {
    let channel =
        task.channel.map_or(ChannelChoice::Mix, |number| ChannelChoice::Only(number.try_into().unwrap()));
    let mut report = Report::default();
    let mut capture = match Capture::open(&CaptureOptions { device: task.device.clone(), channel }) {
        Ok(capture) => capture,
        Err(error) => {
            report.fault = Some(error.to_string());
            report.retry = format!("{:?}", error.retry());
            return report;
        }
    };
    fs::write("opened", "").unwrap();
    report.format = capture.format().to_string();
    report.age = (i64::MAX, i64::MIN);
    let start = Instant::now();
    std::thread::sleep(Duration::from_secs_f32(task.pause));
    while start.elapsed().as_secs_f32() < task.seconds {
        match capture.read(Duration::from_millis(200), samples) {
            Ok(0) => {}
            Ok(_) => {
                let age = (monotonic_us() as i64 - capture.heard_us() as i64) / 1000;
                report.age = (report.age.0.min(age), report.age.1.max(age));
            }
            Err(error) => {
                report.fault = Some(error.to_string());
                report.retry = format!("{:?}", error.retry());
                fs::write("fault", "").unwrap();
                let before = processor_seconds();
                std::thread::sleep(Duration::from_secs_f32(task.linger));
                report.idle_cpu = processor_seconds() - before;
                break;
            }
        }
    }
    let health = capture.health();
    report.overruns = health.overruns;
    report.lost_samples = health.lost_samples;
    report.dead = health.dead_for.as_secs_f32();
    report
}

/// What this process has used so far.
fn processor_seconds() -> f32 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let mut values = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().skip(11);
    let mut ticks = || values.next().unwrap().parse::<f32>().unwrap();
    (ticks() + ticks()) / 100.0
}

/// A recorder at work, in a folder of its own within a home.
struct Recorder {
    folder: PathBuf,
    running: Running,
}

impl Recorder {
    /// Returns when it has opened the microphone, or failed to.
    fn start(home: &Home, name: &str, task: &Task) -> Self {
        Self::start_with(home, name, task, |_| ())
    }

    fn start_with(home: &Home, name: &str, task: &Task, adapt: impl FnOnce(&mut Command)) -> Self {
        let folder = home.path(name);
        fs::create_dir(&folder).unwrap();
        let mut command = home.command(std::env::current_exe().unwrap());
        command.args(["recorder", "--exact", "--include-ignored"]).current_dir(&folder);
        command.env(TASK, serde_json::to_string(task).unwrap());
        adapt(&mut command);
        let recorder = Self { running: home.spawn(command), folder };
        wait_until("the microphone to be opened", || recorder.has("opened") || recorder.has("report"));
        recorder
    }

    fn has(&self, file: &str) -> bool {
        self.folder.join(file).exists()
    }

    fn finish(self) -> (Report, Vec<f32>) {
        self.running.finish();
        let report: Report = serde_json::from_slice(&fs::read(self.folder.join("report")).unwrap()).unwrap();
        let samples = fs::read(self.folder.join("samples")).unwrap();
        let samples = samples.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four));
        (report, samples.collect())
    }
}

/// A sine of 1.5 s at half of full scale, another in each channel.
fn tones(path: &Path, rate: u32, pitches: &[f32]) {
    let spec = hound::WavSpec {
        channels: pitches.len() as u16,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for number in 0..rate * 3 / 2 {
        for pitch in pitches {
            let sample = 0.5 * (TAU * pitch * number as f32 / rate as f32).sin();
            wav.write_sample((sample * 32_767.0) as i16).unwrap();
        }
    }
    wav.finalize().unwrap();
}

/// From the first to the last sample that is not silent.
fn sound(samples: &[f32]) -> &[f32] {
    let loud = |sample: &f32| sample.abs() > 0.01;
    let first = samples.iter().position(loud).expect("something was heard");
    let last = samples.iter().rposition(loud).unwrap();
    &samples[first..=last]
}

/// Amplitude of a sine in `samples`, judged by the better parts of 20 ms: a busy machine loses some.
/// Pitches are multiples of 50 Hz, so that they do not disturb each other.
fn amplitude(samples: &[f32], pitch: f32) -> f32 {
    let mut found: Vec<f32> = samples.chunks_exact(320).map(|part| amplitude_of(part, pitch)).collect();
    found.sort_by(f32::total_cmp);
    found[found.len() * 3 / 4]
}

fn amplitude_of(samples: &[f32], pitch: f32) -> f32 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (number, sample) in samples.iter().enumerate() {
        let angle = TAU * pitch / RATE * number as f32;
        real += sample * angle.cos();
        imaginary += sample * angle.sin();
    }
    2.0 * f32::hypot(real, imaginary) / samples.len() as f32
}

#[track_caller]
fn assert_near(found: f32, expected: f32, tolerance: f32) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

/// Records while `pitches` are played, one in each channel of a microphone at `rate`.
fn hear(rate: u32, pitches: &[f32], channel: Option<u16>) -> (Report, Vec<f32>) {
    let home = Home::with_microphone(rate, pitches.len() as u16);
    let file = home.path("tones.wav");
    tones(&file, rate, pitches);
    let task = Task { channel, seconds: 4.0, ..Task::default() };
    let recorder = Recorder::start(&home, "recorder", &task);
    home.play(&file);
    let (report, samples) = recorder.finish();
    assert_eq!(report.fault, None);
    // The machine may be too busy to deliver all; then it has to be said.
    let lost = report.lost_samples as f32;
    assert_near(sound(&samples).len() as f32 + lost, 1.5 * RATE, 0.05 * RATE + lost);
    assert_near(samples.len() as f32 + lost, 4.0 * RATE, 0.5 * RATE + lost);
    assert!((-20..500).contains(&report.age.0) && (-20..1_000).contains(&report.age.1), "{report:?}");
    (report, samples)
}

#[test]
fn a_microphone_at_16_khz_is_heard_right() {
    let (report, samples) = hear(16_000, &[400.0], None);
    assert_eq!(report.format, "16000 Hz, 1 channel, f32");
    assert_near(amplitude(sound(&samples), 400.0), 0.5, 0.03);
}

#[test]
fn a_microphone_at_48_khz_in_stereo_is_heard_right() {
    let (_, samples) = hear(48_000, &[400.0, 1_000.0], None);
    let (left, right) = (amplitude(sound(&samples), 400.0), amplitude(sound(&samples), 1_000.0));
    // The server mixes; this one so that the power stays, others so that the level does.
    assert_near(left, 0.3, 0.08);
    assert_near(left, right, 0.02);
}

#[test]
fn the_chosen_channel_is_recorded() {
    let (report, samples) = hear(48_000, &[400.0, 1_000.0], Some(2));
    assert_eq!(report.format, "16000 Hz, 2 channels, f32");
    assert_near(amplitude(sound(&samples), 400.0), 0.0, 0.02);
    assert_near(amplitude(sound(&samples), 1_000.0), 0.5, 0.03);
}

#[test]
fn a_dead_sound_server_is_a_fault_to_retry() {
    let mut home = Home::start();
    let task = Task { seconds: 60.0, linger: 2.0, ..Task::default() };
    let recorder = Recorder::start(&home, "first", &task);
    std::thread::sleep(Duration::from_millis(500));
    let killed = Instant::now();
    home.kill_sound_server();
    wait_until("the fault", || recorder.has("fault"));
    assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
    let (report, _) = recorder.finish();
    assert_ne!(report.retry, "Never", "{report:?}");
    assert!(report.idle_cpu < 0.2, "{report:?}");

    let (report, _) = Recorder::start(&home, "second", &task).finish();
    assert!(report.fault.is_some(), "{report:?}");
    assert_eq!(report.retry, "Later", "{report:?}");

    home.start_sound_server();
    home.add_microphone(48_000, 2);
    let (report, samples) = Recorder::start(&home, "third", &Task { seconds: 1.5, ..task }).finish();
    assert_eq!(report.fault, None);
    assert!(!samples.is_empty());
}

#[test]
fn an_unplugged_microphone_is_a_fault() {
    let mut home = Home::start();
    let file = home.path("tones.wav");
    tones(&file, 16_000, &[400.0]);
    let recorder = Recorder::start(&home, "recorder", &Task { seconds: 5.0, ..Task::default() });
    home.play(&file);
    home.remove_microphone();
    let (report, _) = recorder.finish();
    assert!(report.fault.is_some() || report.dead > 1.0, "{report:?}");
}

#[test]
fn a_slow_reader_is_told_of_lost_audio() {
    let home = Home::start();
    let task = Task { seconds: 6.5, pause: 6.0, ..Task::default() };
    let (report, samples) = Recorder::start(&home, "recorder", &task).finish();
    assert_eq!((report.fault, report.overruns), (None, 1));
    let all = samples.len() as f32 + report.lost_samples as f32;
    assert!(report.lost_samples > 16_000, "{}", report.lost_samples);
    assert_near(all, 6.5 * RATE, 0.5 * RATE);
}

#[test]
fn a_frozen_sound_server_does_not_freeze_the_program() {
    let home = Home::start();
    let task = Task { seconds: 60.0, ..Task::default() };
    let recorder = Recorder::start(&home, "first", &task);
    std::thread::sleep(Duration::from_millis(500));
    home.freeze_sound_server();
    // It closes the stream and ends while the server still hangs.
    let (report, _) = recorder.finish();
    assert!(report.fault.as_ref().unwrap().contains("has delivered nothing for 1."), "{report:?}");
    assert_eq!(report.retry, "Now");

    // One plugin opens a device that then delivers nothing, the other never comes back.
    for device in ["pipewire", "pulse"] {
        let task = Task { device: Some(device.to_owned()), ..task.clone() };
        let (report, _) = Recorder::start(&home, device, &task).finish();
        assert!(report.fault.is_some(), "{device}");
        assert_eq!(report.retry, "Later", "{device}: {report:?}");
    }

    home.thaw_sound_server();
    let (report, samples) = Recorder::start(&home, "third", &Task { seconds: 1.5, ..task }).finish();
    assert_eq!(report.fault, None);
    assert!(!samples.is_empty());
}

#[test]
fn a_sound_server_without_a_microphone_is_a_fault() {
    let mut home = Home::bare();
    home.start_sound_server();
    let task = Task { seconds: 7.0, ..Task::default() };
    let (report, _) = Recorder::start(&home, "recorder", &task).finish();
    assert!(report.fault.is_some() || report.dead > 5.0, "{report:?}");
}

#[test]
fn a_name_opens_its_microphone_only() {
    let home = Home::start();
    let own = |room: &str| {
        format!(
            "pcm.{room} {{ type plug slave.pcm pipewire hint {{ show on description \"Mic, {room}\" }} }}\n"
        )
    };
    fs::write(home.path("home/.asoundrc"), own("kitchen") + &own("bath")).unwrap();
    let open = |name: &str, device: &str, channel| {
        let task = Task { device: Some(device.to_owned()), channel, seconds: 0.5, ..Task::default() };
        let (report, _) = Recorder::start(&home, name, &task).finish();
        (report.fault.unwrap_or_default(), report.retry)
    };
    let (unknown, retry) = open("unknown", "cellar", None);
    assert!(unknown.starts_with("no microphone is called \"cellar\"; there are \"default\", "), "{unknown}");
    assert!(unknown.contains("\"kitchen\"") && unknown.contains("\"bath\""), "{unknown}");
    assert_eq!(retry, "Later", "it may be plugged in");

    let (two, retry) = open("two", "mic, ", None);
    assert!(
        two.starts_with("\"mic, \" may be any of \"") && two.ends_with("; use one of these names"),
        "{two}"
    );
    assert!(two.contains("\"kitchen\"") && two.contains("\"bath\""), "{two}");
    assert_eq!(retry, "Never");

    let (channel, retry) = open("channel", "pipewire", Some(65));
    assert_eq!(channel, "microphone \"pipewire\" has no channel 65; it has 64");
    assert_eq!(retry, "Never");

    assert_eq!(open("exact", "kitchen", None).0, "");
    assert_eq!(open("part", "MIC, KITCHEN", None).0, "");
    assert_eq!(open("default", "default", None).0, "");
}

/// `wakeword devices`: exit status 0, what it prints, and what it says.
fn devices(home: &Home, arguments: &[&str]) -> (String, String) {
    let mut command = home.command(cargo_bin!("wakeword"));
    let output = command.env("WAKEWORD_CONFIG", "/dev/null").arg("devices").args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn the_list_says_why_microphones_are_unusable() {
    let mut home = Home::start();
    let first =
        |(out, _): (String, String)| -> Value { serde_json::from_str(out.lines().next().unwrap()).unwrap() };
    let default = first(devices(&home, &["--json"]));
    assert_eq!((&default["name"], &default["default"]), (&"default".into(), &true.into()));
    assert_eq!((&default["usable"], &default["used"]["rate"]), (&true.into(), &16_000.into()));
    let (out, err) = devices(&home, &[]);
    assert!(out.contains("default (default)") && out.contains("yes"), "{out}");
    assert_eq!(err, "");

    home.kill_sound_server();
    let default = first(devices(&home, &["--json"]));
    assert_eq!(default["usable"], false);
    assert!(default["reason"].as_str().unwrap().contains("Host is down"), "{default}");
    let (out, err) = devices(&home, &[]);
    assert!(out.contains("Host is down"), "{out}");
    assert!(err.starts_with("no microphone can be used now; ") && err.lines().count() == 1, "{err}");
}
