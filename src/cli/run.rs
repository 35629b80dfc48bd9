//! `wakeword run`

use std::path::PathBuf;
use std::time::Duration;

use wakeword::config::Config;
use wakeword::service;

use super::Outcome;
use super::piped::Samples;

/// A log that nobody reads keeps the daemon from its end no longer than this.
const LOG_TIMEOUT: Duration = Duration::from_millis(300);

/// Arguments of `run`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword run
  wakeword run --json | jq -r 'select(.event == \"detected\") | .user'
  wakeword run --device \"USB Microphone\"
  arecord -q -f S16_LE -r 16000 | wakeword run --stdin --json

Listens until it gets SIGTERM or SIGINT. SIGHUP makes it read its configuration and profiles again. Events \
go to D-Bus, to the hooks of the configuration and, with --json, to stdout; the log goes to stderr.")]
pub struct Args {
    /// Microphone to listen to; `wakeword devices` lists them [default: as configured, or the system's]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Listen to standard input in place of a microphone, and end with it: WAV, or samples without a header
    #[arg(long, conflicts_with = "device")]
    stdin: bool,
    #[command(flatten)]
    samples: Samples,
    /// One JSON object an event and line
    #[arg(long)]
    json: bool,
}

pub fn run(config: Option<PathBuf>, store: Option<PathBuf>, args: Args) -> anyhow::Result<Outcome> {
    anyhow::ensure!(args.stdin || !args.samples.given(), "--rate, --channels and --format are of --stdin");
    let piped = args.stdin.then(|| args.samples.format());
    let log = service::log::init(Config::load(config.as_deref())?.log.level)?;
    let run = service::run(service::Options { config, store, device: args.device, json: args.json, piped });
    log.flush(LOG_TIMEOUT);
    run?;
    Ok(Outcome::Done)
}
