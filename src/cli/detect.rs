//! `wakeword detect`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wakeword::batch::hear;
use wakeword::digits;
use wakeword::engine::Engine;
use wakeword::engine::event::{Event, EventKind};

use super::{Context, Outcome, output};

/// Arguments of `detect`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword detect living-room.flac
  wakeword detect --profile anna --json *.wav | jq 'select(.event == \"detected\")'

WAV and FLAC of 8 to 192 kHz and up to 8 channels. Each file is a stream of its own. Times are from the \
file's beginning; in JSON, positions are samples at 16 kHz.")]
pub struct Args {
    /// Recordings to listen to
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only this profile (may be given several times) [default: all]
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
    /// One JSON object an event and line
    #[arg(long)]
    json: bool,
    /// Only what was detected
    #[arg(long, alias = "accepted-only")]
    detected_only: bool,
}

pub fn run(context: &Context, args: Args) -> anyhow::Result<Outcome> {
    let models = context.models()?;
    let profiles = context.profiles(&models, &args.profiles)?;
    let voices = context.voices(&models)?;
    let mut outcome = Outcome::Done;
    for file in &args.files {
        let mut events = Vec::new();
        let mut engine = Engine::new(models.clone(), &profiles, context.rule());
        engine.recognise(voices.clone());
        // What was heard before a file broke off still counts.
        if let (_, Err(error)) = hear(&mut engine, file, |event| events.push(event)) {
            eprintln!("wakeword: {error}");
            outcome = Outcome::Partial;
        }
        if args.detected_only {
            events.retain(Event::is_detected);
        }
        if args.json { write_json(file, &events)? } else { write_table(file, &events)? }
    }
    Ok(outcome)
}

fn write_json(file: &Path, events: &[Event]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for event in events {
        let mut line = json!({ "file": file.to_string_lossy() });
        if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), digits::json(event)) {
            line.extend(fields);
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn write_table(file: &Path, events: &[Event]) -> anyhow::Result<()> {
    let mut table = output::table(&[
        "from", "to", "who", "phrase", "verdict", "score", "needed", "words", "voice", "speaker", "SNR",
    ]);
    for event in events {
        let (text, good) = match event.kind {
            EventKind::Candidate => continue,
            EventKind::Detected => ("detected".into(), true),
            EventKind::Rejected(reason) => (format!("rejected: {}", reason.describe()), false),
            EventKind::OtherVoice => ("the phrase in another voice".into(), false),
        };
        let evidence = &event.evidence;
        table.add_row([
            output::time(event.start).into(),
            output::time(event.end).into(),
            event.profile.as_str().into(),
            event.phrase.as_str().into(),
            output::verdict(&text, good),
            format!("{:.2}", event.score).into(),
            format!("{:.2}", event.threshold).into(),
            format!("{:.2}", evidence.keyword_score.midpoint(evidence.cepstral_score)).into(),
            evidence.speaker_score.map_or("-".into(), |score| format!("{score:.2}").into()),
            event.speaker.as_ref().map_or("-".into(), |speaker| speaker.name.as_str().into()),
            format!("{:.0} dB", evidence.snr_db).into(),
        ]);
    }
    let mut out = std::io::stdout().lock();
    if table.is_empty() {
        writeln!(out, "{}: nothing like an enrolled phrase", file.display())?;
    } else {
        writeln!(out, "{}\n{table}", file.display())?;
    }
    Ok(())
}
