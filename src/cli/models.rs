//! `wakeword models`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;
use wakeword::audio::{AudioError, FileSource};
use wakeword::batch::{cohort, write_whole};
use wakeword::enroll::takes;
use wakeword::inference::{Choice, Geometry};
use wakeword::models::manifest::Role;
use wakeword::models::{Models, Source, keyword_encoder, manifest};

use super::{Context, Outcome, output};

/// Recordings of which a cohort is made: more are thinned out.
const MAX_RECORDINGS: usize = 400;

/// Arguments of `models`.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  wakeword models
  wakeword models --folder my-models --json
  wakeword models cohort --folder my-models --from speech/"
)]
pub struct Args {
    #[command(flatten)]
    list: ListArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Args)]
struct ListArgs {
    /// Model folder [default: `path` in the configuration's section `models`, else what is built in]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make the cohort of a keyword encoder: general speech against which its scores are normalised
    #[command(after_help = "\
Example:
  wakeword models cohort --folder my-models --from speech/

The folder holds WAV or FLAC recordings of 3 seconds and more: of as many speakers as possible, in any language, without \
the phrases to be enrolled. Only features of 40 stretches shorter than a second are kept, and no audio.")]
    Cohort {
        /// Model folder that gets it [default: `path` in the configuration's section `models`]
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Folder of recordings, or recordings
        #[arg(long, value_name = "DIR", required = true, num_args = 1..)]
        from: Vec<PathBuf>,
    },
}

pub fn run(context: &Context, args: Args) -> anyhow::Result<Outcome> {
    let configured = context.config.models.path.clone();
    match args.command {
        None => list(args.list.folder.or(configured).as_deref(), args.list.json),
        Some(Command::Cohort { folder, from }) => {
            let folder = folder.or(configured).context(
                "the built-in models have a cohort; for others, say with --folder where their manifest.toml is",
            )?;
            make_cohort(&folder, &from)
        }
    }
}

fn list(folder: Option<&Path>, as_json: bool) -> anyhow::Result<Outcome> {
    let models = Models::load(folder)?;
    let encoders = |role| match role {
        Role::KeywordEncoder => Some((&models.keyword.choice, models.keyword.geometry())),
        Role::SpeakerEncoder => Some((&models.speaker.choice, models.speaker.geometry())),
        Role::Cohort => None,
    };
    let mut out = std::io::stdout().lock();
    if as_json {
        for source in &models.sources {
            writeln!(out, "{}", summary(source, encoders(source.role)))?;
        }
        return Ok(Outcome::Done);
    }
    let mut table = output::table(&["role", "file", "licence", "runtime", "input and output"]);
    for source in &models.sources {
        let (runtime, geometry) = encoders(source.role)
            .map_or_else(Default::default, |(choice, geometry)| {
                (choice.runtime.to_string(), geometry.to_string())
            });
        let role = match source.role {
            Role::KeywordEncoder => "keyword encoder",
            Role::SpeakerEncoder => "speaker encoder",
            Role::Cohort => "cohort",
        };
        let licence = source.licence.clone().unwrap_or_else(|| "not stated".into());
        table.add_row([role.into(), source.path.display().to_string(), licence, runtime, geometry]);
    }
    writeln!(out, "{table}")?;
    Ok(Outcome::Done)
}

fn summary(source: &Source, encoder: Option<(&Choice, Geometry)>) -> serde_json::Value {
    json!({
        "role": source.role,
        "name": source.name,
        "file": source.path,
        "sha256": source.sha256,
        "licence": source.licence,
        "runtime": encoder.map(|(choice, _)| choice.runtime),
        "reason": encoder.map(|(choice, _)| choice.to_string()),
        "geometry": encoder.map(|(_, geometry)| geometry),
    })
}

fn make_cohort(folder: &Path, from: &[PathBuf]) -> anyhow::Result<Outcome> {
    let (net, encoder) = keyword_encoder(folder)?;
    let own = encoder.path.starts_with(folder);
    anyhow::ensure!(own, "{}: its manifest names no keyword encoder", folder.display());
    let files = takes::files(from)?;
    let count = files.len().min(MAX_RECORDINGS);
    let most = cohort::MEMBERS.div_ceil(count.max(1));
    let (mut stretches, mut outcome) = (Vec::new(), Outcome::Done);
    for file in (0..count).map(|index| &files[index * files.len() / count]) {
        let found = read(file).map(|recording| cohort::stretches(&recording, most));
        let reason = match found {
            Ok(found) if !found.is_empty() => {
                stretches.extend(found);
                continue;
            }
            Ok(_) => format!("{}: no 3 seconds with speech in their middle", file.display()),
            Err(error) => error.to_string(),
        };
        eprintln!("wakeword: {reason}");
        outcome = Outcome::Partial;
    }
    let table = cohort::table(&net, &stretches).with_context(|| {
        let (found, least) = (stretches.len(), cohort::MIN_MEMBERS);
        format!("{found} stretches of speech in {count} recordings; a cohort takes {least} or more: give more recordings")
    })?;
    let origin = format!("{count} recordings");
    let (path, manifest) = (folder.join(cohort::FILE), folder.join(manifest::FILE));
    let text = std::fs::read_to_string(&manifest).with_context(|| manifest.display().to_string())?;
    let (bytes, text) = cohort::files(&table, &encoder, &text, &origin)?;
    for (path, bytes) in [(&path, &bytes[..]), (&manifest, text.as_bytes())] {
        write_whole(path, bytes).with_context(|| path.display().to_string())?;
    }
    writeln!(
        std::io::stdout(),
        "{}: {} stretches of speech from {origin}, for {}",
        path.display(),
        table.members.len(),
        encoder.path.display()
    )?;
    Ok(outcome)
}

fn read(path: &Path) -> Result<Vec<f32>, AudioError> {
    let mut source = FileSource::open(path)?;
    let mut samples = Vec::new();
    while source.read(&mut samples)? {}
    Ok(samples)
}
