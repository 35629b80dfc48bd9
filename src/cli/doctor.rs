//! `wakeword doctor`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use comfy_table::Cell;
use serde::Serialize;
use serde_json::Value;
use wakeword::audio::capture::{Capture, CaptureOptions, Health, Realtime, microphones};
use wakeword::bus::client::snapshot;
use wakeword::config::{Config, default_store};
use wakeword::features::SAMPLE_RATE;
use wakeword::features::level::dbfs;
use wakeword::models::Models;
use wakeword::service::{capture_options, roster::Roster};
use wakeword::store::Store;

use super::{Outcome, output};

/// Audio recorded to judge the microphone by.
const LISTEN: Duration = Duration::from_secs(2);
/// Below this even a whisper nearby should be.
const FAINT_DBFS: f32 = -75.0;
/// Above this a room is too loud, or the input overdriven.
const LOUD_DBFS: f32 = -10.0;

/// Arguments of `doctor`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword doctor
  wakeword doctor --json | jq 'select(.ok | not)'

Records two seconds from the microphone and forgets them. Exit status 3 says that something needs your \
attention.")]
pub struct Args {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// What was found of one thing.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    /// The state of things, or what is wrong and what to do.
    finding: String,
}

fn good(what: &'static str, finding: impl Into<String>) -> Finding {
    Finding { what, ok: true, finding: finding.into() }
}

fn bad(what: &'static str, finding: impl Into<String>) -> Finding {
    Finding { what, ok: false, finding: finding.into() }
}

pub fn run(file: Option<&Path>, folder: Option<PathBuf>, args: Args) -> anyhow::Result<Outcome> {
    let mut findings = Vec::new();
    let config = match Config::load_with_origin(file) {
        Ok((config, origin)) => {
            let from = origin.file.map_or("defaults, no file".into(), |file| file.display().to_string());
            findings.push(good("configuration", from));
            config
        }
        Err(error) => {
            findings.push(bad("configuration", format!("{error}; the defaults are looked at instead")));
            Config::default()
        }
    };
    let fingerprint = models(&config, &mut findings);
    profiles(&config, folder, fingerprint.as_deref(), &mut findings);
    microphone(&config, &mut findings);
    findings.push(bus(&config));

    let mut out = std::io::stdout().lock();
    if args.json {
        for finding in &findings {
            writeln!(out, "{}", serde_json::to_string(finding)?)?;
        }
    } else {
        let mut table = output::table(&["", "what", "finding"]);
        for finding in &findings {
            let mark = output::verdict(if finding.ok { "ok" } else { "!!" }, finding.ok);
            table.add_row([mark, Cell::new(finding.what), output::cell(&finding.finding)]);
        }
        writeln!(out, "{table}")?;
    }
    Ok(if findings.iter().all(|finding| finding.ok) { Outcome::Done } else { Outcome::Partial })
}

fn models(config: &Config, findings: &mut Vec<Finding>) -> Option<String> {
    let started = Instant::now();
    match Models::load(config.models.path.as_deref()) {
        Ok(models) => {
            let from =
                config.models.path.as_ref().map_or("built in".into(), |path| path.display().to_string());
            let seconds = started.elapsed().as_secs_f64();
            findings.push(good("models", format!("{from}, loaded in {seconds:.1} s")));
            Some(models.fingerprint)
        }
        Err(error) => {
            findings.push(bad("models", error.to_string()));
            None
        }
    }
}

fn profiles(
    config: &Config,
    folder: Option<PathBuf>,
    fingerprint: Option<&str>,
    findings: &mut Vec<Finding>,
) {
    let Some(folder) = folder.or_else(|| config.store.path.clone()).or_else(default_store) else {
        return findings.push(bad("profiles", "no home folder: say where they are with --store"));
    };
    let Some(fingerprint) = fingerprint else { return };
    let roster = Roster::load(&Store::new(&folder), fingerprint);
    findings.extend(roster.broken.iter().map(|broken| bad("profiles", broken)));
    let enabled = roster.profiles.iter().filter(|profile| profile.settings.enabled).count();
    findings.push(match enabled {
        0 => bad(
            "profiles",
            format!(
                "none to listen for in {}; enrol one: wakeword enroll NAME --phrase TEXT",
                folder.display()
            ),
        ),
        count => good("profiles", format!("{count} in {}", folder.display())),
    });
}

fn microphone(config: &Config, findings: &mut Vec<Finding>) {
    match microphones() {
        Ok(list) => {
            let usable = list.iter().filter(|microphone| microphone.offer.is_ok()).count();
            let text = format!("{usable} of {} devices can be used; see wakeword devices", list.len());
            findings.push(if usable > 0 { good("sound system", text) } else { bad("sound system", text) });
        }
        Err(error) => findings.push(bad("sound system", error.to_string())),
    }
    match record(&capture_options(config, None)) {
        Ok((name, samples, health)) => {
            findings.push(level(&name, &samples, &health));
            findings.push(match &health.realtime {
                Realtime::Granted => good("real-time priority", "granted"),
                Realtime::NotAsked => good("real-time priority", "left to the sound server"),
                Realtime::Denied(reason) => bad(
                    "real-time priority",
                    format!("{reason}; install rtkit, or audio may be lost when the machine is busy"),
                ),
            });
        }
        Err(error) => findings.push(bad("microphone", error.to_string())),
    }
}

fn record(options: &CaptureOptions) -> anyhow::Result<(String, Vec<f32>, Health)> {
    let mut capture = Capture::open(options)?;
    let (started, mut samples) = (Instant::now(), Vec::new());
    while started.elapsed() < LISTEN {
        capture.read(Duration::from_millis(100), &mut samples)?;
    }
    Ok((format!("{} ({})", capture.device(), capture.format()), samples, capture.health()))
}

fn level(name: &str, samples: &[f32], health: &Health) -> Finding {
    let level = dbfs(samples);
    let heard = samples.len() as f32 / SAMPLE_RATE as f32;
    let state = format!("{name}, {level:.0} dBFS");
    if heard < LISTEN.as_secs_f32() / 2.0 || health.lost_samples > 0 {
        bad(
            "microphone",
            format!("{state}: audio is lost ({heard:.1} of 2 s came); is the machine overloaded?"),
        )
    } else if samples.iter().all(|sample| *sample == 0.0) {
        bad("microphone", format!("{name}: digital silence; is it muted, or another one the default?"))
    } else if level < FAINT_DBFS {
        bad("microphone", format!("{state}: hardly anything comes in; raise its level in the mixer"))
    } else if level > LOUD_DBFS {
        bad("microphone", format!("{state}: far too loud; lower its level in the mixer"))
    } else {
        good("microphone", state)
    }
}

fn bus(config: &Config) -> Finding {
    match snapshot(config.bus.kind, config.bus.address.as_deref()) {
        Ok(snapshot) => {
            let state = snapshot.daemon.get("State").and_then(Value::as_str).unwrap_or("unknown").to_owned();
            let text = format!("the daemon answers: {state}");
            if state == "listening" {
                good("bus", text)
            } else {
                bad("bus", format!("{text}; see wakeword status"))
            }
        }
        Err(error) => bad("bus", error.to_string()),
    }
}
