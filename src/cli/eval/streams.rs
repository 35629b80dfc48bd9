//! `wakeword eval streams`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde_json::json;
use wakeword::audio::{AudioError, SAMPLE_RATE};
use wakeword::batch::eval::measures::rate_bound;
use wakeword::batch::hear;
use wakeword::engine::Engine;
use wakeword::engine::event::{Detection, Event};
use wakeword::models::Models;
use wakeword::profile::Profile;

use crate::cli::{Context, Outcome, output};

/// Arguments of `eval streams`.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  wakeword eval streams television.flac music.wav --store profiles/

Listens for all enrolled phrases in each recording, as the daemon would. Every acceptance is a false accept. The \
rate is per hour and profile; the bound is the highest rate that would still show so few in 5 % of such \
measurements (Poisson): 3.0 divided by the hours if there are none.")]
pub struct Args {
    /// WAV and FLAC files in which nobody says an enrolled phrase
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only for this profile; may be repeated [default: all]
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// What was accepted in one recording.
struct Heard<'a> {
    file: &'a Path,
    /// Of all profiles together.
    hours: f64,
    accepted: Vec<Detection>,
    error: Option<AudioError>,
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let models = context.models()?;
    let profiles = context.profiles(&models, &args.profiles)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.jobs).build()?;
    // Hidden by the library where stderr is no terminal.
    let progress = ProgressBar::new(args.files.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} recordings, {eta} left")?);
    let all = args.files.par_iter().map(|file| {
        let heard = listen(context, &models, &profiles, file);
        if let Some(error) = &heard.error {
            progress.suspend(|| eprintln!("wakeword: {error}; only what comes before counts"));
        }
        progress.inc(1);
        heard
    });
    let heard: Vec<Heard<'_>> = pool.install(|| all.collect());
    progress.finish_and_clear();
    report(&heard, profiles.len(), args.json)?;
    Ok(if heard.iter().any(|one| one.error.is_some()) { Outcome::Partial } else { Outcome::Done })
}

/// A recording that breaks off counts as far as it was heard.
fn listen<'a>(
    context: &Context,
    models: &Arc<Models>,
    profiles: &[Arc<Profile>],
    file: &'a Path,
) -> Heard<'a> {
    let mut engine = Engine::new(models.clone(), profiles, context.rule());
    let mut accepted = Vec::new();
    let (samples, end) = hear(&mut engine, file, |event| {
        if let Event::Accepted(detection) = event {
            accepted.push(detection);
        }
    });
    let hours = samples as f64 / f64::from(SAMPLE_RATE) / 3600.0 * profiles.len() as f64;
    Heard { file, hours, accepted, error: end.err() }
}

fn report(heard: &[Heard<'_>], profiles: usize, json: bool) -> anyhow::Result<()> {
    let hours: f64 = heard.iter().map(|one| one.hours).sum();
    let all: usize = heard.iter().map(|one| one.accepted.len()).sum();
    let rate = |count: f64, hours: f64| if hours > 0.0 { Some(count / hours) } else { None };
    let mut out = std::io::stdout().lock();
    if json {
        let recordings = heard.iter().map(|one| {
            json!({
                "file": one.file.to_string_lossy(),
                "profile_hours": one.hours,
                "false_accepts": one.accepted,
            })
        });
        let line = json!({
            "recordings": recordings.collect::<Vec<_>>(),
            "profiles": profiles,
            "profile_hours": hours,
            "false_accepts": all,
            "false_accepts_per_hour": rate(all as f64, hours),
            "upper_bound_per_hour": rate(rate_bound(all), hours),
        });
        writeln!(out, "{line}")?;
        return Ok(());
    }
    let mut moments = output::table(&["recording", "from", "to", "as", "score", "needed", "voice", "SNR"]);
    for one in heard {
        for found in &one.accepted {
            moments.add_row([
                one.file.display().to_string(),
                output::time(found.start),
                output::time(found.end),
                found.profile.clone(),
                format!("{:.2}", found.score),
                format!("{:.2}", found.threshold),
                found.evidence.speaker_cosine.map_or("-".into(), |cosine| format!("{cosine:.2}")),
                format!("{:.0} dB", found.evidence.snr_db),
            ]);
        }
    }
    if !moments.is_empty() {
        writeln!(out, "{moments}\n")?;
    }
    let mut table = output::table(&["recording", "profile-hours", "false accepts", "per hour", "at most"]);
    let mut row = |name: String, count: usize, hours: f64| {
        let text = |rate: Option<f64>| rate.map_or("-".into(), |rate| format!("{rate:.3}"));
        let (found, most) = (text(rate(count as f64, hours)), text(rate(rate_bound(count), hours)));
        table.add_row([name, format!("{hours:.2}"), count.to_string(), found, most]);
    };
    for one in heard {
        row(one.file.display().to_string(), one.accepted.len(), one.hours);
    }
    row("all".into(), all, hours);
    writeln!(out, "{table}")?;
    Ok(())
}
