//! `wakeword calibrate`

mod listen;
mod picture;
mod words;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use wakeword::calibrate::{Expectation, Outlook, Point, Room};
use wakeword::digits;

use self::listen::End;
use super::{Context, Outcome, output};
pub use words::plain;

/// Rows of the table: every so many steps.
const ROW_STEP: usize = 5;
/// The largest target, in false wakes an hour.
const MAX_TARGET: f64 = 60.0;

/// Arguments of `calibrate`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword calibrate anna
  wakeword calibrate anna --point strict --save
  wakeword calibrate anna --room evening.wav --target 0.1/h --svg anna.svg
  wakeword calibrate anna --listen 30m --save

Says what to expect of a profile at each threshold, from its own takes, and with --save sets the one that fits. \
Recordings \
of the room, in which nobody says the phrase, make the estimate surer: half an hour or more of television, \
music and talk. --listen hears it at the microphone, or through the running daemon, which wakes for nobody \
meanwhile. A running daemon uses the new threshold at once. docs/calibration.md says how far such estimates were from what was measured.")]
pub struct Args {
    /// The profile's name
    name: String,
    /// Recordings of the room without the phrase (WAV or FLAC)
    #[arg(long, num_args = 1.., value_name = "FILE")]
    room: Vec<PathBuf>,
    /// Listen to the room for so long, such as 10m; nobody may say the phrase
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    listen: Option<Duration>,
    /// The most false wakes an hour, such as 0.1/h
    #[arg(long, value_name = "RATE", value_parser = per_hour, conflicts_with = "point")]
    target: Option<f64>,
    /// How careful to be
    #[arg(long, value_name = "POINT", value_parser = point, default_value = "balanced")]
    point: Point,
    /// Draw the trade-off into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Set the profile's threshold; without it nothing is changed
    #[arg(long)]
    save: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

fn point(text: &str) -> Result<Point, String> {
    Point::ALL.into_iter().find(|point| point.name() == text).ok_or("use strict, balanced or relaxed".into())
}

fn per_hour(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/h").unwrap_or(text).trim();
    let rate = number.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate <= MAX_TARGET);
    rate.ok_or_else(|| format!("use false wakes an hour, above 0 and up to {MAX_TARGET:.0}, such as 0.1/h"))
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let store = context.store()?;
    let models = context.models()?;
    let mut profiles = context.profiles(&models, std::slice::from_ref(&args.name))?;
    let mut profile = profiles.pop().context("no profile")?;
    let rule = context.rule();
    let (mut room, mut outcome) = (Room::default(), Outcome::Done);
    for recording in &args.room {
        if let Err(error) = room.add(&models, &profile, &rule, recording) {
            output::warn(format_args!("{error}; only what comes before counts"));
            outcome = Outcome::Partial;
        }
    }
    let mut lost = false;
    if let Some(duration) = args.listen {
        let end = listen::listen(context, (&models, &profile, &rule), duration, &mut room)?;
        if let Some(reason) = end.reason() {
            output::warn(format_args!("{reason}; only what came before counts"));
            outcome = Outcome::Partial;
        }
        lost = matches!(end, End::Lost(_));
    }
    let (hours, candidates) = (room.hours, room.scores.len());
    anyhow::ensure!(
        args.room.is_empty() && args.listen.is_none() || hours > 0.0,
        "nothing of the room could be heard; nothing was changed"
    );
    let outlook = Outlook::new(&models, &profile, &rule, room);
    let chosen = match args.target {
        None => outlook.choose(args.point),
        Some(target) => outlook.for_target(target).with_context(|| {
            format!(
                "no threshold is known to keep false wakes below {target}/h: {:.3}/h is the least that can be claimed; \
                 hours of --room recordings would show more",
                outlook.least_per_hour()
            )
        })?,
    };
    if let Some(path) = &args.svg {
        let title = format!("{} ({:?})", profile.name, profile.phrase);
        let text = picture::svg(&title, &outlook.table(), &chosen)?;
        wakeword::batch::write_whole(path, text.as_bytes()).with_context(|| format!("{path:?}"))?;
    }
    let before = profile.settings.threshold;
    // What a failing microphone heard says little of the room.
    let save = args.save && !lost;
    if save {
        Arc::make_mut(&mut profile).settings.threshold = Some(chosen.threshold);
        store.save(&profile)?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let line = json!({
            "name": profile.name,
            "before": digits::widen(before.unwrap_or(rule.threshold)),
            "chosen": digits::json(&chosen),
            "points": Point::ALL.map(|point| json!({ "point": point, "expected": digits::json(&outlook.choose(point)) })),
            "table": digits::json(&outlook.table()),
            "take_scores": digits::json(&outlook.takes),
            "room_hours": hours,
            "room_candidates": candidates,
            "saved": save,
        });
        writeln!(out, "{line}")?;
        return Ok(outcome);
    }
    writeln!(out, "{}", trade_off(&outlook, &chosen))?;
    if hours > 0.0 {
        writeln!(out, "heard {hours:.1} hours of the room: {candidates} times something like the phrase")?;
    }
    let old =
        before.map_or_else(|| format!("{:.2}, as configured", rule.threshold), |own| format!("{own:.2}"));
    writeln!(out, "threshold {:.2} (before: {old}): {}", chosen.threshold, plain(&chosen))?;
    let end = match (save, args.save) {
        (true, _) => "saved",
        (false, true) => "nothing was changed: the microphone was lost",
        (false, false) => "nothing was changed; --save sets this threshold",
    };
    writeln!(out, "{end}")?;
    Ok(outcome)
}

fn trade_off(outlook: &Outlook, chosen: &Expectation) -> comfy_table::Table {
    let mut table =
        output::table(&["threshold", "false wakes an hour", "calls missed", "others with the phrase", ""]);
    let points = Point::ALL.map(|point| (point, outlook.choose(point)));
    let mut rows: Vec<Expectation> = outlook.table().into_iter().step_by(ROW_STEP).collect();
    rows.extend(points.iter().map(|(_, expected)| *expected));
    rows.push(*chosen);
    rows.sort_by(|a, b| a.threshold.total_cmp(&b.threshold));
    rows.dedup_by(|a, b| a.threshold == b.threshold);
    for row in rows {
        let mut marks: Vec<&str> = points
            .iter()
            .filter(|(_, expected)| expected.threshold == row.threshold)
            .map(|(point, _)| point.name())
            .collect();
        if row.threshold == chosen.threshold {
            marks.push("<- chosen");
        }
        table.add_row([
            format!("{:.2}", row.threshold),
            format!("{:.3}", row.false_per_hour),
            format!("{:.1} %", 100.0 * row.miss_rate),
            format!("{:.1} %", 100.0 * row.others_rate),
            marks.join(" "),
        ]);
    }
    table
}
