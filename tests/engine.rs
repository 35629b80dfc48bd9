//! The engine on the demo's living room, on pieces of it, and on what is no speech at all.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::sync::{Arc, LazyLock};

use common::{
    Row, cut, demo_profile, detected, engine, enrol, enrol_by, events, listen, listen_in_blocks, living_room,
    models, noise, rows, seconds, small_models, stretch, takes, true_phrase,
};
use proptest::prelude::*;
use wakeword::engine::Engine;
use wakeword::engine::event::{Event, EventKind, Reason, Speaker};
use wakeword::engine::rule::Rule;
use wakeword::features::{HOP, SAMPLE_RATE};
use wakeword::profile::{Profile, Settings};
use wakeword::speaker::SpeakerEncoder;
use wakeword::speaker::voice::{Voice, mean};

/// The whole living room.
static ROOM: LazyLock<Vec<Event>> = LazyLock::new(|| events(living_room()));

/// Another voice with the phrase, a near miss and a true phrase.
fn scene() -> &'static [f32] {
    cut(12.3, 20.3)
}

static SCENE: LazyLock<Vec<Event>> = LazyLock::new(|| events(scene()));

fn verdicts(events: &[Event]) -> impl Iterator<Item = (&Event, Option<Reason>)> {
    events.iter().filter(|event| event.is_verdict()).map(|event| (event, event.reason()))
}

/// Fails unless the phrase is accepted once, and where it is.
#[track_caller]
fn assert_detected_at(events: &[Event], start: usize, end: usize) {
    let detected = detected(events);
    assert_eq!(detected.len(), 1, "{events:#?}");
    let near = |heard: u64, said: usize| heard.abs_diff(said as u64) <= SAMPLE_RATE as u64 / 4;
    let place = detected[0].start..detected[0].end;
    assert!(near(place.start, start) && near(place.end, end), "said {start}..{end}, heard {place:?}");
}

#[test]
fn the_living_room_never_wakes_but_for_its_own_voice_and_phrase() {
    let heard = detected(&ROOM);
    for row in rows() {
        let here: Vec<_> = heard.iter().filter(|heard| row.overlaps(heard)).collect();
        assert_eq!(here.len(), usize::from(row.wake), "{row:?}: {here:#?}");
    }
    assert_eq!(heard.len(), rows().iter().filter(|row| row.wake).count());
}

#[test]
fn the_models_for_weak_boards_never_wake_for_other_voices_either() {
    let small = small_models();
    let profile = enrol_by(&small, "demo", takes());
    let events = listen(&mut Engine::new(small, &[profile], Rule::default()), living_room());
    let heard = detected(&events);
    for row in rows().iter().filter(|row| row.wake || row.voice != "demo") {
        let here: Vec<_> = heard.iter().filter(|heard| row.overlaps(heard)).collect();
        assert_eq!(here.len(), usize::from(row.wake), "{row:?}: {here:#?}");
    }
}

#[test]
fn an_accepted_phrase_is_not_placed_beside_what_was_said() {
    for (row, heard) in rows().iter().filter(|row| row.wake).zip(detected(&ROOM)) {
        let said = row.samples();
        let off = [heard.start.abs_diff(said.start as u64), heard.end.abs_diff(said.end as u64)];
        assert!(off.iter().all(|off| *off <= SAMPLE_RATE as u64 / 4), "{said:?}: {heard:?}");
    }
}

#[test]
fn a_verdict_never_comes_late() {
    for heard in detected(&ROOM) {
        let late = heard.decided.saturating_sub(heard.end);
        assert!(late <= 3 * SAMPLE_RATE as u64 / 10, "{heard:?}");
    }
}

#[test]
fn no_event_contradicts_itself() {
    let candidates = ROOM.iter().filter(|event| event.kind == EventKind::Candidate).count();
    assert_eq!(candidates, verdicts(&ROOM).count());
    let mut last = 0;
    for (heard, refused) in verdicts(&ROOM) {
        assert!(heard.start < heard.end && heard.end <= heard.decided, "{heard:?}");
        assert!(heard.decided >= last, "{heard:?} after {last}");
        last = heard.decided;
        assert_eq!(heard.margin, heard.score - heard.threshold);
        let evidence = &heard.evidence;
        assert_eq!(evidence.speaker_score.is_some(), evidence.speaker_cosine.is_some());
        let (words, voice) = (evidence.keyword_score * evidence.cepstral_score, evidence.speaker_score);
        assert!(words.is_finite() && voice.unwrap_or(0.0).is_finite(), "{heard:?}");
        assert!((-120.0..=0.0).contains(&evidence.level_dbfs), "{heard:?}");
        assert!((0.0..=120.0).contains(&evidence.snr_db), "{heard:?}");
        assert_ne!(refused, Some(Reason::Outscored), "there is one profile only");
        match refused {
            None => assert!(heard.margin >= 0.0 && voice.is_some(), "{heard:?}"),
            Some(_) => assert!(heard.margin < 0.0, "{heard:?}"),
        }
    }
}

/// Block sizes that begin anywhere: none, a few samples, about a hop, many hops.
fn block_sizes() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![0usize..4, 150usize..170, 0usize..20_000];
    proptest::collection::vec(size, 1..20).prop_filter("no progress", |sizes| sizes.iter().any(|n| *n > 0))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 16, failure_persistence: None, ..<_>::default() })]

    #[test]
    fn block_sizes_never_change_an_event(sizes in block_sizes()) {
        let mut engine = engine(&[demo_profile().clone()]);
        prop_assert_eq!(&listen_in_blocks(&mut engine, scene(), &sizes), &*SCENE);
    }
}

#[test]
fn the_blocks_of_a_sound_card_never_change_an_event() {
    assert_eq!(detected(&SCENE).len(), 1);
    assert!(verdicts(&SCENE).count() >= 2, "the scene is too easy to tell anything: {SCENE:#?}");
    for size in [HOP, 1, 1024] {
        let mut engine = engine(&[demo_profile().clone()]);
        assert_eq!(listen_in_blocks(&mut engine, scene(), &[size]), *SCENE, "blocks of {size}");
    }
}

#[test]
fn a_second_stream_never_hears_the_first() {
    let mut engine = engine(&[demo_profile().clone()]);
    assert_eq!(listen(&mut engine, scene()), *SCENE);
    // After `finish`; then after streams that broke off in the middle of a phrase, a hop and a block.
    assert_eq!(listen(&mut engine, scene()), *SCENE);
    let phrase = true_phrase().samples();
    for end in [phrase.start + 8000, phrase.start + 8 * HOP * 9 + 77, 1] {
        engine.push(&living_room()[..end], |_| {});
        engine.reset();
        assert_eq!(listen(&mut engine, scene()), *SCENE, "after {end} samples");
    }
}

#[test]
fn the_first_phoneme_after_digital_silence_is_never_lost() {
    let silence = vec![0.0; seconds(3.0)];
    for row in rows().into_iter().filter(|row| row.wake) {
        let phrase = &living_room()[row.samples()];
        let samples = [&silence[..], phrase, &silence].concat();
        assert_detected_at(&events(&samples), silence.len(), silence.len() + phrase.len());
    }
}

#[test]
fn a_phrase_at_the_very_edges_of_a_stream_is_never_lost() {
    let row = true_phrase();
    let said = row.samples();
    let (room, margin) = (living_room(), seconds(1.0));
    assert_detected_at(&events(&room[said.start..said.end + margin]), 0, said.len());
    assert_detected_at(&events(&room[said.start - margin..said.end]), margin, margin + said.len());
    assert_detected_at(&events(&room[said.clone()]), 0, said.len());
}

#[test]
fn a_long_pause_never_shifts_what_follows() {
    let hiss: Vec<f32> = noise(7, seconds(20.0)).iter().map(|sample| sample * 3e-4).collect();
    let said = true_phrase().samples();
    let phrase = &living_room()[said.clone()];
    for pause in [vec![0.0; hiss.len()], hiss] {
        let samples = [phrase, &pause[..], phrase, &pause[..SAMPLE_RATE]].concat();
        let events = events(&samples);
        let heard = detected(&events);
        assert_eq!(heard.len(), 2, "{events:#?}");
        let second = (phrase.len() + pause.len()) as u64;
        assert!(heard[1].start.abs_diff(second) <= SAMPLE_RATE as u64 / 4, "{second}: {heard:#?}");
    }
}

#[test]
fn what_is_no_speech_never_causes_an_event() {
    let length = seconds(5.0);
    let tone = |hertz: f32| move |n: usize| (n as f32 * hertz * std::f32::consts::TAU / 16_000.0).sin();
    let scaled = |scale: f32| noise(3, length).iter().map(|sample| sample * scale).collect();
    let sounds: [(&str, Vec<f32>); 9] = [
        ("digital silence", vec![0.0; length]),
        ("full-scale direct current", vec![1.0; length]),
        ("a step", (0..length).map(|n| if n < length / 2 { -1.0 } else { 1.0 }).collect()),
        ("a full-scale square wave", (0..length).map(|n| tone(440.0)(n).signum()).collect()),
        ("a whistle", (0..length).map(tone(1000.0)).collect()),
        ("white noise", scaled(1.0)),
        ("hiss", scaled(1e-3)),
        ("clicks", (0..length).map(|n| if n % 8000 == 0 { 1.0 } else { 0.0 }).collect()),
        ("nothing", Vec::new()),
    ];
    let mut engine = engine(&[demo_profile().clone()]);
    for (name, samples) in &sounds {
        assert_eq!(listen(&mut engine, samples), [], "{name}");
    }
}

#[test]
fn samples_that_are_no_numbers_never_deafen_the_engine() {
    let said = true_phrase().samples();
    let phrase = &living_room()[said.start - SAMPLE_RATE..said.end + SAMPLE_RATE];
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30] {
        let samples = [&vec![bad; SAMPLE_RATE][..], phrase].concat();
        let start = 2 * SAMPLE_RATE;
        assert_detected_at(&events(&samples), start, start + said.len());
    }
}

#[test]
fn any_short_stream_never_breaks_the_engine() {
    let mut engine = engine(&[demo_profile().clone()]);
    let speech = cut(6.0, 6.6);
    for length in [0, 1, HOP - 1, HOP, 511, 512, 1279, 1280, 3040, speech.len()] {
        assert_eq!(detected(&listen(&mut engine, &speech[..length])), <[&Event; 0]>::default(), "{length}");
    }
}

#[test]
fn an_engine_without_profiles_never_says_anything() {
    assert_eq!(listen(&mut engine(&[]), scene()), []);
}

/// What two profiles say to the living room: at each row, the names of those who woke.
#[track_caller]
fn who_wakes(profiles: &[Arc<Profile>]) -> (Vec<(&'static str, Vec<String>)>, Vec<Event>) {
    let events = listen(&mut engine(profiles), living_room());
    let heard = detected(&events);
    let woken = |row: &Row| -> Vec<String> {
        heard.iter().filter(|heard| row.overlaps(heard)).map(|heard| heard.profile.clone()).collect()
    };
    let rows = rows().iter().map(|row| (row.voice, woken(row))).collect();
    (rows, events)
}

#[test]
fn two_profiles_of_one_voice_never_wake_twice() {
    let twin = enrol("twin", &takes()[..4]);
    let (woken, events) = who_wakes(&[demo_profile().clone(), twin]);
    for (row, (_, names)) in rows().iter().zip(woken) {
        assert_eq!(names.len(), usize::from(row.wake), "{row:?}: {names:?}");
    }
    let outscored = verdicts(&events).filter(|(_, refused)| *refused == Some(Reason::Outscored)).count();
    assert_eq!(outscored, detected(&events).len(), "{events:#?}");
}

#[test]
fn two_voices_with_one_phrase_never_wake_for_each_other() {
    let his: Vec<Vec<f32>> = rows()
        .iter()
        .filter(|row| row.voice == "man" && row.kind == "other-voice")
        .flat_map(|row| {
            let said = &living_room()[row.samples().start - 4000..row.samples().end + 4000];
            [0.95, 1.0, 1.05].map(|factor| stretch(said, factor))
        })
        .collect();
    let (woken, _) = who_wakes(&[demo_profile().clone(), enrol("man", &his)]);
    for (row, (voice, names)) in rows().iter().zip(woken) {
        let owner = row.wake || (voice == "man" && row.kind == "other-voice");
        assert_eq!(names, if owner { vec![voice] } else { vec![] }, "{row:?}");
    }
}

#[test]
fn a_hundred_profiles_never_hide_or_wake_each_other() {
    let sentences: Vec<Row> = rows().into_iter().filter(|row| row.kind == "speech").collect();
    let mut profiles = vec![demo_profile().clone()];
    let enrolled: Vec<Arc<Profile>> = sentences
        .iter()
        .map(|row| {
            let said = &living_room()[row.samples().start - 1600..row.samples().end + 1600];
            enrol("", &[0.95, 1.0, 1.05].map(|factor| stretch(said, factor)))
        })
        .collect();
    for (number, other) in enrolled.iter().cycle().take(99).enumerate() {
        let name = format!("sentence {} number {number}", number % sentences.len());
        profiles.push(Arc::new(Profile { name, ..Profile::clone(other) }));
    }
    let (woken, _) = who_wakes(&profiles);
    for (row, (_, names)) in rows().iter().zip(woken) {
        let sentence = sentences.iter().position(|sentence| sentence.seconds == row.seconds);
        match (sentence, row.wake) {
            (Some(number), _) => {
                assert!(
                    names.len() == 1 && names[0].starts_with(&format!("sentence {number} ")),
                    "{row:?}: {names:?}"
                );
            }
            (None, true) => assert_eq!(names, ["demo"], "{row:?}"),
            (None, false) => assert!(names.is_empty(), "{row:?}: {names:?}"),
        }
    }
}

#[test]
fn a_phrase_of_six_seconds_is_never_lost_or_mistaken_for_its_parts() {
    let sentences: Vec<Vec<f32>> = rows()
        .iter()
        .filter(|row| row.voice == "demo" && !row.wake)
        .map(|row| {
            // Without the pauses, at which enrolment would end the phrase.
            let tenths = living_room()[row.samples()].chunks(SAMPLE_RATE / 10);
            tenths.filter(|tenth| tenth.iter().any(|sample| sample.abs() > 0.05)).flatten().copied().collect()
        })
        .collect();
    let mut said = sentences.concat();
    assert!(said.len() > seconds(6.0), "{}", said.len());
    said.truncate(seconds(6.0));
    let profile = enrol("long", &[0.94, 0.97, 1.03].map(|factor| stretch(&said, factor)));
    assert!(profile.takes.iter().all(|take| take.seconds > 5.0), "the takes were cut");
    let pause: Vec<f32> = noise(1, seconds(2.0)).iter().map(|sample| sample * 1e-3).collect();

    let whole = [&pause[..], &said, &pause].concat();
    let mut engine = engine(&[profile]);
    let events = listen(&mut engine, &whole);
    let heard = detected(&events);
    assert_eq!(heard.len(), 1, "{events:#?}");
    // The verdict need not wait for the last words of so many.
    let place =
        (heard[0].start as usize).max(pause.len())..(heard[0].end as usize).min(pause.len() + said.len());
    assert!(4 * place.len() >= 3 * said.len(), "{place:?} of {}", said.len());
    for sentence in sentences {
        let part = listen(&mut engine, &[&pause[..], &sentence, &pause].concat());
        assert!(detected(&part).is_empty(), "{part:#?}");
    }
}

#[test]
fn a_change_of_other_profiles_or_settings_never_loses_what_is_being_said() {
    let mut engine = engine(std::slice::from_ref(demo_profile()));
    let mut heard = Vec::new();
    let stranger =
        enrol("other", &takes().iter().map(|take| take[..take.len() / 2].into()).collect::<Vec<_>>());
    let strict = Settings { threshold: Some(1.6), ..Settings::default() };
    let strict = Arc::new(Profile { settings: strict, ..Profile::clone(demo_profile()) });
    for (number, block) in scene().chunks(HOP * 7).enumerate() {
        match number % 3 {
            0 => engine.update(&[stranger.clone(), demo_profile().clone()], Rule::default()),
            1 => engine.update(std::slice::from_ref(&strict), Rule::default()),
            _ => engine.update(&[strict.clone(), stranger.clone()], Rule::default()),
        }
        engine.push(block, |event| heard.push(event));
    }
    engine.finish(|event| heard.push(event));
    let mine = |events: &[Event]| -> Vec<_> {
        detected(events)
            .into_iter()
            .filter(|d| d.profile == "demo")
            .map(|d| (d.start, d.end, d.score))
            .collect()
    };
    assert_eq!(mine(&heard), mine(&SCENE));
}

/// An engine for the demo voice that tells of others, too.
fn household() -> Engine {
    let rule = Rule { household: true, ..Rule::default() };
    Engine::new(models().clone(), std::slice::from_ref(demo_profile()), rule)
}

fn other_voices(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| event.kind == EventKind::OtherVoice).collect()
}

/// A voice enrolled from these recordings.
fn voice(name: &str, clips: &[&[f32]]) -> Voice {
    let mut encoder = SpeakerEncoder::default();
    let embeddings: Vec<_> =
        clips.iter().map(|clip| encoder.embed_clip(&models().speaker, clip).unwrap()).collect();
    let embedding = mean(embeddings.iter().map(|embedding| &embedding[..]));
    Voice { name: name.into(), created: 0, models: String::new(), clips: clips.len() as u32, embedding }
}

#[test]
fn the_phrase_in_another_voice_is_told_once_and_nothing_else_is() {
    let heard = listen(&mut household(), living_room());
    let others = other_voices(&heard);
    // Of the three, the synthetic strangers say two much like the takes.
    let alike = rows().into_iter().filter(|row| row.kind == "other-voice" && row.voice == "man");
    let told: Vec<_> = alike.map(|row| others.iter().filter(|other| row.overlaps(other)).count()).collect();
    assert!(told == [1, 1] && others.len() == 2, "{others:#?}");
    for other in others {
        assert_eq!((other.user.as_str(), &other.speaker), ("", &None), "{other:?}");
        assert!(other.decided - other.end <= SAMPLE_RATE as u64, "{other:?} is late");
    }
    // All else stays as it is, and without the mode there is nothing else.
    let without: Vec<Event> = heard.into_iter().filter(|event| event.kind != EventKind::OtherVoice).collect();
    assert_eq!(without, *ROOM);
    assert_eq!(
        listen_in_blocks(&mut household(), scene(), &[1024]),
        listen_in_blocks(&mut household(), scene(), &[HOP])
    );
}

#[test]
fn nobody_is_named_but_who_spoke() {
    let said = |voice: &str, kind: &str| -> Vec<&[f32]> {
        let rows = rows().into_iter().filter(|row| row.voice == voice && row.kind == kind);
        rows.map(|row| &living_room()[row.samples()]).collect()
    };
    let demo: Vec<&[f32]> = takes().iter().map(|take| &take[..]).collect();
    let mut engine = household();
    engine.recognise([voice("anna", &demo), voice("man", &said("man", "speech"))].into());
    let heard = listen(&mut engine, living_room());
    let named = |event: &Event| event.speaker.clone().map(|Speaker { name, .. }| name);
    let detected = detected(&heard);
    assert!(!detected.is_empty());
    assert!(detected.iter().all(|detection| named(detection).as_deref() == Some("anna")), "{detected:#?}");
    let others = other_voices(&heard);
    assert!(!others.is_empty());
    assert!(others.iter().all(|other| named(other).as_deref() == Some("man")), "{others:#?}");

    // The same, where nobody knows him.
    engine.recognise([voice("anna", &demo)].into());
    let heard = listen(&mut engine, living_room());
    assert!(other_voices(&heard).iter().all(|other| other.speaker.is_none()), "{heard:#?}");
}

#[test]
fn a_disabled_profile_or_one_whose_threshold_is_out_of_reach_never_wakes() {
    let with = |settings| {
        let profile = Arc::new(Profile { settings, ..Profile::clone(demo_profile()) });
        listen(&mut engine(&[profile]), scene())
    };
    assert!(with(Settings { enabled: false, threshold: None }).is_empty());
    let heard = with(Settings { enabled: true, threshold: Some(4.5) });
    assert!(detected(&heard).is_empty());
    assert!(verdicts(&heard).any(|(detection, _)| detection.threshold == 4.5));
}
