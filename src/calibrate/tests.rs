use std::sync::Arc;

use super::*;
use crate::audio::read_clip;
use crate::engine::rule::Rule;
use crate::enroll::learn;
use crate::models::Models;
use crate::profile::Profile;

/// The demo voice, and the models.
fn demo() -> (Arc<Models>, Profile) {
    let models = Arc::new(Models::load(None).unwrap());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("enroll/demo");
    let clips: Vec<_> =
        (1..=5).map(|number| read_clip(&folder.join(format!("enroll/{number}.wav"))).unwrap()).collect();
    let samples: Vec<&[f32]> = clips.iter().map(|clip| &clip.samples[..]).collect();
    let profile = Profile::new("demo", "x", &models.fingerprint, learn(&models, &samples).unwrap());
    (models, profile)
}

#[test]
fn a_higher_threshold_trades_false_wakes_for_misses() {
    let (models, profile) = demo();
    let outlook = Outlook::new(&models, &profile, &Rule::default(), Room::default());
    assert_eq!(outlook.takes.len(), 5);
    for pair in outlook.table().windows(2) {
        assert!(pair[0].threshold < pair[1].threshold);
        assert!(pair[0].false_per_hour >= pair[1].false_per_hour, "{pair:?}");
        assert!(
            pair[0].miss_rate < pair[1].miss_rate && pair[0].others_rate > pair[1].others_rate,
            "{pair:?}"
        );
    }
    let [strict, balanced, relaxed] = Point::ALL.map(|point| outlook.choose(point));
    assert!(strict.threshold > balanced.threshold && balanced.threshold > relaxed.threshold);
    // A target is kept, and by no more than is needed.
    let most = balanced.false_per_hour * 2.0;
    let found = outlook.for_target(most).unwrap();
    assert!(found.false_per_hour <= most && outlook.at(found.threshold - 0.02).false_per_hour > most);
    // Nobody has listened long enough to promise this.
    assert_eq!(outlook.for_target(1e-4), None);
    assert!(outlook.least_per_hour() > 1e-3);
}

#[test]
fn a_noisier_room_expects_more_false_wakes() {
    let (models, profile) = demo();
    let at = |hours, scores: &[f32]| {
        let room = Room { hours, scores: scores.to_vec() };
        Outlook::new(&models, &profile, &Rule::default(), room).at(1.4).false_per_hour
    };
    let (unknown, quiet, busy) = (at(0.0, &[]), at(10.0, &[]), at(10.0, &[0.9; 500]));
    assert!(quiet < unknown && unknown < busy, "{quiet} {unknown} {busy}");
    // What was heard counts, whatever the model holds likely.
    assert!(at(10.0, &[1.5; 20]) >= 2.0);
}

#[test]
fn takes_that_agree_less_expect_more_misses() {
    let (models, mut profile) = demo();
    let missed = |profile: &Profile| {
        Outlook::new(&models, profile, &Rule::default(), Room::default()).at(1.6).miss_rate
    };
    let before = missed(&profile);
    // A take of somebody else's voice.
    for take in &mut profile.takes[..3] {
        take.embedding.iter_mut().step_by(2).for_each(|x| *x = -*x);
    }
    assert!(missed(&profile) > before, "{} {before}", missed(&profile));
}
