//! The program as its users meet it: bad input, exit codes, what is printed and what is left behind.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../common/mod.rs"]
mod common;
mod outside;
mod profiles;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::slice::from_ref;

use assert_cmd::cargo::cargo_bin;
use common::{
    Format, PHRASE, PLAIN, cut, demo_profile, living_room, noise, repository, seconds, take_path, takes,
    true_phrase, write_wav,
};
use serde_json::Value;
use tempfile::TempDir;
use wakeword::store::Store;

/// A folder for one test, with a store in it.
struct Place(TempDir);

impl Place {
    /// Without a store.
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// With the demo voice enrolled.
    fn enrolled() -> Self {
        let place = Self::new();
        Store::new(place.store()).save(demo_profile()).unwrap();
        place
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    fn store(&self) -> PathBuf {
        self.path("store")
    }

    fn file(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn wav(&self, name: impl AsRef<Path>, samples: &[f32]) -> PathBuf {
        let path = self.file(name, b"");
        write_wav(&path, samples, PLAIN);
        path
    }

    /// The five takes in a folder of their own.
    fn takes(&self, folder: &str) -> PathBuf {
        for number in 1..=5 {
            self.file(format!("{folder}/{number}.wav"), fs::read(take_path(number)).unwrap());
        }
        self.path(folder)
    }

    /// The program, away from the settings of whoever runs the tests.
    fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(cargo_bin!("wakeword"));
        command.args(arguments).stdin(Stdio::null()).env_clear().env("WAKEWORD_STORE", self.store());
        command.env("WAKEWORD_CONFIG", "/dev/null").env("HOME", self.0.path()).current_dir(self.0.path());
        command
    }

    fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        Ran(self.command(arguments).output().unwrap())
    }

    /// `detect --json` on `files`.
    fn detect<S: AsRef<OsStr>>(&self, files: impl IntoIterator<Item = S>) -> Ran {
        Ran(self.command(["detect", "--json"]).args(files).output().unwrap())
    }

    /// `enroll demo` from `places`.
    fn enroll<S: AsRef<OsStr>>(&self, places: impl IntoIterator<Item = S>) -> Ran {
        let arguments = ["enroll", "demo", "--json", "--phrase", PHRASE, "--from"];
        Ran(self.command(arguments).args(places).output().unwrap())
    }

    /// What is in the folder `name`.
    fn names(&self, name: &str) -> Vec<OsString> {
        let mut names: Vec<_> =
            fs::read_dir(self.path(name)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }
}

/// How a run ended.
struct Ran(Output);

impl Ran {
    fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    #[track_caller]
    fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.0.status.code(), Some(code), "{}{}", self.stdout(), self.stderr());
        self
    }

    /// One line on stderr with all `parts`, and nothing on stdout.
    #[track_caller]
    fn fails_saying(self, parts: &[&str]) {
        let ran = self.ends_with(1);
        let text = ran.stderr();
        assert!(ran.stdout().is_empty(), "{}", ran.stdout());
        assert!(text.starts_with("wakeword: ") && !text.contains("panicked"), "{text}");
        parts.iter().for_each(|part| assert!(text.contains(part), "no {part:?} in {text}"));
    }

    #[track_caller]
    fn json(&self) -> Vec<Value> {
        self.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The files in which a phrase was detected, once for every time.
    #[track_caller]
    fn woken(&self) -> Vec<String> {
        let detected = |line: &&Value| line["event"] == "detected";
        let file = |line: &Value| line["file"].as_str().unwrap().to_owned();
        self.json().iter().filter(detected).map(file).collect()
    }
}

/// A true phrase with half a second around it.
fn phrase() -> &'static [f32] {
    let said = true_phrase().samples();
    &living_room()[said.start - 8000..said.end + 8000]
}

fn names_of(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.to_string_lossy().into_owned()).collect()
}

#[test]
fn no_rate_depth_or_channel_count_is_refused_or_misheard() {
    let place = Place::enrolled();
    let with = |change: fn(&mut Format, u32), values: &[u32]| {
        let formats = values.iter().map(|value| {
            let mut format = PLAIN;
            change(&mut format, *value);
            format
        });
        formats.collect::<Vec<_>>()
    };
    let rates = [16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000];
    let mut formats = with(|format, rate| format.rate = rate, &rates);
    formats.extend(with(|format, channels| format.channels = channels as u16, &[2, 3, 4, 5, 6, 7, 8]));
    formats.extend(with(|format, bits| format.bits = bits as u16, &[8, 24, 32]));
    formats.push(Format { bits: 32, float: true, ..PLAIN });
    formats.push(Format { rate: 48_000, channels: 2, bits: 24, ..PLAIN });
    formats.push(Format { rate: 192_000, channels: 8, bits: 32, float: true });
    let loud: Vec<f32> = phrase().iter().map(|sample| sample * 4.0).collect();
    let write = |format: &Format| {
        let name = format!("{}-{}-{}-{}.wav", format.rate, format.channels, format.bits, format.float);
        let path = place.path(name);
        write_wav(&path, if format.bits == 8 { &loud } else { phrase() }, *format);
        path
    };
    let paths: Vec<_> = formats.iter().map(write).collect();
    let ran = place.detect(&paths).ends_with(0);
    assert_eq!((ran.woken(), ran.stderr()), (names_of(&paths), String::new()));

    // Half of the sound is missing at telephone rates: the phrase may be refused, the file may not.
    let telephone = with(|format, rate| format.rate = rate, &[8_000, 11_025]);
    let mut table = place.command(["detect", "16000-1-16-false.wav"]);
    let ran = Ran(table.args(telephone.iter().map(write)).output().unwrap()).ends_with(0);
    assert_eq!(ran.stderr(), "");
    for part in ["16000-1-16-false.wav", "8000-1-16-false.wav", "detected", "demo"] {
        assert!(ran.stdout().contains(part), "no {part:?} in {}", ran.stdout());
    }
}

#[test]
fn events_have_documented_fields_and_their_own_digits() {
    let place = Place::enrolled();
    write_wav(&place.path("phrase.wav"), phrase(), PLAIN);
    let ran = place.detect(&[place.path("phrase.wav")]).ends_with(0);
    assert!(ran.stdout().contains("\"threshold\":1.56"), "{}", ran.stdout());
    let mut events = ran.json();
    assert_eq!(events.pop().map(|end| end["event"].clone()), Some("end".into()));
    let kinds: Vec<&Value> = events.iter().map(|event| &event["event"]).collect();
    assert!(kinds.starts_with(&[&"candidate".into()]) && kinds.ends_with(&[&"detected".into()]), "{kinds:?}");
    let documented = fs::read_to_string(repository("docs/events.md")).unwrap();
    for name in events.iter().flat_map(|event| event.as_object().unwrap().keys()) {
        assert!(documented.contains(&format!("`{name}`")), "docs/events.md does not explain {name}");
    }
}

/// A WAV file with a chunk of metadata before the samples of `path`.
fn with_list_chunk(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    let chunk =
        [&b"LIST"[..], &26u32.to_le_bytes(), b"INFOISFT", &14u32.to_le_bytes(), b"Lavf59.27.100\0"].concat();
    bytes.splice(36..36, chunk);
    let size = bytes.len() as u32 - 8;
    bytes[4..8].copy_from_slice(&size.to_le_bytes());
    bytes
}

#[test]
fn unusual_names_and_headers_hide_no_phrase() {
    let place = Place::enrolled();
    let plain = place.wav("plain.wav", phrase());
    let whole = fs::read(&plain).unwrap();
    let mut paths = vec![place.file("list.wav", with_list_chunk(&plain))];
    for name in
        [&b"my take (2).wav"[..], b"caf\xe9 \xff.wav", b"two\nlines.wav", b"no ending", b"-", b"wav.flac"]
    {
        paths.push(place.file(OsString::from_vec(name.to_vec()), &whole));
    }
    paths.push(place.path("link.wav"));
    symlink(&plain, &paths[paths.len() - 1]).unwrap();
    paths.push(PathBuf::from("relative.wav"));
    place.file("relative.wav", &whole);
    let ran = place.detect(&paths).ends_with(0);
    assert_eq!((ran.woken(), ran.stderr()), (names_of(&paths), String::new()));
}

/// Files that cannot be used, each with the words that say why.
fn bad_files(place: &Place) -> Vec<(PathBuf, &'static str)> {
    let whole = fs::read(place.wav("whole.wav", phrase())).unwrap();
    let not_finite = place.path("nan.wav");
    let mut samples = phrase().to_vec();
    samples[100] = f32::NAN;
    write_wav(&not_finite, &samples, Format { bits: 32, float: true, ..PLAIN });
    let mut too_slow = whole.clone();
    too_slow[24..28].copy_from_slice(&4000u32.to_le_bytes());
    let mut crowded = whole.clone();
    crowded[22] = 9;
    let dangling = place.path("dangling.wav");
    symlink("/nowhere/at/all.wav", &dangling).unwrap();
    fs::create_dir(place.path("folder.wav")).unwrap();
    let flac = fs::read(repository("enroll/demo/living-room.flac")).unwrap();
    vec![
        (place.file("text.wav", "Dear diary, today I recorded nothing."), "neither WAV nor FLAC"),
        (place.file("photo.flac", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "neither WAV nor FLAC"),
        (place.file("empty.wav", b""), "holds no audio"),
        (place.wav("no samples.wav", &[]), "holds no audio"),
        (place.file("header.wav", &whole[..30]), "unusable header"),
        (place.file("cut.wav", &whole[..4000]), "cut short"),
        (place.file("cut.flac", &flac[..150_000]), "cut short"),
        (place.file("slow.wav", too_slow), "4000 Hz"),
        (place.file("crowd.wav", crowded), "9 channels"),
        (not_finite, "not a finite number"),
        (dangling, "no such file"),
        (place.path("absent.wav"), "no such file"),
        (place.path("folder.wav"), "is a directory"),
        (PathBuf::from("/dev/null"), "not a file"),
    ]
}

#[test]
fn a_bad_recording_is_named_and_the_others_are_heard() {
    let place = Place::enrolled();
    let bad = bad_files(&place);
    let good = [place.wav("first.wav", phrase()), place.wav("last.wav", phrase())];
    let paths =
        [&good[..1], &bad.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), &good[1..]].concat();
    let ran = place.detect(&paths).ends_with(3);
    let text = ran.stderr();
    assert_eq!(text.lines().count(), bad.len(), "{text}");
    for ((path, reason), line) in bad.iter().zip(text.lines()) {
        assert!(line.contains(path.to_str().unwrap()) && line.contains(reason), "{path:?}, {reason}: {line}");
    }
    // What was heard before a file broke off still counts.
    let heard = names_of(&[good[0].clone(), place.path("cut.flac"), good[1].clone()]);
    assert_eq!(ran.woken(), heard);
}

#[test]
fn short_silent_and_clipped_recordings_are_no_errors() {
    let place = Place::enrolled();
    let square = |n: usize| if n % 100 < 50 { 1.0 } else { -1.0 };
    let said = true_phrase().samples();
    let quiet = [
        place.wav("0.19 s.wav", &living_room()[said.start..said.start + seconds(0.19)]),
        place.wav("one sample.wav", &[0.5]),
        place.wav("silence.wav", &vec![0.0; 48_000]),
        place.wav("square.wav", &(0..48_000).map(square).collect::<Vec<_>>()),
        place.wav("hiss.wav", &noise(1, 48_000)),
    ];
    let clipped: Vec<f32> = phrase().iter().map(|sample| (sample * 100.0).clamp(-1.0, 1.0)).collect();
    let clipped = place.wav("clipped.wav", &clipped);
    let ran = Ran(place.command(["detect"]).args(&quiet).arg(&clipped).output().unwrap()).ends_with(0);
    let (text, errors) = (ran.stdout(), ran.stderr());
    for path in &quiet {
        let line = format!("{}: nothing like an enrolled phrase\n", path.display());
        assert!(text.contains(&line), "no {line:?} in {text}");
    }
    assert!(text.contains("clipped.wav") && errors.is_empty(), "{text}{errors}");
}

#[test]
fn an_unwritable_output_is_an_error() {
    let place = Place::enrolled();
    let recording = place.wav("phrase.wav", phrase());
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let runs: [&[&str]; 3] = [&["detect"], &["profiles", "list"], &["profiles", "show", "demo", "--json"]];
    for arguments in runs {
        let mut command = place.command(arguments);
        if arguments[0] == "detect" {
            command.arg(&recording);
        }
        let ran = Ran(command.stdout(full()).output().unwrap()).ends_with(1);
        assert!(ran.stderr().contains("No space left"), "{arguments:?}: {}", ran.stderr());
    }
    // `wakeword ... | head` is none.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ran = Ran(place.command(["profiles", "list"]).stdout(writer).output().unwrap()).ends_with(0);
    assert_eq!(ran.stderr(), "");
}

#[test]
fn enrolment_ignores_foreign_files_and_accepts_other_formats() {
    let place = Place::new();
    let folder = place.path(OsStr::from_bytes(b"my takes \xe9"));
    fs::create_dir_all(folder.join("old.wav")).unwrap();
    for name in ["labels.txt", "cover.jpg", ".hidden.wav", "Thumbs.db", "wav"] {
        fs::write(folder.join(name), b"no recording").unwrap();
    }
    let formats = [
        Format { bits: 24, ..PLAIN },
        Format { rate: 48_000, channels: 2, ..PLAIN },
        Format { bits: 32, float: true, ..PLAIN },
        Format { rate: 44_100, ..PLAIN },
        PLAIN,
    ];
    for (number, (take, format)) in takes().iter().zip(formats).enumerate() {
        write_wav(&folder.join(format!("{number}.WAV")), take, format);
    }
    let ran = place.enroll([folder]).ends_with(0);
    assert_eq!(ran.stderr(), "");
    let told = &ran.json()[5];
    assert_eq!((&told["name"], &told["phrase"], &told["takes"]), (&"demo".into(), &PHRASE.into(), &5.into()));
    // Nothing but the profile is there, for its owner alone.
    assert_eq!(place.names("store"), ["demo.wakeword"]);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(place.store()), mode(place.store().join("demo.wakeword"))), (0o700, 0o600));
    assert_eq!(place.detect([place.wav("phrase.wav", phrase())]).woken().len(), 1);
}

#[test]
fn unusable_takes_leave_no_profile() {
    let place = Place::new();
    let takes: Vec<PathBuf> = (1..=5).map(take_path).collect();
    let with = |path: &Path| [&takes[..4], &[path.into()]].concat();
    let (empty, few) = (place.path("empty"), place.path("few"));
    fs::create_dir(&empty).unwrap();
    place.file("few/1.wav", fs::read(&takes[0]).unwrap());
    place.file("few/2.wav", fs::read(&takes[1]).unwrap());
    let copy = place.file("copy.wav", fs::read(&takes[0]).unwrap());
    let link = place.path("link.wav");
    symlink(&takes[1], &link).unwrap();

    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let refused = |places: &[PathBuf], parts: &[&str]| {
        place.enroll(places).fails_saying(parts);
        assert!(!place.store().exists(), "{places:?} left something behind");
    };
    refused(from_ref(&empty), &["0 recordings", &text(&empty), "at least 3"]);
    refused(from_ref(&few), &["2 recordings", &text(&few), "at least 3"]);
    refused(&[place.path("nowhere")], &[&text(&place.path("nowhere")), "no such file"]);
    refused(&vec![takes[0].clone(); 5], &[&text(&takes[0]), "same audio"]);
    refused(&with(&copy), &[&text(&takes[0]), "copy.wav", "same audio"]);
    refused(&with(&link), &[&text(&takes[1]), "link.wav", "same audio"]);
    for (path, reason) in bad_files(&place) {
        // A folder is looked into.
        if !path.is_dir() {
            refused(&with(&path), &[&text(&path), reason]);
        }
    }
    // In a folder too: whatever is named like a recording counts as one.
    let folder = place.takes("folder");
    symlink("/nowhere/at/all.wav", folder.join("6.wav")).unwrap();
    refused(&[folder], &["6.wav", "no such file"]);
    let silence = place.wav("silence.wav", &vec![0.0; 32_000]);
    let other = place.wav("other.wav", cut(45.6, 48.4));
    let places = [&takes[..3], &[silence, other]].concat();
    let ran = place.run(
        ["enroll", "demo", "--phrase", PHRASE, "--from"]
            .iter()
            .map(OsStr::new)
            .chain(places.iter().map(|path| path.as_os_str())),
    );
    ran.fails_saying(&[
        "silence.wav\": no speech",
        "other.wav\": other words",
        "2 of 5 takes",
        "nothing was saved",
    ]);
    assert!(!place.store().exists());
}

#[test]
fn an_empty_store_is_reported() {
    let place = Place::new();
    let recording = place.wav("phrase.wav", phrase());
    place.detect([&recording]).fails_saying(&["no profiles in", "wakeword enroll"]);
    place.run(["profiles", "show", "nobody"]).fails_saying(&["nobody", "profiles list"]);
    let ran = place.run(["profiles", "list"]).ends_with(0);
    assert!(ran.stdout().is_empty() && ran.stderr().contains("wakeword enroll"), "{}", ran.stderr());
    assert_eq!(place.run(["profiles", "list", "--json"]).ends_with(0).stdout(), "");
    assert!(!place.store().exists());
}

#[test]
fn wrong_usage_has_its_own_exit_status() {
    let place = Place::new();
    let runs: [&[&str]; 11] = [
        &[],
        &["detect"],
        &["enroll"],
        &["enroll", "demo", "--from", "takes"],
        &["enroll", "demo", "--phrase", "x", "--from"],
        &["enroll", "demo", "--phrase", " ", "--from", "takes"],
        &["enroll", "demo", "--phrase", "a\u{1b}[2Jb", "--from", "takes"],
        &["enroll", "demo", "--phrase", "x", "--device", "y", "--from", "takes"],
        &["profiles"],
        &["detect", "--jsno", "x.wav"],
        &["nonsense"],
    ];
    for arguments in runs {
        let ran = place.run(arguments).ends_with(2);
        assert!(
            ran.stdout().is_empty() && ran.stderr().contains("--help"),
            "{arguments:?}: {}",
            ran.stderr()
        );
    }
}

#[test]
fn a_wrong_configuration_is_refused() {
    let place = Place::enrolled();
    let detect = |config: &Path| {
        let mut command = place.command(["detect", "x.wav", "--config"]);
        Ran(command.arg(config).output().unwrap())
    };
    let unknown = place.file("unknown.toml", "[detection]\nthreshold_db = 1.0\n");
    detect(&unknown).fails_saying(&["unknown.toml", "line 2", "threshold_db"]);
    detect(&place.path("absent.toml")).fails_saying(&["absent.toml", "No such file"]);
    let empty = place.path("models");
    fs::create_dir(&empty).unwrap();
    let models = place.file("models.toml", format!("[models]\npath = {:?}\n", empty.to_str().unwrap()));
    detect(&models).fails_saying(&["models/manifest.toml", "No such file"]);
    // The configured threshold is the one in force.
    let deaf = place.file("deaf.toml", "[detection]\nthreshold = 5\n");
    let recording = place.wav("phrase.wav", phrase());
    let mut command = place.command(["detect", "--json", "--config"]);
    let ran = Ran(command.arg(deaf).arg(recording).output().unwrap()).ends_with(0);
    assert_eq!(ran.woken(), <[String; 0]>::default());
    assert!(ran.json().iter().any(|line| line["event"] == "rejected" && line["threshold"] == 5.0));
}

#[test]
fn a_dangling_link_is_a_refused_file_of_a_batch() {
    let place = Place::new();
    place.takes("dataset/P/enroll");
    place.wav("dataset/P/test/a.wav", phrase());
    place.wav("dataset/P/test/c.wav", cut(15.5, 17.3));
    symlink("/nowhere/at/all.wav", place.path("dataset/P/test/b.wav")).unwrap();
    let ran = place.run(["batch", "autokws", "dataset", "--out", "out", "--json"]).ends_with(3);
    assert!(ran.stderr().contains("b.wav"), "{}", ran.stderr());
    assert_eq!(ran.json()[0]["speakers"][0]["files"], 3);
    let lines = fs::read_to_string(place.path("out/P_predictions.txt")).unwrap();
    assert_eq!(lines, "a.wav\t1\nb.wav\t0\nc.wav\t0\n");
}

/// The names below "Commands:" of a help text.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| line.starts_with("  ")).filter(|line| !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).map(String::from).collect()
}

#[test]
fn no_help_lacks_an_example() {
    let place = Place::new();
    let mut waiting = vec![Vec::<String>::new()];
    let mut seen = 0;
    while let Some(command) = waiting.pop() {
        let help = place.run(command.iter().map(String::as_str).chain(["--help"])).ends_with(0).stdout();
        let example = command.iter().fold(String::from("  wakeword"), |line, word| line + " " + word);
        assert!(help.contains("Example") && help.contains(&example), "{command:?}:\n{help}");
        seen += 1;
        for name in commands(&help).into_iter().filter(|name| name != "help") {
            waiting.push([&command[..], &[name]].concat());
        }
    }
    assert!(seen >= 10, "only {seen} commands found");
}

#[test]
fn commands_that_need_no_home_run_without_one() {
    let place = Place::new();
    let bare = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        Ran(command.env_clear().output().unwrap())
    };
    assert!(bare(&["completions", "bash"]).ends_with(0).stdout().contains("wakeword"));
    assert!(bare(&["--version"]).ends_with(0).stdout().starts_with("wakeword "));
}
