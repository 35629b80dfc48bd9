//! What comes from outside, and what a crash leaves behind.

use std::time::{Duration, SystemTime};

use super::*;

/// What an import makes of the content of a file. The key of a whole file takes a second to derive.
fn imported(change: impl FnOnce(&mut Profile)) -> Result<Profile, String> {
    let mut changed = profile("anna", "a phrase");
    change(&mut changed);
    let found = Profile::decode(&changed.encode().unwrap())?;
    transfer::check_text(&found).map_err(|error| error.to_string())?;
    Ok(found)
}

#[test]
fn an_import_never_accepts_every_word_or_every_voice() {
    assert!(imported(|_| {}).is_ok());
    let refused = |what: &str, change: &dyn Fn(&mut Profile)| match imported(change) {
        Err(reason) => assert!(reason.contains(what), "{reason}"),
        other => panic!("{what}: {other:?}"),
    };
    for bad in [0.0, -1.0, 1e-9, 1e9, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        refused("words", &|profile| profile.scales.keyword = bad);
        refused("cepstra", &|profile| profile.scales.cepstra = bad);
        refused("voice", &|profile| profile.scales.voice = bad);
    }
    for bad in [-1e9, -0.1, 5.1, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        refused("threshold", &|profile| profile.settings.threshold = Some(bad));
        refused("length", &|profile| profile.takes[0].seconds = bad * 1e3);
    }
    for bad in [1.5, -1.5, 1e30, f32::NAN, f32::INFINITY] {
        refused("vector", &|profile| profile.takes[1].vectors.row_mut(2)[3] = bad);
        refused("voice", &|profile| profile.takes[1].embedding[7] = bad);
        refused("voice", &|profile| profile.takes[1].line_embedding[7] = bad);
        refused("voice", &|profile| profile.takes[1].augmented[0].embedding[7] = bad);
    }
    for bad in [1e6, f32::NAN, f32::NEG_INFINITY] {
        refused("cepstra", &|profile| profile.takes[2].cepstra.row_mut(0)[0] = bad);
        refused("cepstra", &|profile| profile.takes[2].augmented[0].cepstra.row_mut(0)[0] = bad);
    }
    refused("takes", &|profile| profile.takes = vec![profile.takes[0].clone(); 101]);
    refused("takes", &|profile| profile.takes.clear());
    refused("copies", &|profile| {
        let place = profile.takes[0].augmented[0].clone();
        profile.takes[0].augmented = vec![place; 11];
    });
    for late in [253_402_300_800, u64::MAX] {
        refused("date", &|profile| profile.created = late);
    }
}

#[test]
fn an_import_never_brings_text_that_moves_a_cursor() {
    for bad in
        ["hi \u{1b}[2J\u{1b}]0;pwned\u{7}", "a\nname forged", "\u{202e}ab", "a\u{9b}31m", &"x".repeat(201)]
    {
        let changes: [fn(&mut Profile, String); 3] = [
            |profile, bad| profile.phrase = bad,
            |profile, bad| profile.user = bad,
            |profile, bad| profile.models = bad,
        ];
        for change in changes {
            let refused = imported(|profile| change(profile, bad.into()));
            assert!(refused.is_err(), "{bad:?}: {refused:?}");
        }
    }
    assert!(imported(|profile| profile.phrase.clear()).is_ok());

    const WORDS: &str = "five words or even more";
    let changes: [fn(&mut Profile); 2] = [|one| one.user = "a\nb".into(), |one| one.scales.keyword = 0.0];
    for change in changes {
        let mut changed = profile("anna", "a phrase");
        change(&mut changed);
        let case = transfer::export(&changed, WORDS).unwrap();
        assert!(matches!(transfer::import(&case, WORDS), Err(TransferError::Content(_))));
    }
}

#[test]
fn what_a_killed_writer_left_never_outlives_the_profile() {
    let (_folder, store) = store();
    store.save(&profile("anna", "x")).unwrap();
    store.save(&profile("anna", "y")).unwrap();
    assert_eq!(files(&store), ["anna.wakeword"], "a replaced file leaves nothing either");
    let left = |name: &str, age: u64| {
        let path = store.folder().join(name);
        fs::write(&path, "sealed").unwrap();
        let when = SystemTime::now() - Duration::from_secs(age);
        fs::File::options().write(true).open(&path).unwrap().set_modified(when).unwrap();
    };
    for age in [0, 3600] {
        left(".anna.wakeword.0a1b2c3d.new", age);
        left(".bert.wakeword.0a1b2c3d.new", age);
        left(".anna.wakeword.0a1b2c3d.old", age);
        left(".tmpAbC123", age);
        left(".tmpfiles", age);
        assert_eq!(store.names().unwrap(), ["anna"]);
        let fresh = |name: &'static str| (age == 0).then_some(name);
        let known = [
            Some(".anna.wakeword.0a1b2c3d.old"),
            fresh(".bert.wakeword.0a1b2c3d.new"),
            fresh(".tmpAbC123"),
            Some(".tmpfiles"),
        ];
        store.remove("anna").unwrap();
        assert_eq!(files(&store), known.into_iter().flatten().collect::<Vec<_>>(), "after {age} s");
        store.save(&profile("anna", "x")).unwrap();
    }
    // Of one that was never finished, something may be there and no profile.
    left(".carl.wakeword.0a1b2c3d.new", 0);
    assert!(matches!(store.remove("carl"), Err(StoreError::Unknown { .. })));
    assert!(!store.folder().join(".carl.wakeword.0a1b2c3d.new").exists());
}
