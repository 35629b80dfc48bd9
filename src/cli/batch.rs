//! `wakeword batch`

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use indicatif::ProgressBar;
use rayon::prelude::*;
use wakeword::batch::autokws::{self, Speaker};
use wakeword::batch::eval::streams;
use wakeword::batch::report::{self, RunReport, per_second};
use wakeword::batch::score::{Labels, Score};
use wakeword::batch::shard::Shard;
use wakeword::engine::rule::Rule;
use wakeword::models::Models;
use wakeword::store::{Store, StoreError};
use wakeword::text::{printable, without_mark};

use super::{Context, Outcome, output};

/// Name of the one profile in a challenge's work folder.
const CHALLENGE_PROFILE: &str = "speaker";

/// Arguments of `batch`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  wakeword batch autokws dataset --out predictions")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Hold the enrolment recordings of a dataset against the limits of enrolment
    #[command(after_help = "\
Example:
  wakeword batch enroll dataset

DATASET is laid out as for `batch autokws`. For each speaker the worst of what its takes measure, and why \
they would be refused. The last line is the rate of failures to enrol.")]
    Enroll(super::enroll::gates::Args),
    /// Enrol and decide for every speaker of an Auto-KWS 2021 dataset
    #[command(after_help = "\
Example:
  wakeword batch autokws dataset --out predictions --solution solution

Every folder DATASET/SPEAKER with enroll/ (or enrollment/) and test/, or with keywords/ and others/ (of \
which the first five keywords are enrolled), gives OUT/SPEAKER_predictions.txt. A file that cannot be \
read is named on stderr and refused. Score = mean over speakers of miss rate + 9 x false-alarm rate.

On several machines, each with the same DATASET, one shard each, and then `wakeword batch merge`:
  wakeword batch autokws dataset --out predictions --shard 1/2 --json > 1.json
  wakeword batch autokws dataset --out predictions --shard 2/2 --json > 2.json")]
    Autokws(AutokwsArgs),
    /// Put the results of shards together
    #[command(after_help = "\
Example:
  wakeword batch merge 1.json 2.json

Takes what `wakeword batch autokws` or `wakeword eval streams` printed with --json for each shard, in any order, \
and gives what one run over everything would have given: the same numbers, but for times. Seconds are the sum \
over the shards, memory and threads are the most of any. A missing shard is an error.")]
    Merge {
        /// JSON results, one of each shard
        #[arg(required = true, value_name = "RESULT.json")]
        results: Vec<PathBuf>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Step 1 of a challenge submission: learn one speaker
    #[command(after_help = "Example:\n  wakeword batch challenge-enroll P0001/enroll work")]
    ChallengeEnroll {
        /// Folder of the enrolment recordings
        enroll: PathBuf,
        /// Work folder, made if missing
        work: PathBuf,
    },
    /// Step 2 of a challenge submission: decide on one speaker's test files
    #[command(
        after_help = "Example:\n  wakeword batch challenge-predict P0001/test work P0001_predictions.txt"
    )]
    ChallengePredict {
        /// Folder of the test recordings
        test: PathBuf,
        /// Work folder of step 1
        work: PathBuf,
        /// File of predictions to write
        predictions: PathBuf,
    },
}

#[derive(clap::Args)]
struct AutokwsArgs {
    /// Folder with one folder a speaker
    dataset: PathBuf,
    /// Folder for the predictions
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder with SPEAKER_test_labels.txt, to score against
    #[arg(long, value_name = "DIR")]
    solution: Option<PathBuf>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
    /// Only every N-th speaker, beginning with the I-th
    #[arg(long, value_name = "I/N", default_value_t = Shard::ALL, hide_default_value = true)]
    shard: Shard,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// What a shard printed.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Printed {
    Autokws(RunReport),
    Streams(streams::StreamsReport),
}

pub fn run(context: &Context, args: Args) -> anyhow::Result<Outcome> {
    match args.command {
        Command::Enroll(args) => super::enroll::gates::run(context, &args),
        Command::Autokws(args) => autokws(context, &args),
        Command::Merge { results, json } => merge(&results, json),
        Command::ChallengeEnroll { enroll, work } => challenge_enroll(context, &enroll, &work),
        Command::ChallengePredict { test, work, predictions } => {
            challenge_predict(context, &test, &work, &predictions)
        }
    }
}

fn autokws(context: &Context, args: &AutokwsArgs) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let speakers = args.shard.of(autokws::speakers(&args.dataset, args.solution.as_deref())?);
    std::fs::create_dir_all(&args.out).with_context(|| format!("{:?}", args.out))?;
    let models = context.models()?;
    let rule = decisions_only(context);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.jobs).build()?;

    // Hidden by the library where stderr is no terminal.
    let progress = ProgressBar::new(speakers.len() as u64)
        .with_style(output::bar("{bar:30} {pos}/{len} speakers, {eta} left")?);
    let warnings = std::sync::atomic::AtomicUsize::new(0);
    let warn = |warning: String| {
        warnings.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        progress.suspend(|| output::warn(&warning));
    };
    let work = |speaker: &Speaker| {
        let done = one_speaker(&models, &rule, speaker, &args.out, &warn);
        progress.inc(1);
        done
    };
    let done: Vec<report::SpeakerReport> =
        pool.install(|| speakers.par_iter().with_max_len(1).map(work).collect::<anyhow::Result<_>>())?;
    progress.finish_and_clear();
    let (wall, threads) = (started.elapsed().as_secs_f64(), pool.current_num_threads());
    print(&RunReport::new(args.shard, done, wall, threads, peak_memory_mb()), args.json)?;
    Ok(if warnings.into_inner() > 0 { Outcome::Partial } else { Outcome::Done })
}

fn one_speaker(
    models: &Arc<Models>,
    rule: &Rule,
    speaker: &Speaker,
    out: &Path,
    warn: &(dyn Fn(String) + Sync),
) -> anyhow::Result<report::SpeakerReport> {
    let name = speaker.name.to_string_lossy().into_owned();
    let warn = |warning: String| warn(format!("{name}: {warning}"));
    let started = Instant::now();
    let profile = autokws::enrol(models, &speaker.enroll, &warn).map(Arc::new);
    let enroll_s = started.elapsed().as_secs_f64();
    let predictions = autokws::predict(models, rule, profile, &speaker.test, &warn);
    let predict_s = started.elapsed().as_secs_f64() - enroll_s;
    autokws::write_predictions(&autokws::predictions_path(out, &speaker.name), &predictions)?;
    let score = speaker.labels.as_ref().map(|labels: &Labels| {
        let said: HashMap<_, _> = predictions.iter().map(|p| (&p.name, p.accepted)).collect();
        Score::of(labels.iter().filter_map(|(name, truth)| Some((*truth, *said.get(name)?))))
    });
    let audio_s = predictions.iter().map(|prediction| prediction.seconds).sum();
    let real_time_factor = per_second(enroll_s + predict_s, audio_s);
    let files = predictions.len();
    let unheard = predictions.iter().filter(|prediction| !prediction.complete).count();
    Ok(report::SpeakerReport {
        speaker: name,
        files,
        unheard,
        audio_s,
        enroll_s,
        predict_s,
        real_time_factor,
        score,
    })
}

fn merge(results: &[PathBuf], json: bool) -> anyhow::Result<Outcome> {
    let (mut runs, mut recordings) = (Vec::new(), Vec::new());
    for path in results {
        let bytes = std::fs::read(path).with_context(|| format!("{path:?}"))?;
        let printed = serde_json::from_slice(without_mark(&bytes)).with_context(|| {
            format!("{path:?}: not what `batch autokws` or `eval streams` prints with --json")
        })?;
        match printed {
            Printed::Autokws(report) => runs.push(report),
            Printed::Streams(report) => recordings.push(report),
        }
    }
    match (runs.is_empty(), recordings.is_empty()) {
        (false, true) => print(&RunReport::merge(runs)?, json)?,
        (true, false) => super::eval::streams::print(&streams::StreamsReport::merge(recordings)?, json)?,
        _ => anyhow::bail!("the results are of different commands"),
    }
    Ok(Outcome::Done)
}

fn print(report: &RunReport, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(report)?)?;
        return Ok(());
    }
    let mut table = output::table(&["speaker", "files", "audio", "RTF", "miss", "false alarm", "score"]);
    let rates = |score: Option<Score>| {
        score.map_or(["-".into(), "-".into(), "-".into()], |score| {
            [percent(score.miss_rate), percent(score.false_alarm_rate), format!("{:.3}", score.score)]
        })
    };
    let mut row = |name: &str, files: usize, seconds: f64, factor: f64, score: Option<Score>| {
        let [miss, alarm, score] = rates(score);
        let (files, audio, factor) = (files.to_string(), format!("{seconds:.0} s"), format!("{factor:.4}"));
        table.add_row([printable(name).into_owned(), files, audio, factor, miss, alarm, score]);
    };
    for one in &report.speakers {
        row(&one.speaker, one.files, one.audio_s, one.real_time_factor, one.score);
    }
    let files = report.speakers.iter().map(|speaker| speaker.files).sum();
    row("all", files, report.audio_s, report.real_time_factor, report.score);
    writeln!(out, "{table}")?;
    writeln!(
        out,
        "{:.1} s for {:.0} s of test audio on {} threads, enrolment and loading the models included",
        report.wall_s, report.audio_s, report.threads
    )?;
    let unheard: usize = report.speakers.iter().map(|speaker| speaker.unheard).sum();
    if unheard > 0 {
        writeln!(
            out,
            "{unheard} files could not be heard to their end; what was not heard counts as refused"
        )?;
    }
    if let Some(peak) = report.peak_memory_mb {
        writeln!(out, "peak memory {peak:.0} MB")?;
    }
    Ok(())
}

/// The most memory this process had resident so far, in megabytes, where the system tells.
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()? * 1024.0 / 1e6)
}

fn percent(rate: f64) -> String {
    format!("{:.2} %", 100.0 * rate)
}

/// In a folder of its own: the work folder is somebody else's, with modes of their choice.
fn challenge_store(work: &Path) -> Store {
    Store::new(work.join("profiles"))
}

/// Never fails because of a recording: one bad speaker must not end a challenge run.
fn challenge_enroll(context: &Context, enroll: &Path, work: &Path) -> anyhow::Result<Outcome> {
    let store = challenge_store(work);
    // The work folder is not cleaned between runs: an older profile must not decide, however this ends.
    match store.remove(CHALLENGE_PROFILE) {
        Ok(()) | Err(StoreError::Unknown { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let models = context.models()?;
    let warn = |warning: String| output::warn(warning);
    let files = wakeword::enroll::takes::audio_files(enroll)?;
    if let Some(profile) = autokws::enrol(&models, &files, &warn) {
        store.save(&profile)?;
    }
    Ok(Outcome::Done)
}

fn challenge_predict(
    context: &Context,
    test: &Path,
    work: &Path,
    predictions: &Path,
) -> anyhow::Result<Outcome> {
    let models = context.models()?;
    let warn = |warning: String| output::warn(warning);
    let profile = match challenge_store(work).load(CHALLENGE_PROFILE) {
        Ok(profile) if profile.models == models.fingerprint => Some(Arc::new(profile)),
        Ok(_) => {
            warn("the profile was made with other models; nothing will be accepted".into());
            None
        }
        Err(error) => {
            warn(format!("{error}; nothing will be accepted"));
            None
        }
    };
    let files = wakeword::enroll::takes::audio_files(test)?;
    let predicted = autokws::predict(&models, &decisions_only(context), profile, &files, &warn);
    autokws::write_predictions(predictions, &predicted)?;
    Ok(Outcome::Done)
}

/// Predictions need no reasons.
fn decisions_only(context: &Context) -> Rule {
    Rule { explain: false, ..context.rule() }
}
