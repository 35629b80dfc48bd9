//! Model folders: encoders that are not ours, their cohorts, and folders that mean harm.
#![cfg(feature = "onnx")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use assert_cmd::cargo::cargo_bin;
use common::{
    PLAIN, cut, demo_profile, enrol_by, listen, living_room, repository, rows, take_path, takes, write_wav,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use wakeword::engine::Engine;
use wakeword::engine::rule::Rule;
use wakeword::inference::{Geometry, Runtime};
use wakeword::models::Models;
use wakeword::store::Store;

/// A model folder for one test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(TempDir::new().unwrap());
        fs::write(folder.path("manifest.toml"), "").unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Adds a model for `role` to the manifest, with `more` lines.
    fn name(&self, role: &str, file: &str, sha256: &str, more: &str) {
        let entry =
            format!("[[model]]\nrole = \"{role}\"\nfile = \"{file}\"\nsha256 = \"{sha256}\"\n{more}\n");
        let manifest = fs::read_to_string(self.path("manifest.toml")).unwrap();
        fs::write(self.path("manifest.toml"), manifest + &entry).unwrap();
    }

    /// Adds a file for `role`; gives its SHA-256.
    fn add(&self, role: &str, bytes: &[u8]) -> String {
        let file = format!("{role}.onnx");
        fs::write(self.path(&file), bytes).unwrap();
        let sha256 = sha256(bytes);
        self.name(role, &file, &sha256, "");
        sha256
    }

    /// Adds the built-in cohort as that of an encoder.
    fn add_cohort_of(&self, encoder: &str) {
        let cohort = fs::read(repository("models/cohort.bin")).unwrap();
        fs::write(self.path("cohort.bin"), &cohort).unwrap();
        self.name("cohort", "cohort.bin", &sha256(&cohort), &format!("encoder = \"{encoder}\""));
    }

    /// With both encoders of `tests/reference/foreign.py`.
    fn foreign() -> Self {
        let folder = Self::new();
        for (role, file) in [("keyword_encoder", "foreign_keyword"), ("speaker_encoder", "foreign_speaker")] {
            folder.add(role, &fs::read(repository(&format!("tests/reference/{file}.onnx"))).unwrap());
        }
        folder
    }

    /// Makes the cohort, from everything said in the living room but the phrases.
    fn make_cohort(&self) -> Output {
        let speech = self.path("speech");
        fs::create_dir_all(&speech).unwrap();
        let said: Vec<_> = rows().into_iter().filter(|row| row.kind == "speech").collect();
        for first in 0..said.len() {
            let others = (0..said.len()).map(|n| &said[(first + n) % said.len()].seconds);
            let talk: Vec<f32> =
                others.flat_map(|seconds| cut(seconds.start, seconds.end)).copied().collect();
            write_wav(&speech.join(format!("{first}.wav")), &talk, PLAIN);
        }
        wakeword(&["models", "cohort", "--folder", self.text(), "--from", speech.to_str().unwrap()])
    }

    fn text(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn wakeword(arguments: &[&str]) -> Output {
    Command::new(cargo_bin("wakeword")).args(arguments).output().unwrap()
}

#[track_caller]
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn foreign_encoders_enrol_and_detect() {
    let folder = Folder::foreign();
    // A cohort of other vectors would say nothing.
    let refused = Models::load(Some(folder.0.path())).err().unwrap().to_string();
    assert!(refused.contains("belongs to another keyword encoder"), "{refused}");
    assert!(refused.contains("wakeword models cohort --from DIR"), "{refused}");

    let made = folder.make_cohort();
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(text(&made.stdout).contains("cohort.bin"), "{}", text(&made.stdout));
    let models = std::sync::Arc::new(Models::load(Some(folder.0.path())).unwrap());
    assert_eq!(models.keyword.choice.runtime, Runtime::TractOnnx);
    assert_eq!(models.keyword.geometry(), Geometry { bands: 32, frames: 40, dimension: 44 });
    assert_eq!(models.speaker.choice.runtime, Runtime::TractOnnx);
    assert_eq!(models.speaker.geometry(), Geometry { bands: 80, frames: 100, dimension: 36 });

    let profile = enrol_by(&models, "demo", takes());
    let mut engine = Engine::new(models, &[profile], Rule::default());
    let events = listen(&mut engine, living_room());
    let accepted: Vec<_> = events.iter().filter(|event| event.is_detected()).collect();
    let phrases: Vec<_> = rows().into_iter().filter(|row| row.wake).collect();
    let heard = phrases.iter().filter(|row| accepted.iter().any(|one| row.overlaps(one))).count();
    assert_eq!(heard, phrases.len());
    let speech = rows().into_iter().filter(|row| row.kind == "speech" || row.kind == "noise");
    for row in speech {
        assert!(!accepted.iter().any(|one| row.overlaps(one)), "{row:?}");
    }
}

#[test]
fn a_profile_of_other_encoders_asks_to_be_enrolled_again() {
    let folder = Folder::foreign();
    assert!(folder.make_cohort().status.success());
    let store = folder.path("store");
    Store::new(&store).save(demo_profile()).unwrap();
    let config = folder.path("config.toml");
    fs::write(&config, format!("[models]\npath = {:?}\n", folder.text())).unwrap();
    let (config, store) = (config.to_str().unwrap(), store.to_str().unwrap());
    let take = take_path(1);
    let refused = wakeword(&["--config", config, "--store", store, "detect", take.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    let message = text(&refused.stderr);
    assert!(message.contains("\"demo\" was made with other models; enrol it again"), "{message}");
}

#[test]
fn a_cohort_is_made_again_in_place_of_the_old_one() {
    let folder = Folder::foreign();
    for _ in 0..2 {
        assert!(folder.make_cohort().status.success());
    }
    let manifest = fs::read_to_string(folder.path("manifest.toml")).unwrap();
    assert_eq!(manifest.matches("role = \"cohort\"").count(), 1, "{manifest}");
    assert_eq!(manifest.matches("[[model]]").count(), 3, "{manifest}");
    Models::load(Some(folder.0.path())).unwrap();
    // The cohort stays behind when the encoder is another.
    let keyword = fs::read(repository("models/keyword_encoder.onnx")).unwrap();
    let foreign = fs::read(folder.path("keyword_encoder.onnx")).unwrap();
    fs::write(folder.path("keyword_encoder.onnx"), &keyword).unwrap();
    fs::write(folder.path("manifest.toml"), manifest.replacen(&sha256(&foreign), &sha256(&keyword), 1))
        .unwrap();
    let refused = Models::load(Some(folder.0.path())).err().unwrap().to_string();
    assert!(refused.contains("belongs to another keyword encoder"), "{refused}");
}

#[test]
fn too_little_speech_makes_no_cohort() {
    let folder = Folder::foreign();
    let before = fs::read(folder.path("manifest.toml")).unwrap();
    let take = take_path(1);
    let refused =
        wakeword(&["models", "cohort", "--folder", folder.text(), "--from", take.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    let message = text(&refused.stderr);
    assert!(message.contains("a cohort takes 10 or more"), "{message}");
    assert!(!folder.path("cohort.bin").exists());
    assert_eq!(fs::read(folder.path("manifest.toml")).unwrap(), before);
    // There is nothing to make one for.
    let own = repository("models/small");
    let refused =
        wakeword(&["models", "cohort", "--folder", own.to_str().unwrap(), "--from", take.to_str().unwrap()]);
    assert!(text(&refused.stderr).contains("names no keyword encoder"), "{}", text(&refused.stderr));
}

#[test]
fn models_are_listed_with_what_runs_them() {
    let lines = |arguments: &[&str]| {
        let output = wakeword(arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).lines().map(str::to_string).collect::<Vec<_>>()
    };
    let json = |line: &String| serde_json::from_str::<Value>(line).unwrap();
    let built_in: Vec<_> = lines(&["models", "--json"]).iter().map(json).collect();
    let roles: Vec<_> = built_in.iter().map(|one| one["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["keyword_encoder", "speaker_encoder", "cohort"]);
    assert_eq!(built_in[0]["runtime"], "kernels");
    assert_eq!(built_in[0]["geometry"]["dimension"], 96);
    assert_eq!(built_in[1]["licence"], "Apache-2.0");
    assert_eq!(built_in[2]["runtime"], Value::Null);

    let folder = Folder::foreign();
    assert!(folder.make_cohort().status.success());
    let foreign: Vec<_> = lines(&["models", "--folder", folder.text(), "--json"]).iter().map(json).collect();
    assert_eq!(foreign[0]["runtime"], "tract-onnx");
    assert!(foreign[0]["reason"].as_str().unwrap().contains("operation 0 is MatMul"), "{}", foreign[0]);
    assert_eq!(foreign[1]["geometry"]["frames"], 100);
    let table = lines(&["models", "--folder", folder.text()]).join("\n");
    assert!(table.contains("40 frames of 32 bands to 44 values") && table.contains("tract-onnx"), "{table}");
}

/// Fails unless the program refuses `folder`, and says so of `file`, within a second of processor time and 256 MB of
/// address space.
#[track_caller]
fn assert_refused(folder: &Folder, file: &Path, reason: &str) {
    let limits = "ulimit -t 1; ulimit -v 262144; exec timeout 20 \"$0\" models --folder \"$1\"";
    let program = cargo_bin("wakeword");
    let output = Command::new("sh").args(["-c", limits]).arg(program).arg(folder.0.path()).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{reason}: {message}");
    assert!(message.contains(&format!("{file:?}: ")) && message.contains(reason), "{message}");
}

/// A field of a protobuf message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut rest = bytes.len();
    while rest >= 0x80 {
        field.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    field.push(rest as u8);
    field.extend_from_slice(bytes);
    field
}

#[test]
fn what_is_no_regular_file_is_never_read() {
    let fifo = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    for role in ["keyword_encoder", "speaker_encoder", "cohort"] {
        for file in ["/dev/zero", "pipe"] {
            let folder = Folder::new();
            fifo(&folder.path("pipe"));
            folder.name(role, file, "00", "");
            assert_refused(&folder, &folder.path(file), "not a regular file");
        }
    }
    let folder = Folder::new();
    fs::remove_file(folder.path("manifest.toml")).unwrap();
    fifo(&folder.path("manifest.toml"));
    assert_refused(&folder, &folder.path("manifest.toml"), "not a regular file");
}

#[test]
fn a_graph_without_measure_is_refused_at_once() {
    let model = |nodes: &[u8]| [field(7, nodes), field(8, &[0x10, 13])].concat();
    let node = [field(1, b"x"), field(2, b"x"), field(4, b"Relu")].concat();
    let million = model(&field(1, &node).repeat(1_000_000));
    let empty = model(&field(1, b"").repeat(32 << 20)[..(64 << 20) - 16]);
    let values = model(&field(5, b"").repeat(1_000_000));
    let overflow = {
        let dims = [&[0x08][..], &[0xff; 9], &[1]].concat().repeat(3);
        model(&field(5, &[dims, vec![0x10, 1], field(8, b"weight"), field(9, &[0; 64])].concat()))
    };
    for (file, reason) in [
        (&million, "more than 10000 operations"),
        (&empty, "more than 10000 operations"),
        (&values, "more than 250000 names and settings"),
        (&overflow, "constant \"weight\" does not hold as many values as its sizes say"),
        (&vec![0; (64 << 20) + 1], "more than 64 MiB"),
        (&vec![0; 64 << 20], "not an ONNX file"),
    ] {
        for role in ["keyword_encoder", "speaker_encoder"] {
            let folder = Folder::new();
            let sha256 = folder.add(role, file);
            if role == "keyword_encoder" {
                folder.add_cohort_of(&sha256);
            }
            assert_refused(&folder, &folder.path(&format!("{role}.onnx")), reason);
        }
    }
    let folder = Folder::new();
    folder.add("cohort", &vec![0; (8 << 20) + 1]);
    assert_refused(&folder, &folder.path("cohort.onnx"), "more than 8 MiB");
}
