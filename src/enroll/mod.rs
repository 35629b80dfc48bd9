//! Enrolment: from takes of a phrase to a profile.

mod check;
mod ear;
mod quality;
mod session;
pub mod takes;
mod trim;

#[cfg(test)]
mod tests;

pub use check::Measures;
pub use ear::{Ear, Heard};
pub use quality::{Problem, Quality, Reason};
pub use session::{Report, Session, State, test};
pub use trim::phrase_span;

use crate::acoustics::{noisy, reverberated, telephone};
use crate::features::mfcc::Mfcc;
use crate::features::{Frames, SAMPLE_RATE};
use crate::inference::VECTOR_DIM;
use crate::keyword::bank::TemplateBank;
use crate::keyword::encoder::KeywordEncoder;
use crate::keyword::score::{median, t_norm};
use crate::models::Models;
use crate::phrase::{self, CepstralTemplates, SURROUNDINGS};
use crate::profile::{Elsewhere, Scales, Take};
use crate::speaker::{SpeakerEncoder, cosine, voice};

/// Takes that are asked for.
pub const TAKES: usize = 5;
/// Takes that a profile keeps: each costs time whenever something like the phrase is heard.
pub const MOST_TAKES: usize = 15;
/// Takes needed for a profile.
pub const MIN_TAKES: usize = 3;
/// Takes needed for a profile that is one of a list.
pub const MIN_LISTED_TAKES: usize = 2;
/// Lowest scales: takes that agree less than this would make every score explode.
const MIN_SCALE: f32 = 0.03;
/// Lowest voice scale, for takes from changing microphones.
const MIN_VOICE_SCALE: f32 = 0.2;

/// Signal-to-noise ratio at which every take is learnt once more, in dB.
const NOISY_SNR_DB: f32 = 10.0;

/// Reverberation time of the room in which it is learnt, in seconds.
const RT60: f32 = 0.5;

/// A take as it would sound in noise and in a room.
fn elsewhere(take: &[f32]) -> [Vec<f32>; 2] {
    [noisy(take, NOISY_SNR_DB), reverberated(take, RT60)]
}

/// Longest phrase and user's name, in characters.
const MAX_TEXT: usize = 200;

/// A phrase or a user's name as it is stored: it is shown on terminals and sent to other programs. The error
/// is a reason in words.
pub fn text(value: &str) -> Result<String, String> {
    let value = value.trim();
    if value.is_empty() || value.chars().count() > MAX_TEXT || value.chars().any(char::is_control) {
        return Err(format!("use 1 to {MAX_TEXT} characters, all of them printable"));
    }
    Ok(value.to_owned())
}

/// Why takes give no profile.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Nothing in the take of this index rises above its noise.
    #[error("take {}: no speech found; speak closer to the microphone, with a moment of quiet around the phrase", .0 + 1)]
    NoSpeech(usize),
    /// Not enough takes.
    #[error("{0} usable takes, {MIN_TAKES} are needed; record five")]
    TooFew(usize),
    /// Not enough takes even for a phrase that only has to be told from others of a list.
    #[error("{0} usable takes, {MIN_LISTED_TAKES} are needed")]
    TooFewListed(usize),
}

/// One take with what is needed to compare it with the others.
struct Analysed {
    take: Take,
    /// Vectors of the whole take.
    vectors: Frames,
    /// Cepstra of the phrase and its surroundings.
    cepstra: Frames,
}

impl Analysed {
    /// A take of which the phrase is all that is left.
    fn earlier(take: &Take) -> Self {
        Self { take: take.clone(), vectors: take.vectors.clone(), cepstra: take.cepstra.clone() }
    }
}

/// Templates, embeddings and scales of `takes` (16 kHz mono).
pub fn learn(models: &Models, takes: &[&[f32]]) -> Result<(Vec<Take>, Scales), EnrolError> {
    if takes.len() < MIN_TAKES {
        return Err(EnrolError::TooFew(takes.len()));
    }
    learn_all(models, takes)
}

/// Like [`learn`], from as few as two takes. Their scales alone are too unsure to decide by: this is for
/// lists of phrases, whose matching leans on what is usual.
pub fn learn_listed(models: &Models, takes: &[&[f32]]) -> Result<(Vec<Take>, Scales), EnrolError> {
    if takes.len() < MIN_LISTED_TAKES {
        return Err(EnrolError::TooFewListed(takes.len()));
    }
    learn_all(models, takes)
}

fn learn_all(models: &Models, takes: &[&[f32]]) -> Result<(Vec<Take>, Scales), EnrolError> {
    let mut analyst = Analyst::new(models);
    let analysed: Vec<Analysed> = takes
        .iter()
        .enumerate()
        .map(|(index, samples)| analyst.analyse(samples).ok_or(EnrolError::NoSpeech(index)))
        .collect::<Result<_, EnrolError>>()?;
    Ok(conclude(models, &analysed.iter().collect::<Vec<_>>()))
}

/// What is learned from takes that are analysed already.
fn conclude(models: &Models, takes: &[&Analysed]) -> (Vec<Take>, Scales) {
    (takes.iter().map(|one| one.take.clone()).collect(), scales(models, takes))
}

struct Analyst<'a> {
    models: &'a Models,
    keyword: KeywordEncoder,
    mfcc: Mfcc,
    speaker: SpeakerEncoder,
}

impl<'a> Analyst<'a> {
    fn new(models: &'a Models) -> Self {
        let keyword = KeywordEncoder::new(&models.keyword);
        Self { models, keyword, mfcc: Mfcc::default(), speaker: SpeakerEncoder::default() }
    }

    fn analyse(&mut self, samples: &[f32]) -> Option<Analysed> {
        let span = phrase_span(samples)?;
        let mut vectors = self.keyword.recording(samples);
        vectors.iter_mut().for_each(|vector| self.models.cohort.centre(vector));
        let place = phrase::vectors_of(span.clone());
        let end = place.end.min(vectors.rows());
        let template = vectors.slice(place.start.min(end.saturating_sub(1)), end);

        let around = span.start.saturating_sub(SURROUNDINGS)..(span.end + SURROUNDINGS).min(samples.len());
        let audio = &samples[around.clone()];
        let within = span.start - around.start..span.end - around.start;
        let cepstra = self.mfcc.cepstra(audio);
        let frames = phrase::frames_of(within.clone());
        let frames = frames.start..frames.end.min(cepstra.rows());

        let net = &self.models.speaker;
        let embedding = self.speaker.embed(net, audio, within.clone());
        let elsewhere = elsewhere(samples).map(|copy| {
            let audio = &copy[around.clone()];
            let cepstra = self.mfcc.cepstra(audio).slice(frames.start, frames.end);
            Elsewhere { cepstra, embedding: self.speaker.embed(net, audio, within.clone()) }
        });
        let mut line = audio.to_vec();
        telephone(&mut line);
        let line_embedding = voice::mean([&*embedding, &self.speaker.embed(net, &line, within)]);
        let take = Take {
            seconds: span.len() as f32 / SAMPLE_RATE as f32,
            vectors: template,
            cepstra: cepstra.slice(frames.start, frames.end),
            embedding,
            elsewhere: elsewhere.into(),
            line_embedding,
        };
        Some(Analysed { take, vectors, cepstra })
    }
}

/// Scores each take against the others.
fn scales(models: &Models, takes: &[&Analysed]) -> Scales {
    let keyword = TemplateBank::new(VECTOR_DIM, takes.iter().map(|one| &one.take.vectors));
    let cepstral = CepstralTemplates::new(takes.iter().map(|one| &one.take.cepstra));
    let mut scores = [const { Vec::<f32>::new() }; 3];
    for (index, one) in takes.iter().enumerate() {
        let costs = |bank: &TemplateBank| phrase::costs(&bank.best_matches(&one.vectors));
        let others = phrase::without(costs(&keyword), Some(index));
        let cohort = phrase::costs(&models.cohort.cepstra.best_matches(&one.cepstra));
        let cepstra = cepstral.score(&one.cepstra, &cohort, Some(index));
        let voices = takes.iter().map(|other| &*other.take.embedding).collect();
        let others_voice = voice::mean(phrase::without(voices, Some(index)));
        scores[0].push(t_norm(&others, &costs(&models.cohort.vectors)));
        scores[1].push(cepstra.score);
        scores[2].push(cosine(&one.take.embedding, &others_voice));
    }
    let [keyword, cepstra, voice] = scores.map(|values| median(&values));
    Scales {
        keyword: keyword.max(MIN_SCALE),
        cepstra: cepstra.max(MIN_SCALE),
        voice: voice.max(MIN_VOICE_SCALE),
    }
}
