use std::sync::{Arc, LazyLock};

use super::*;
use crate::audio::read_clip;
use crate::engine::rule::Rule;
use crate::enroll::NearWordError;
use crate::models::Models;
use crate::profile::Profile;

static MODELS: LazyLock<Arc<Models>> = LazyLock::new(|| Arc::new(Models::load(None).unwrap()));
static TAKES: LazyLock<Vec<Vec<f32>>> = LazyLock::new(|| (1..=5).map(take).collect());

const PHRASE: &str = "hello sunflower";
/// Samples of 10 ms.
const BLOCK: usize = 160;

/// A recording of the demo.
fn demo(file: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("enroll/demo").join(file)
}

/// A take of the demo voice between two seconds of a quiet room.
fn take(number: usize) -> Vec<f32> {
    let clip = read_clip(&demo(&format!("enroll/{number}.wav"))).unwrap();
    let mut take = room(2.0 + clip.samples.len() as f32 / 16_000.0);
    take[SAMPLE_RATE..].iter_mut().zip(&clip.samples).for_each(|(room, sample)| *room += sample);
    take
}

/// So many seconds of a quiet room.
fn room(seconds: f32) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..(seconds * 16_000.0) as usize).map(|_| 1e-4 * (random.f32() - 0.5)).collect()
}

fn quality() -> Quality {
    Quality::built_in().unwrap()
}

fn enrolment(others: Vec<Arc<Profile>>) -> Enrolment {
    let draft = Profile::draft("anna", PHRASE, &MODELS.fingerprint);
    Enrolment::new((MODELS.clone(), Rule::default()), quality(), draft, 5, others)
}

fn dialogue(segmentation: Segmentation, tested: bool) -> Dialogue {
    Dialogue::new(enrolment(Vec::new()), quality(), segmentation, tested)
}

fn begun(mut dialogue: Dialogue) -> Dialogue {
    assert_eq!(steps(|sink| dialogue.begin(sink)), [Step::Ask(Prompt::Take { number: 1, of: 5 })]);
    dialogue
}

/// The steps that `work` brings, without levels.
fn steps(work: impl FnOnce(&mut dyn FnMut(Step))) -> Vec<Step> {
    let mut steps = Vec::new();
    work(&mut |step| {
        if !matches!(step, Step::Level { .. }) {
            steps.push(step);
        }
    });
    steps
}

/// What a dialogue says to audio in blocks of `size` samples.
fn play(dialogue: &mut Dialogue, samples: &[f32], size: usize) -> Vec<Step> {
    steps(|sink| samples.chunks(size).for_each(|block| dialogue.feed(Input::Audio(block), sink)))
}

fn feed(dialogue: &mut Dialogue, input: Input<'_>) -> Vec<Step> {
    steps(|sink| dialogue.feed(input, sink))
}

fn accepted(step: &Step) -> bool {
    matches!(step, Step::Take { report, .. } if report.accepted)
}

#[test]
fn a_dialogue_does_not_depend_on_block_sizes() {
    // At its end nobody speaks: neither another sentence nor a near word.
    let stream = [&TAKES.concat()[..], &TAKES[0], &room(26.0)].concat();
    let all = |size| play(&mut begun(dialogue(Segmentation::Automatic, true)), &stream, size);
    let steps = all(BLOCK);
    assert_eq!(steps.iter().filter(|step| accepted(step)).count(), 5);
    let Some(Step::Done(profile)) = steps.last() else { panic!("{:?}", steps.last()) };
    assert_eq!((&*profile.phrase, profile.takes.len()), (PHRASE, 5));
    let tested = |step: &&Step| matches!(step, Step::Tested { .. });
    let tests: Vec<&Step> = steps.iter().filter(tested).collect();
    let [Step::Tested { heard: Some(event), .. }, Step::Tested { answered: false, .. }] = tests[..] else {
        panic!("{tests:?}")
    };
    assert!(event.is_detected(), "{event:?}");
    for size in [999, stream.len()] {
        assert!(all(size) == steps, "blocks of {size}");
    }
}

#[test]
fn a_short_gap_costs_no_take_and_a_long_one_only_its_own() {
    let (before, after) = TAKES[0].split_at(SAMPLE_RATE * 3 / 2);
    let mut dialogue = begun(self::dialogue(Segmentation::Automatic, false));
    play(&mut dialogue, before, BLOCK);
    assert_eq!(feed(&mut dialogue, Input::NoAudio(quality().dialogue.gap_s * 0.9)), []);
    let steps = play(&mut dialogue, after, BLOCK);
    assert!(accepted(&steps[0]) && steps[1] == Step::Ask(Prompt::Take { number: 2, of: 5 }), "{steps:?}");

    play(&mut dialogue, before, BLOCK);
    feed(&mut dialogue, Input::NoAudio(quality().dialogue.gap_s * 0.5));
    let lost = feed(&mut dialogue, Input::NoAudio(quality().dialogue.gap_s * 0.6));
    assert!(matches!(lost[..], [Step::AudioLost(_)]), "{lost:?}");
    assert_eq!(play(&mut dialogue, &room(3.0), BLOCK), [Step::AudioBack]);
    let steps = play(&mut dialogue, &TAKES[1], BLOCK);
    assert!(accepted(&steps[0]) && steps[1] == Step::Ask(Prompt::Take { number: 3, of: 5 }), "{steps:?}");
}

#[test]
fn a_lost_source_is_waited_for_and_digital_silence_does_not_bring_it_back() {
    let mut dialogue = begun(self::dialogue(Segmentation::Automatic, false));
    let lost = || Input::Lost("unplugged".into());
    assert_eq!(feed(&mut dialogue, lost()), [Step::AudioLost("unplugged".into())]);
    assert_eq!(feed(&mut dialogue, lost()), []);
    let timeout = quality().dialogue.audio_timeout_s;
    assert_eq!(feed(&mut dialogue, Input::NoAudio(timeout - 2.0)), []);
    assert_eq!(play(&mut dialogue, &vec![0.0; SAMPLE_RATE], BLOCK), []);
    assert_eq!(play(&mut dialogue, &room(1.0), BLOCK), [Step::AudioBack]);
    feed(&mut dialogue, lost());
    feed(&mut dialogue, Input::NoAudio(timeout - 2.0));
    let steps = play(&mut dialogue, &vec![0.0; SAMPLE_RATE * 3], BLOCK);
    assert_eq!(steps, [Step::Failed(Failure::NoAudio { seconds: timeout })]);
    assert!(dialogue.is_over());
    assert_eq!(play(&mut dialogue, &TAKES[0], BLOCK), []);
}

#[test]
fn silence_is_a_refused_take_and_too_many_end_the_dialogue() {
    let mut dialogue = begun(self::dialogue(Segmentation::Automatic, false));
    let steps = play(&mut dialogue, &room(60.0), BLOCK);
    let attempts = quality().dialogue.attempts;
    assert_eq!(steps.iter().filter(|step| matches!(step, Step::Take { .. })).count(), attempts);
    assert_eq!(steps.last(), Some(&Step::Failed(Failure::GivenUp(attempts))));
}

#[test]
fn marked_takes_need_no_pause_and_end_when_too_long() {
    let mut dialogue = begun(self::dialogue(Segmentation::Manual, false));
    for take in &TAKES[..3] {
        assert_eq!(play(&mut dialogue, take, BLOCK), []);
        assert_eq!(feed(&mut dialogue, Input::Mark), []);
        assert_eq!(play(&mut dialogue, take, BLOCK), []);
        let steps = feed(&mut dialogue, Input::Mark);
        assert!(accepted(&steps[0]), "{steps:?}");
    }
    feed(&mut dialogue, Input::Mark);
    let steps = play(&mut dialogue, &room(quality().duration.longest_s + 1.0), BLOCK);
    assert!(matches!(&steps[..], [Step::Take { report, .. }, Step::Ask(_)] if !report.accepted), "{steps:?}");
}

#[test]
fn what_is_needed_cannot_be_skipped_and_tests_can() {
    let mut dialogue = begun(self::dialogue(Segmentation::Automatic, true));
    assert_eq!(feed(&mut dialogue, Input::Skip), []);
    play(&mut dialogue, &TAKES.concat(), BLOCK);
    assert_eq!(feed(&mut dialogue, Input::Skip), [Step::Ask(Prompt::OtherSentence)]);
    assert_eq!(feed(&mut dialogue, Input::Skip), [Step::Ask(Prompt::NearWord { number: 1, of: 2 })]);
    let steps = feed(&mut dialogue, Input::Skip);
    assert!(matches!(steps[..], [Step::Done(_)]), "{steps:?}");
}

#[test]
fn near_words_are_learned_until_there_are_enough() {
    let mut dialogue = begun(self::dialogue(Segmentation::Manual, true));
    let mut say = |samples: &[f32]| {
        feed(&mut dialogue, Input::Mark);
        play(&mut dialogue, samples, BLOCK);
        feed(&mut dialogue, Input::Mark)
    };
    TAKES.iter().for_each(|take| drop(say(take)));
    let living_room = read_clip(&demo("living-room.flac")).unwrap().samples;
    let said = |from: f32, to: f32| {
        living_room[(from * SAMPLE_RATE as f32) as usize..(to * SAMPLE_RATE as f32) as usize].to_vec()
    };
    // The test of the phrase, and another sentence.
    say(&said(18.3, 20.0));
    let asked = Step::Ask(Prompt::NearWord { number: 1, of: 2 });
    assert_eq!(say(&said(45.6, 48.4)).last(), Some(&asked));
    let own = say(&TAKES[1]);
    assert_eq!(own, [Step::NearWord { number: 1, problem: Some(NearWordError::SamePhrase) }, asked]);
    let sunshine = say(&said(15.5, 17.3));
    let asked = Step::Ask(Prompt::NearWord { number: 2, of: 2 });
    assert_eq!(sunshine, [Step::NearWord { number: 1, problem: None }, asked]);
    let sunday = say(&said(36.6, 38.4));
    let [Step::NearWord { number: 2, problem: None }, Step::Done(profile)] = &sunday[..] else {
        panic!("{sunday:?}")
    };
    assert_eq!(profile.near_words.len(), 2);
}

#[test]
fn a_sentence_without_the_phrase_is_told_as_it_was_heard() {
    let mut dialogue = begun(self::dialogue(Segmentation::Automatic, true));
    play(&mut dialogue, &[&TAKES.concat()[..], &TAKES[0]].concat(), BLOCK);
    let clip = read_clip(&demo("living-room.flac")).unwrap();
    let sentence = [&room(1.0)[..], &clip.samples[188_800..240_000], &room(2.0)].concat();
    let steps = play(&mut dialogue, &sentence, BLOCK);
    let [
        Step::Tested { prompt: Prompt::OtherSentence, answered: true, heard },
        Step::Ask(Prompt::NearWord { .. }),
    ] = &steps[..]
    else {
        panic!("{steps:?}")
    };
    assert!(!heard.as_ref().is_some_and(crate::engine::event::Event::is_detected), "{heard:?}");
}

#[test]
fn what_was_said_before_the_prompt_is_no_answer() {
    let mut dialogue = begun(self::dialogue(Segmentation::Automatic, false));
    play(&mut dialogue, &TAKES[0][..SAMPLE_RATE * 2], BLOCK);
    feed(&mut dialogue, Input::Restart);
    assert_eq!(play(&mut dialogue, &room(3.0), BLOCK), []);
}

#[test]
fn a_test_that_fails_each_time_still_gives_the_profile() {
    let mut dialogue = begun(self::dialogue(Segmentation::Automatic, true));
    play(&mut dialogue, &TAKES.concat(), BLOCK);
    let steps = play(&mut dialogue, &room(60.0), BLOCK);
    assert!(matches!(steps[..], [.., Step::TestFailed, Step::Done(_)]), "{steps:?}");
}

#[test]
fn a_phrase_that_another_profile_has_is_told_or_refused() {
    let mut first = begun(dialogue(Segmentation::Automatic, false));
    let Some(Step::Done(profile)) = play(&mut first, &TAKES.concat(), BLOCK).pop() else {
        panic!("no profile")
    };
    let other = Arc::new(Profile { name: "berta".into(), ..Arc::unwrap_or_clone(profile) });
    let again = |enrolment: Enrolment| {
        let mut dialogue = begun(Dialogue::new(enrolment, quality(), Segmentation::Automatic, false));
        play(&mut dialogue, &TAKES.concat(), BLOCK)
    };
    let steps = again(enrolment(vec![other.clone()]).without_duplicates());
    assert_eq!(steps.last(), Some(&Step::Failed(Failure::Duplicate("berta".into()))));
    let steps = again(enrolment(vec![other.clone()]));
    let told = |step: &Step| matches!(step, Step::Learned(learned) if learned.duplicates == [other.clone()]);
    assert!(steps.iter().any(told) && matches!(steps.last(), Some(Step::Done(_))), "{steps:?}");
}
