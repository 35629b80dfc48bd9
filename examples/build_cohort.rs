//! Builds `models/cohort.bin` from recordings of many speakers.
//!
//! usage: build_cohort KEYWORD_ENCODER.onnx MEMBERS OUT.bin RECORDING.wav CUES.tsv [RECORDING CUES ...]
//!
//! A cue sheet has the columns start and duration in seconds, one row a speaker or utterance. From
//! evenly spaced rows a word-long stretch of speech is taken, and only its features are kept.

#![expect(clippy::print_stdout, reason = "a tool for developers")]

use std::error::Error;
use std::path::Path;

use wakeword::audio::FileSource;
use wakeword::features::level::dbfs;
use wakeword::features::mfcc::Mfcc;
use wakeword::features::{Frames, SAMPLE_RATE};
use wakeword::inference::{KeywordNet, VECTOR_DIM};
use wakeword::keyword::cohort::{CohortTable, Member};
use wakeword::keyword::encoder::KeywordEncoder;
use wakeword::phrase::{SURROUNDINGS, frames_of, vectors_of};

/// Lengths of members in turn, in seconds: those of short and long wake words.
const LENGTHS: [f32; 5] = [0.45, 0.55, 0.65, 0.75, 0.85];
/// Audio before and after a member that its features may depend on, in samples.
const CONTEXT: usize = SAMPLE_RATE;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [encoder, members, out, sources @ ..] = &arguments[..] else {
        return Err("usage: build_cohort ENCODER.onnx MEMBERS OUT.bin RECORDING.wav CUES.tsv ...".into());
    };
    let mut encoder = KeywordEncoder::new(&KeywordNet::load(std::fs::read(encoder)?)?);
    let mut stretches = Vec::new();
    for source in sources.chunks_exact(2) {
        let recording = read(Path::new(&source[0]))?;
        stretches.extend(cues(&source[1])?.iter().filter_map(|cue| stretch(&recording, *cue)));
    }
    let members: usize = members.parse()?;
    let chosen: Vec<&Vec<f32>> =
        (0..members).filter_map(|i| stretches.get(i * stretches.len() / members)).collect();

    let mut mfcc = Mfcc::default();
    let (mut sum, mut count) = (vec![0f64; VECTOR_DIM], 0f64);
    let mut table = CohortTable { mean_vector: Vec::new(), members: Vec::new() };
    for (index, audio) in chosen.into_iter().enumerate() {
        let length = (LENGTHS[index % LENGTHS.len()] * SAMPLE_RATE as f32) as usize;
        let span = CONTEXT..CONTEXT + length;
        let vectors = encoder.recording(audio);
        for vector in vectors.slice(vectors_of(span.clone()).start, vectors.rows() - 4).iter() {
            sum.iter_mut().zip(vector).for_each(|(total, x)| *total += f64::from(*x));
            count += 1.0;
        }
        let place = vectors_of(span.clone());
        let cepstra = mfcc.cepstra(&audio[span.start - SURROUNDINGS..span.end + SURROUNDINGS]);
        let frames = frames_of(SURROUNDINGS..SURROUNDINGS + length);
        table.members.push(Member {
            vectors: vectors.slice(place.start, place.end.min(vectors.rows())),
            cepstra: cepstra.slice(frames.start, frames.end),
        });
    }
    table.mean_vector = sum.iter().map(|total| (total / count) as f32).collect();
    for member in &mut table.members {
        centre(&mut member.vectors, &table.mean_vector);
    }
    let bytes = postcard::to_stdvec(&table)?;
    std::fs::write(out, &bytes)?;
    println!("{}: {} members, {} bytes", out, table.members.len(), bytes.len());
    Ok(())
}

fn centre(vectors: &mut Frames, mean: &[f32]) {
    for vector in vectors.iter_mut() {
        vector.iter_mut().zip(mean).for_each(|(x, m)| *x -= m);
    }
    vectors.normalise_rows();
}

fn read(path: &Path) -> Result<Vec<f32>, Box<dyn Error>> {
    let mut source = FileSource::open(path)?;
    let mut samples = Vec::new();
    while source.read(&mut samples)? {}
    Ok(samples)
}

/// Rows of a cue sheet as (start, duration) in seconds.
fn cues(path: &str) -> Result<Vec<(f32, f32)>, Box<dyn Error>> {
    let rows = std::fs::read_to_string(path)?;
    Ok(rows
        .lines()
        .filter_map(|line| {
            let mut fields = line.split('\t');
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        })
        .collect())
}

/// The middle of a cue with its context, moved on to where somebody speaks.
fn stretch(recording: &[f32], (start, duration): (f32, f32)) -> Option<Vec<f32>> {
    let rate = SAMPLE_RATE as f32;
    let (first, last) = ((start * rate) as usize, ((start + duration) * rate) as usize);
    let cue = recording.get(first..last.min(recording.len()))?;
    let level = dbfs(cue);
    let total = 3 * SAMPLE_RATE;
    let begin = cue.len().checked_sub(total)? / 2;
    (begin..cue.len().checked_sub(total)? + 1)
        .step_by(SAMPLE_RATE / 20)
        .map(|at| &cue[at..at + total])
        .find(|audio| {
            let spoken = &audio[CONTEXT..CONTEXT + SAMPLE_RATE * 4 / 10];
            dbfs(spoken) > level - 3.0 && dbfs(&spoken[..SAMPLE_RATE / 20]) > level - 6.0
        })
        .map(<[f32]>::to_vec)
}
