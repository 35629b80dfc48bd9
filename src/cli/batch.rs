//! `wakeword batch`

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde_json::json;
use wakeword::batch::autokws::{self, Speaker};
use wakeword::batch::score::{Labels, Score};
use wakeword::engine::rule::Rule;
use wakeword::models::Models;
use wakeword::store::{Store, StoreError};

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

DATASET is laid out as for `batch autokws`. For each speaker the worst of what its takes measure, and why
they would be refused. The last line is the rate of failures to enrol.")]
    Enroll(super::enroll::gates::Args),
    /// Enrol and decide for every speaker of an Auto-KWS 2021 dataset
    #[command(after_help = "\
Example:
  wakeword batch autokws dataset --out predictions --solution solution

Every folder DATASET/SPEAKER with enroll/ (or enrollment/) and test/, or with keywords/ and others/ (of
which the first five keywords are enrolled), gives OUT/SPEAKER_predictions.txt. A file that cannot be
read is named on stderr and refused. Score = mean over speakers of miss rate + 9 x false-alarm rate.")]
    Autokws(AutokwsArgs),
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
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(context: &Context, args: Args) -> anyhow::Result<Outcome> {
    match args.command {
        Command::Enroll(args) => super::enroll::gates::run(context, &args),
        Command::Autokws(args) => autokws(context, &args),
        Command::ChallengeEnroll { enroll, work } => challenge_enroll(context, &enroll, &work),
        Command::ChallengePredict { test, work, predictions } => {
            challenge_predict(context, &test, &work, &predictions)
        }
    }
}

/// What is reported of a speaker.
struct Done {
    name: String,
    files: usize,
    seconds: f64,
    enroll_time: Duration,
    predict_time: Duration,
    score: Option<Score>,
}

impl Done {
    fn real_time_factor(&self) -> f64 {
        (self.enroll_time + self.predict_time).as_secs_f64() / self.seconds.max(f64::MIN_POSITIVE)
    }
}

fn autokws(context: &Context, args: &AutokwsArgs) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let speakers = autokws::speakers(&args.dataset, args.solution.as_deref())?;
    std::fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let models = context.models()?;
    let rule = decisions_only(context);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.jobs).build()?;

    // Hidden by the library where stderr is no terminal.
    let progress = ProgressBar::new(speakers.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} speakers, {eta} left")?);
    let warnings = std::sync::atomic::AtomicUsize::new(0);
    let warn = |warning: String| {
        warnings.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        progress.suspend(|| eprintln!("wakeword: {warning}"));
    };
    let work = |speaker: &Speaker| {
        let done = one_speaker(&models, &rule, speaker, &args.out, &warn);
        progress.inc(1);
        done
    };
    let done: Vec<Done> = pool.install(|| speakers.par_iter().map(work).collect::<anyhow::Result<_>>())?;
    progress.finish_and_clear();
    report(&done, started.elapsed(), pool.current_num_threads(), args.json)?;
    Ok(if warnings.into_inner() > 0 { Outcome::Partial } else { Outcome::Done })
}

fn one_speaker(
    models: &Arc<Models>,
    rule: &Rule,
    speaker: &Speaker,
    out: &Path,
    warn: &(dyn Fn(String) + Sync),
) -> anyhow::Result<Done> {
    let name = speaker.name.to_string_lossy().into_owned();
    let warn = |warning: String| warn(format!("{name}: {warning}"));
    let started = Instant::now();
    let profile = autokws::enrol(models, &speaker.enroll, &warn).map(Arc::new);
    let enroll_time = started.elapsed();
    let predictions = autokws::predict(models, rule, profile, &speaker.test, &warn);
    let predict_time = started.elapsed() - enroll_time;
    autokws::write_predictions(&autokws::predictions_path(out, &speaker.name), &predictions)?;
    let score = speaker.labels.as_ref().map(|labels: &Labels| {
        let said: HashMap<_, _> = predictions.iter().map(|p| (&p.name, p.accepted)).collect();
        Score::of(labels.iter().filter_map(|(name, truth)| Some((*truth, *said.get(name)?))))
    });
    let seconds = predictions.iter().map(|prediction| prediction.seconds).sum();
    Ok(Done { files: predictions.len(), name, seconds, enroll_time, predict_time, score })
}

fn report(done: &[Done], wall: Duration, threads: usize, json: bool) -> anyhow::Result<()> {
    let seconds: f64 = done.iter().map(|speaker| speaker.seconds).sum();
    let scores: Vec<Score> = done.iter().filter_map(|speaker| speaker.score).collect();
    let mean = Score::mean(&scores);
    let real_time_factor = wall.as_secs_f64() / seconds.max(f64::MIN_POSITIVE);
    let mut out = std::io::stdout().lock();
    if json {
        let speakers = done.iter().map(|speaker| {
            json!({
                "speaker": speaker.name,
                "files": speaker.files,
                "audio_s": speaker.seconds,
                "enroll_s": speaker.enroll_time.as_secs_f64(),
                "predict_s": speaker.predict_time.as_secs_f64(),
                "real_time_factor": speaker.real_time_factor(),
                "score": speaker.score,
            })
        });
        let line = json!({
            "speakers": speakers.collect::<Vec<_>>(),
            "audio_s": seconds,
            "wall_s": wall.as_secs_f64(),
            "threads": threads,
            "real_time_factor": real_time_factor,
            "peak_memory_mb": peak_memory_mb(),
            "score": mean,
        });
        writeln!(out, "{line}")?;
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
        table.add_row([name.to_owned(), files, audio, factor, miss, alarm, score]);
    };
    for speaker in done {
        row(&speaker.name, speaker.files, speaker.seconds, speaker.real_time_factor(), speaker.score);
    }
    row("all", done.iter().map(|speaker| speaker.files).sum(), seconds, real_time_factor, mean);
    writeln!(out, "{table}")?;
    writeln!(
        out,
        "{:.1} s for {seconds:.0} s of test audio on {threads} threads, enrolment and loading the models included",
        wall.as_secs_f64()
    )?;
    if let Some(peak) = peak_memory_mb() {
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
    let warn = |warning: String| eprintln!("wakeword: {warning}");
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
    let warn = |warning: String| eprintln!("wakeword: {warning}");
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
