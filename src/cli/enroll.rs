//! `wakeword enroll`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use wakeword::enroll::takes;
use wakeword::profile::Profile;

use super::{Context, Outcome};

/// Arguments of `enroll`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword enroll anna --phrase \"hello sunflower\" --from takes/
  wakeword enroll anna-lights --user anna --phrase \"lights on please\" --from 1.wav 2.wav 3.wav 4.wav 5.wav

Record five takes of the phrase, each with a moment of quiet before and after. A phrase of a second or
more, of three syllables or more, keeps other people and chance out best.")]
pub struct Args {
    /// Name of the profile
    name: String,
    /// The phrase as text, to show with events
    #[arg(long, value_name = "TEXT")]
    phrase: String,
    /// Who says it, to show with events [default: the profile's name]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Recordings of the phrase, or a folder of them (WAV or FLAC)
    #[arg(long, required = true, num_args = 1.., value_name = "DIR|FILE")]
    from: Vec<PathBuf>,
    /// Replace a profile of this name
    #[arg(long)]
    replace: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(context: &Context, args: Args) -> anyhow::Result<Outcome> {
    if !args.replace {
        context.store()?.check_free(&args.name)?;
    }
    let recordings = takes::read(&args.from)?;
    let models = context.models()?;
    let learned = takes::learn(&models, &recordings)?;
    let mut profile = Profile::new(&args.name, &args.phrase, &models.fingerprint, learned);
    profile.created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
    profile.user = args.user.unwrap_or(args.name);
    let path = context.store()?.save(&profile)?;
    report(&profile, &path, args.json)
}

fn report(profile: &Profile, path: &Path, json: bool) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    let seconds = profile.takes.iter().map(|take| take.seconds).sum::<f32>() / profile.takes.len() as f32;
    if json {
        let line = json!({
            "name": profile.name,
            "phrase": profile.phrase,
            "takes": profile.takes.len(),
            "mean_seconds": seconds,
            "scales": profile.scales,
            "file": path.to_string_lossy(),
        });
        writeln!(out, "{line}")?;
    } else {
        writeln!(
            out,
            "enrolled {:?} as {}: {} takes of {seconds:.1} s",
            profile.phrase,
            profile.name,
            profile.takes.len()
        )?;
        writeln!(out, "profile: {}", path.display())?;
    }
    Ok(Outcome::Done)
}
