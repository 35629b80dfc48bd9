//! `wakeword eval`

mod report;
mod scores;
pub(super) mod streams;
mod tables;
mod trials;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::json;
use wakeword::audio::FileSource;
use wakeword::batch::eval::Detector;
use wakeword::batch::eval::chunks::Chunks;
use wakeword::batch::eval::dataset::Dataset;
use wakeword::batch::eval::outcome::{self, Outcome as Decision, OutcomeRates};
use wakeword::batch::write_whole;
use wakeword::enroll::takes;
use wakeword::features::SAMPLE_RATE;
use wakeword::profile::Profile;

use super::{Context, Outcome};

/// Arguments of `eval`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "\
Example:
  wakeword eval --dataset enroll/demo --takes enroll --split living-room --chunk-length-s 5 --stride-length-s 1

Enrols the takes in DATASET/TAKES/ and listens to DATASET/SPLIT.flac (or .wav), or to all recordings in \
DATASET/SPLIT/. Beside each recording lies a table of the same name ending in .tsv with the columns start_s, \
end_s, text and expected (accept or refuse).

Each line of a table is one decision, and so is each acceptance beside them; the texts are one token each, the \
phrase or none, so that the word error rate is the share of wrong decisions. In the working directory \
D_T_S_eval_results.txt is written, and with --log-outputs log_D_T_S_predictions.txt and log_D_T_S_targets.txt. \
Programs that share these options call the takes --config; without --takes, a --config on the command line means \
them here too, and the configuration file is that of WAKEWORD_CONFIG or the usual one.

Every recording is heard whole and in blocks of 10 ms, and with --chunk-length-s in chunks too; exit status 3 \
says that these differ in any verdict or score, or that a recording could not be read.")]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    recordings: Option<RecordingsArgs>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Error rates over short clips, clean and in noise
    Trials(trials::Args),
    /// False accepts in long recordings in which nobody says an enrolled phrase
    Streams(streams::Args),
}

#[derive(clap::Args)]
struct RecordingsArgs {
    /// Folder of the dataset
    #[arg(long, value_name = "DIR")]
    dataset: String,
    /// Name of the folder of takes to enrol
    #[arg(long, value_name = "NAME")]
    takes: Option<String>,
    /// Name of the recording, or of the folder of recordings
    #[arg(long, value_name = "NAME")]
    split: String,
    /// Also listen in chunks of so many seconds, each on its own
    #[arg(long, value_name = "SECONDS", requires = "stride_length_s")]
    chunk_length_s: Option<f64>,
    /// Seconds at each end of a chunk that the neighbouring chunk reports
    #[arg(long, value_name = "SECONDS", requires = "chunk_length_s")]
    stride_length_s: Option<f64>,
    /// Write the texts of all decisions too
    #[arg(long)]
    log_outputs: bool,
}

impl Args {
    /// Whether `--config` stands for `--takes`, as it does for programs that share the other options.
    pub fn config_is_takes(&self) -> bool {
        self.command.is_none() && self.recordings.as_ref().is_some_and(|args| args.takes.is_none())
    }
}

pub fn run(context: &Context, args: &Args, takes: Option<&Path>) -> anyhow::Result<Outcome> {
    match (&args.command, &args.recordings) {
        (Some(Command::Trials(args)), _) => trials::run(context, args),
        (Some(Command::Streams(args)), _) => streams::run(context, args),
        (None, Some(args)) => recordings(context, args, takes),
        (None, None) => anyhow::bail!("say which recordings: --dataset DIR --takes NAME --split NAME"),
    }
}

fn recordings(context: &Context, args: &RecordingsArgs, takes: Option<&Path>) -> anyhow::Result<Outcome> {
    let folder = args.takes.as_deref().or_else(|| takes.and_then(Path::to_str));
    let folder = folder.context("say which takes to enrol: --takes NAME")?;
    let dataset = Dataset::read(Path::new(&args.dataset), folder, &args.split)?;
    let recordings = takes::read(std::slice::from_ref(&dataset.takes))?;
    let models = context.models()?;
    let learned = takes::learn(&models, &recordings)?;
    let profile = Arc::new(Profile::new(folder, &dataset.token, &models.fingerprint, learned));
    let longest = profile.takes.iter().map(|take| f64::from(take.seconds)).fold(0.0, f64::max);
    let chunks = match (args.chunk_length_s, args.stride_length_s) {
        (Some(chunk), Some(stride)) => Some(Chunks::new(chunk, stride, longest)?),
        _ => None,
    };
    let detector = Detector { models, profile, rule: context.rule() };

    let mut outcome = Outcome::Done;
    let mut decisions: Vec<Decision> = Vec::new();
    let (mut seconds, mut busy) = (0.0, 0.0);
    let mut agree = true;
    for recording in &dataset.recordings {
        let samples = match read(&recording.path) {
            Ok(samples) => samples,
            Err(error) => {
                eprintln!("wakeword: {error}; left out");
                outcome = Outcome::Partial;
                continue;
            }
        };
        let started = Instant::now();
        let events = detector.streamed(&samples);
        busy += started.elapsed().as_secs_f64();
        seconds += samples.len() as f64 / SAMPLE_RATE as f64;
        let others = [
            ("whole", Some(detector.whole(&samples))),
            ("in chunks", chunks.map(|chunks| chunks.detect(&detector, &samples))),
        ];
        for (way, other) in others {
            if other.is_some_and(|other| other != events) {
                eprintln!("wakeword: {}: heard {way}, it has other verdicts", recording.path.display());
                (agree, outcome) = (false, Outcome::Partial);
            }
        }
        decisions.extend(outcome::outcomes(&recording.segments, &events));
    }

    let rates = OutcomeRates::of(&decisions, &dataset.token);
    let name = format!("{}_{folder}_{}", args.dataset.trim_end_matches('/').replace('/', "_"), args.split);
    write_files(&name, &rates, args.log_outputs.then_some(&decisions[..]), &dataset.token)?;
    let line = json!({
        "recordings": dataset.recordings.len(),
        "audio_s": seconds,
        "decisions": decisions.len(),
        "wer": rates.word_error_rate,
        "cer": rates.character_error_rate,
        "miss_rate": rates.miss_rate,
        "false_accepts": rates.false_accepts,
        "false_accepts_per_hour": rates.false_accepts as f64 / (seconds / 3600.0).max(f64::MIN_POSITIVE),
        "real_time_factor": busy / f64::max(seconds, f64::MIN_POSITIVE),
        "chunked": chunks.is_some(),
        "ways_agree": agree,
    });
    writeln!(std::io::stdout(), "{line}")?;
    Ok(outcome)
}

/// All of a recording, however long: 16 kHz mono.
fn read(path: &Path) -> Result<Vec<f32>, wakeword::audio::AudioError> {
    let mut source = FileSource::open(path)?;
    let mut samples = Vec::new();
    while source.read(&mut samples)? {}
    Ok(samples)
}

/// The files are those that programs for speech recognition write: their readers know no other form.
fn write_files(
    name: &str,
    rates: &OutcomeRates,
    decisions: Option<&[Decision]>,
    token: &str,
) -> anyhow::Result<()> {
    let write = |file: String, text: &str| {
        write_whole(&PathBuf::from(&file), text.as_bytes()).with_context(|| file.clone())
    };
    let results = format!("WER: {:?}\nCER: {:?}", rates.word_error_rate, rates.character_error_rate);
    write(format!("{name}_eval_results.txt"), &results)?;
    let Some(decisions) = decisions else { return Ok(()) };
    let texts = |part: fn(&Decision) -> bool| {
        decisions.iter().enumerate().fold(String::new(), |mut text, (index, decision)| {
            let _ = writeln!(text, "{index}\n{}", outcome::text(part(decision), token));
            text
        })
    };
    write(format!("log_{name}_predictions.txt"), &texts(|decision| decision.accepted))?;
    write(format!("log_{name}_targets.txt"), &texts(|decision| decision.target))
}
