//! `wakeword speakers embed`

use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rayon::prelude::*;
use serde_json::json;
use wakeword::batch::clips::{RawClips, write_npy};
use wakeword::digits;
use wakeword::inference::SpeakerNet;
use wakeword::speaker::SpeakerEncoder;

use super::super::{Context, Outcome, output};

/// Clips from standard input that are worked on at a time.
const BATCH: usize = 256;

/// Arguments of `speakers embed`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword speakers embed *.wav --npy embeddings.npy
  some-program | wakeword speakers embed - --npy -

One vector of 192 values and unit length a clip, in the order of the clips: the mean over up to four \
stretches of 0.8 s in which there is sound. The angle between two vectors tells how alike the voices are.

Standard input holds any number of clips, each as its number of samples (little-endian 32-bit integer) and \
that many samples at 16 kHz (little-endian 32-bit floats of any scale). Values that are not finite count \
as 0. A clip that is empty, silent or cannot be read has null as its vector in JSON, with an error if it is a file, \
and zeros in NumPy.")]
pub struct Args {
    /// Recordings (WAV or FLAC), or - for raw clips from standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One JSON object a clip and line (this is the default)
    #[arg(long, conflicts_with = "npy")]
    json: bool,
    /// A NumPy array [clips, values] of 32-bit floats, in this file, or - for standard output
    #[arg(long, value_name = "FILE")]
    npy: Option<PathBuf>,
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let raw = args.files == [Path::new("-")];
    let models = context.models()?;
    let mut outcome = Outcome::Done;
    let mut errors = Vec::new();
    let embeddings = if raw {
        embed_raw(&models.speaker)?
    } else {
        let (found, missing) = super::embed_files(&models.speaker, &args.files)
            .into_iter()
            .map(|one| {
                one.map_or_else(|error| (None, Some(error.to_string())), |vector| (Some(vector), None))
            })
            .unzip();
        errors = missing;
        found
    };
    for error in errors.iter().flatten() {
        output::warn(error);
        outcome = Outcome::Partial;
    }
    let dimension = models.speaker.geometry().dimension;
    match &args.npy {
        Some(file) if file == Path::new("-") => {
            write_npy(&mut std::io::stdout().lock(), dimension, &embeddings)?;
        }
        Some(file) => {
            let mut bytes = Vec::new();
            write_npy(&mut bytes, dimension, &embeddings)?;
            wakeword::batch::write_whole(file, &bytes).with_context(|| format!("{file:?}"))?;
        }
        None => {
            let mut out = std::io::stdout().lock();
            for (index, embedding) in embeddings.iter().enumerate() {
                let file = (!raw).then(|| args.files[index].to_string_lossy());
                let mut line = json!({ "clip": index, "file": file, "embedding": digits::json(embedding) });
                if let Some(Some(error)) = errors.get(index) {
                    line["error"] = error.as_str().into();
                }
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(outcome)
}

fn embed_raw(net: &SpeakerNet) -> anyhow::Result<Vec<Option<Vec<f32>>>> {
    let mut clips = RawClips::new(BufReader::new(std::io::stdin().lock()));
    let mut embeddings = Vec::new();
    loop {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH
            && let Some(clip) = clips.next_clip()?
        {
            batch.push(clip);
        }
        if batch.is_empty() {
            return Ok(embeddings);
        }
        let embed = |encoder: &mut SpeakerEncoder, clip: Vec<f32>| {
            let finite: Vec<f32> = clip.into_iter().map(|x| if x.is_finite() { x } else { 0.0 }).collect();
            encoder.embed_clip(net, &finite)
        };
        embeddings.par_extend(batch.into_par_iter().map_init(SpeakerEncoder::default, embed));
    }
}
