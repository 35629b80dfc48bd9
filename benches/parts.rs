//! What each part costs on one thread, most of them for ten seconds of speech. `cargo bench --bench parts` prints the
//! figures; nothing here passes or fails.
#![allow(clippy::unwrap_used, reason = "a measurement")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;

use common::{cut, demo_profile, living_room, models, seconds, small_models};
use divan::{Bencher, black_box};
use wakeword::audio::ChannelChoice;
use wakeword::audio::capture::intake::Intake;
use wakeword::features::logmel::{self, LogMel};
use wakeword::features::mfcc::Mfcc;
use wakeword::features::vad::Vad;
use wakeword::features::{Frames, HOP, SAMPLE_RATE, fbank};
use wakeword::inference::{MAX_STEPS, STEP_FRAMES};
use wakeword::keyword::bank::{BankTracker, TemplateBank};
use wakeword::keyword::encoder::KeywordEncoder;
use wakeword::models::Models;
use wakeword::speaker::SpeakerEncoder;

/// Speech that the parts work on.
const STRETCH: f32 = 10.0;

fn main() {
    divan::Divan::default().max_time(std::time::Duration::from_secs(2)).config_with_args().main();
}

fn speech() -> &'static [f32] {
    cut(5.0, 5.0 + STRETCH)
}

fn log_mel() -> Frames {
    let (mut log_mel, mut mel) = (LogMel::default(), Frames::new(logmel::BANDS));
    speech().windows(logmel::SPAN).step_by(HOP).for_each(|span| log_mel.frame(span, mel.push_zeroed()));
    mel
}

#[divan::bench]
fn models_loaded(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| Models::load(None).unwrap());
}

/// From the callback's blocks of 10 ms to the reader.
#[divan::bench]
fn ring_10_s(bencher: Bencher<'_, '_>) {
    let (mut intake, mut outlet) = Intake::new(SAMPLE_RATE as u32, 1, ChannelChoice::Mix);
    let mut heard = Vec::with_capacity(HOP);
    let mut now_us = 0;
    bencher.bench_local(move || {
        for hop in speech().chunks_exact(HOP) {
            now_us += 10_000;
            intake.push(hop, now_us, 10_000);
            heard.clear();
            outlet.take(&mut heard);
            black_box(&heard);
        }
    });
}

#[divan::bench]
fn features_voice_activity_10_s(bencher: Bencher<'_, '_>) {
    let mut vad = Vad::new(0.15, 1.0);
    bencher.bench_local(move || speech().chunks_exact(HOP).for_each(|hop| _ = black_box(vad.push(hop))));
}

#[divan::bench]
fn features_log_mel_10_s(bencher: Bencher<'_, '_>) {
    let (mut log_mel, mut bands) = (LogMel::default(), [0.0; logmel::BANDS]);
    bencher.bench_local(move || {
        for span in speech().windows(logmel::SPAN).step_by(HOP) {
            log_mel.frame(span, black_box(&mut bands));
        }
    });
}

#[divan::bench]
fn features_filterbank_10_s(bencher: Bencher<'_, '_>) {
    let (mut filterbank, mut bands) = (fbank::Fbank::default(), Frames::new(fbank::BANDS));
    bencher.bench_local(move || {
        bands.clear();
        filterbank.compute_into(speech(), &mut bands);
    });
}

#[divan::bench]
fn features_cepstra_10_s(bencher: Bencher<'_, '_>) {
    let mut mfcc = Mfcc::default();
    bencher.bench_local(move || mfcc.cepstra(speech()));
}

/// Steps of 80 ms at a time.
#[divan::bench(args = [1, MAX_STEPS])]
fn keyword_encoder_10_s(bencher: Bencher<'_, '_>, steps: usize) {
    let (mel, mut stream) = (log_mel(), models().keyword.stream(steps));
    bencher.bench_local(move || {
        for some in mel.as_slice().chunks_exact(steps * STEP_FRAMES * logmel::BANDS) {
            black_box(stream.push(some));
        }
    });
}

/// Profiles of five takes.
#[divan::bench(args = [1, 20])]
fn matcher_10_s(bencher: Bencher<'_, '_>, profiles: usize) {
    let takes = demo_profile().takes.iter().map(|take| &take.vectors);
    matching(bencher, &TemplateBank::new(std::iter::repeat_n(takes, profiles).flatten()));
}

#[divan::bench]
fn matcher_cohort_10_s(bencher: Bencher<'_, '_>) {
    matching(bencher, &models().cohort.vectors);
}

fn matching(bencher: Bencher<'_, '_>, bank: &TemplateBank) {
    let vectors = KeywordEncoder::new(&models().keyword).recording(speech());
    let mut tracker = BankTracker::new(bank);
    bencher.bench_local(move || vectors.iter().for_each(|vector| _ = black_box(tracker.push(bank, vector))));
}

#[divan::bench(args = ["whole", "small"])]
fn speaker_embedding(bencher: Bencher<'_, '_>, encoder: &str) {
    let models: Arc<Models> = if encoder == "whole" { models().clone() } else { small_models() };
    let span = seconds(models.speaker.geometry().frames as f32 / 100.0);
    let mut speaker = SpeakerEncoder::default();
    bencher.bench_local(move || speaker.embed(&models.speaker, speech(), 0..span));
}

#[divan::bench(args = ["sentences", "music", "steady noise, -35 dBFS", "a quiet room, -65 dBFS"])]
fn engine_10_s(bencher: Bencher<'_, '_>, sound: &str) {
    let mut audio = match sound {
        "sentences" => {
            let talk = [(2.5, 4.3), (9.1, 11.4), (30.2, 32.5), (45.7, 48.3), (52.5, 54.7)];
            talk.map(|(start, end)| cut(start, end)).concat()
        }
        "music" => cut(21.6, 26.2).repeat(3),
        "steady noise, -35 dBFS" => noise(-35.0),
        _ => noise(-65.0),
    };
    audio.truncate(seconds(STRETCH));
    listening(bencher, audio);
}

#[divan::bench]
fn engine_living_room_61_s(bencher: Bencher<'_, '_>) {
    listening(bencher, living_room().to_vec());
}

fn listening(bencher: Bencher<'_, '_>, audio: Vec<f32>) {
    let mut engine = common::engine(&[demo_profile().clone()]);
    bencher.bench_local(move || engine.push(&audio, |event| _ = black_box(event)));
}

/// White noise of so many dBFS.
fn noise(dbfs: f32) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(1);
    let amplitude = 3f32.sqrt() * 10f32.powf(dbfs / 20.0);
    (0..seconds(STRETCH)).map(|_| amplitude * (2.0 * random.f32() - 1.0)).collect()
}
