mod hostile;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::transfer::TransferError;
use super::*;
use crate::features::{Frames, mfcc};
use crate::profile::{AugmentedTake, Scales, Take};

/// Values of a keyword vector and of an embedding.
const VECTOR_DIM: usize = 96;
const EMBEDDING_DIM: usize = 192;

fn profile(name: &str, phrase: &str) -> Profile {
    let take = Take {
        seconds: 1.0,
        vectors: Frames::from_vec(VECTOR_DIM, vec![0.1; 3 * VECTOR_DIM]),
        cepstra: Frames::from_vec(mfcc::DIM, vec![0.25; 4 * mfcc::DIM]),
        embedding: vec![0.05; EMBEDDING_DIM],
        augmented: vec![AugmentedTake {
            vectors: Frames::from_vec(VECTOR_DIM, vec![0.08; 3 * VECTOR_DIM]),
            phrase_embedding: vec![0.06; EMBEDDING_DIM],
            cepstra: Frames::from_vec(mfcc::DIM, vec![0.5; 4 * mfcc::DIM]),
            embedding: vec![0.06; EMBEDDING_DIM],
        }],
        line_embedding: vec![0.07; EMBEDDING_DIM],
        line_phrase_embedding: vec![0.04; EMBEDDING_DIM],
        phrase_embedding: vec![0.03; EMBEDDING_DIM],
        pitch: vec![4.5, 0.0, 4.6, 4.7],
    };
    let scales = Scales { keyword: 1.0, cepstra: 2.0, voice: 0.5, takes: 2.0 };
    Profile { created: 1, ..Profile::new(name, phrase, "models", (vec![take; 3], scales)) }
}

/// A store that is not there yet, in a folder that goes away with the test.
fn store() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = Store::new(folder.path().join("deep/store"));
    (folder, store)
}

fn files(store: &Store) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(store.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_loaded_profile_equals_the_saved_one() {
    let (_folder, store) = store();
    assert_eq!(store.names().unwrap(), <[String; 0]>::default());
    for name in ["anna", "Jörg", "a-b_c.2", &"x".repeat(64)] {
        let saved = profile(name, "hello \u{1f33b}\n\"sun\"");
        store.check_free(name, false).unwrap();
        let path = store.save(&saved).unwrap();
        assert_eq!(store.load(name).unwrap(), saved);
        assert!(matches!(store.check_free(name, false), Err(StoreError::Exists(taken)) if taken == name));
        assert!(path.starts_with(store.folder()));
    }
    assert_eq!(store.names().unwrap().len(), 4);
    fs::write(store.folder().join("notes.txt"), "not a profile").unwrap();
    assert_eq!(store.names().unwrap().len(), 4);
}

#[test]
fn names_cannot_leave_the_store() {
    let (folder, store) = store();
    let long = "x".repeat(300);
    let names = [
        "",
        ".",
        "..",
        "../anna",
        "/etc/passwd",
        "a/b",
        "a\\b",
        ".hidden",
        "a b",
        "a\0b",
        "a\nb",
        "\u{7f}",
        "\u{202e}anna",
        "-\t",
        &long,
    ];
    for name in names {
        let bad = |result: Result<(), StoreError>| {
            assert!(matches!(result, Err(StoreError::BadName(bad)) if bad == name), "{name:?}");
        };
        bad(store.save(&profile(name, "x")).map(drop));
        bad(store.load(name).map(drop));
        bad(store.remove(name));
        bad(store.check_free(name, false));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // The message does not pass control characters on to a terminal.
    let message = store.load("a\u{1b}[2Jb").unwrap_err().to_string();
    assert!(!message.contains('\u{1b}'), "{message:?}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn key_of(store: &Store) -> PathBuf {
    store.folder().with_extension("key")
}

#[test]
fn a_store_open_to_others_is_refused() {
    let (_folder, store) = store();
    let path = store.save(&profile("anna", "x")).unwrap();
    let key = key_of(&store);
    for (place, closed) in [(&*path, 0o600), (store.folder(), 0o700), (&*key, 0o600)] {
        assert_eq!(mode(place), closed, "{place:?}");
        for bit in [0o040, 0o020, 0o010, 0o004, 0o002, 0o001] {
            set_mode(place, closed | bit);
            let message = store.load("anna").unwrap_err().to_string();
            assert!(message.contains(&format!("chmod {closed:o} {place:?}")), "{message}");
            if place != path {
                for result in [store.check_free("bert", false), store.save(&profile("bert", "x")).map(drop)] {
                    assert!(matches!(result, Err(StoreError::Open { path, .. }) if path == place));
                }
            }
        }
        set_mode(place, closed);
        store.load("anna").unwrap();
    }
    // What is meant for everybody is open.
    let open = store.clone().for_anybody();
    for (place, mode) in [(&*path, 0o644), (store.folder(), 0o755), (&*key, 0o644)] {
        set_mode(place, mode);
    }
    assert_eq!(open.load("anna").unwrap().phrase, "x");
    // A profile that somebody opened is closed again with the next save.
    set_mode(store.folder(), 0o700);
    set_mode(&key, 0o600);
    store.save(&profile("anna", "y")).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn files_of_another_owner_are_refused() {
    let (_folder, store) = store();
    let path = store.save(&profile("anna", "x")).unwrap();
    let key = key_of(&store);
    let everything = [&*path, store.folder(), &*key];
    for place in everything {
        // Only root can give files away.
        if std::os::unix::fs::chown(place, Some(4242), None).is_err() {
            return;
        }
        let error = store.load("anna").unwrap_err();
        assert!(matches!(&error, StoreError::Owner { path, owner: 4242, .. } if path == place), "{error}");
        assert!(error.to_string().contains("sudo -u '#4242'"));
        std::os::unix::fs::chown(place, Some(rustix::process::geteuid().as_raw()), None).unwrap();
        store.load("anna").unwrap();
    }
}

#[test]
fn links_are_not_followed() {
    let (folder, store) = store();
    let path = store.save(&profile("anna", "x")).unwrap();
    for place in [path, key_of(&store)] {
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&place, &elsewhere).unwrap();
        symlink(&elsewhere, &place).unwrap();
        assert!(matches!(store.load("anna"), Err(StoreError::Link(link)) if link == place));
        fs::rename(&elsewhere, &place).unwrap();
    }
    rustix::fs::mkfifoat(rustix::fs::CWD, store.folder().join("pipe.wakeword"), rustix::fs::Mode::RUSR)
        .unwrap();
    assert!(store.load("pipe").unwrap_err().to_string().contains("not a regular file"));
}

#[test]
fn damaged_and_foreign_files_are_refused() {
    let (_folder, store) = store();
    let path = store.save(&profile("anna", "x")).unwrap();
    let whole = fs::read(&path).unwrap();
    let refused = |bytes: &[u8], reason: &str| {
        fs::write(&path, bytes).unwrap();
        let message = store.load("anna").unwrap_err().to_string();
        assert!(message.contains(reason) && message.contains("anna.wakeword"), "{reason}: {message}");
    };
    refused(b"", "not a profile");
    refused(b"WAKEWORD", "not a profile");
    refused(&[b"RIFF".as_slice(), &whole].concat(), "not a profile");
    refused(&[whole.as_slice(), b"\0"].concat(), "seal");
    for length in 9..46 {
        refused(&whole[..length], "cut short");
    }
    for length in (46..whole.len()).step_by(97) {
        refused(&whole[..length], "seal");
    }
    for bit in 0..8 {
        for place in (17..whole.len()).filter(|place| *place < 80 || place % 89 == 0) {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            // Of the length of the name, what is left may be too short.
            assert!(
                matches!(store.load("anna"), Err(StoreError::Damaged { .. })),
                "bit {bit} of byte {place}"
            );
        }
    }
    for version in [5, 7, 255] {
        let mut other = whole.clone();
        other[8] = version;
        let key = fs::read(key_of(&store)).unwrap();
        fs::remove_file(key_of(&store)).unwrap();
        refused(&other, &format!("another version of wakeword (format {version}, this one reads 6)"));
        fs::write(key_of(&store), key).unwrap();
        set_mode(&key_of(&store), 0o600);
    }

    // The seal is whole, the content is not.
    fn sound(change: impl FnOnce(&mut Profile)) -> bool {
        let mut changed = profile("anna", "x");
        change(&mut changed);
        Profile::decode(&changed.encode().unwrap()).is_ok()
    }
    assert!(sound(|_| {}));
    assert!(!sound(|profile| profile.takes.clear()));
    assert!(!sound(|profile| profile.takes[1].vectors = Frames::from_vec(4, vec![0.0; 8])));
    assert!(!sound(|profile| profile.takes[2].embedding.clear()));
    assert!(Profile::decode(b"").is_err());

    // A file that is far too large is refused unread: it has no blocks on disk.
    fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(store.load("anna").unwrap_err().to_string().contains("too large"));
}

#[test]
fn a_file_is_unreadable_without_its_key() {
    let (_folder, store) = store();
    let path = store.save(&profile("anna", "a phrase of mine")).unwrap();
    let bytes = fs::read(&path).unwrap();
    let found = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(!found(b"a phrase of mine") && !found(&0.1f32.to_le_bytes().repeat(4)));
    // The same content never looks the same.
    store.save(&profile("anna", "a phrase of mine")).unwrap();
    assert_ne!(fs::read(&path).unwrap()[45..], bytes[45..]);
}

#[test]
fn a_missing_or_wrong_key_is_an_error() {
    let (_folder, store) = store();
    let path = store.save(&profile("anna", "x")).unwrap();
    let key = key_of(&store);
    let first = fs::read(&key).unwrap();
    assert_eq!(first.len(), 32);
    store.save(&profile("bert", "x")).unwrap();
    store.voices().check_free("anna", false).unwrap();
    assert_eq!(fs::read(&key).unwrap(), first);

    // Another key, of a store beside it.
    let other = Store::new(store.folder().with_file_name("other"));
    other.save(&profile("anna", "y")).unwrap();
    assert_ne!(fs::read(key_of(&other)).unwrap(), first);
    let foreign = fs::read(other.folder().join("anna.wakeword")).unwrap();
    fs::write(&path, &foreign).unwrap();
    let error = store.load("anna").unwrap_err();
    assert!(matches!(&error, StoreError::OtherKey { key: named, .. } if *named == key), "{error}");

    for length in [0, 31, 33, 4096] {
        fs::write(&key, vec![7; length]).unwrap();
        let found = |error| matches!(error, StoreError::BadKey { found, .. } if found == length as u64);
        assert!(found(store.load("bert").unwrap_err()), "{length}");
        assert!(found(store.save(&profile("carl", "x")).unwrap_err()), "{length}");
    }
    fs::remove_file(&key).unwrap();
    for error in [
        store.load("bert").map(drop),
        store.save(&profile("carl", "x")).map(drop),
        store.check_free("carl", false),
    ] {
        let error = error.unwrap_err();
        assert!(matches!(&error, StoreError::NoKey { key: named, .. } if *named == key), "{error}");
    }
    assert!(!key.exists() && files(&store) == ["anna.wakeword", "bert.wakeword"]);
    fs::write(&key, &first).unwrap();
    set_mode(&key, 0o600);
    assert_eq!(store.load("bert").unwrap().phrase, "x");
}

#[test]
fn a_file_under_another_name_is_refused() {
    let (_folder, store) = store();
    let path = store.save(&profile("anna", "x")).unwrap();
    store.save(&profile("bert", "y")).unwrap();
    fs::copy(&path, store.folder().join("bert.wakeword")).unwrap();
    let error = store.load("bert").unwrap_err();
    assert!(matches!(&error, StoreError::Renamed { name, .. } if name == "anna"), "{error}");
    store.remove("bert").unwrap();
    store.rename("anna", "bert").unwrap();
    assert_eq!(store.load("bert").unwrap().phrase, "x");
}

#[test]
fn a_failed_save_leaves_the_old_file() {
    let (folder, store) = store();
    let saved = profile("anna", "x");
    let path = store.save(&saved).unwrap();
    // A folder where the new profile should go.
    fs::create_dir_all(store.folder().join("bert.wakeword/full")).unwrap();
    assert!(
        matches!(store.save(&profile("bert", "x")), Err(StoreError::Io { path, .. }) if path.ends_with("bert.wakeword"))
    );
    assert_eq!(files(&store), ["anna.wakeword", "bert.wakeword"]);
    assert_eq!(store.load("anna").unwrap(), saved);
    // A file where the folder should be.
    let inside = Store::new(&path);
    assert!(inside.save(&saved).is_err() && inside.names().is_err());
    assert_eq!(store.load("anna").unwrap(), saved);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(folder.path().join("deep")).unwrap().count(), 2);
}

#[test]
fn saving_replaces_a_link_instead_of_its_target() {
    let (folder, store) = store();
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "mine").unwrap();
    store.save(&profile("bert", "x")).unwrap();
    symlink(&elsewhere, store.folder().join("anna.wakeword")).unwrap();
    assert!(matches!(store.check_free("anna", false), Err(StoreError::Exists(_))));
    store.save(&profile("anna", "x")).unwrap();
    assert_eq!(fs::read(&elsewhere).unwrap(), b"mine");
    assert_eq!(store.load("anna").unwrap().phrase, "x");
}

#[test]
fn removing_deletes_exactly_one_profile() {
    let (_folder, store) = store();
    store.save(&profile("anna", "x")).unwrap();
    store.save(&profile("bert", "x")).unwrap();
    store.remove("anna").unwrap();
    assert_eq!(files(&store), ["bert.wakeword"]);
    for result in [store.remove("anna"), store.load("anna").map(drop)] {
        assert!(matches!(result, Err(StoreError::Unknown { name, .. }) if name == "anna"));
    }
}

#[test]
fn an_export_opens_only_unchanged_with_its_passphrase() {
    const WORDS: &str = "five words or even more";
    let profile = profile("anna", "a phrase of mine");
    let bytes = transfer::export(&profile, WORDS).unwrap();
    assert_eq!(transfer::import(&bytes, WORDS).unwrap(), profile);
    assert!(!bytes.windows(8).any(|part| part == b"a phrase"));
    for wrong in ["", "five words or even", "Five words or even more"] {
        assert!(matches!(transfer::import(&bytes, wrong), Err(TransferError::Locked)), "{wrong}");
    }
    for place in [9, 30, 48, 49, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        assert!(matches!(transfer::import(&changed, WORDS), Err(TransferError::Locked)), "{place}");
    }
    assert!(matches!(transfer::import(&bytes[..bytes.len() - 1], WORDS), Err(TransferError::Locked)));
    let (_folder, store) = store();
    let stored = fs::read(store.save(&profile).unwrap()).unwrap();
    for foreign in [&b""[..], &bytes[..48], b"RIFF", &stored] {
        assert!(matches!(transfer::import(foreign, WORDS), Err(TransferError::Foreign)));
    }
    let mut newer = bytes.clone();
    newer[8] += 1;
    assert!(matches!(transfer::import(&newer, WORDS), Err(TransferError::Version(_))));
    assert!(matches!(transfer::export(&profile, "7 signs"), Err(TransferError::Short)));
}
