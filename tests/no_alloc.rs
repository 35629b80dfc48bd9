//! What runs for every sample must not wait for the allocator.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use assert_no_alloc::{AllocDisabler, assert_no_alloc, violation_count};
use common::{demo_profile, engine, models, noise, reference, seconds, takes};
use wakeword::audio::ChannelChoice;
use wakeword::audio::capture::Pcm;
use wakeword::audio::capture::intake::Intake;
use wakeword::features::logmel::{self, LogMel};
use wakeword::features::samples::SampleBuffer;
use wakeword::features::vad::Vad;
use wakeword::features::{Frames, HOP, fbank};
use wakeword::inference::SpeakerBuffers;
use wakeword::keyword::bank::{BankTracker, TemplateBank};
use wakeword::keyword::encoder::{KeywordEncoder, MAX_AHEAD, STEP};
use wakeword::keyword::score::t_norm;
use wakeword::service::handoff::Handoff;

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

/// Fails if `work` allocates or frees memory.
#[track_caller]
fn without_memory(work: impl FnOnce()) {
    let before = violation_count();
    assert_no_alloc(work);
    assert_eq!(violation_count() - before, 0, "times memory was asked for or given back");
}

/// A quiet room: enough to keep the features and the voice gate busy.
fn quiet_room(length: usize) -> Vec<f32> {
    noise(1, length).iter().map(|sample| sample * 1e-4).collect()
}

#[test]
fn the_guard_itself_does_not_overlook_memory() {
    let before = violation_count();
    assert_no_alloc(|| drop(std::hint::black_box(vec![0.0f32; 16])));
    assert_eq!(violation_count() - before, 2);
}

#[test]
fn features_of_a_stream_never_ask_for_memory() {
    let (mut log_mel, mut bands) = (LogMel::default(), [0.0; logmel::BANDS]);
    let (mut filterbank, mut frames) = (fbank::Fbank::default(), Frames::with_capacity(fbank::BANDS, 200));
    let mut vad = Vad::new(0.15, 1.0);
    let take = &takes()[0];
    without_memory(|| {
        for samples in take.windows(logmel::SPAN).step_by(HOP) {
            log_mel.frame(samples, &mut bands);
            vad.push(&samples[..HOP]);
        }
        filterbank.compute_into(&take[..16_000], &mut frames);
    });
}

#[test]
fn matching_never_asks_for_memory() {
    let profile = demo_profile();
    let bank = TemplateBank::new(profile.takes.iter().map(|take| &take.vectors));
    let (mut tracker, mut cohort) = (BankTracker::new(&bank), BankTracker::new(&models().cohort.vectors));
    let (mut own, mut others) = (vec![0.0; bank.len()], vec![0.0; models().cohort.vectors.len()]);
    without_memory(|| {
        for vector in profile.takes.iter().flat_map(|take| take.vectors.iter()) {
            let alignments = tracker.push(&bank, vector);
            own.iter_mut().zip(alignments).for_each(|(cost, found)| *cost = found.cost);
            let alignments = cohort.push(&models().cohort.vectors, vector);
            others.iter_mut().zip(alignments).for_each(|(cost, found)| *cost = found.cost);
            std::hint::black_box(t_norm(&own, &others));
        }
    });
}

#[test]
fn the_keyword_encoder_never_asks_for_memory() {
    let mut encoder = KeywordEncoder::new(&models().keyword);
    let mut buffer = SampleBuffer::new(encoder.needed(), MAX_AHEAD);
    let (room, take) = (quiet_room(seconds(5.0)), &takes()[0]);
    let mut vectors = 0;
    without_memory(|| {
        for (samples, speech) in [(&room, false), (take, true), (&room, false), (take, true)] {
            for part in samples[..samples.len() / HOP * HOP].chunks(MAX_AHEAD) {
                buffer.append(part);
                while buffer.advance() {
                    encoder.hear(&buffer, speech, buffer.unheard(), &mut |_| vectors += 1);
                }
            }
        }
        encoder.finish(&buffer, true, &mut |_| vectors += 1);
        encoder.reset();
        buffer.reset();
    });
    assert!(vectors > 2 * take.len() / STEP);
}

#[test]
fn the_speaker_encoder_never_asks_for_memory_twice() {
    let mut frames = reference("fbank80.f32", fbank::BANDS).slice(0, models().speaker.geometry().frames);
    frames.centre_columns();
    let mut buffers = SpeakerBuffers::default();
    let first = models().speaker.embed(&frames, &mut buffers).to_vec();
    without_memory(|| assert_eq!(first, models().speaker.embed(&frames, &mut buffers)));
}

#[test]
fn a_quiet_room_never_keeps_the_networks_running() {
    // The speaker encoder asks for memory: no one asks when nothing is said.
    let mut engine = engine(&[demo_profile().clone()]);
    let (settle, steady) = (quiet_room(seconds(5.0)), quiet_room(seconds(30.0)));
    for speech in [&[][..], &takes()[0]] {
        engine.push(speech, |_| {});
        engine.push(&settle, |_| {});
        without_memory(|| engine.push(&steady, |_| {}));
    }
}

#[test]
fn the_microphones_callback_never_asks_for_memory() {
    fn drive<T: Pcm>(sample: T, channels: u16, choice: ChannelChoice) {
        let (mut intake, outlet) = Intake::new(16_000, channels, choice);
        let block = vec![sample; 160 * usize::from(channels)];
        // Nobody reads: most of it does not fit, which must be as cheap.
        without_memory(|| {
            for number in 0..50_000 {
                intake.push(&block, number * 10_000, 10_000);
            }
        });
        assert_eq!(outlet.dropped(), 50_000 * 160 - 4 * 16_000);
    }
    for choice in [ChannelChoice::Mix, ChannelChoice::Only(2.try_into().unwrap())] {
        drive(1i8, 2, choice);
        drive(1i16, 2, choice);
        drive(cpal::I24::new_unchecked(1), 2, choice);
        drive(1i32, 2, choice);
        drive(1i64, 2, choice);
        drive(1u8, 2, choice);
        drive(1u16, 2, choice);
        drive(cpal::U24::new_unchecked(1), 2, choice);
        drive(1u32, 2, choice);
        drive(1u64, 2, choice);
        drive(0.1f32, 6, choice);
        drive(f64::NAN, 3, choice);
    }
}

#[test]
fn audio_to_hand_over_never_asks_for_memory() {
    let mut handoff = Handoff::new(1);
    let block = noise(2, 160);
    // One reader that takes nothing: its loss is counted, not stored.
    let reader = handoff.open("", 0, None).unwrap();
    let mut lost = 0;
    without_memory(|| {
        for n in 0..500 {
            handoff.push(&block, 10_000 * n, |_, samples| lost += samples);
        }
    });
    assert!(lost > 0);
    drop(reader);
    without_memory(|| handoff.push(&block, 0, |_, _| {}));
}
