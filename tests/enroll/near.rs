//! Near words: what the owner says that sounds nearly like the phrase.

use std::process::Command;
use std::sync::Arc;

use wakeword::engine::Engine;
use wakeword::engine::event::{Event, Evidence};
use wakeword::engine::rule::Rule;
use wakeword::enroll::{MAX_NEAR_WORDS, NearWordError, add_near_words, near_word};
use wakeword::profile::Profile;
use wakeword::store::Store;

use super::common::home::Home;
use super::common::{PHRASE, cut, demo_profile, models, noise, seconds, takes};
use super::{ROOM, quality, recording, scaled, take, within_noise};

fn profile() -> Profile {
    Profile::clone(demo_profile())
}

/// `wakeword enroll anna` with a store in `home`.
fn enroll(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.command(env!("CARGO_BIN_EXE_wakeword"));
    command.arg("--store").arg(home.path("store")).args(["enroll", "anna"]).args(arguments);
    command
}

/// What the engine measures of the best candidate in `samples`.
fn evidence(profile: &Profile, samples: &[f32]) -> Evidence {
    let rule = Rule { threshold: f32::INFINITY, measure_all: true, ..Rule::default() };
    let mut engine = Engine::new(models().clone(), &[Arc::new(profile.clone())], rule);
    let mut verdicts = Vec::new();
    engine.push(samples, |event| verdicts.extend(Some(event).filter(Event::is_verdict)));
    engine.finish(|event| verdicts.extend(Some(event).filter(Event::is_verdict)));
    verdicts.into_iter().max_by(|a, b| a.score.total_cmp(&b.score)).unwrap().evidence
}

#[test]
fn a_near_word_is_told_from_the_phrase() {
    let sunshine = within_noise(cut(15.7, 17.1), ROOM);
    let phrase = within_noise(cut(18.4, 19.9), ROOM);
    let mut profile = profile();
    let before = evidence(&profile, &sunshine);
    assert_eq!((before.near_keyword_margin, before.near_cepstral_margin), (None, None));
    let word = near_word(models(), &quality(), &profile, &sunshine).unwrap();
    add_near_words(&mut profile, vec![word]);
    let margins =
        |evidence: Evidence| (evidence.near_keyword_margin.unwrap(), evidence.near_cepstral_margin.unwrap());
    let (near, own) = (margins(evidence(&profile, &sunshine)), margins(evidence(&profile, &phrase)));
    assert!(near.0 < -0.5 && near.1 < 0.0, "{near:?}");
    assert!(own.0 > 0.3 && own.1 > 0.05, "{own:?}");
}

#[test]
fn what_is_no_near_word_is_refused_with_the_reason() {
    let profile = demo_profile();
    let heard = |samples: &[f32]| near_word(models(), &quality(), profile, samples).map(drop);
    assert_eq!(heard(&within_noise(&takes()[2], ROOM)), Err(NearWordError::SamePhrase));
    assert_eq!(heard(&within_noise(cut(12.7, 14.2), ROOM)), Err(NearWordError::OtherVoice));
    assert_eq!(heard(&vec![0.0; seconds(10.0)]), Err(NearWordError::NoSpeech));
    assert_eq!(heard(&scaled(&noise(1, seconds(10.0)), 0.01)), Err(NearWordError::NoSpeech));
    assert!(heard(cut(21.5, 26.3)).is_err(), "music");
    let long = [cut(45.6, 48.4), cut(2.4, 4.4), cut(52.4, 54.8)].concat();
    assert!(matches!(
        heard(&within_noise(&long, ROOM)),
        Err(NearWordError::TooLong | NearWordError::OtherVoice)
    ));
}

#[test]
fn a_profile_keeps_its_latest_near_words() {
    let mut profile = profile();
    let word = near_word(models(), &quality(), &profile, &within_noise(cut(15.7, 17.1), ROOM)).unwrap();
    let other = near_word(models(), &quality(), &profile, &within_noise(cut(36.8, 38.2), ROOM)).unwrap();
    add_near_words(&mut profile, vec![word; MAX_NEAR_WORDS]);
    add_near_words(&mut profile, vec![other.clone()]);
    assert_eq!(profile.near_words.len(), MAX_NEAR_WORDS);
    assert_eq!(profile.near_words.last(), Some(&other));
}

#[test]
fn near_words_are_enrolled_from_files() {
    let home = Home::bare();
    let store = Store::new(home.path("store"));
    let near = recording(&home, "near", &within_noise(cut(15.7, 17.1), ROOM));
    let phrase = recording(&home, "phrase", &within_noise(&takes()[2], ROOM));
    let from_files = |near| {
        let mut command = enroll(&home, &["--phrase", PHRASE, "--from"]);
        command.args((1..=5).map(|number| take(&home, number))).arg("--near").arg(near).output().unwrap()
    };
    let refused = from_files(&phrase);
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && text.contains("phrase.wav") && text.contains("the phrase itself"),
        "{text}"
    );
    assert!(store.load("anna").is_err());

    assert!(from_files(&near).status.success());
    assert_eq!(store.load("anna").unwrap().near_words.len(), 1);

    let added = enroll(&home, &["--add", "--near"]).arg(&near).output().unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let profile = store.load("anna").unwrap();
    assert_eq!((profile.near_words.len(), profile.takes.len()), (2, 5));
}
