//! Features and networks against values of the original packages (`reference/make.py`).
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{assert_close, cut, living_room, models, noise, reference, reference_speech, rows, seconds};
use wakeword::features::logmel::{self, LogMel};
use wakeword::features::mfcc::{self, Mfcc};
use wakeword::features::samples::SampleBuffer;
use wakeword::features::vad::Vad;
use wakeword::features::{Frames, HOP, SAMPLE_RATE, WINDOW, fbank, frame_count};
use wakeword::inference::{STEP_FRAMES, SpeakerBuffers};
use wakeword::keyword::encoder::{KeywordEncoder, MAX_AHEAD, Output, STEP};
use wakeword::speaker::{SpeakerEncoder, cosine};

#[test]
fn log_mel_frames_do_not_differ_from_the_reference_graph() {
    let samples = reference_speech();
    let mut log_mel = LogMel::default();
    let mut frames = Frames::new(logmel::BANDS);
    for index in 0..frame_count(samples.len(), logmel::SPAN) {
        log_mel.frame(&samples[index * HOP..index * HOP + logmel::SPAN], frames.push_zeroed());
    }
    assert_close(&frames, &reference("logmel.f32", logmel::BANDS), 1e-4);
}

#[test]
fn the_filterbank_does_not_differ_from_kaldi() {
    let mut frames = Frames::new(fbank::BANDS);
    fbank::Fbank::default().compute_into(&reference_speech(), &mut frames);
    assert_close(&frames, &reference("fbank80.f32", fbank::BANDS), 1e-3);
}

#[test]
fn streaming_does_not_change_a_keyword_vector() {
    let mel = reference("logmel.f32", logmel::BANDS);
    let mut stream = models().keyword.stream(1);
    let geometry = models().keyword.geometry();
    let mut vectors = Frames::new(geometry.dimension);
    for block in mel.as_slice().chunks_exact(STEP_FRAMES * logmel::BANDS) {
        vectors.push(stream.push(block));
    }
    // Vector n has seen the frames 8 n - 72 .. 8 n + 4: the first whole window is that of vector 9.
    let windows = reference("vectors.f32", geometry.dimension);
    assert_close(&vectors.slice(geometry.warm_up(), vectors.rows()), &windows, 1e-3);
}

#[test]
fn vectors_equal_those_of_the_reference_windows() {
    let vectors = KeywordEncoder::new(&models().keyword).recording(&reference_speech());
    let geometry = models().keyword.geometry();
    let windows = reference("vectors.f32", geometry.dimension);
    assert_close(&vectors.slice(geometry.warm_up(), geometry.warm_up() + windows.rows()), &windows, 1e-3);
}

/// Vectors with their index; steps where `speech` says so are encoded. `ahead` samples come
/// at a time.
fn gated(samples: &[f32], ahead: usize, speech: impl Fn(usize) -> bool) -> Vec<(usize, Vec<f32>)> {
    let mut encoder = KeywordEncoder::new(&models().keyword);
    let mut buffer = SampleBuffer::new(encoder.needed(), MAX_AHEAD);
    let (mut next, mut vectors) = (0, Vec::new());
    let mut sink = |output: Output<'_>| match output {
        Output::Gap(index) => {
            assert!(index >= next, "a vector came twice");
            next = index;
        }
        Output::Vector(vector) => {
            vectors.push((next, vector.to_vec()));
            next += 1;
        }
    };
    let speech = |hop: usize| speech(hop * HOP / STEP);
    let hops = samples.len() / HOP;
    for hop in 0..hops {
        if (hop * HOP).is_multiple_of(ahead) {
            buffer.append(&samples[hop * HOP..(hop * HOP + ahead).min(samples.len())]);
        }
        assert!(buffer.advance());
        let pause = (hop..hops).find(|later| !speech(*later)).unwrap_or(hops);
        encoder.hear(&buffer, speech(hop), (pause - hop) * HOP, &mut sink);
    }
    vectors
}

#[test]
fn vectors_after_a_pause_of_the_gate_are_unchanged() {
    let samples = cut(0.0, 8.0);
    let whole = gated(samples, HOP, |_| true);
    assert!(whole.iter().enumerate().all(|(place, (index, _))| place == *index));
    // Short enough to be caught up on, long enough for a gap, at the beginning and for ever.
    let (short, long, late) = (20..24, 40..80, 0..60);
    for pause in [short.clone(), long, late, 30..usize::MAX] {
        let vectors = gated(samples, HOP, |step| !pause.contains(&step));
        assert_eq!(gated(samples, MAX_AHEAD, |step| !pause.contains(&step)), vectors, "pause {pause:?}");
        assert!(vectors.len() <= whole.len());
        for (index, vector) in &vectors {
            assert_eq!(vector, &whole[*index].1, "vector {index}, pause {pause:?}");
        }
        if pause == short {
            assert_eq!(vectors.len(), whole.len());
        }
        let resumed = vectors.iter().find(|(index, _)| *index >= pause.start);
        if let Some((index, _)) = resumed {
            assert!(pause.end - index >= pause.len().min(5), "pre-roll of {pause:?} begins at {index}");
        }
    }
}

#[test]
fn the_speaker_embedding_does_not_differ_from_the_original_network() {
    let mut frames = reference("fbank80.f32", fbank::BANDS).slice(0, models().speaker.geometry().frames);
    frames.centre_columns();
    let mut buffers = SpeakerBuffers::default();
    let ours = models().speaker.embed(&frames, &mut buffers);
    let theirs = reference("embedding_published.f32", models().speaker.geometry().dimension);
    let theirs = theirs.row(0);
    let distance = 1.0 - cosine(ours, theirs) / (cosine(ours, ours) * cosine(theirs, theirs)).sqrt();
    assert!(distance < 1e-3, "cosine distance {distance}");
}

#[test]
fn an_embedding_does_not_depend_on_level() {
    let phrase = cut(5.8, 7.2);
    let mut encoder = SpeakerEncoder::default();
    let mut embed = |samples: &[f32]| encoder.embed(&models().speaker, samples, 0..samples.len());
    let quiet: Vec<f32> = phrase.iter().map(|sample| sample * 0.01).collect();
    assert!(cosine(&embed(phrase), &embed(&quiet)) > 0.9999);
}

#[test]
fn no_length_of_audio_breaks_an_embedding() {
    let room = cut(5.0, 9.0);
    let mut encoder = SpeakerEncoder::default();
    for length in [0, 1, WINDOW - 1, WINDOW, 3040, 16_000, 16_240, 40_000, room.len()] {
        for phrase in [0..length, 0..0, length / 2..length / 2 + 1, length..length + 10] {
            let embedding = encoder.embed(&models().speaker, &room[..length], phrase.clone());
            assert_eq!(embedding.len(), models().speaker.geometry().dimension);
            assert!(embedding.iter().all(|x| x.is_finite()), "{length} samples, phrase {phrase:?}");
        }
    }
}

#[test]
fn cepstra_are_finite() {
    let mut mfcc = Mfcc::default();
    let tone: Vec<f32> = (0..8000).map(|n| (n as f32 * 0.3).sin()).collect();
    for samples in [&vec![0.0; 8000], &vec![1.0; 8000], &tone] {
        let frames = mfcc.cepstra(samples);
        assert_eq!((frames.rows(), frames.dim()), (frame_count(8000, WINDOW), mfcc::DIM));
        assert!(frames.as_slice().iter().all(|x| x.is_finite()));
    }
    assert!(mfcc.cepstra(&[0.5; WINDOW - 1]).is_empty());
    assert_eq!(mfcc.cepstra(&tone[..WINDOW]).rows(), 1);
}

#[test]
fn cepstra_do_not_depend_on_level() {
    let phrase = cut(5.8, 7.2);
    let louder: Vec<f32> = phrase.iter().map(|sample| sample * 3.0).collect();
    let mut mfcc = Mfcc::default();
    assert_close(&mfcc.cepstra(phrase), &mfcc.cepstra(&louder), 1e-3);
}

#[test]
fn the_gate_opens_for_speech_and_shuts_in_quiet() {
    let (threshold, hangover) = (0.4, 0.5);
    let quiet: Vec<f32> = noise(3, seconds(hangover) + SAMPLE_RATE).iter().map(|x| x * 1e-4).collect();
    for row in rows().into_iter().filter(|row| row.kind == "phrase") {
        let said = &living_room()[row.samples()];
        for gain in [1.0, 0.1] {
            let mut vad = Vad::new(threshold, hangover);
            let hops = said.chunks(HOP).map(|hop| hop.iter().map(|x| x * gain).collect::<Vec<_>>());
            let heard = hops.filter(|hop| vad.push(hop)).count() * HOP;
            assert!(heard > said.len() * 3 / 4, "{row:?} {gain} times as loud: {heard}");
            assert!(!vad.push(&quiet), "{row:?} {gain} times as loud");
            vad.push(said);
            vad.reset();
            assert!(!vad.active());
        }
    }
}

#[test]
fn steady_noise_before_speech_does_not_delay_the_gate() {
    let quiet: Vec<f32> = noise(4, seconds(20.48)).iter().map(|x| x * 1e-3).collect();
    // The network has rested after the longer of these.
    let opens = |said: &[f32], before: usize| {
        let mut vad = Vad::new(0.3, 0.4);
        vad.push(&quiet[quiet.len() - before..]);
        said.chunks(HOP).position(|hop| vad.push(hop)).unwrap()
    };
    for row in rows().into_iter().filter(|row| row.kind == "phrase") {
        let said = &living_room()[row.samples()];
        let (rested, awake) = (opens(said, quiet.len()), opens(said, seconds(0.256)));
        assert!(rested <= awake + 3, "{row:?}: after {rested} hops, not {awake}");
    }
}
