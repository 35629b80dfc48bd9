use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;
use crate::features::{Frames, mfcc};
use crate::inference::{EMBEDDING_DIM, VECTOR_DIM};
use crate::profile::{Scales, Take};

fn profile(name: &str, phrase: &str) -> Profile {
    let take = Take {
        seconds: 1.0,
        vectors: Frames::from_vec(VECTOR_DIM, vec![0.5; 3 * VECTOR_DIM]),
        cepstra: Frames::from_vec(mfcc::DIM, vec![0.25; 4 * mfcc::DIM]),
        embedding: vec![0.1; EMBEDDING_DIM],
        noisy_cepstra: Frames::from_vec(mfcc::DIM, vec![0.5; 4 * mfcc::DIM]),
        noisy_embedding: vec![0.2; EMBEDDING_DIM],
    };
    let scales = Scales { keyword: 1.0, cepstra: 2.0, voice: 3.0 };
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
fn what_was_saved_is_never_read_otherwise() {
    let (_folder, store) = store();
    assert_eq!(store.names().unwrap(), <[String; 0]>::default());
    for name in ["anna", "Jörg", "a-b_c.2", &"x".repeat(64)] {
        let saved = profile(name, "hello \u{1f33b}\n\"sun\"");
        store.check_free(name).unwrap();
        let path = store.save(&saved).unwrap();
        assert_eq!(store.load(name).unwrap(), saved);
        assert!(matches!(store.check_free(name), Err(StoreError::Exists(taken)) if taken == name));
        assert!(path.starts_with(store.folder()));
    }
    assert_eq!(store.names().unwrap().len(), 4);
    fs::write(store.folder().join("notes.txt"), "not a profile").unwrap();
    assert_eq!(store.names().unwrap().len(), 4);
}

#[test]
fn a_name_never_leads_out_of_the_store() {
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
        bad(store.check_free(name));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // The message does not pass control characters on to a terminal.
    let message = store.load("a\u{1b}[2Jb").unwrap_err().to_string();
    assert!(!message.contains('\u{1b}'), "{message:?}");
}

#[test]
fn a_profile_is_never_readable_for_others() {
    let (_folder, store) = store();
    let path = store.save(&profile("anna", "x")).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(store.folder())), (0o600, 0o700));
    // A profile that somebody opened is closed again with the next save.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    store.save(&profile("anna", "y")).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_damaged_or_foreign_file_is_never_taken_for_a_profile() {
    let (_folder, store) = store();
    let path = store.save(&profile("anna", "x")).unwrap();
    let whole = fs::read(&path).unwrap();
    let refused = |bytes: &[u8], reason: &str| {
        fs::write(&path, bytes).unwrap();
        let error = store.load("anna").unwrap_err();
        let message = error.to_string();
        assert!(matches!(&error, StoreError::Damaged { path: named, .. } if *named == path), "{message}");
        assert!(message.contains(reason) && message.contains("anna.wakeword"), "{reason}: {message}");
    };
    refused(b"", "not a profile");
    refused(b"WAKEWORD", "not a profile");
    refused(&[b"RIFF".as_slice(), &whole].concat(), "not a profile");
    refused(&[whole.as_slice(), b"\0"].concat(), "checksum");
    for length in (41..whole.len()).step_by(97) {
        refused(&whole[..length], "checksum");
    }
    for place in (9..whole.len()).step_by(89) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x10;
        refused(&bytes, "checksum");
    }
    let mut newer = whole.clone();
    newer[8] += 1;
    refused(&newer, "version 3");

    // The checksum is right, the content is not.
    let sealed = |profile: &Profile| format::encode(profile).unwrap();
    let mut empty = profile("anna", "x");
    empty.takes.clear();
    refused(&sealed(&empty), "shapes");
    let mut narrow = profile("anna", "x");
    narrow.takes[1].vectors = Frames::from_vec(4, vec![0.0; 8]);
    refused(&sealed(&narrow), "shapes");
    let mut voiceless = profile("anna", "x");
    voiceless.takes[2].embedding.clear();
    refused(&sealed(&voiceless), "shapes");

    // A file that is far too large is refused unread: it has no blocks on disk.
    fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(store.load("anna").unwrap_err().to_string().contains("too large"));
}

#[test]
fn a_failed_save_never_harms_what_is_there() {
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
    assert!(matches!(inside.save(&saved), Err(StoreError::Io { path: named, .. }) if named == path));
    assert!(matches!(inside.names(), Err(StoreError::Io { .. })));
    assert_eq!(store.load("anna").unwrap(), saved);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_save_never_follows_a_link_to_another_file() {
    let (folder, store) = store();
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "mine").unwrap();
    fs::create_dir_all(store.folder()).unwrap();
    symlink(&elsewhere, store.folder().join("anna.wakeword")).unwrap();
    assert!(matches!(store.check_free("anna"), Err(StoreError::Exists(_))));
    store.save(&profile("anna", "x")).unwrap();
    assert_eq!(fs::read(&elsewhere).unwrap(), b"mine");
    assert_eq!(store.load("anna").unwrap().phrase, "x");
}

#[test]
fn removing_never_leaves_anything_or_takes_too_much() {
    let (_folder, store) = store();
    store.save(&profile("anna", "x")).unwrap();
    store.save(&profile("bert", "x")).unwrap();
    store.remove("anna").unwrap();
    assert_eq!(files(&store), ["bert.wakeword"]);
    for result in [store.remove("anna"), store.load("anna").map(drop)] {
        assert!(matches!(result, Err(StoreError::Unknown { name, .. }) if name == "anna"));
    }
}
