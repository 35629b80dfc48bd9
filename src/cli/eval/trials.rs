//! `wakeword eval trials`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde_json::Value;
use wakeword::batch::eval::condition::{Condition, Noises};
use wakeword::batch::eval::room::Rooms;
use wakeword::batch::eval::trials::{self, Decision, Estimate, Results, Task};
use wakeword::batch::{autokws, write_whole};
use wakeword::engine::Engine;
use wakeword::engine::event::Detection;
use wakeword::engine::rule::Rule;
use wakeword::models::Models;

use crate::cli::{Context, Outcome, output};

/// Arguments of `eval trials`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword eval trials tasks/dataset --table tasks.tsv --noise noises/ --snr 20,10 --scores scores.csv
  wakeword eval trials tasks/dataset --table tasks.tsv --reverb 0.3,0.6 --telephone --level=-45
  wakeword eval trials tasks/dataset --table tasks.tsv --noise noises/ --snr 10 --reverb 0.3 --noisy-rooms

DATASET has a folder for each task, as for `wakeword batch autokws`. The table is tab-separated with the columns \
task, speaker, kind and name; name is the test clip's, kind is pos, or a kind of negative: same_speaker (the owner \
with other words), same_word (somebody else with the phrase), or any other word.

Noise is mixed into the test clips only: a recording of the folder and a place in it, chosen for each clip by the \
seed and the clip's name, so many dB below the clip's active speech level (ITU-T P.56). Rooms are simulated by the \
image method; with --noisy-rooms the noise is added to what arrives in the room. Score = mean over tasks of \
miss rate + 9 x false-alarm rate; intervals are 95 % by bootstrap over speakers. The figures and the scores are the \
same however many threads there are.

With --json there are the points of the DET curves too (over all clips together, thresholds of the fused score).")]
pub struct Args {
    /// Folder with one folder a task
    dataset: PathBuf,
    /// Table of what the test clips are
    #[arg(long, value_name = "FILE", required_unless_present = "solution", conflicts_with = "solution")]
    table: Option<PathBuf>,
    /// Instead of a table: folder with TASK_test_labels.txt, which tell positives from negatives only
    #[arg(long, value_name = "DIR")]
    solution: Option<PathBuf>,
    /// Folder of noise recordings
    #[arg(long, value_name = "DIR", requires = "snr")]
    noise: Option<PathBuf>,
    /// Signal-to-noise ratios in dB, measured beside the clean clips
    #[arg(long, value_name = "DB", value_delimiter = ',', requires = "noise", allow_negative_numbers = true)]
    snr: Vec<f32>,
    /// Reverberation times of rooms in seconds, in which the clips are said two metres away
    #[arg(long, value_name = "S", value_delimiter = ',')]
    reverb: Vec<f32>,
    /// Each of these rooms with each of the signal-to-noise ratios too
    #[arg(long, requires = "snr", requires = "reverb")]
    noisy_rooms: bool,
    /// Hear the clips over a telephone line too
    #[arg(long)]
    telephone: bool,
    /// Active speech levels in dBFS to which the clips are brought
    #[arg(long, value_name = "DBFS", value_delimiter = ',', allow_negative_numbers = true)]
    level: Vec<f32>,
    /// Chooses noises, rooms and places
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write every verdict with its evidence to this file
    #[arg(long, value_name = "FILE.csv")]
    scores: Option<PathBuf>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let tasks = trials::tasks(&args.dataset, args.solution.as_deref(), args.table.as_deref())?;
    let clips: usize = tasks.iter().map(|task| task.trials.len()).sum();
    anyhow::ensure!(clips > 0, "{}: no test clips", args.dataset.display());
    let conditions = conditions(args)?;
    let models = context.models()?;
    // The voice is asked always, so that every verdict has all its evidence.
    let rule = Rule { explain: true, ..context.rule() };

    // Hidden by the library where stderr is no terminal.
    let progress = ProgressBar::new((clips * conditions.len()) as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} clips, {eta} left")?);
    let warnings = AtomicUsize::new(0);
    let warn = |warning: String| {
        warnings.fetch_add(1, Ordering::Relaxed);
        progress.suspend(|| eprintln!("wakeword: {warning}"));
    };
    let decide = |task| one_task(&models, &rule, task, &conditions, &warn, &progress);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.jobs).build()?;
    let decided: Vec<Vec<Vec<Decision<'_>>>> = pool.install(|| tasks.par_iter().map(decide).collect());
    progress.finish_and_clear();

    let mut by_condition: Vec<(String, Vec<Decision<'_>>)> =
        conditions.iter().map(|condition| (condition.name(), Vec::new())).collect();
    for task in decided {
        by_condition.iter_mut().zip(task).for_each(|(all, decisions)| all.1.extend(decisions));
    }
    let sum_up = |(name, decisions)| Results::new(name, decisions, &rule);
    let results: Vec<Results<'_>> = by_condition.into_iter().map(sum_up).collect();
    if let Some(path) = &args.scores {
        write_scores(path, &results).with_context(|| path.display().to_string())?;
    }
    report(&results, args.json)?;
    Ok(if warnings.into_inner() > 0 { Outcome::Partial } else { Outcome::Done })
}

/// The conditions asked for, clean first.
fn conditions(args: &Args) -> anyhow::Result<Vec<Condition>> {
    anyhow::ensure!(args.snr.iter().all(|snr| snr.is_finite()), "--snr takes numbers of dB");
    anyhow::ensure!(
        args.reverb.iter().all(|rt60| (0.1..=2.0).contains(rt60)),
        "--reverb takes 0.1 to 2 seconds"
    );
    anyhow::ensure!(
        args.level.iter().all(|dbfs| (-90.0..=0.0).contains(dbfs)),
        "--level takes -90 to 0 dBFS"
    );
    let noises = args.noise.as_ref().map(|folder| Noises::read(folder, args.seed)).transpose()?.map(Arc::new);
    let noisy = || noises.iter().flat_map(|noises| args.snr.iter().map(move |snr| (noises.clone(), *snr)));
    let rooms: Vec<(Arc<Rooms>, f32)> =
        args.reverb.iter().map(|rt60| (Arc::new(Rooms::new(*rt60, args.seed)), *rt60)).collect();
    let mut conditions = vec![Condition::Clean];
    conditions.extend(noisy().map(|(noises, snr)| Condition::Noise(noises, snr)));
    conditions.extend(rooms.iter().map(|(rooms, rt60)| Condition::Room(rooms.clone(), *rt60)));
    if args.noisy_rooms {
        for (rooms, rt60) in &rooms {
            let both = noisy().map(|(noises, snr)| Condition::NoisyRoom(rooms.clone(), *rt60, noises, snr));
            conditions.extend(both);
        }
    }
    conditions.extend(args.telephone.then_some(Condition::Telephone));
    conditions.extend(args.level.iter().copied().map(Condition::Level));
    Ok(conditions)
}

/// The decisions on the trials of `task` in each condition. A clip that cannot be read is left out.
fn one_task<'a>(
    models: &Arc<Models>,
    rule: &Rule,
    task: &'a Task,
    conditions: &[Condition],
    warn: &(dyn Fn(String) + Sync),
    progress: &ProgressBar,
) -> Vec<Vec<Decision<'a>>> {
    let warn = |warning: String| warn(format!("{}: {warning}", task.name));
    let profile = autokws::enrol(models, &task.enroll, &warn).map(Arc::new);
    let mut engine = Engine::new(models.clone(), profile.as_slice(), rule.clone());
    let mut decided = Vec::new();
    for condition in conditions {
        let mut decisions = Vec::new();
        for trial in &task.trials {
            match trials::answer(&mut engine, task, &trial.path, condition) {
                Ok(answer) => decisions.push(Decision { task, trial, answer }),
                Err(error) => {
                    engine.reset();
                    warn(format!("{error}; left out"));
                }
            }
            progress.inc(1);
        }
        decided.push(decisions);
    }
    decided
}

/// One line a verdict, and one without scores for each trial that came near nothing.
fn write_scores(path: &Path, results: &[Results<'_>]) -> anyhow::Result<()> {
    let all = || results.iter().flat_map(|one| one.decisions.iter().map(move |each| (&one.condition, each)));
    // What a verdict holds besides names, and a verdict's values in that order.
    let columns = all().find_map(|(_, one)| one.answer.verdicts.first()).map_or(Ok(Vec::new()), columns)?;
    let mut text = String::new();
    let titles = ["condition", "task", "speaker", "kind", "clip", "accepted"].map(str::to_owned);
    line(&mut text, titles.into_iter().chain(columns.iter().map(|(title, _)| title.clone())));
    for (condition, one) in all() {
        let file = autokws::file_name(&one.trial.path).to_string_lossy().into_owned();
        let accepted = u8::from(one.answer.accepted).to_string();
        let names = [condition, &one.task.name, &one.task.speaker, &one.trial.kind, &file, &accepted]
            .map(String::clone);
        if one.answer.verdicts.is_empty() {
            line(&mut text, names.into_iter().chain(columns.iter().map(|_| String::new())));
            continue;
        }
        for verdict in &one.answer.verdicts {
            let values = self::columns(verdict)?.into_iter().map(|(_, value)| value);
            line(&mut text, names.iter().cloned().chain(values));
        }
    }
    Ok(write_whole(path, text.as_bytes())?)
}

/// Titles and values of what a verdict measured.
fn columns(verdict: &Detection) -> anyhow::Result<Vec<(String, String)>> {
    let Value::Object(fields) = serde_json::to_value(verdict)? else { return Ok(Vec::new()) };
    let measured = fields.into_iter().filter(|(_, value)| !value.is_string());
    // An infinite score, where nothing could be aligned, is no number in JSON.
    let text = |value: Value| if value.is_null() { String::new() } else { value.to_string() };
    Ok(measured.map(|(title, value)| (title, text(value))).collect())
}

/// A line of CSV (RFC 4180).
fn line(text: &mut String, fields: impl Iterator<Item = String>) {
    let quoted = |field: String| {
        if field.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field
        }
    };
    text.push_str(&fields.map(quoted).collect::<Vec<_>>().join(","));
    text.push_str("\r\n");
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Printed<'a> {
    conditions: &'a [Results<'a>],
}

fn report(results: &[Results<'_>], json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(&Printed { conditions: results })?)?;
        return Ok(());
    }
    let titles = ["", "score", "miss", "false alarm"].map(str::to_owned).into_iter();
    let kinds: Vec<&String> = results.first().map_or(Vec::new(), |one| one.rates.by_kind.keys().collect());
    let titles = titles.chain(kinds.iter().map(|kind| kind.replace('_', " ")));
    let titles: Vec<String> = titles.chain(["EER", "phrase EER", "voice EER"].map(str::to_owned)).collect();
    let mut table = output::table(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    for one in results {
        let (rates, score) = (&one.rates, one.rates.score);
        let mut row = vec![
            one.condition.clone(),
            format!("{:.3} ({:.3} to {:.3})", score.value, score.low, score.high),
        ];
        row.extend([rates.miss_rate, rates.false_alarm_rate].map(percent));
        row.extend(
            kinds.iter().map(|kind| rates.by_kind.get(*kind).map_or("-".into(), |rate| percent(*rate))),
        );
        let equal = [rates.equal_error_rate, rates.phrase_equal_error_rate, rates.speaker_equal_error_rate];
        row.extend(equal.map(|rate| rate.map_or("-".into(), |rate| format!("{:.1} %", 100.0 * rate))));
        table.add_row(row);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

fn percent(rate: Estimate) -> String {
    let [value, low, high] = [rate.value, rate.low, rate.high].map(|rate| 100.0 * rate);
    format!("{value:.2} % ({low:.2} to {high:.2})")
}
