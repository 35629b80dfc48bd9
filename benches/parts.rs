//! What each part costs for a second of audio, and how long the models take to load, on one thread.
//! `cargo bench --bench parts` prints the figures; nothing here passes or fails.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use common::{cut, demo_profile, engine, living_room, models, seconds, small_models};
use wakeword::features::logmel::{self, LogMel};
use wakeword::features::mfcc::Mfcc;
use wakeword::features::vad::Vad;
use wakeword::features::{Frames, HOP, SAMPLE_RATE, fbank};
use wakeword::inference::{MOST_PULSES, PULSE, SPEAKER_FRAMES, VECTOR_DIM};
use wakeword::keyword::bank::{BankTracker, TemplateBank};
use wakeword::keyword::encoder::{KeywordEncoder, VECTOR_HOP};
use wakeword::models::Models;
use wakeword::speaker::SpeakerEncoder;

/// Speech that the parts work on.
const STRETCH: f32 = 10.0;
/// For how long each part is measured.
const PATIENCE: Duration = Duration::from_secs(2);

/// Prints the median time of `work`, and of its share in a second of audio.
fn measure(part: &str, audio: f32, mut work: impl FnMut()) {
    work();
    let (started, mut times) = (Instant::now(), Vec::new());
    while times.len() < 5 || started.elapsed() < PATIENCE {
        let begun = Instant::now();
        work();
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let (median, least) = (times[times.len() / 2], times[0]);
    println!(
        "{part:40} {median:9.3} ms, at best {least:9.3} ms; {:8.3} ms per second",
        median / f64::from(audio)
    );
}

fn main() {
    let speech = cut(5.0, 5.0 + STRETCH);
    measure("models, loaded", 1.0, || drop(black_box(Models::load(None).unwrap())));
    let (mut vad, hops) = (Vad::new(0.15, 1.0), speech.chunks_exact(HOP));
    measure("voice activity, 10 s", STRETCH, || hops.clone().for_each(|hop| _ = black_box(vad.push(hop))));

    let (mut log_mel, mut mel) = (LogMel::default(), Frames::new(logmel::BANDS));
    measure("log-mel features, 10 s", STRETCH, || {
        mel.clear();
        speech.windows(logmel::SPAN).step_by(HOP).for_each(|span| log_mel.frame(span, mel.push_zeroed()));
    });
    let (mut filterbank, mut bands) = (fbank::Fbank::default(), Frames::new(fbank::BANDS));
    measure("filterbank, 10 s", STRETCH, || {
        bands.clear();
        filterbank.compute_into(speech, &mut bands);
    });
    let mut mfcc = Mfcc::default();
    measure("cepstra, 10 s", STRETCH, || drop(black_box(mfcc.cepstra(speech))));

    for pulses in [1, MOST_PULSES] {
        let mut stream = models().keyword.stream(pulses);
        let mut mel = mel.as_slice().chunks_exact(pulses * PULSE * logmel::BANDS).cycle();
        let (part, audio) = (format!("keyword encoder, {} ms", 80 * pulses), 0.08 * pulses as f32);
        measure(&part, audio, || _ = black_box(stream.push(mel.next().unwrap())));
    }

    let vectors = KeywordEncoder::new(&models().keyword).recording(speech);
    let audio = (vectors.rows() * VECTOR_HOP) as f32 / SAMPLE_RATE as f32;
    let takes = demo_profile().takes.iter().map(|take| &take.vectors);
    let matcher = |part: &str, bank: &TemplateBank| {
        let mut tracker = BankTracker::new(bank);
        measure(part, audio, || vectors.iter().for_each(|vector| _ = black_box(tracker.push(bank, vector))));
    };
    matcher("matching of 1 profile of 5 takes, 10 s", &TemplateBank::new(VECTOR_DIM, takes.clone()));
    let twenty = std::iter::repeat_n(takes, 20).flatten();
    matcher("matching of 20 profiles of 5 takes, 10 s", &TemplateBank::new(VECTOR_DIM, twenty));
    matcher("matching of the cohort, 10 s", &models().cohort.vectors);

    let (mut speaker, span) = (SpeakerEncoder::default(), seconds(SPEAKER_FRAMES as f32 / 100.0));
    for (size, models) in [("", models()), (" of the small encoder", &small_models())] {
        measure(&format!("speaker embedding{size}, 0.8 s"), 0.8, || {
            black_box(speaker.embed(&models.speaker, speech, 0..span));
        });
    }

    let mut engine = engine(&[demo_profile().clone()]);
    let mut listen = |sound: &str, audio: &[f32]| {
        engine.reset();
        measure(&format!("engine, {sound}"), audio.len() as f32 / SAMPLE_RATE as f32, || {
            engine.push(audio, |event| _ = black_box(event));
        });
    };
    listen("the whole living room", living_room());
    let talk = [(2.5, 4.3), (9.1, 11.4), (30.2, 32.5), (45.7, 48.3), (52.5, 54.7)];
    listen("sentences without a pause", &talk.map(|(start, end)| cut(start, end)).concat());
    listen("music", &cut(21.6, 26.2).repeat(3));
    listen("steady noise, -35 dBFS", &noise(-35.0));
    listen("a quiet room, -65 dBFS", &noise(-65.0));
}

/// White noise of so many dBFS, as long as the other stretches.
fn noise(dbfs: f32) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(1);
    let amplitude = 3f32.sqrt() * 10f32.powf(dbfs / 20.0);
    (0..seconds(STRETCH)).map(|_| amplitude * (2.0 * random.f32() - 1.0)).collect()
}
