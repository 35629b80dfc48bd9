//! Makes the cohort of a keyword encoder from recordings of speech.

use crate::features::level::dbfs;
use crate::features::mfcc::Mfcc;
use crate::features::{Frames, SAMPLE_RATE};
use crate::inference::KeywordNet;
use crate::keyword::cohort::{CohortTable, Member};
use crate::keyword::encoder::KeywordEncoder;
use crate::models::{Source, manifest, sha256};
use crate::phrase::{SURROUNDINGS, frames_of, vectors_of};

/// Members of a cohort.
pub const MEMBERS: usize = 40;
/// Fewer members say too little of general speech.
pub const MIN_MEMBERS: usize = 10;
/// Its file in a model folder.
pub const FILE: &str = "cohort.bin";
/// Lengths of members in turn, in seconds: those of short and long wake words.
const LENGTHS: [f32; 5] = [0.45, 0.55, 0.65, 0.75, 0.85];
/// Audio before and after a member that its features may depend on, in samples (1 s).
const CONTEXT: usize = SAMPLE_RATE;
/// Samples of a stretch, a member with its context (3 s).
pub const STRETCH: usize = 3 * SAMPLE_RATE;

/// Up to `most` stretches of a recording in which somebody speaks, evenly spaced.
pub fn stretches(recording: &[f32], most: usize) -> Vec<Vec<f32>> {
    let parts = (recording.len() / STRETCH).clamp(1, most.max(1));
    recording.chunks(recording.len().div_ceil(parts).max(1)).filter_map(stretch).collect()
}

/// The middle of `audio`, moved on to where somebody speaks.
fn stretch(audio: &[f32]) -> Option<Vec<f32>> {
    let level = dbfs(audio);
    let spare = audio.len().checked_sub(STRETCH)?;
    (spare / 2..spare + 1)
        .step_by(SAMPLE_RATE / 20)
        .map(|at| &audio[at..at + STRETCH])
        .find(|audio| {
            let spoken = &audio[CONTEXT..CONTEXT + SAMPLE_RATE * 4 / 10];
            dbfs(spoken) > level - 3.0 && dbfs(&spoken[..SAMPLE_RATE / 20]) > level - 6.0
        })
        .map(<[f32]>::to_vec)
}

/// The cohort of up to [`MEMBERS`] of `stretches`; `None` if there are fewer than [`MIN_MEMBERS`].
pub fn table(net: &KeywordNet, stretches: &[Vec<f32>]) -> Option<CohortTable> {
    let count = stretches.len().min(MEMBERS);
    if count < MIN_MEMBERS {
        return None;
    }
    let (mut encoder, mut mfcc) = (KeywordEncoder::new(net), Mfcc::default());
    let (mut sum, mut total) = (vec![0f64; net.geometry().dimension], 0f64);
    let mut members = Vec::with_capacity(count);
    for index in 0..count {
        let audio = &stretches[index * stretches.len() / count];
        let length = (LENGTHS[index % LENGTHS.len()] * SAMPLE_RATE as f32) as usize;
        let span = CONTEXT..CONTEXT + length;
        let vectors = encoder.recording(audio);
        let place = vectors_of(span.clone());
        for vector in vectors.slice(place.start, vectors.rows() - 4).iter() {
            sum.iter_mut().zip(vector).for_each(|(total, x)| *total += f64::from(*x));
            total += 1.0;
        }
        let cepstra = mfcc.cepstra(&audio[span.start - SURROUNDINGS..span.end + SURROUNDINGS]);
        let frames = frames_of(SURROUNDINGS..SURROUNDINGS + length);
        members.push(Member {
            vectors: vectors.slice(place.start, place.end.min(vectors.rows())),
            cepstra: cepstra.slice(frames.start, frames.end),
        });
    }
    let mean_vector: Vec<f32> = sum.iter().map(|sum| (sum / total) as f32).collect();
    members.iter_mut().for_each(|member| centre(&mut member.vectors, &mean_vector));
    Some(CohortTable { mean_vector, members })
}

fn centre(vectors: &mut Frames, mean: &[f32]) {
    for vector in vectors.iter_mut() {
        vector.iter_mut().zip(mean).for_each(|(x, m)| *x -= m);
    }
    vectors.normalise_rows();
}

/// The file of a cohort and the manifest `text` with its entry, for the folder of `encoder`; `origin` is for people.
pub fn files(
    table: &CohortTable,
    encoder: &Source,
    text: &str,
    origin: &str,
) -> Result<(Vec<u8>, String), postcard::Error> {
    let bytes = postcard::to_stdvec(table)?;
    let sha256 = sha256(&bytes);
    let mut entry = toml::Table::new();
    for (key, value) in [
        ("name", "General speech"),
        ("role", "cohort"),
        ("file", FILE),
        ("sha256", &sha256),
        ("encoder", &encoder.sha256),
        ("origin", origin),
    ] {
        entry.insert(key.into(), value.into());
    }
    Ok((bytes, manifest::with_cohort(text, &format!("[[model]]\n{entry}"))))
}
