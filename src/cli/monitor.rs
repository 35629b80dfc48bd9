//! `wakeword monitor`

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map, Value};
use wakeword::bus::client::{Heard, follow};
use wakeword::text::printable;

use super::Outcome;
use super::which_bus::WhichBus;

/// Arguments of `monitor`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword monitor
  wakeword monitor --json | jq 'select(.event == \"detected\") | .user'

Runs until it is interrupted. A daemon or a bus that goes away is waited for.")]
pub struct Args {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Show refused candidates too, if the daemon is configured to announce them
    #[arg(long)]
    rejected: bool,
    #[command(flatten)]
    bus: WhichBus,
}

pub fn run(file: Option<&Path>, args: Args) -> anyhow::Result<Outcome> {
    let bus = args.bus.find(file)?;
    let mut out = io::stdout();
    follow(bus.kind, bus.address.as_deref(), |heard| {
        if matches!(heard, Heard::Rejected { .. }) && !args.rejected {
            return Ok(());
        }
        if args.json {
            serde_json::to_writer(&out, &heard)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", printable(&line(&heard)))?;
        }
        out.flush()
    })?;
    Ok(Outcome::Done)
}

fn line(heard: &Heard) -> String {
    match heard {
        Heard::NoBus { reason } => format!("no bus: {reason}; waiting"),
        Heard::NoDaemon => "no daemon on the bus; waiting".into(),
        Heard::Daemon => "a daemon is on the bus".into(),
        Heard::Detected { profile, details } => {
            format!("detected  {profile}  {}", fields(details, &VERDICT))
        }
        Heard::Rejected { profile, details } => {
            format!("rejected  {profile}  {}", fields(details, &VERDICT))
        }
        Heard::OtherVoice { profile, details } => {
            let known = details.get("speaker").and_then(Value::as_str).unwrap_or("nobody enrolled");
            format!("other     {profile}  said by {known}  {}", fields(details, &PHRASE))
        }
        Heard::Changed { object, changed } => format!("changed   {}  {}", last(object), all(changed)),
        Heard::Added { object, properties } => format!("added     {}  {}", last(object), all(properties)),
        Heard::Removed { object } => format!("removed   {}", last(object)),
    }
}

/// What of a verdict fits a line, and of a phrase in another voice.
const VERDICT: [&str; 7] = ["reason", "user", "speaker", "phrase", "score", "threshold", "latency_ms"];
const PHRASE: [&str; 2] = ["phrase", "latency_ms"];

fn fields(details: &Map<String, Value>, names: &[&str]) -> String {
    let fields = names.iter().filter_map(|name| Some(format!("{name} {}", show(details.get(*name)?))));
    fields.collect::<Vec<_>>().join("  ")
}

fn all(values: &Map<String, Value>) -> String {
    values.iter().map(|(name, value)| format!("{name} {}", show(value))).collect::<Vec<_>>().join("  ")
}

fn show(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => format!("{:.2}", number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
