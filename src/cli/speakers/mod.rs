//! `wakeword speakers`

mod embed;
mod identify;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::json;
use wakeword::audio::{AudioError, read_clip};
use wakeword::enroll::takes::{self, TakesError};
use wakeword::inference::SpeakerNet;
use wakeword::speaker::SpeakerEncoder;
use wakeword::speaker::voice::{self, Voice};
use wakeword::store::{Kind as _, now};

use super::{Context, Outcome, confirm, output};

/// Arguments of `speakers`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword speakers enroll anna --from anna/
  wakeword speakers identify evening.wav
  wakeword speakers embed *.wav --npy embeddings.npy")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Learn how somebody sounds, whatever they say
    #[command(after_help = "\
Example:
  wakeword speakers enroll anna --from anna/

Five or more recordings of a few seconds each, of different days if possible.")]
    Enroll {
        /// Who it is
        name: String,
        /// Recordings of this person alone, or a folder of them (WAV or FLAC)
        #[arg(long, required = true, num_args = 1.., value_name = "DIR|FILE")]
        from: Vec<PathBuf>,
        /// Replace a speaker of this name
        #[arg(long)]
        replace: bool,
    },
    /// Say which of the enrolled speakers is heard in recordings, or that it is none of them
    Identify(identify::Args),
    /// Write how recordings sound as vectors, for other programs
    Embed(embed::Args),
    /// The enrolled speakers, one a line
    #[command(after_help = "Example:\n  wakeword speakers list --json")]
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Delete a speaker for good
    #[command(after_help = "\
Examples:
  wakeword speakers remove anna
  wakeword speakers remove anna --yes

On a terminal it asks first.")]
    Remove {
        /// Who it is
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(context: &Context, args: Args) -> anyhow::Result<Outcome> {
    match args.command {
        Command::Enroll { name, from, replace } => enroll(context, &name, &from, replace),
        Command::Identify(args) => identify::run(context, &args),
        Command::Embed(args) => embed::run(context, &args),
        Command::List { json } => list(context, json),
        Command::Remove { name, yes } => {
            if !yes && !confirm::agreed(&format!("delete the voice {name:?} for good?"))? {
                return Ok(Outcome::Done);
            }
            context.store()?.voices().remove(&name)?;
            eprintln!("removed {name}");
            Ok(Outcome::Done)
        }
    }
}

/// A recording without an embedding.
#[derive(Debug, thiserror::Error)]
enum EmbedError {
    #[error(transparent)]
    Audio(#[from] AudioError),
    #[error("{0:?}: no sound in it")]
    Silent(PathBuf),
}

/// The embeddings of `files` in their order, worked out on all cores.
fn embed_files(net: &SpeakerNet, files: &[PathBuf]) -> Vec<Result<Vec<f32>, EmbedError>> {
    files.par_iter().map_init(SpeakerEncoder::default, |encoder, file| embed(net, encoder, file)).collect()
}

fn embed(net: &SpeakerNet, encoder: &mut SpeakerEncoder, file: &Path) -> Result<Vec<f32>, EmbedError> {
    let clip = read_clip(file)?;
    encoder.embed_clip(net, &clip.samples).ok_or_else(|| EmbedError::Silent(file.into()))
}

fn enroll(context: &Context, name: &str, from: &[PathBuf], replace: bool) -> anyhow::Result<Outcome> {
    let store = context.store()?.voices();
    store.check_free(name, replace)?;
    let files = takes::files(from)?;
    anyhow::ensure!(!files.is_empty(), "no WAV or FLAC recordings in {:?}", from[0]);
    let models = context.models()?;
    let embeddings = embed_files(&models.speaker, &files).into_iter().collect::<Result<Vec<_>, _>>()?;
    for (index, embedding) in embeddings.iter().enumerate() {
        if let Some(other) = embeddings[..index].iter().position(|other| other == embedding) {
            return Err(TakesError::Same(files[other].clone(), files[index].clone()).into());
        }
    }
    let embedding = voice::mean(embeddings.iter().map(|embedding| &embedding[..]));
    let clips = u32::try_from(files.len())?;
    let models = models.fingerprint.clone();
    let voice = Voice { name: name.into(), created: now(), models, clips, embedding };
    let path = store.put(&voice, replace)?;
    writeln!(std::io::stdout(), "enrolled the voice of {name} from {clips} recordings: {path:?}")?;
    Ok(Outcome::Done)
}

fn list(context: &Context, json: bool) -> anyhow::Result<Outcome> {
    let store = context.store()?.voices();
    let mut outcome = Outcome::Done;
    let mut out = std::io::stdout().lock();
    let mut table = output::table(&["name", "recordings", "enrolled"]);
    for name in store.names()? {
        match store.load(&name) {
            Ok(voice) if json => {
                let Voice { name, clips, created, .. } = voice;
                writeln!(out, "{}", json!({ "name": name, "recordings": clips, "created": created }))?;
            }
            Ok(voice) => {
                table.add_row([voice.name, voice.clips.to_string(), output::date(voice.created)]);
            }
            // One bad file must not hide the others.
            Err(error) => {
                output::warn(error);
                outcome = Outcome::Partial;
            }
        }
    }
    if !table.is_empty() {
        writeln!(out, "{table}")?;
    } else if !json && matches!(outcome, Outcome::Done) {
        eprintln!("no speakers in {:?}; enrol one: {}", store.folder(), Voice::ENROL);
    }
    Ok(outcome)
}
