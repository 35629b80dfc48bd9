//! `wakeword profiles`

use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use wakeword::profile::Profile;
use wakeword::store::Store;

use super::{Context, Outcome, output};

/// Arguments of `profiles`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword profiles list
  wakeword profiles show anna --json
  wakeword profiles rename anna anna-kitchen
  wakeword profiles remove anna")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// One line a profile
    #[command(after_help = "Example:\n  wakeword profiles list --json")]
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Everything known of a profile
    #[command(after_help = "Example:\n  wakeword profiles show anna")]
    Show {
        /// The profile's name
        name: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Give a profile another name
    #[command(after_help = "Example:\n  wakeword profiles rename anna anna-kitchen")]
    Rename {
        /// The profile's name
        name: String,
        /// The name that it gets
        new: String,
    },
    /// Delete a profile for good
    #[command(after_help = "Example:\n  wakeword profiles remove anna")]
    Remove {
        /// The profile's name
        name: String,
    },
}

pub fn run(context: &Context, args: Args) -> anyhow::Result<Outcome> {
    match args.command {
        Command::List { json } => list(context.store()?, json),
        Command::Show { name, json } => show(context.store()?, &name, json),
        Command::Rename { name, new } => {
            context.store()?.rename(&name, &new)?;
            eprintln!("renamed {name} to {new}");
            Ok(Outcome::Done)
        }
        Command::Remove { name } => {
            context.store()?.remove(&name)?;
            eprintln!("removed {name}");
            Ok(Outcome::Done)
        }
    }
}

fn list(store: &Store, json: bool) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    let mut outcome = Outcome::Done;
    let mut table = output::table(&["name", "phrase", "takes", "enrolled"]);
    let mut shown = 0;
    for name in store.names()? {
        match store.load(&name) {
            Ok(profile) if json => writeln!(out, "{}", summary(&profile))?,
            Ok(profile) => {
                let takes = profile.takes.len().to_string();
                table.add_row([&profile.name, &profile.phrase, &takes, &date(profile.created)]);
                shown += 1;
            }
            // One bad file must not hide the others.
            Err(error) => {
                eprintln!("wakeword: {error}");
                outcome = Outcome::Partial;
            }
        }
    }
    if shown > 0 {
        writeln!(out, "{table}")?;
    } else if !json {
        eprintln!(
            "no profiles in {}; enrol one: wakeword enroll NAME --phrase TEXT",
            store.folder().display()
        );
    }
    Ok(outcome)
}

fn show(store: &Store, name: &str, json: bool) -> anyhow::Result<Outcome> {
    let profile = store.load(name)?;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", summary(&profile))?;
        return Ok(Outcome::Done);
    }
    let lengths: Vec<String> = profile.takes.iter().map(|take| format!("{:.2}", take.seconds)).collect();
    writeln!(out, "name       {}", profile.name)?;
    writeln!(out, "user       {}", profile.user)?;
    writeln!(out, "phrase     {}", profile.phrase)?;
    let settings = &profile.settings;
    let threshold = settings.threshold.map_or("as configured".into(), |value| format!("{value:.2}"));
    writeln!(out, "threshold  {threshold}{}", if settings.enabled { "" } else { " (disabled)" })?;
    writeln!(out, "enrolled   {}", date(profile.created))?;
    writeln!(out, "takes      {} of {} s", profile.takes.len(), lengths.join(", "))?;
    let scales = &profile.scales;
    writeln!(
        out,
        "agreement  words {:.2} and {:.2}, voice {:.2}",
        scales.keyword, scales.cepstra, scales.voice
    )?;
    writeln!(out, "models     {}", profile.models)?;
    Ok(Outcome::Done)
}

fn summary(profile: &Profile) -> serde_json::Value {
    json!({
        "name": profile.name,
        "user": profile.user,
        "phrase": profile.phrase,
        "settings": profile.settings,
        "created": profile.created,
        "take_seconds": profile.takes.iter().map(|take| take.seconds).collect::<Vec<_>>(),
        "scales": profile.scales,
        "models": profile.models,
    })
}

/// Date and time in UTC of seconds since 1970.
fn date(seconds: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}
