//! `wakeword eval trials`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use indicatif::ProgressBar;
use rayon::prelude::*;
use wakeword::acoustics::room::Rooms;
use wakeword::batch::eval::condition::{Condition, Noises};
use wakeword::batch::eval::decision::{Decider, Decision};
use wakeword::batch::eval::rates::{Coverage, Results};
use wakeword::batch::eval::trials::{self, Task};
use wakeword::batch::{autokws, check_writable, write_whole};
use wakeword::engine::rule::Rule;
use wakeword::enroll::Quality;
use wakeword::keyword::score::median;
use wakeword::models::Models;

use super::tables::{LENGTHS, lengths, summary};
use super::{report, scores};
use crate::cli::interrupt::Interrupt;
use crate::cli::{Context, Outcome, output};

/// Arguments of `eval trials`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword eval trials tasks/dataset --table tasks.tsv --report report.html
  wakeword eval trials tasks/dataset --table tasks.tsv --noise noises/ --snr 20,10 --scores scores.csv
  wakeword eval trials tasks/dataset --table tasks.tsv --reverb 0.3,0.6 --telephone --level=-45
  wakeword eval trials tasks/dataset --table tasks.tsv --noise noises/ --snr 10 --reverb 0.3 --noisy-rooms

DATASET has a folder for each task, as for `wakeword batch autokws`. The table is tab-separated with the columns \
task, owner (whose voice is enrolled; older tables say speaker), kind and name; name is the test clip's, kind is \
pos, or a kind of negative: same_speaker (the owner \
with other words), same_word (somebody else with the phrase), or any other \
word, which makes a group of its own: near_word, for one.

Noise is mixed into the test clips only: a recording of the folder and a place in it, chosen for each clip by the \
seed and the clip's name, so many dB below the clip's active speech level (ITU-T P.56). Rooms are simulated by the \
image method; with --noisy-rooms the noise is added to what arrives in the room. Score = mean over tasks of \
miss rate + 9 x false-alarm rate; intervals are 95 % by bootstrap over owners. The figures, the scores and the \
report are the same however many threads there are.

With --json there are the points of the DET curves too (over all clips together, thresholds of the fused score). \
The report is one file with tables, DET curves, score distributions and all errors, for any browser.

Ctrl-C ends the run and shows what it has, of the tasks that were finished, marked as partial; the exit status is \
130.")]
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
    /// Speech probability that opens the voice gate; 0 leaves it open, which shows what it costs
    #[arg(long, value_name = "P", default_value_t = Rule::default().voice_gate)]
    voice_gate: f32,
    /// Chooses noises, rooms and places
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Teach each task the near words in its folder near/
    #[arg(long)]
    near: bool,
    /// Write every verdict with its evidence to this file
    #[arg(long, value_name = "FILE.csv")]
    scores: Option<PathBuf>,
    /// Write a report with tables and curves to this file
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
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
    for path in [&args.scores, &args.report].into_iter().flatten() {
        check_writable(path).with_context(|| path.display().to_string())?;
    }
    let conditions = conditions(args)?;
    let run = Run {
        models: context.models()?,
        // The voice is asked always, so that every verdict has all its evidence.
        rule: Rule { explain: true, measure_all: true, voice_gate: args.voice_gate, ..context.rule() },
        // Hidden by the library where stderr is no terminal.
        progress: ProgressBar::new((clips * conditions.len()) as u64)
            .with_style(output::bar("{bar:30} {pos}/{len} clips, {eta} left")?),
        conditions,
        near: args.near.then(Quality::built_in).transpose()?,
        interrupt: Interrupt::listen(&Interrupt::USUAL)?,
        warnings: AtomicUsize::new(0),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.jobs).build()?;
    let decided: Vec<Option<Vec<Vec<Decision<'_>>>>> =
        pool.install(|| tasks.par_iter().with_max_len(1).map(|task| run.task(task)).collect());
    run.progress.finish_and_clear();

    let finished = decided.iter().flatten().count();
    let interrupted = if finished < tasks.len() { run.interrupt.signal() } else { None };
    if let Some(signal) = interrupted {
        eprintln!("wakeword: interrupted: {finished} of {} tasks are finished", tasks.len());
        if finished == 0 {
            return Ok(Outcome::Interrupted(signal));
        }
    }
    let mut by_condition: Vec<Vec<Decision<'_>>> = run.conditions.iter().map(|_| Vec::new()).collect();
    for task in decided.into_iter().flatten() {
        by_condition.iter_mut().zip(task).for_each(|(all, decisions)| all.extend(decisions));
    }
    let named = run.conditions.iter().zip(by_condition);
    let results: Vec<Results<'_>> =
        named.map(|(condition, decisions)| Results::new(condition.name(), decisions, &run.rule)).collect();
    let write = |path: &Path, text: String| {
        write_whole(path, text.as_bytes()).with_context(|| path.display().to_string())
    };
    if let Some(path) = &args.scores {
        write(path, scores::csv(&results)?)?;
    }
    let coverage = Coverage { tasks: tasks.len(), finished };
    if let Some(path) = &args.report {
        write(path, report::trials::html(&args.dataset, &run.rule, &coverage, &results)?)?;
    }
    print(&coverage, &results, args.json)?;
    Ok(match interrupted {
        Some(signal) => Outcome::Interrupted(signal),
        None if run.warnings.into_inner() > 0 => Outcome::Partial,
        None => Outcome::Done,
    })
}

/// The conditions asked for, clean first.
fn conditions(args: &Args) -> anyhow::Result<Vec<Condition>> {
    anyhow::ensure!(args.snr.iter().all(|snr| snr.is_finite()), "--snr takes numbers of dB");
    anyhow::ensure!(
        args.reverb.iter().all(|rt60| (0.1..=2.0).contains(rt60)),
        "--reverb takes 0.1 to 2 seconds"
    );
    anyhow::ensure!((0.0..=1.0).contains(&args.voice_gate), "--voice-gate takes 0 to 1");
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

/// What all tasks share.
struct Run {
    models: Arc<Models>,
    rule: Rule,
    conditions: Vec<Condition>,
    progress: ProgressBar,
    /// Limits for near words, where each task learns them.
    near: Option<Quality>,
    interrupt: Interrupt,
    warnings: AtomicUsize,
}

impl Run {
    /// The decisions on the trials of `task` in each condition; `None` if it was interrupted. A clip that cannot
    /// be read is left out.
    fn task<'a>(&self, task: &'a Task) -> Option<Vec<Vec<Decision<'a>>>> {
        if self.interrupt.asked() {
            return None;
        }
        let warn = |warning: String| {
            self.warnings.fetch_add(1, Ordering::Relaxed);
            self.progress.suspend(|| eprintln!("wakeword: {}: {warning}", task.name));
        };
        let mut profile = autokws::enrol(&self.models, &task.enroll, &warn);
        if let (Some(profile), Some(limits)) = (&mut profile, &self.near) {
            autokws::teach_near_words(&self.models, limits, profile, &task.near, &warn);
        }
        let profile = profile.map(Arc::new);
        let takes = profile.iter().flat_map(|profile| &profile.takes);
        let seconds = median(&takes.map(|take| take.seconds).collect::<Vec<_>>());
        let mut decider = Decider::new(self.models.clone(), profile.as_slice(), &self.rule);
        let mut decided = Vec::new();
        for condition in &self.conditions {
            let mut decisions = Vec::new();
            for trial in &task.trials {
                if self.interrupt.asked() {
                    return None;
                }
                match decider.answer(task, &trial.path, condition) {
                    Ok(answer) => decisions.push(Decision { task, seconds, trial, answer }),
                    Err(error) => warn(format!("{error}; left out")),
                }
                self.progress.inc(1);
            }
            decided.push(decisions);
        }
        Some(decided)
    }
}

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Printed<'a> {
    tasks: usize,
    finished_tasks: usize,
    partial: bool,
    conditions: &'a [Results<'a>],
}

fn print(coverage: &Coverage, results: &[Results<'_>], json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        let line = Printed {
            tasks: coverage.tasks,
            finished_tasks: coverage.finished,
            partial: coverage.partial(),
            conditions: results,
        };
        writeln!(out, "{}", serde_json::to_string(&line)?)?;
        return Ok(());
    }
    let (titles, rows) = summary(results);
    let mut table = output::table(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    table.add_rows(rows);
    writeln!(out, "{table}")?;
    let mut table = output::table(&LENGTHS);
    table.add_rows(lengths(results));
    writeln!(out, "\n{table}")?;
    if coverage.partial() {
        writeln!(out, "partial: {} of {} tasks", coverage.finished, coverage.tasks)?;
    }
    Ok(())
}
