//! `wakeword speakers identify`

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;
use wakeword::digits;
use wakeword::speaker::voice;
use wakeword::text::printable;

use super::super::{Context, Outcome, load_all, output};

/// Arguments of `speakers identify`.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  wakeword speakers identify *.wav --json | jq -r .speaker

The score is the cosine to the enrolled voice: about 0 for a stranger, 1 for the very recordings.")]
pub struct Args {
    /// Recordings of one person each
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Score from which on somebody is recognised, -1 to 1
    #[arg(long, value_name = "SCORE", default_value_t = voice::THRESHOLD, allow_negative_numbers = true)]
    threshold: f32,
    /// One JSON object a file and line: `speaker` (null for nobody) and all `scores`, or an `error`
    #[arg(long)]
    json: bool,
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let models = context.models()?;
    let voices = load_all(&context.store()?.voices(), &models, &[])?;
    let mut outcome = Outcome::Done;
    let mut out = std::io::stdout().lock();
    let mut table = output::table(&["file", "speaker", "score", "next"]);
    for (file, embedding) in args.files.iter().zip(super::embed_files(&models.speaker, &args.files)) {
        let embedding = match embedding {
            Ok(embedding) => embedding,
            Err(error) => {
                if args.json {
                    writeln!(
                        out,
                        "{}",
                        json!({ "file": file.to_string_lossy(), "error": error.to_string() })
                    )?;
                }
                output::warn(error);
                outcome = Outcome::Partial;
                continue;
            }
        };
        let ranked = voice::rank(&voices, &embedding);
        let (best, score) = *ranked.first().context("no voices")?;
        let speaker = (score >= args.threshold).then_some(&voices[best].name);
        if args.json {
            let scores: serde_json::Map<_, _> = ranked
                .iter()
                .map(|(index, score)| (voices[*index].name.clone(), digits::widen(*score).into()))
                .collect();
            let line = json!({ "file": file.to_string_lossy(), "speaker": speaker, "scores": scores });
            writeln!(out, "{line}")?;
            continue;
        }
        let describe = |rank: Option<&(usize, f32)>| {
            rank.map_or("-".into(), |(i, s)| format!("{} {s:.2}", voices[*i].name))
        };
        table.add_row([
            printable(&file.to_string_lossy()).into_owned().into(),
            output::verdict(speaker.map_or("nobody known", String::as_str), speaker.is_some()),
            format!("{score:.2}").into(),
            describe(ranked.get(1)).into(),
        ]);
    }
    if !table.is_empty() {
        writeln!(out, "{table}")?;
    }
    Ok(outcome)
}
