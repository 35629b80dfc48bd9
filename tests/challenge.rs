//! The Auto-KWS 2021 contract: `wakeword batch autokws` and the submission folder `enroll/challenge`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use common::{PLAIN, Row, repository, rows, write_wav};
use serde_json::Value;
use tempfile::TempDir;
use wakeword::features::SAMPLE_RATE;

/// Silence kept around a cut-out, in seconds.
const MARGIN: f32 = 0.3;

fn cut(row: &Row) -> &'static [f32] {
    common::cut(row.seconds.start - MARGIN, row.seconds.end + MARGIN)
}

/// Makes `folder` with the five takes of the demo voice.
fn write_takes(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for take in 1..=5 {
        let name = format!("{take}.wav");
        fs::copy(repository("enroll/demo/enroll").join(&name), folder.join(name)).unwrap();
    }
}

/// Makes `folder` with one file for each row that `wanted` wants; gives name and truth, sorted by name.
fn write_tests(folder: &Path, wanted: impl Fn(&Row) -> bool) -> Vec<(String, bool)> {
    fs::create_dir_all(folder).unwrap();
    let mut written = Vec::new();
    for row in rows().iter().filter(|row| wanted(row)) {
        let name = format!("{}-{:04.1}.wav", row.kind, row.seconds.start);
        write_wav(&folder.join(&name), cut(row), PLAIN);
        written.push((name, row.wake));
    }
    written.sort();
    written
}

fn lines(predictions: &[(String, bool)]) -> String {
    predictions.iter().map(|(name, wake)| format!("{name}\t{}\n", u8::from(*wake))).collect()
}

/// Runs `command` away from the settings of whoever runs the tests.
fn run(command: &mut Command) -> Output {
    command.env("WAKEWORD_CONFIG", "/dev/null").stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The way of the program: every speaker at once.
fn batch(dataset: &Path, out: &Path) -> Output {
    run(Command::new(cargo_bin!("wakeword")).args(["batch", "autokws"]).arg(dataset).arg("--out").arg(out))
}

/// The way of the challenge: three scripts, called from anywhere.
struct Submission {
    code: TempDir,
}

impl Submission {
    /// The folder as it is submitted, with the program beside the scripts.
    fn new() -> Self {
        let submission = Self::without_program();
        symlink(cargo_bin!("wakeword"), submission.code.path().join("wakeword")).unwrap();
        submission
    }

    fn without_program() -> Self {
        let code = TempDir::new().unwrap();
        for script in ["initialize.sh", "enrollment.sh", "predict.sh"] {
            fs::copy(repository("enroll/challenge").join(script), code.path().join(script)).unwrap();
        }
        Self { code }
    }

    fn command(&self, script: &str, arguments: &[&Path]) -> Command {
        let mut command = Command::new("/bin/bash");
        command.arg(self.code.path().join(script)).args(arguments).current_dir("/");
        command
    }

    fn enroll(&self, enroll: &Path, work: &Path) -> Output {
        run(&mut self.command("enrollment.sh", &[enroll, work]))
    }

    fn predict(&self, test: &Path, work: &Path, predictions: &Path) -> Output {
        run(&mut self.command("predict.sh", &[test, work, predictions]))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn phrases(row: &Row) -> bool {
    matches!(row.kind, "phrase" | "other-voice")
}

#[test]
fn scripts_and_batch_write_the_same_bytes_in_any_layout() {
    let folder = TempDir::new().unwrap();
    let dataset = folder.path().join("dataset");
    // The layout of the kit, and that of the challenge's page.
    write_takes(&dataset.join("P0001/enroll"));
    // Near misses cut out of their surroundings may go either way; the demo judges them in place.
    let truth = write_tests(&dataset.join("P0001/test"), |row| row.kind != "near-miss");
    write_takes(&dataset.join("P0002/enrollment"));
    let few = write_tests(&dataset.join("P0002/test"), phrases);
    // The training layout: takes beyond the fifth are tested first, then all others.
    write_takes(&dataset.join("T001/keywords"));
    let mut training = write_tests(&dataset.join("T001/keywords"), |row| row.wake);
    training.extend(write_tests(&dataset.join("T001/others"), |row| row.kind == "other-voice"));
    fs::write(dataset.join("README"), "no speaker").unwrap();

    let out = folder.path().join("predictions");
    let output = batch(&dataset, &out);
    assert!(output.status.success(), "{}", stderr(&output));
    let files = ["P0001_predictions.txt", "P0002_predictions.txt", "T001_predictions.txt"];
    assert_eq!(names(&out), files);
    let read = |file: &str| fs::read_to_string(out.join(file)).unwrap();
    assert_eq!(read(files[0]), lines(&truth));
    assert_eq!(read(files[1]), lines(&few));
    assert_eq!(read(files[2]), lines(&training));

    // The same speakers through the scripts, which know one folder of tests.
    let tests = folder.path().join("T001-test");
    fs::create_dir(&tests).unwrap();
    let takes = folder.path().join("T001-enroll");
    write_takes(&takes);
    for (name, wake) in &training {
        let part = if *wake { "keywords" } else { "others" };
        fs::copy(dataset.join("T001").join(part).join(name), tests.join(name)).unwrap();
    }
    let submission = Submission::new();
    let theirs = folder.path().join("theirs");
    for (file, enroll, test) in [
        (files[0], dataset.join("P0001/enroll"), dataset.join("P0001/test")),
        (files[1], dataset.join("P0002/enrollment"), dataset.join("P0002/test")),
        (files[2], takes, tests),
    ] {
        let (work, predictions) = (folder.path().join("deep/work").join(file), theirs.join(file));
        for output in [submission.enroll(&enroll, &work), submission.predict(&test, &work, &predictions)] {
            assert!(output.status.success(), "{}", stderr(&output));
            assert_eq!(stderr(&output), "");
            assert!(output.stdout.is_empty());
        }
        let mut expected: Vec<_> = read(file).lines().map(String::from).collect();
        expected.sort();
        assert_eq!(fs::read_to_string(&predictions).unwrap(), expected.join("\n") + "\n");
    }
    assert_eq!(names(&theirs), files, "the scorer reads every file there");
    // A scorer may run as somebody else.
    let mode = fs::metadata(theirs.join(files[0])).unwrap().permissions().mode();
    assert_ne!(mode & 0o044, 0, "only its owner can read the predictions");
}

#[test]
fn merged_shards_equal_one_run() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("solution")).unwrap();
    for (number, kind) in ["phrase", "other-voice", "near-miss", "phrase", "speech"].iter().enumerate() {
        let speaker = format!("P{number}");
        write_takes(&at("dataset").join(&speaker).join("enroll"));
        let truth = write_tests(&at("dataset").join(&speaker).join("test"), |row| row.kind == *kind);
        // A wrong label, so that there is an error to count.
        let labels: Vec<_> =
            truth.into_iter().map(|(name, wake)| (name, wake || *kind == "speech")).collect();
        fs::write(at("solution").join(format!("{speaker}_test_labels.txt")), lines(&labels)).unwrap();
    }
    let json = |out: &str, arguments: &[&str]| -> Value {
        let mut command = Command::new(cargo_bin!("wakeword"));
        command.args(["batch", "autokws", "dataset", "--solution", "solution", "--json", "--out", out]);
        let output = run(command.args(arguments).current_dir(folder.path()));
        assert!(output.status.success(), "{}", stderr(&output));
        let name = arguments.last().map_or("all".into(), |shard| shard.replace('/', "-"));
        fs::write(at(&format!("{name}.json")), &output.stdout).unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let merge = |results: &[&str]| {
        let mut command = Command::new(cargo_bin!("wakeword"));
        run(command.args(["batch", "merge", "--json"]).args(results).current_dir(folder.path()))
    };
    // What no run has in common with the next.
    let timeless = |mut result: Value| {
        let forget = |part: &mut Value| {
            for time in ["enroll_s", "predict_s", "real_time_factor", "wall_s", "threads", "peak_memory_mb"] {
                part.as_object_mut().unwrap().remove(time);
            }
        };
        forget(&mut result);
        result["speakers"].as_array_mut().unwrap().iter_mut().for_each(forget);
        result
    };
    let whole = json("whole", &[]);
    assert!(whole["score"]["miss_rate"].as_f64().unwrap() > 0.0, "{whole}");
    for shard in ["3/3", "1/3", "2/3"] {
        let part = json("shared", &["--shard", shard]);
        assert_eq!(part["shard"], shard);
    }
    let files = ["3-3.json", "1-3.json", "2-3.json"];
    let output = merge(&files);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(timeless(serde_json::from_slice(&output.stdout).unwrap()), timeless(whole));
    assert_eq!(names(&at("shared")), names(&at("whole")));
    for name in names(&at("whole")) {
        assert_eq!(fs::read(at("shared").join(&name)).unwrap(), fs::read(at("whole").join(&name)).unwrap());
    }

    fs::write(at("table.json"), "speaker files").unwrap();
    for (results, reason) in [
        (&files[..2], "shard 2/3 is missing"),
        (&[files[0], files[0]], "there twice"),
        (&[files[0], "all.json"], "not of one run"),
        (&["table.json"], "table.json"),
        (&["none.json"], "none.json"),
    ] {
        let output = merge(results);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains(reason), "{}", stderr(&output));
    }
}

#[test]
fn contradicting_labels_are_refused_and_byte_order_marks_are_not() {
    let folder = TempDir::new().unwrap();
    let dataset = folder.path().join("dataset");
    write_takes(&dataset.join("P/enroll"));
    let truth = write_tests(&dataset.join("P/test"), phrases);
    let solution = folder.path().join("solution");
    fs::create_dir(&solution).unwrap();
    let score = |labels: String| {
        fs::write(solution.join("P_test_labels.txt"), labels).unwrap();
        let arguments = ["batch", "autokws", "dataset", "--out", "out", "--solution", "solution"];
        run(Command::new(cargo_bin!("wakeword")).args(arguments).current_dir(folder.path()))
    };
    let output = score(format!("\u{feff}{}{}", lines(&truth), lines(&truth[..1])));
    assert!(output.status.success(), "{}", stderr(&output));
    let output = score(lines(&truth) + &lines(&[(truth[0].0.clone(), !truth[0].1)]));
    assert_eq!(output.status.code(), Some(1));
    let place = format!("P_test_labels.txt\":{}: ", truth.len() + 1);
    assert!(stderr(&output).contains(&place) && stderr(&output).contains("the other label"), "{output:?}");
}

/// Files that no recorder writes, with what the warning has to name. All but those in `KEPT_OUT` get a line.
fn write_bad_tests(folder: &Path) {
    let phrase = cut(&rows()[1]);
    write_wav(&folder.join("a-good.wav"), phrase, PLAIN);
    fs::write(folder.join("b-corrupt.wav"), b"this is no recording at all").unwrap();
    fs::write(folder.join("c-empty.wav"), b"").unwrap();
    write_wav(&folder.join("d-no-samples.wav"), &[], PLAIN);
    write_wav(&folder.join("e-0.19s.wav"), &phrase[..SAMPLE_RATE * 19 / 100], PLAIN);
    write_wav(&folder.join("f-silence.wav"), &vec![0.0; SAMPLE_RATE], PLAIN);
    let whole = fs::read(folder.join("a-good.wav")).unwrap();
    fs::write(folder.join("g-header-cut.wav"), &whole[..30]).unwrap();
    fs::write(folder.join("h-photo.wav"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    write_wav(&folder.join("i-good.wav"), phrase, PLAIN);
    for name in KEPT_OUT {
        fs::write(folder.join(name), b"not a test file").unwrap();
    }
}

const KEPT_OUT: [&str; 3] = ["labels.txt", "cover.jpg", ".hidden.wav"];
const BAD_LINES: &str = "\
    a-good.wav\t1\nb-corrupt.wav\t0\nc-empty.wav\t0\nd-no-samples.wav\t0\ne-0.19s.wav\t0\n\
    f-silence.wav\t0\ng-header-cut.wav\t0\nh-photo.wav\t0\ni-good.wav\t1\n";
const BAD: [&str; 5] =
    ["b-corrupt.wav", "c-empty.wav", "d-no-samples.wav", "g-header-cut.wav", "h-photo.wav"];

#[test]
fn a_bad_test_file_is_refused_and_named() {
    let folder = TempDir::new().unwrap();
    let (dataset, out) = (folder.path().join("dataset"), folder.path().join("predictions"));
    let (enroll, test) = (dataset.join("P0001/enroll"), dataset.join("P0001/test"));
    write_takes(&enroll);
    fs::create_dir_all(&test).unwrap();
    write_bad_tests(&test);

    let output = batch(&dataset, &out);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(out.join("P0001_predictions.txt")).unwrap(), BAD_LINES);
    assert_eq!(names(&out), ["P0001_predictions.txt"]);
    let warnings = stderr(&output);
    assert_eq!(warnings.lines().count(), BAD.len(), "{warnings}");

    let submission = Submission::new();
    let (work, predictions) = (folder.path().join("work"), folder.path().join("theirs/p.txt"));
    assert!(submission.enroll(&enroll, &work).status.success());
    let output = submission.predict(&test, &work, &predictions);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&predictions).unwrap(), BAD_LINES);
    assert_eq!(names(&folder.path().join("theirs")), ["p.txt"]);
    let diagnostics = fs::read_to_string(work.join("predict.log")).unwrap();
    for text in [warnings, stderr(&output), diagnostics] {
        for name in BAD {
            assert!(text.contains(name), "no word about {name}: {text}");
        }
        assert!(!text.contains("good.wav"), "{text}");
    }
}

#[test]
fn a_bad_enrolment_recording_does_not_stop_a_run() {
    let folder = TempDir::new().unwrap();
    let (enroll, test) = (folder.path().join("P/enroll"), folder.path().join("P/test"));
    write_takes(&enroll);
    fs::write(enroll.join("3.wav"), b"damaged").unwrap();
    write_wav(&enroll.join("4.wav"), &vec![0.0; SAMPLE_RATE], PLAIN);
    let truth = write_tests(&test, phrases);
    let submission = Submission::new();
    let (work, predictions) = (folder.path().join("work"), folder.path().join("out/P_predictions.txt"));

    let output = submission.enroll(&enroll, &work);
    assert!(output.status.success(), "{}", stderr(&output));
    for name in ["3.wav", "4.wav"] {
        assert!(stderr(&output).contains(name), "no word about {name}: {}", stderr(&output));
    }
    assert!(submission.predict(&test, &work, &predictions).status.success());
    assert_eq!(fs::read_to_string(&predictions).unwrap(), lines(&truth));
    assert_eq!(batch(folder.path(), &folder.path().join("ours")).status.code(), Some(3));
    assert_eq!(
        fs::read(folder.path().join("ours/P_predictions.txt")).unwrap(),
        fs::read(predictions).unwrap()
    );
}

#[test]
fn a_broken_enrolment_removes_the_earlier_speaker() {
    let folder = TempDir::new().unwrap();
    let (enroll, test) = (folder.path().join("enroll"), folder.path().join("test"));
    write_takes(&enroll);
    let truth = write_tests(&test, |row| row.wake);
    let none: Vec<_> = truth.iter().map(|(name, _)| (name.clone(), false)).collect();
    let submission = Submission::new();
    let (work, predictions) = (folder.path().join("work"), folder.path().join("out/p.txt"));
    let decide = || {
        let output = submission.predict(&test, &work, &predictions);
        assert!(output.status.success(), "{}", stderr(&output));
        (fs::read_to_string(&predictions).unwrap(), stderr(&output))
    };

    let broken = folder.path().join("broken");
    fs::create_dir(&broken).unwrap();
    fs::write(broken.join("1.wav"), b"damaged").unwrap();
    let missing = folder.path().join("missing");
    for (folder, status) in [(&broken, 0), (&missing, 1)] {
        assert!(submission.enroll(&enroll, &work).status.success());
        assert_eq!(decide().0, lines(&truth));
        let output = submission.enroll(folder, &work);
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
        assert!(stderr(&output).contains(folder.to_str().unwrap()), "{}", stderr(&output));
        let (predicted, warning) = decide();
        assert_eq!(predicted, lines(&none), "a stale profile decided");
        assert!(warning.contains("nothing will be accepted"), "{warning}");
    }
    // A damaged profile decides nothing either.
    assert!(submission.enroll(&enroll, &work).status.success());
    let profile = work.join("profiles/speaker.wakeword");
    let whole = fs::read(&profile).unwrap();
    fs::write(&profile, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(decide().0, lines(&none));
}

#[test]
fn an_unwritable_output_is_an_error() {
    let folder = TempDir::new().unwrap();
    let dataset = folder.path().join("dataset");
    let (enroll, test) = (dataset.join("P/enroll"), dataset.join("P/test"));
    write_takes(&enroll);
    write_tests(&test, |row| row.kind == "near-miss");
    // A file where a folder should be keeps even root from writing.
    let file = folder.path().join("file");
    fs::write(&file, b"in the way").unwrap();
    let submission = Submission::new();
    let work = folder.path().join("work");
    assert!(submission.enroll(&enroll, &work).status.success());
    for output in [
        batch(&dataset, &file),
        submission.predict(&test, &work, &file.join("p.txt")),
        submission.enroll(&enroll, &file),
    ] {
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains(file.to_str().unwrap()), "{}", stderr(&output));
    }
    assert_eq!(fs::read(&file).unwrap(), b"in the way");
    // A folder where the file should be: no half-written file may stay beside it.
    let out = folder.path().join("out");
    fs::create_dir_all(out.join("P_predictions.txt/in the way")).unwrap();
    for output in [batch(&dataset, &out), submission.predict(&test, &work, &out.join("P_predictions.txt"))] {
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("P_predictions.txt"), "{}", stderr(&output));
        assert_eq!(names(&out), ["P_predictions.txt"]);
    }
}

#[test]
fn scripts_accept_spaces_and_relative_paths() {
    let folder = TempDir::new().unwrap();
    let here = folder.path().join("a folder");
    write_takes(&here.join("data set/P 1/enroll"));
    let truth = write_tests(&here.join("data set/P 1/test"), phrases);
    let mut command = Command::new(cargo_bin!("wakeword"));
    let command = command.args(["batch", "autokws", "data set", "--out", "pre dictions"]).current_dir(&here);
    let output = run(command);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(here.join("pre dictions/P 1_predictions.txt")).unwrap(), lines(&truth));

    // The scripts too take arguments relative to the caller's folder, not to their own.
    let submission = Submission::new();
    let speaker = Path::new("data set/P 1");
    let (enroll, test) = (speaker.join("enroll"), speaker.join("test"));
    let (work, predictions) = (Path::new("-work"), Path::new("theirs.txt"));
    for (script, arguments) in
        [("enrollment.sh", vec![&*enroll, work]), ("predict.sh", vec![&*test, work, predictions])]
    {
        let output = run(submission.command(script, &arguments).current_dir(&here));
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert_eq!(fs::read_to_string(here.join("theirs.txt")).unwrap(), lines(&truth));
}

#[test]
fn initialize_fails_without_a_program() {
    let submission = Submission::without_program();
    let code = submission.code.path();
    // A link left from elsewhere must not count.
    symlink("/nowhere/wakeword", code.join("wakeword")).unwrap();
    let output = run(submission.command("initialize.sh", &[]).env("PATH", "/usr/bin:/bin"));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("no wakeword program"), "{}", stderr(&output));

    let installed = code.join("bin");
    fs::create_dir(&installed).unwrap();
    symlink(cargo_bin!("wakeword"), installed.join("wakeword")).unwrap();
    let path = format!("{}:/usr/bin:/bin", installed.display());
    for _ in 0..2 {
        let output = run(submission.command("initialize.sh", &[]).env("PATH", &path));
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(
            fs::canonicalize(code.join("wakeword")).unwrap(),
            fs::canonicalize(cargo_bin!("wakeword")).unwrap()
        );
    }
}

#[test]
fn a_killed_script_ends_the_program() {
    let folder = TempDir::new().unwrap();
    let (test, work) = (folder.path().join("test"), folder.path().join("work"));
    write_tests(&test, |_| true);
    let submission = Submission::new();
    let mut script = submission.command("predict.sh", &[&test, &work, &folder.path().join("p.txt")]);
    let mut script = script.stderr(Stdio::null()).spawn().unwrap();
    // A kill ends one process: the program has to be the very process that the script was.
    let exe = PathBuf::from(format!("/proc/{}/exe", script.id()));
    let started = Instant::now();
    let program = fs::canonicalize(cargo_bin!("wakeword")).unwrap();
    while fs::read_link(&exe).ok().as_ref() != Some(&program) {
        assert!(started.elapsed() < Duration::from_secs(10), "the script does not become the program");
        assert!(script.try_wait().unwrap().is_none(), "the script ended before it could be looked at");
        std::thread::sleep(Duration::from_millis(2));
    }
    script.kill().unwrap();
    script.wait().unwrap();
}
