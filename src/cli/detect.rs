//! `wakeword detect`

use std::cell::RefCell;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wakeword::audio::{AudioError, FileSource, Pipe};
use wakeword::batch::hear_blocks;
use wakeword::digits;
use wakeword::engine::Engine;
use wakeword::engine::event::{Event, EventKind};
use wakeword::text::printable;

use super::piped::Samples;
use super::{Context, Outcome, output};

/// Arguments of `detect`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword detect living-room.flac
  wakeword detect --profile anna --json *.wav | jq 'select(.event == \"detected\")'
  arecord -q -f S16_LE -r 16000 | wakeword detect --json -
  ffmpeg -v error -i film.mkv -f wav - | wakeword detect -

WAV and FLAC of 8 to 192 kHz and up to 8 channels; - is standard input, which holds WAV or samples without a \
header. Each file is a stream of its own. Times are from the \
file's beginning; in JSON, positions are samples at 16 kHz, and each file ends with a line whose event is \"end\". \
For one that cannot be heard to its end, a line with the event \"error\" comes before that.")]
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
    #[command(flatten)]
    samples: Samples,
}

pub fn run(context: &Context, args: Args) -> anyhow::Result<Outcome> {
    let piped = args.files.iter().any(|file| file.as_os_str() == "-");
    anyhow::ensure!(
        piped || !args.samples.given(),
        "--rate, --channels and --format are of standard input: -"
    );
    let models = context.models()?;
    let profiles = context.profiles(&models, &args.profiles)?;
    let voices = context.voices(&models)?;
    let mut outcome = Outcome::Done;
    for file in &args.files {
        let mut engine = Engine::new(models.clone(), &profiles, context.rule());
        engine.recognise(voices.clone());
        // Lines are written as they come, for programs that read them while a pipe goes on.
        let (mut events, written) = (Vec::new(), RefCell::new(Ok(())));
        let sink = |event: Event| {
            if args.detected_only && !event.is_detected() {
                return;
            }
            if args.json {
                let mut written = written.borrow_mut();
                if written.is_ok() {
                    *written = write_event(file, &event);
                }
            } else {
                events.push(event);
            }
        };
        // What was heard before a file broke off still counts.
        let (samples, end) = hear(&mut engine, file, &args.samples, || written.borrow().is_err(), sink);
        written.into_inner()?;
        if let Err(error) = &end {
            output::warn(error);
            outcome = Outcome::Partial;
        }
        let heard = Heard { file, samples, error: end.err(), events };
        if args.json { write_end(&heard)? } else { write_table(&heard, args.detected_only)? }
    }
    Ok(outcome)
}

/// Has the engine hear a file, or standard input, to its end or until `stop`; how many samples that were.
fn hear(
    engine: &mut Engine,
    file: &Path,
    samples: &Samples,
    stop: impl Fn() -> bool,
    sink: impl FnMut(Event),
) -> (u64, Result<(), AudioError>) {
    if file.as_os_str() != "-" {
        return match FileSource::open(file) {
            Ok(mut source) => hear_blocks(engine, |out| source.read(out), stop, sink),
            Err(error) => (0, Err(error)),
        };
    }
    let failed = |kind| AudioError { path: file.into(), kind };
    match Pipe::open(io::stdin().lock(), samples.format()) {
        Ok(mut pipe) => hear_blocks(engine, |out| pipe.read(out).map_err(failed), stop, sink),
        Err(kind) => (0, Err(failed(kind))),
    }
}

/// What came of one file.
struct Heard<'a> {
    file: &'a Path,
    /// How much of it was heard, at 16 kHz.
    samples: u64,
    /// Why that is not all of it.
    error: Option<AudioError>,
    /// In JSON they are written already.
    events: Vec<Event>,
}

fn write_event(file: &Path, event: &Event) -> io::Result<()> {
    let mut line = json!({ "file": file.to_string_lossy() });
    if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), digits::json(event)) {
        line.extend(fields);
    }
    writeln!(io::stdout(), "{line}")
}

/// The lines after the events of a file.
fn write_end(heard: &Heard<'_>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let file = heard.file.to_string_lossy();
    if let Some(error) = &heard.error {
        writeln!(out, "{}", json!({ "file": file, "event": "error", "error": error.kind.to_string() }))?;
    }
    let complete = heard.error.is_none();
    writeln!(
        out,
        "{}",
        json!({ "file": file, "event": "end", "samples": heard.samples, "complete": complete })
    )?;
    Ok(())
}

fn write_table(heard: &Heard<'_>, detected_only: bool) -> anyhow::Result<()> {
    // Of what was not heard there is nothing to say; stderr has the reason.
    if heard.error.is_some() && heard.samples == 0 {
        return Ok(());
    }
    // A terminal has 80 columns: JSON has the phrase too.
    let mut table =
        output::table(&["from", "to", "who", "verdict", "score", "words", "voice", "speaker", "SNR"]);
    for event in &heard.events {
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
            output::cell(&event.profile),
            output::verdict(&text, good),
            format!("{:.2}/{:.2}", event.score, event.threshold).into(),
            format!("{:.2}", evidence.keyword_score.midpoint(evidence.cepstral_score)).into(),
            evidence.speaker_score.map_or("-".into(), |score| format!("{score:.2}").into()),
            event.speaker.as_ref().map_or("-".into(), |speaker| output::cell(&speaker.name)),
            format!("{:.0} dB", evidence.snr_db).into(),
        ]);
    }
    let mut out = io::stdout().lock();
    let name = heard.file.to_string_lossy();
    let name = printable(&name);
    let part = heard
        .error
        .as_ref()
        .map_or(String::new(), |_| format!(" up to {}, where it breaks off", output::time(heard.samples)));
    match (table.is_empty(), detected_only) {
        (false, _) => writeln!(out, "{name}{part}\n{table}")?,
        (true, false) => writeln!(out, "{name}: nothing like an enrolled phrase{part}")?,
        (true, true) => writeln!(out, "{name}: nothing detected{part}")?,
    }
    Ok(())
}
