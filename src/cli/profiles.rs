//! `wakeword profiles`

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;
use wakeword::digits;
use wakeword::profile::Profile;
use wakeword::store::{Store, StoreError, transfer};
use wakeword::text::printable;

use super::{Context, Outcome, confirm, output, passphrase};

/// Larger files are no exports.
const MAX_BYTES: u64 = 64 << 20;

/// Arguments of `profiles`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword profiles list
  wakeword profiles show anna --json
  wakeword profiles rename anna anna-kitchen
  wakeword profiles export anna --out anna.wakecase
  wakeword profiles import anna.wakecase
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
    /// Write a profile to a file for another machine, encrypted with a passphrase
    #[command(after_help = "\
Examples:
  wakeword profiles export anna
  wakeword profiles export anna --out /media/stick/anna.wakecase
  pass show wakeword | wakeword profiles export anna

The passphrase is asked for twice; without a terminal it is the first line of the standard input. Whoever has \
the file may guess for ever: use five words or more.")]
    Export {
        /// The profile's name
        name: String,
        /// The file, which must not be there yet [default: NAME.wakecase]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Take the passphrase from the first line of this file
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Add a profile from such a file
    #[command(after_help = "\
Examples:
  wakeword profiles import anna.wakecase
  wakeword profiles import anna.wakecase --name anna-kitchen --passphrase-file words.txt

The models have to be those that it was enrolled with.")]
    Import {
        /// The file
        file: PathBuf,
        /// The name that it gets [default: the one that it had]
        #[arg(long, value_name = "NEW")]
        name: Option<String>,
        /// Take the passphrase from the first line of this file
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Delete a profile for good
    #[command(after_help = "\
Examples:
  wakeword profiles remove anna
  wakeword profiles remove anna --yes

On a terminal it asks first.")]
    Remove {
        /// The profile's name
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
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
        Command::Export { name, out, passphrase_file } => {
            let out = out.unwrap_or_else(|| format!("{name}.{}", transfer::EXTENSION).into());
            export(context.store()?, &name, &out, passphrase_file.as_deref())
        }
        Command::Import { file, name, passphrase_file } => {
            import(context, &file, name, passphrase_file.as_deref())
        }
        Command::Remove { name, yes } => {
            if !yes && !confirm::agreed(&format!("delete the profile {name:?} for good?"))? {
                return Ok(Outcome::Done);
            }
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
                table.add_row([
                    &*profile.name,
                    &printable(&profile.phrase),
                    &takes,
                    &output::date(profile.created),
                ]);
                shown += 1;
            }
            // One bad file must not hide the others.
            Err(error) => {
                output::warn(error);
                outcome = Outcome::Partial;
            }
        }
    }
    if shown > 0 {
        writeln!(out, "{table}")?;
    } else if !json && matches!(outcome, Outcome::Done) {
        eprintln!("no profiles in {:?}; enrol one: wakeword enroll NAME --phrase TEXT", store.folder());
    }
    Ok(outcome)
}

fn export(store: &Store, name: &str, out: &Path, file: Option<&Path>) -> anyhow::Result<Outcome> {
    let profile = store.load(name)?;
    // Asked before the passphrase, and once more when the file is written.
    anyhow::ensure!(
        out.symlink_metadata().is_err(),
        "{out:?} exists; choose another file with --out, or remove it first"
    );
    let passphrase = passphrase::ask(file, true)?;
    transfer::write_export(out, &transfer::export(&profile, &passphrase)?)?;
    eprintln!("exported {name} to {out:?}");
    Ok(Outcome::Done)
}

fn import(
    context: &Context,
    path: &Path,
    name: Option<String>,
    passphrase_file: Option<&Path>,
) -> anyhow::Result<Outcome> {
    let store = context.store()?;
    // A name that is given can be looked at before the work.
    name.as_deref().map_or(Ok(()), |name| store.check_free(name, false))?;
    let named = || format!("{path:?}");
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(named)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(named)?;
    transfer::check(&bytes).with_context(named)?;
    let passphrase = passphrase::ask(passphrase_file, false)?;
    let mut profile = transfer::import(&bytes, &passphrase).with_context(named)?;
    anyhow::ensure!(
        profile.models == context.models()?.fingerprint,
        "{path:?}: profile {:?} was made with other models; enrol it on this machine",
        profile.name
    );
    if let Some(name) = name {
        profile.name = name;
    }
    match store.add(&profile) {
        Err(StoreError::Exists(taken)) => {
            anyhow::bail!("a profile named {taken:?} exists; choose another name with --name")
        }
        added => added?,
    };
    eprintln!("imported {} ({:?})", profile.name, profile.phrase);
    Ok(Outcome::Done)
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
    writeln!(out, "user       {}", printable(&profile.user))?;
    writeln!(out, "phrase     {}", printable(&profile.phrase))?;
    let settings = &profile.settings;
    let threshold = settings.threshold.map_or("as configured".into(), |value| format!("{value:.2}"));
    writeln!(out, "threshold  {threshold}{}", if settings.enabled { "" } else { " (disabled)" })?;
    writeln!(out, "enrolled   {}", output::date(profile.created))?;
    writeln!(out, "takes      {} of {} s", profile.takes.len(), lengths.join(", "))?;
    let scales = &profile.scales;
    writeln!(
        out,
        "agreement  words {:.2} and {:.2}, voice {:.2}",
        scales.keyword, scales.cepstra, scales.voice
    )?;
    writeln!(out, "models     {}", printable(&profile.models))?;
    Ok(Outcome::Done)
}

fn summary(profile: &Profile) -> serde_json::Value {
    json!({
        "name": profile.name,
        "user": profile.user,
        "phrase": profile.phrase,
        "settings": digits::json(&profile.settings),
        "created": profile.created,
        "take_seconds": profile.takes.iter().map(|take| digits::widen(take.seconds)).collect::<Vec<_>>(),
        "scales": digits::json(&profile.scales),
        "models": profile.models,
    })
}
