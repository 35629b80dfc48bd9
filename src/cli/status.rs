//! `wakeword status`

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map, Value};
use wakeword::bus::client::snapshot;
use wakeword::text::printable;

use super::which_bus::WhichBus;
use super::{Outcome, output};

/// Arguments of `status`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword status
  wakeword status --json | jq -r .daemon.State

Exit status 1 says that no daemon answers.")]
pub struct Args {
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    bus: WhichBus,
}

pub fn run(file: Option<&Path>, args: Args) -> anyhow::Result<Outcome> {
    let bus = args.bus.find(file)?;
    let snapshot = snapshot(bus.kind, bus.address.as_deref())?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &snapshot)?;
        writeln!(out)?;
        return Ok(Outcome::Done);
    }
    let daemon = |name| text(&snapshot.daemon, name);
    let holds: Vec<&str> = [("Muted", "muted"), ("Playback", "playback")]
        .iter()
        .filter(|(name, _)| snapshot.daemon.get(*name) == Some(&Value::Bool(true)))
        .map(|(_, hold)| *hold)
        .collect();
    writeln!(out, "state       {}", daemon("State"))?;
    writeln!(out, "microphone  {}", or_none(&daemon("InputDevice")))?;
    writeln!(out, "holds       {}", or_none(&holds.join(", ")))?;
    writeln!(out, "lost        {} samples, {} overruns", daemon("LostSamples"), daemon("Overruns"))?;
    writeln!(out, "last error  {}", or_none(&daemon("LastError")))?;
    writeln!(out, "version     {}", daemon("Version"))?;
    if snapshot.profiles.is_empty() {
        writeln!(out, "profiles    none; enrol one: wakeword enroll NAME --phrase TEXT")?;
        return Ok(Outcome::Done);
    }
    let mut table = output::table(&["profile", "user", "phrase", "threshold", "listening"]);
    for profile in &snapshot.profiles {
        let cell = |name| text(profile, name);
        let enabled = profile.get("Enabled") == Some(&Value::Bool(true));
        table.add_row([
            cell("Name").into(),
            cell("User").into(),
            cell("Phrase").into(),
            cell("Threshold").into(),
            output::verdict(if enabled { "yes" } else { "no" }, enabled),
        ]);
    }
    writeln!(out, "\n{table}")?;
    Ok(Outcome::Done)
}

fn text(object: &Map<String, Value>, name: &str) -> String {
    match object.get(name) {
        Some(Value::String(text)) => printable(text).into_owned(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
