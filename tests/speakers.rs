//! `wakeword speakers` and the AutoSpeech folder `enroll/challenge/autospeech`.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use common::{PLAIN, living_room, repository, rows, take_path, write_wav};
use serde_json::Value;
use tempfile::TempDir;

fn wakeword(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin!("wakeword"));
    command.args(arguments).env_clear().env("WAKEWORD_CONFIG", "/dev/null").current_dir(folder.path());
    command.env("WAKEWORD_STORE", folder.path().join("store")).stdin(Stdio::null());
    command
}

#[track_caller]
fn ended(output: Output, code: i32) -> (String, String) {
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    (out, err)
}

fn json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What `voice` says in the living room, one file a sentence.
fn said(folder: &TempDir, voice: &str) -> Vec<PathBuf> {
    let write = |(number, row): (usize, common::Row)| {
        let path = folder.path().join(format!("{voice}-{number}.wav"));
        write_wav(&path, &living_room()[row.samples()], PLAIN);
        path
    };
    rows().into_iter().filter(|row| row.voice == voice).enumerate().map(write).collect()
}

#[test]
fn speakers_are_told_apart_and_strangers_from_them() {
    let folder = TempDir::new().unwrap();
    let man = said(&folder, "man");
    let demo: Vec<PathBuf> = (1..=5).map(take_path).collect();
    for (name, files) in [("demo", &demo), ("man", &man)] {
        let mut command = wakeword(&folder, &["speakers", "enroll", name, "--from"]);
        ended(command.args(files).output().unwrap(), 0);
    }
    let (out, _) = ended(wakeword(&folder, &["speakers", "list", "--json"]).output().unwrap(), 0);
    assert_eq!(json(&out).iter().map(|line| line["name"].clone()).collect::<Vec<_>>(), ["demo", "man"]);

    for (voice, expected) in [("demo", Some("demo")), ("man", Some("man")), ("woman", None)] {
        let files = said(&folder, voice);
        let mut command = wakeword(&folder, &["speakers", "identify", "--json"]);
        let (out, _) = ended(command.args(&files).output().unwrap(), 0);
        let lines = json(&out);
        assert_eq!(lines.len(), files.len());
        for line in lines {
            assert_eq!(line["speaker"].as_str(), expected, "{line}");
            assert_eq!(line["scores"].as_object().unwrap().len(), 2);
        }
    }

    // A taken name, a name that is a path, and a voice that is not there.
    let mut again = wakeword(&folder, &["speakers", "enroll", "demo", "--from"]);
    let (_, error) = ended(again.arg(take_path(1)).output().unwrap(), 1);
    assert!(error.contains("--replace"), "{error}");
    let mut same = wakeword(&folder, &["speakers", "enroll", "other", "--from"]);
    let (_, error) = ended(same.args([1, 2, 1].map(take_path)).output().unwrap(), 1);
    assert!(error.contains("the same audio"), "{error}");
    let mut path = wakeword(&folder, &["speakers", "enroll", "../demo", "--from"]);
    let (_, error) = ended(path.arg(take_path(1)).output().unwrap(), 1);
    assert!(error.contains("cannot name"), "{error}");
    ended(wakeword(&folder, &["speakers", "remove", "man"]).output().unwrap(), 0);
    let (_, error) = ended(wakeword(&folder, &["speakers", "remove", "man"]).output().unwrap(), 1);
    assert!(error.contains("speakers list"), "{error}");
    // The phrases in the same folder are another matter.
    let (out, _) = ended(wakeword(&folder, &["profiles", "list", "--json"]).output().unwrap(), 0);
    assert_eq!(out, "");
}

fn framed(clips: &[&[f32]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for clip in clips {
        bytes.extend(u32::try_from(clip.len()).unwrap().to_le_bytes());
        clip.iter().for_each(|sample| bytes.extend(sample.to_le_bytes()));
    }
    bytes
}

fn embed_raw(folder: &TempDir, input: &[u8]) -> Output {
    let mut command = wakeword(folder, &["speakers", "embed", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn an_odd_clip_does_not_affect_the_others() {
    let folder = TempDir::new().unwrap();
    let speech = common::takes()[0].clone();
    let mut broken = speech.clone();
    broken[100] = f32::NAN;
    broken[200] = f32::INFINITY;
    let loud: Vec<f32> = speech.iter().map(|sample| sample * 30_000.0).collect();
    let clips: [&[f32]; 6] = [&speech, &[], &broken, &[0.0; 16_000], &speech[16_000..20_800], &loud];
    let (out, _) = ended(embed_raw(&folder, &framed(&clips)), 0);
    let lines = json(&out);
    let vector = |index: usize| -> Option<Vec<f64>> {
        let values = lines[index]["embedding"].as_array()?;
        Some(values.iter().map(|value| value.as_f64().unwrap()).collect())
    };
    let cosine = |a: usize, b: usize| -> f64 {
        vector(a).unwrap().iter().zip(vector(b).unwrap()).map(|(x, y)| x * y).sum()
    };
    assert_eq!(lines.len(), clips.len());
    assert_eq!((vector(1), vector(3)), (None, None), "there is nothing to hear");
    for index in [0, 2, 4, 5] {
        assert_eq!(vector(index).unwrap().len(), 192);
        assert!((cosine(index, index) - 1.0).abs() < 1e-4);
    }
    assert!(cosine(0, 2) > 0.95, "two bad samples made it another voice");
    assert!(cosine(0, 5) > 0.999, "the level made it another voice");

    // A stream that breaks off, or is none, is an error and no embedding.
    let whole = framed(&clips);
    for bad in [&whole[..whole.len() - 1], &whole[..2], b"RIFF....WAVE"] {
        let (out, error) = ended(embed_raw(&folder, bad), 1);
        assert!(out.is_empty() && error.contains("little-endian"), "{error}");
    }
}

#[test]
fn the_vector_of_a_file_depends_on_it_alone() {
    let folder = TempDir::new().unwrap();
    let files = [take_path(1), PathBuf::from("missing.wav"), take_path(2)];
    let mut command = wakeword(&folder, &["speakers", "embed", "--npy", "out.npy"]);
    let (_, error) = ended(command.args(&files).output().unwrap(), 3);
    assert!(error.contains("missing.wav"), "{error}");
    let npy = std::fs::read(folder.path().join("out.npy")).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]));
    assert_eq!((header % 64, npy.len()), (0, header + 3 * 192 * 4));
    assert!(String::from_utf8_lossy(&npy[..header]).contains("(3, 192)"));
    let row = |index: usize| &npy[header + index * 192 * 4..header + (index + 1) * 192 * 4];
    assert!(row(1).iter().all(|byte| *byte == 0));

    // A pipe is written to, never replaced.
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read(pipe).unwrap()
    });
    let mut command = wakeword(&folder, &["speakers", "embed", "--npy", "pipe"]);
    ended(command.args(&files).output().unwrap(), 3);
    assert!(!std::fs::symlink_metadata(&pipe).unwrap().is_file());
    assert_eq!(reader.join().unwrap(), npy);

    let mut alone = wakeword(&folder, &["speakers", "embed", "--npy", "-"]);
    let alone = alone.arg(take_path(2)).output().unwrap().stdout;
    assert_eq!(&alone[alone.len() - 192 * 4..], row(2));
}

const DRIVER: &str = r"
import sys, wave
import numpy as np
sys.path.insert(0, sys.argv[1])
from model import Model

def read(path):
    with wave.open(path) as file:
        return np.frombuffer(file.readframes(file.getnframes()), '<i2').astype('float32') / 32768

clips = [(line.split('\t')[0], read(line.split('\t')[1])) for line in open(sys.argv[2]).read().splitlines()]
people = ['demo', 'man', 'woman']
train, test = clips[::2], clips[1::2]
# One clip in the last class; an empty clip, and one that is no number.
train = [clip for clip in train if clip[0] != 'woman'] + [clip for clip in train if clip[0] == 'woman'][:1]
x = [samples for _, samples in train] + [np.zeros(0, 'float32'), np.full(8000, np.nan, 'float32')]
y = np.eye(3)[[people.index(name) for name, _ in train] + [1, 2]]
model, rounds = Model({'class_num': 3}), 0
while not model.done_training:
    model.train((x, y), remaining_time_budget=100)
    scores = model.test([samples for _, samples in test] + [np.zeros(0, 'float32')], remaining_time_budget=100)
    rounds += 1
    assert scores.shape == (len(test) + 1, 3) and np.isfinite(scores).all()
    right = [people[i] == name for i, (name, _) in zip(scores.argmax(axis=1), test)]
    print(rounds, sum(right), len(right))
";

#[test]
fn the_autospeech_model_always_answers() {
    let folder = TempDir::new().unwrap();
    let mut list = String::new();
    for voice in ["demo", "man", "woman"] {
        said(&folder, voice).iter().for_each(|path| list += &format!("{voice}\t{}\n", path.display()));
    }
    std::fs::write(folder.path().join("clips.tsv"), list).unwrap();
    std::fs::write(folder.path().join("driver.py"), DRIVER).unwrap();
    let model: &Path = &repository("enroll/challenge/autospeech");
    let mut python = Command::new("/usr/bin/python3");
    python.arg("-B").arg("driver.py").arg(model).arg("clips.tsv").current_dir(folder.path());
    python.env("WAKEWORD", cargo_bin!("wakeword")).stdin(Stdio::null());
    let (out, error) = ended(python.output().unwrap(), 0);
    let rounds: Vec<Vec<usize>> =
        out.lines().map(|line| line.split(' ').map(|number| number.parse().unwrap()).collect()).collect();
    assert_eq!(rounds.len(), 2, "{out}{error}");
    for round in rounds {
        assert!(round[1] + 1 >= round[2], "{out}");
    }
}
