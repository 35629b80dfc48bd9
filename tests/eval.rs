//! `wakeword eval` on the demo, which is a dataset in its layout.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use common::repository;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with the demo as `sets/demo`.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("sets")).unwrap();
    symlink(repository("enroll/demo"), folder.path().join("sets/demo")).unwrap();
    folder
}

fn eval(folder: &Path, arguments: &[&str]) -> Ended {
    eval_in(folder, "sets/demo", arguments)
}

fn eval_in(folder: &Path, dataset: &str, arguments: &[&str]) -> Ended {
    let dataset = ["eval", "--dataset", dataset, "--takes", "enroll"];
    run(folder, &[&dataset[..], arguments].concat())
}

/// Exit status, standard output and standard error.
type Ended = (Option<i32>, String, String);

/// Runs the program in `folder`.
fn run(folder: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(cargo_bin!("wakeword"));
    command.args(arguments).env_clear().env("WAKEWORD_CONFIG", "/dev/null");
    let output = command.stdin(Stdio::null()).current_dir(folder).output().unwrap();
    let [out, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), out, error)
}

#[test]
fn verdicts_are_the_same_whole_streamed_and_in_chunks() {
    let folder = folder();
    for (chunk, stride) in [("5", "1"), ("4.37", "1.21"), ("20", "3")] {
        let (code, out, error) = eval(
            folder.path(),
            &["--split", "living-room", "--chunk-length-s", chunk, "--stride-length-s", stride],
        );
        assert_eq!(code, Some(0), "{out}{error}");
        let result: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&result["chunked"], &result["ways_agree"]), (&true.into(), &true.into()));
    }
}

#[test]
fn result_files_have_the_form_their_readers_expect() {
    let folder = folder();
    let (code, out, error) = eval(folder.path(), &["--split", "living-room", "--log-outputs"]);
    assert_eq!(code, Some(0), "{error}");
    let result: Value = serde_json::from_str(&out).unwrap();
    for (field, value) in [("wer", 0.0), ("cer", 0.0), ("miss_rate", 0.0), ("false_accepts_per_hour", 0.0)] {
        assert_eq!(result[field].as_f64(), Some(value), "{out}");
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("sets_demo_enroll_living-room_eval_results.txt"), "WER: 0.0\nCER: 0.0");
    let expected: String = common::rows()
        .iter()
        .enumerate()
        .map(|(index, row)| format!("{index}\n{}\n", if row.wake { "hello_sunflower" } else { "none" }))
        .collect();
    assert_eq!(read("log_sets_demo_enroll_living-room_targets.txt"), expected);
    assert_eq!(read("log_sets_demo_enroll_living-room_predictions.txt"), expected);
}

#[test]
fn every_wrong_decision_is_counted() {
    let folder = folder();
    let set = folder.path().join("sets/demo2");
    fs::create_dir_all(set.join("two")).unwrap();
    symlink(repository("enroll/demo/enroll"), set.join("enroll")).unwrap();
    symlink(repository("enroll/demo/living-room.flac"), set.join("two/room.flac")).unwrap();
    // Of five phrases one is forgotten, and one that nobody says is claimed.
    let table = fs::read_to_string(repository("enroll/demo/living-room.tsv")).unwrap();
    let mut lines: Vec<&str> = table.lines().collect();
    let forgotten = lines.iter().position(|line| line.ends_with("\tphrase")).unwrap();
    lines.remove(forgotten);
    lines.push("3.00\t4.00\tdemo\thello sunflower\taccept\tphrase");
    fs::write(set.join("two/room.tsv"), lines.join("\r\n")).unwrap();
    let (code, out, error) = eval(folder.path(), &["--dataset", "sets/demo2", "--split", "two"]);
    assert_eq!(code, Some(2), "an option given twice: {out}{error}");

    let (code, out, error) = eval_in(folder.path(), "sets/demo2/", &["--split", "two", "--log-outputs"]);
    assert_eq!(code, Some(0), "{error}");
    let result: Value = serde_json::from_str(&out).unwrap();
    let decisions = lines.len() as f64; // less the header, and one acceptance more
    assert_eq!(result["wer"].as_f64(), Some(2.0 / decisions), "{result}");
    assert_eq!(result["miss_rate"].as_f64(), Some(0.2), "{result}");
    assert_eq!(result["false_accepts"].as_u64(), Some(1), "{result}");
    let said = fs::read_to_string(folder.path().join("log_sets_demo2_enroll_two_predictions.txt")).unwrap();
    assert!(said.ends_with(&format!("{}\nhello_sunflower\n", lines.len() - 1)), "{said}");
}

#[test]
fn chunks_that_would_lose_phrases_are_refused() {
    let folder = folder();
    for (chunk, stride, reason) in
        [("1", "1", "do not hold the phrase"), ("3", "1", "use at least"), ("5", "0.1", "too short")]
    {
        let arguments = ["--split", "living-room", "--chunk-length-s", chunk, "--stride-length-s", stride];
        let (code, _, error) = eval(folder.path(), &arguments);
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains(reason), "{error}");
    }
    for (split, reason) in [("kitchen", "kitchen.tsv"), ("enroll", "holds no table")] {
        let (code, _, error) = eval(folder.path(), &["--split", split]);
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains(reason), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "results of nothing were written");
}

#[test]
fn config_names_the_takes_where_takes_are_not_named() {
    let folder = folder();
    let run = |option| {
        run(folder.path(), &["eval", "--dataset", "sets/demo", option, "enroll", "--split", "living-room"])
    };
    let [old, new] = ["--config", "--takes"].map(run);
    assert_eq!((new.0, old.0), (Some(0), Some(0)), "{}{}", new.2, old.2);
    let decisions = |(_, out, _): &Ended| serde_json::from_str::<Value>(out).unwrap()["decisions"].clone();
    assert_eq!(decisions(&old), decisions(&new));
    let (code, _, error) =
        self::run(folder.path(), &["eval", "--dataset", "sets/demo", "--split", "living-room"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("--takes"), "{error}");
}

/// A dataset of one task in `folder`: the demo voice, with clips out of the living room, and the table of them.
fn trials(folder: &Path) -> Vec<String> {
    let task = folder.join("tasks/demo");
    fs::create_dir_all(task.join("test")).unwrap();
    symlink(repository("enroll/demo/enroll"), task.join("enroll")).unwrap();
    let mut lines = vec!["task\towner\tkind\tname".to_owned()];
    let clips = common::rows().into_iter().filter(|row| row.kind != "noise");
    for (number, row) in clips.enumerate() {
        let name = format!("{number}.wav");
        let samples = common::cut(row.seconds.start - 0.4, row.seconds.end + 0.4);
        common::write_wav(&task.join("test").join(&name), samples, common::PLAIN);
        let kind = match (row.wake, row.voice) {
            (true, _) => "pos",
            (false, "demo") => "same_speaker",
            _ => "other",
        };
        lines.push(format!("demo\tanna\t{kind}\t{name}"));
    }
    fs::create_dir(folder.join("noise")).unwrap();
    common::write_wav(&folder.join("noise/hiss.wav"), &common::noise(1, 48_000), common::PLAIN);
    fs::write(folder.join("table.tsv"), lines.join("\n")).unwrap();
    lines
}

fn eval_trials(folder: &Path, arguments: &[&str]) -> Ended {
    run(folder, &[&["eval", "trials", "tasks", "--table", "table.tsv"], arguments].concat())
}

#[test]
fn error_rates_do_not_depend_on_the_number_of_threads() {
    let folder = TempDir::new().unwrap();
    let lines = trials(folder.path());
    let run = |jobs: &str| {
        let mut arguments = vec!["--noise", "noise", "--snr", "10", "--reverb", "0.3", "--noisy-rooms"];
        arguments.extend(["--json", "--jobs", jobs, "--scores", "scores.csv", "--report", "report.html"]);
        let (code, out, error) = eval_trials(folder.path(), &arguments);
        assert_eq!(code, Some(0), "{error}");
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        (out, read("scores.csv"), read("report.html"))
    };
    let (out, scores, report) = run("1");
    assert_eq!(run("4"), (out.clone(), scores.clone(), report));
    let result: Value = serde_json::from_str(&out).unwrap();
    let conditions = result["conditions"].as_array().unwrap();
    let names: Vec<&str> = conditions.iter().map(|one| one["condition"].as_str().unwrap()).collect();
    assert_eq!(names, ["clean", "10 dB", "room 0.3 s", "room 0.3 s, 10 dB"]);
    for condition in conditions {
        assert_eq!(condition["rates"]["trials"], lines.len() - 1);
        // With one task the rates over tasks are those over clips.
        let here = &condition["det"]["all"]["operating_point"];
        for rate in ["miss_rate", "false_alarm_rate"] {
            let difference =
                here[rate].as_f64().unwrap() - condition["rates"][rate]["value"].as_f64().unwrap();
            assert!(difference.abs() < 1e-9, "{rate}: {condition}");
        }
        assert_eq!(here["threshold"].as_f64().map(|threshold| threshold as f32), Some(1.56));
        assert!(
            condition["det"]["by_kind"]["same_speaker"]["points"][0]["miss_rate"].is_number(),
            "{condition}"
        );
    }
    assert_eq!((&result["partial"], &result["finished_tasks"]), (&false.into(), &1.into()), "{out}");
    let clean = &result["conditions"][0]["rates"];
    // Cut out of its surroundings, a near miss may pass; no true phrase may be missed for it.
    let missed = &clean["miss_rate"]["value"];
    let lengths = clean["by_length"].as_array().unwrap();
    assert_eq!(
        (lengths.len(), &lengths[0]["tasks"], &lengths[0]["miss_rate"]),
        (1, &1.into(), missed),
        "{out}"
    );
    assert_eq!((missed, &clean["equal_error_rate"]), (&0.0.into(), &0.0.into()), "{out}");
    let heard = |condition: &str| scores.lines().filter(|line| line.starts_with(condition)).count();
    assert!(heard("clean,demo,anna,") >= lines.len() - 1 && heard("10 dB,demo,anna,") >= lines.len() - 1);
}

#[test]
fn the_voice_gate_costs_no_phrase() {
    let folder = TempDir::new().unwrap();
    trials(folder.path());
    let miss_rates = |gate: &str| {
        let arguments = ["--json", "--noise", "noise", "--snr", "10", "--voice-gate", gate];
        let (code, out, error) = eval_trials(folder.path(), &arguments);
        assert_eq!(code, Some(0), "{error}");
        let result: Value = serde_json::from_str(&out).unwrap();
        let conditions = result["conditions"].as_array().unwrap();
        let rate = |one: &Value| one["rates"]["miss_rate"]["value"].as_f64().unwrap();
        conditions.iter().map(rate).collect::<Vec<_>>()
    };
    assert_eq!(miss_rates("0.3"), miss_rates("0"));
    // Shut, it lets nothing through.
    assert_eq!(miss_rates("1"), [1.0, 1.0]);
    let (code, _, error) = eval_trials(folder.path(), &["--voice-gate", "30"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("0 to 1"), "{error}");
}

#[test]
fn the_threshold_does_not_change_scores() {
    let folder = TempDir::new().unwrap();
    trials(folder.path());
    let evidence = |threshold: &str| {
        fs::write(folder.path().join("own.toml"), format!("[detection]\nthreshold = {threshold}\n")).unwrap();
        let (code, _, error) =
            eval_trials(folder.path(), &["--config", "own.toml", "--scores", "scores.csv"]);
        assert_eq!(code, Some(0), "{error}");
        let scores = fs::read_to_string(folder.path().join("scores.csv")).unwrap();
        let rows: Vec<Vec<&str>> = scores.lines().map(|line| line.split(',').collect()).collect();
        let column = |name| rows[0].iter().position(|title| *title == name).unwrap();
        let columns = ["clip", "start", "end", "keyword_score", "cepstral_score"].map(column);
        let accepted = rows.iter().filter(|row| row[column("accepted")] == "1").count();
        let evidence: Vec<_> = rows.iter().map(|row| columns.map(|column| row[column].to_owned())).collect();
        (accepted, evidence)
    };
    let ((all, low), (none, high)) = (evidence("0.3"), evidence("5.0"));
    assert!(all > 0 && none == 0);
    assert_eq!(low, high);
}

/// Runs the program until a line on stderr has `sign`, sends `signal` and says how it ended.
fn interrupt(folder: &Path, arguments: &[&str], sign: &str, signal: Signal) -> (Option<i32>, Value, String) {
    let mut command = Command::new(cargo_bin!("wakeword"));
    command.args(arguments).args(["--jobs", "1", "--json"]).env_clear().env("WAKEWORD_CONFIG", "/dev/null");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.current_dir(folder).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains(sign)), "it ended before {sign}");
    common::daemon::signal(child.id(), signal);
    let error: String = lines.collect();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap(), error)
}

#[test]
fn an_interrupted_task_does_not_count() {
    let folder = TempDir::new().unwrap();
    let lines = trials(folder.path());
    let mut table = lines.clone();
    for name in ["later", "never"] {
        fs::create_dir_all(folder.path().join("tasks").join(name)).unwrap();
        for part in ["enroll", "test"] {
            symlink(
                folder.path().join("tasks/demo").join(part),
                folder.path().join("tasks").join(name).join(part),
            )
            .unwrap();
        }
        table.extend(lines[1..].iter().map(|line| line.replacen("demo", name, 1)));
    }
    // Its own clips, of which the first cannot be read: that it is named says that the task has begun.
    let test = folder.path().join("tasks/later/test");
    fs::remove_file(&test).unwrap();
    fs::create_dir(&test).unwrap();
    for clip in fs::read_dir(folder.path().join("tasks/demo/test")).unwrap().map(Result::unwrap) {
        symlink(clip.path(), test.join(clip.file_name())).unwrap();
    }
    fs::remove_file(test.join("0.wav")).unwrap();
    fs::write(test.join("0.wav"), "no audio").unwrap();
    fs::write(folder.path().join("table.tsv"), table.join("\n")).unwrap();

    let arguments = ["eval", "trials", "tasks", "--table", "table.tsv", "--reverb", "0.3,0.4,0.5"];
    let files = ["--scores", "scores.csv", "--report", "report.html"];
    let (code, result, error) =
        interrupt(folder.path(), &[&arguments[..], &files].concat(), "0.wav", Signal::INT);
    assert_eq!(code, Some(130), "{error}");
    assert!(error.contains("1 of 3 tasks"), "{error}");
    assert_eq!((&result["partial"], &result["finished_tasks"]), (&true.into(), &1.into()), "{result}");
    for condition in result["conditions"].as_array().unwrap() {
        assert_eq!(condition["rates"]["trials"], lines.len() - 1);
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("scores.csv").lines().skip(1).all(|line| line.contains(",demo,anna,")));
    assert!(read("report.html").contains("Partial: the run was ended after 1 of 3 tasks"));
}

#[test]
fn a_report_escapes_names_and_needs_no_other_file() {
    let folder = TempDir::new().unwrap();
    let lines = trials(folder.path());
    let test = folder.path().join("tasks/demo/test");
    fs::rename(test.join("0.wav"), test.join("<b>&.wav")).unwrap();
    // What is accepted there counts as a false alarm, so that it is listed.
    let table = lines.join("\n").replace("pos\t", "<i>\t").replace("\t0.wav", "\t<b>&.wav");
    fs::write(folder.path().join("table.tsv"), table + "\n").unwrap();
    let (code, _, error) = eval_trials(folder.path(), &["--report", "new/report.html"]);
    assert_eq!(code, Some(0), "{error}");
    let report = fs::read_to_string(folder.path().join("new/report.html")).unwrap();
    assert!(!report.contains("<b>") && !report.contains("<i>"), "{report}");
    assert!(report.contains("&lt;i&gt;") && report.contains("False alarms: "), "{report}");
    let elsewhere = ["<script", "<link", "<img", "url(", "src=", "href=", "@import"];
    for tag in elsewhere {
        assert!(!report.contains(tag), "{tag}");
    }
    assert_eq!(report.matches("<svg").count(), 2);
}

#[test]
fn an_unwritable_file_is_reported_before_the_work() {
    let folder = TempDir::new().unwrap();
    trials(folder.path());
    // Only hearing the clips would tell.
    fs::write(folder.path().join("tasks/demo/test/0.wav"), "no audio").unwrap();
    for option in ["--report", "--scores"] {
        for path in ["table.tsv/new.html", "noise"] {
            let (code, out, error) = eval_trials(folder.path(), &[option, path]);
            assert_eq!((code, &*out), (Some(1), ""), "{error}");
            assert!(error.contains(path) && !error.contains("0.wav"), "{error}");
        }
    }
}

#[test]
fn contradicting_trials_are_refused() {
    let folder = TempDir::new().unwrap();
    let lines = trials(folder.path());
    let [first, last] = [&lines[1], lines.last().unwrap()];
    let tables = [
        (lines.join("\n") + "\ndemo\tanna\tother\tx.wav", "no test clip x.wav"),
        (lines.join("\n") + "\n" + first, "in the table before"),
        (lines.join("\n").replace(last.as_str(), ""), "not in the table"),
        (lines.join("\n").replace("kind", "sort"), "no column \"kind\""),
        (lines.join("\n") + "\ndemo", "fewer fields"),
        (
            lines.join("\n").replacen("anna", "bert", 1),
            "the owner of task demo is \"anna\" here and \"bert\"",
        ),
    ];
    for (table, reason) in tables {
        fs::write(folder.path().join("table.tsv"), table).unwrap();
        let (code, _, error) = eval_trials(folder.path(), &[]);
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains(reason) && error.contains(".tsv") || error.contains(".wav"), "{error}");
    }
    // A clip that cannot be read is named and left out.
    fs::write(folder.path().join("table.tsv"), lines.join("\n")).unwrap();
    fs::write(folder.path().join("tasks/demo/test/0.wav"), "no audio").unwrap();
    let (code, out, error) = eval_trials(folder.path(), &["--json"]);
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("0.wav"), "{error}");
    let result: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(result["conditions"][0]["rates"]["trials"], lines.len() - 2);
}

#[test]
fn tables_of_spreadsheets_and_older_tables_are_read() {
    let folder = TempDir::new().unwrap();
    let lines = trials(folder.path());
    let run = |table: String| {
        fs::write(folder.path().join("table.tsv"), table).unwrap();
        let (code, out, error) = eval_trials(folder.path(), &["--json", "--scores", "scores.csv"]);
        assert_eq!(code, Some(0), "{error}");
        (out, fs::read_to_string(folder.path().join("scores.csv")).unwrap())
    };
    let plain = run(lines.join("\n"));
    assert_eq!(run(format!("\u{feff}{}", lines.join("\r\n"))), plain);
    assert_eq!(run(lines.join("\n").replacen("owner", "speaker", 1)), plain);
    // With both columns, `speaker` is whoever speaks in the clip.
    let both = lines.iter().enumerate().map(|(row, line)| match row {
        0 => format!("speaker\t{line}"),
        _ => format!("{row}\t{line}"),
    });
    assert_eq!(run(both.collect::<Vec<_>>().join("\n")), plain);
}

#[test]
fn ranges_that_are_no_ranges_are_refused() {
    let folder = folder();
    let set = folder.path().join("sets/ranges");
    fs::create_dir(&set).unwrap();
    symlink(repository("enroll/demo/enroll"), set.join("enroll")).unwrap();
    symlink(repository("enroll/demo/living-room.flac"), set.join("room.flac")).unwrap();
    let rows = [
        ("nan\t2\thello\taccept", "no range"),
        ("1\tinf\thello\taccept", "no range"),
        ("-1\t2\thello\taccept", "no range"),
        ("2\t1\thello\taccept", "no range"),
        ("1\t2\thello\tmaybe", "accept or refuse"),
        ("1\t2\thello\taccept\n1.0\t2.0\thello\trefuse", "room.tsv:3: 1.0 to 2.0 s has the other label"),
    ];
    for (row, reason) in rows {
        fs::write(set.join("room.tsv"), format!("\u{feff}start_s\tend_s\ttext\texpected\n{row}\n")).unwrap();
        let (code, _, error) = eval_in(folder.path(), "sets/ranges", &["--split", "room"]);
        assert_eq!(code, Some(1), "{row}: {error}");
        assert!(error.contains(reason) && error.contains("room.tsv:"), "{row}: {error}");
    }
}

#[test]
fn merged_shards_give_the_same_false_accepts() {
    let folder = TempDir::new().unwrap();
    common::daemon::enrolled(&folder.path().join("store"));
    // As if nobody had said the phrase in it: what is accepted counts as false.
    for name in ["a.flac", "b.flac", "c.flac"] {
        symlink(repository("enroll/demo/living-room.flac"), folder.path().join(name)).unwrap();
    }
    let run = |arguments: &[&str]| {
        let mut command = Command::new(cargo_bin!("wakeword"));
        command.args(["--store", "store"]).args(arguments).arg("--json").env_clear();
        command.env("WAKEWORD_CONFIG", "/dev/null").stdin(Stdio::null()).current_dir(folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let streams = ["eval", "streams", "a.flac", "b.flac", "c.flac"];
    let whole = run(&streams);
    let result: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(result["false_accepts"], 15, "{result}");
    // What woke in its owner's voice would have woken in any.
    assert!(result["with_any_voice"].as_u64().unwrap() >= 15, "{result}");
    let [low, high] = [0, 1].map(|end| result["interval_per_hour"][end].as_f64().unwrap());
    let rate = result["false_accepts_per_hour"].as_f64().unwrap();
    assert!(low < rate && rate < high, "{result}");
    for (shard, file) in [("1/2", "1.json"), ("2/2", "2.json")] {
        fs::write(folder.path().join(file), run(&[&streams[..], &["--shard", shard]].concat())).unwrap();
    }
    assert_eq!(run(&["batch", "merge", "1.json", "2.json"]), whole);
}

#[test]
fn unheard_recordings_do_not_count_as_quiet_ones() {
    let folder = TempDir::new().unwrap();
    common::daemon::enrolled(&folder.path().join("store"));
    symlink(repository("enroll/demo/living-room.flac"), folder.path().join("<b>.flac")).unwrap();
    fs::write(folder.path().join("broken.wav"), "no audio").unwrap();
    let streams =
        ["--store", "store", "eval", "streams", "--report", "report.html", "<b>.flac", "broken.wav"];
    let later = ["<b>.flac"; 30];
    let (code, result, error) =
        interrupt(folder.path(), &[&streams[..], &later].concat(), "broken.wav", Signal::TERM);
    assert_eq!(code, Some(143), "{error}");
    let minute = result["recordings"][0]["profile_hours"].as_f64().unwrap();
    assert!(result["profile_hours"].as_f64().unwrap() < 20.0 * minute, "{result}");
    assert_eq!((&result["partial"], &result["recordings"][31]["profile_hours"]), (&true.into(), &0.0.into()));
    let report = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(report.contains("Partial: ") && report.contains("&lt;b&gt;.flac") && !report.contains("<b>"));

    fs::write(folder.path().join("partial.json"), result.to_string()).unwrap();
    let mut merge = Command::new(cargo_bin!("wakeword"));
    merge.args(["batch", "merge", "partial.json"]).env_clear().env("WAKEWORD_CONFIG", "/dev/null");
    let output = merge.current_dir(folder.path()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("1/1 was ended before"), "{error}");
}
