//! What several test programs share: the models, the demo voice, and short ways to run the engine.
#![allow(dead_code, reason = "every test program uses another part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

pub mod commands;
pub mod daemon;
pub mod home;
pub mod load;
pub mod process;
pub mod sandbox;
#[cfg(target_arch = "x86_64")]
pub mod sleep;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use wakeword::audio::read_clip;
use wakeword::engine::Engine;
use wakeword::engine::event::Event;
use wakeword::engine::rule::Rule;
use wakeword::enroll;
use wakeword::features::{Frames, SAMPLE_RATE};
use wakeword::models::Models;
use wakeword::profile::Profile;

/// The phrase of the demo voice.
pub const PHRASE: &str = "hello sunflower";

pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The built-in models.
pub fn models() -> &'static Arc<Models> {
    static MODELS: LazyLock<Arc<Models>> = LazyLock::new(|| Arc::new(Models::load(None).unwrap()));
    &MODELS
}

/// The models for weak boards.
pub fn small_models() -> Arc<Models> {
    Arc::new(Models::load(Some(&repository("models/small"))).unwrap())
}

/// A matrix of reference values, `dim` to a row.
pub fn reference(name: &str, dim: usize) -> Frames {
    let bytes = std::fs::read(repository("tests/reference").join(name)).unwrap();
    let values = bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    Frames::from_vec(dim, values.collect())
}

/// The samples from which the reference values were made.
pub fn reference_speech() -> Vec<f32> {
    read_clip(&repository("tests/reference/speech.wav")).unwrap().samples
}

/// Fails, naming the place, where `ours` and `theirs` differ by more than `tolerance`.
#[track_caller]
pub fn assert_close(ours: &Frames, theirs: &Frames, tolerance: f32) {
    assert_eq!((ours.rows(), ours.dim()), (theirs.rows(), theirs.dim()));
    for (row, (a, b)) in ours.iter().zip(theirs.iter()).enumerate() {
        for (column, (x, y)) in a.iter().zip(b).enumerate() {
            assert!((x - y).abs() <= tolerance, "row {row}, column {column}: {x} is not {y}");
        }
    }
}

/// One recording of the demo voice, 1 to 5.
pub fn take_path(number: usize) -> PathBuf {
    repository(&format!("enroll/demo/enroll/{number}.wav"))
}

pub fn takes() -> &'static [Vec<f32>] {
    static TAKES: LazyLock<Vec<Vec<f32>>> =
        LazyLock::new(|| (1..=5).map(|number| read_clip(&take_path(number)).unwrap().samples).collect());
    &TAKES
}

/// A profile of `takes`.
pub fn enrol(name: &str, takes: &[Vec<f32>]) -> Arc<Profile> {
    enrol_by(models(), name, takes)
}

/// A profile of `takes` by other models.
pub fn enrol_by(models: &Models, name: &str, takes: &[Vec<f32>]) -> Arc<Profile> {
    let samples: Vec<&[f32]> = takes.iter().map(|take| &take[..]).collect();
    let learned = enroll::learn(models, &samples).unwrap();
    Arc::new(Profile::new(name, PHRASE, &models.fingerprint, learned))
}

/// The profile of the demo voice.
pub fn demo_profile() -> &'static Arc<Profile> {
    static PROFILE: LazyLock<Arc<Profile>> = LazyLock::new(|| enrol("demo", takes()));
    &PROFILE
}

/// What is said in the living room.
#[derive(Clone, Debug)]
pub struct Row {
    /// First and last second.
    pub seconds: Range<f32>,
    pub voice: &'static str,
    pub wake: bool,
    pub kind: &'static str,
}

impl Row {
    pub fn samples(&self) -> Range<usize> {
        seconds(self.seconds.start)..seconds(self.seconds.end)
    }

    /// Whether something was heard while this was said.
    pub fn overlaps(&self, heard: &Event) -> bool {
        let said = self.samples();
        (said.start as u64) < heard.end && heard.start < said.end as u64
    }
}

/// Seconds in samples.
pub fn seconds(seconds: f32) -> usize {
    (seconds * SAMPLE_RATE as f32) as usize
}

pub fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let fields: Vec<_> = line.split('\t').collect();
        let second = |field: usize| fields[field].parse().unwrap();
        Row { seconds: second(0)..second(1), voice: fields[2], wake: fields[4] == "accept", kind: fields[5] }
    };
    include_str!("../../enroll/demo/living-room.tsv").lines().skip(1).map(row).collect()
}

/// The first true phrase of the living room that has quiet around it.
pub fn true_phrase() -> Row {
    rows().into_iter().find(|row| row.wake).unwrap()
}

pub fn living_room() -> &'static [f32] {
    static SAMPLES: LazyLock<Vec<f32>> =
        LazyLock::new(|| read_clip(&repository("enroll/demo/living-room.flac")).unwrap().samples);
    &SAMPLES
}

/// The living room between two seconds.
pub fn cut(from: f32, to: f32) -> &'static [f32] {
    &living_room()[seconds(from)..seconds(to).min(living_room().len())]
}

pub fn engine(profiles: &[Arc<Profile>]) -> Engine {
    Engine::new(models().clone(), profiles, Rule::default())
}

/// What an engine says to a whole stream, which it gets in blocks of these sizes, over and over.
pub fn listen_in_blocks(engine: &mut Engine, samples: &[f32], sizes: &[usize]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut rest = samples;
    for size in sizes.iter().cycle() {
        let (block, later) = rest.split_at((*size).min(rest.len()));
        engine.push(block, |event| events.push(event));
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    engine.finish(|event| events.push(event));
    events
}

/// What an engine says to a whole stream.
pub fn listen(engine: &mut Engine, samples: &[f32]) -> Vec<Event> {
    listen_in_blocks(engine, samples, &[samples.len().max(1)])
}

/// What an engine for the demo voice says to a whole stream.
pub fn events(samples: &[f32]) -> Vec<Event> {
    listen(&mut engine(&[demo_profile().clone()]), samples)
}

pub fn detected(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| event.is_detected()).collect()
}

/// How a WAV file holds its samples.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    pub rate: u32,
    pub channels: u16,
    pub bits: u16,
    pub float: bool,
}

/// What the engine itself works on.
pub const PLAIN: Format = Format { rate: SAMPLE_RATE as u32, channels: 1, bits: 16, float: false };

/// Writes 16 kHz mono `samples` as a WAV file, the same in every channel.
pub fn write_wav(path: &Path, samples: &[f32], format: Format) {
    let Format { rate, channels, bits, float } = format;
    let sample_format = if float { hound::SampleFormat::Float } else { hound::SampleFormat::Int };
    let spec = hound::WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    let resampled =
        if rate == PLAIN.rate { samples.to_vec() } else { stretch(samples, rate as f32 / PLAIN.rate as f32) };
    let full_scale = 2f64.powi(i32::from(bits) - 1) - 1.0;
    for sample in resampled {
        for _ in 0..channels {
            if float {
                wav.write_sample(sample).unwrap();
            } else {
                wav.write_sample((f64::from(sample.clamp(-1.0, 1.0)) * full_scale) as i32).unwrap();
            }
        }
    }
    wav.finalize().unwrap();
}

/// Repeatable noise between -1 and 1.
pub fn noise(seed: u64, samples: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..samples).map(|_| next()).collect()
}

/// `samples` at `factor` times the rate, by straight lines between them.
pub fn stretch(samples: &[f32], factor: f32) -> Vec<f32> {
    let length = ((samples.len() - 1) as f32 * factor) as usize;
    let at = |index: usize| {
        let place = index as f32 / factor;
        let (before, part) = (place as usize, place.fract());
        samples[before] + part * (samples[before + 1] - samples[before])
    };
    (0..length).map(at).collect()
}
