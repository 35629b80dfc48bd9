//! SpeechIO's interface: `wakeword sbi build` and the folder that it writes.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use common::{PLAIN, living_room, rows, take_path, write_wav};
use tempfile::TempDir;
use wakeword::audio::read_clip;
use wakeword::batch::sbi::phrases::PhraseList;
use wakeword::enroll::learn_listed;
use wakeword::models::Models;
use wakeword::profile::Profile;

#[track_caller]
fn ended(output: Output, code: i32) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{error}");
    error
}

/// Two takes of the demo's phrase, under a name with a space.
fn takes(folder: &Path) -> PathBuf {
    let takes = folder.join("takes/demo/hello sunflower");
    fs::create_dir_all(&takes).unwrap();
    for take in [1, 2] {
        symlink(take_path(take), takes.join(format!("{take}.wav"))).unwrap();
    }
    folder.join("takes")
}

fn build(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(cargo_bin!("wakeword"));
    command.args(["sbi", "build", "image", "--language", "en"]).args(arguments).env_clear();
    command.env("WAKEWORD_CONFIG", "/dev/null").current_dir(folder).stdin(Stdio::null()).output().unwrap()
}

/// `./SBI` in the image, as somebody without a home and, where the tests may, without rights.
fn sbi(image: &Path, list: &Path, results: &Path) -> Output {
    let root = fs::metadata("/proc/self").unwrap();
    let nobody = std::os::unix::fs::MetadataExt::uid(&root) == 0;
    let mut command = Command::new(if nobody { "setpriv" } else { "./SBI" });
    if nobody {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "./SBI"]);
    }
    command.arg(list).arg(results).env_clear().env("PATH", "/usr/bin:/bin");
    command.current_dir(image).stdin(Stdio::null()).output().unwrap()
}

/// A folder that anybody may use, as the image is used.
fn open_folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

#[test]
fn every_recording_has_a_line_with_its_words() {
    let folder = open_folder();
    let at = |name: &str| folder.path().join(name);
    takes(folder.path());
    ended(build(folder.path(), &["--from", "takes", "--author", "A: \"B\"", "--email", "a@b.c"]), 0);
    for part in ["SBI", "model.yaml", "docker/Dockerfile", "assets/wakeword", "assets/profiles"] {
        assert!(at("image").join(part).exists(), "no {part}");
    }
    let yaml = fs::read_to_string(at("image/model.yaml")).unwrap();
    for line in ["task: ASR", "language: en", "sample_rate: 16000", r#"author: "A: \"B\"""#, "entity: \"\""] {
        assert!(yaml.lines().any(|found| found == line), "no {line} in {yaml}");
    }
    // The folder works wherever it is.
    fs::rename(at("image"), at("elsewhere")).unwrap();

    let mut list = String::from("\u{feff}\r\n");
    let mut expected = String::new();
    for (number, row) in
        rows().iter().filter(|row| !matches!(row.kind, "near-miss" | "other-voice")).enumerate()
    {
        let path = at(&format!("{number}.wav"));
        let said = row.samples();
        write_wav(
            &path,
            &living_room()[said.start - 4800..(said.end + 4800).min(living_room().len())],
            PLAIN,
        );
        list += &format!("utt {number}\t{}\r\n", path.display());
        expected += &format!("utt {number}\t{}\n", if row.wake { "hello sunflower" } else { "" });
    }
    fs::write(at("text.wav"), "not audio").unwrap();
    write_wav(&at("silence.wav"), &[0.0; 16_000], PLAIN);
    list +=
        &format!("utt 0\t/nowhere\nmissing\t/nowhere/a.wav\n\nalone\nspaced {}\n", at("text.wav").display());
    list += &format!("silent\t{}", at("silence.wav").display());
    expected += "missing\t\nalone\t\nspaced\t\nsilent\t\n";
    fs::write(at("wav.scp"), list).unwrap();

    let warnings = ended(sbi(&at("elsewhere"), &at("wav.scp"), &at("results")), 0);
    assert_eq!(fs::read_to_string(at("results/raw_rec.txt")).unwrap(), expected);
    for part in [
        "\"utt 0\" was listed before",
        "holds a space",
        "/nowhere/a.wav",
        "no path after \"alone\"",
        "text.wav",
    ] {
        assert!(warnings.contains(part), "no {part:?} in {warnings}");
    }
    assert!(!warnings.contains("silence.wav"), "{warnings}");
}

#[test]
fn the_image_states_language_and_requirements() {
    let folder = open_folder();
    takes(folder.path());
    ended(build(folder.path(), &["--from", "takes", "--entity", "language: zh"]), 0);
    // The platform takes the last field of every line with this word, quotes and all.
    let yaml = fs::read_to_string(folder.path().join("image/model.yaml")).unwrap();
    let named: Vec<&str> = yaml.lines().filter(|line| line.contains("language")).collect();
    assert_eq!(named, ["language: en"], "{yaml}");
    let dockerfile = fs::read_to_string(folder.path().join("image/docker/Dockerfile")).unwrap();
    assert!(dockerfile.split_whitespace().any(|word| word == "python3"), "{dockerfile}");

    let mut command = Command::new(cargo_bin!("wakeword"));
    let command = command.args(["sbi", "build", "other", "--from", "takes", "--language", "english"]);
    let error = ended(command.env_clear().current_dir(folder.path()).output().unwrap(), 2);
    assert!(error.contains("two small letters"), "{error}");
}

#[test]
fn an_unwritable_result_is_an_error() {
    let folder = open_folder();
    let at = |name: &str| folder.path().join(name);
    takes(folder.path());
    ended(build(folder.path(), &["--from", "takes"]), 0);
    fs::write(at("wav.scp"), "").unwrap();
    fs::write(at("file"), "in the way").unwrap();
    for (list, results) in [("wav.scp", "file"), ("wav.scp", "file/results"), ("no.scp", "results")] {
        let error = ended(sbi(&at("image"), &at(list), &at(results)), 1);
        assert!(error.contains("file") || error.contains("no.scp"), "{error}");
    }
    assert!(!at("results/raw_rec.txt").exists());
    // Nor is what is there overwritten.
    let error = ended(build(folder.path(), &["--from", "takes"]), 1);
    assert!(error.contains("not empty"), "{error}");
}

#[test]
fn unusable_takes_make_no_image() {
    let folder = open_folder();
    let takes = takes(folder.path());
    fs::remove_file(takes.join("demo/hello sunflower/2.wav")).unwrap();
    let error = ended(build(folder.path(), &["--from", "takes"]), 1);
    assert!(error.contains("hello sunflower") && error.contains("2 are needed"), "{error}");
    fs::remove_dir_all(takes.join("demo")).unwrap();
    let error = ended(build(folder.path(), &["--from", "takes"]), 1);
    assert!(error.contains("SPEAKER/PHRASE"), "{error}");
    assert!(!folder.path().join("image").exists());
}

#[test]
fn recordings_are_measured_by_their_own_voice() {
    let models = Models::load(None).unwrap();
    let [first, second, asked] = [1, 2, 3].map(|take| read_clip(&take_path(take)).unwrap().samples);
    let learned = learn_listed(&models, &[&first, &second]).unwrap();
    let profile = Profile::new("1", "hello sunflower", &models.fingerprint, learned);
    let score = |other: &Profile| {
        let profiles = [profile.clone(), other.clone()];
        let found = PhraseList::new(&models, &profiles).best(&asked).unwrap();
        assert_eq!(found.text, "hello sunflower");
        found.score
    };
    // Somebody else's takes that agree far better say nothing of this voice, but more takes of it do.
    let mut other = profile.clone();
    for take in &mut other.takes {
        take.vectors.iter_mut().for_each(|vector| vector.iter_mut().for_each(|x| *x = -*x));
    }
    other.phrase = "another phrase".into();
    (other.scales.keyword, other.scales.cepstra) = (3.0, 3.0);
    let same_voice = score(&other);
    other.takes.iter_mut().for_each(|take| take.embedding.iter_mut().for_each(|x| *x = -*x));
    let other_voice = score(&other);
    assert!(other_voice > 0.9 && same_voice < 0.6, "{other_voice} and {same_voice}");
}
