//! What differs between the kinds of files in a store.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::format::Format;
use crate::features::{Frames, mfcc};
use crate::profile::{NearWord, Profile, Scales, Take};
use crate::speaker::voice::Voice;

/// Takes of a profile.
const MOST_TAKES: f64 = 100.0;
/// Augmented copies of a take.
const MOST_COPIES: f64 = 10.0;
/// Seconds of a take: the longest recording that is read.
const LENGTHS: RangeInclusive<f64> = 0.0..=600.0;
/// Scales by which scores are divided: enrolment makes none below the first of each, and takes that agree perfectly
/// none above the second. Below them every word, or every voice, would be accepted.
const SCALES: RangeInclusive<f64> = 0.029_9..=20.0;
const VOICE_SCALES: RangeInclusive<f64> = 0.199..=1.001;
/// Median score of the takes against each other: it only raises what is needed.
const TAKE_SCORES: RangeInclusive<f64> = -100.0..=100.0;
/// Natural logarithms of pitches in Hz; 0 stands for none.
const PITCHES: RangeInclusive<f32> = 0.0..=7.0;
/// Thresholds, as in the configuration.
const THRESHOLDS: RangeInclusive<f64> = 0.0..=5.0;
/// Length of a vector or an embedding: more would bring any other nearer than it is.
const UNIT: f64 = 1.001;
/// Cepstra have unit variance.
const MOST_CEPSTRUM: f32 = 1000.0;
/// The end of the year 9999, in seconds since 1970: no later date can be written.
const LATEST: u64 = 253_402_300_799;

/// Something that is stored, one file each.
pub trait Kind: Serialize + DeserializeOwned {
    const FORMAT: Format;
    /// Ending of its files.
    const EXTENSION: &'static str;
    /// What people call it.
    const NOUN: &'static str;
    /// The command that makes one.
    const ENROL: &'static str;

    /// Name under which it is stored.
    fn name(&self) -> &str;

    /// Fingerprint of the models that made it.
    fn models(&self) -> &str;

    /// Whether it can be what an enrolment made: the error is a reason in words.
    fn check(&self) -> Result<(), String>;

    /// The error that there is none of this name.
    fn unknown(name: String, folder: PathBuf) -> StoreError;

    /// The error that the name is taken.
    fn exists(name: String) -> StoreError;

    /// The body of its file; the error is a reason in words.
    fn encode(&self) -> Result<Vec<u8>, String> {
        postcard::to_stdvec(self).map_err(|error| error.to_string())
    }

    /// What a body holds; the error is a reason in words.
    fn decode(body: &[u8]) -> Result<Self, String> {
        let content: Self = postcard::from_bytes(body).map_err(|error| format!("damaged ({error})"))?;
        content.check().map_err(|reason| format!("damaged ({reason})"))?;
        Ok(content)
    }
}

impl Kind for Profile {
    const FORMAT: Format = Format { magic: b"WAKEWORD", version: 6, name: "a profile" };
    const EXTENSION: &'static str = "wakeword";
    const NOUN: &'static str = "profile";
    const ENROL: &'static str = "wakeword enroll NAME --phrase TEXT";

    fn name(&self) -> &str {
        &self.name
    }

    fn models(&self) -> &str {
        &self.models
    }

    fn check(&self) -> Result<(), String> {
        within("number of takes", self.takes.len() as f64, 1.0..=MOST_TAKES)?;
        // The encoders decide how many values a vector and an embedding have; all takes have as many.
        let sizes = self.takes.first().map_or((0, 0), |take| (take.vectors.dim(), take.embedding.len()));
        self.takes.iter().try_for_each(|one| take(one, sizes))?;
        within("number of near words", self.near_words.len() as f64, 0.0..=MOST_COPIES)?;
        self.near_words.iter().try_for_each(|word| near(word, sizes.0))?;
        let Scales { keyword, cepstra, voice, takes } = self.scales;
        within("scale of the words", keyword.into(), SCALES)?;
        within("scale of the cepstra", cepstra.into(), SCALES)?;
        within("scale of the voice", voice.into(), VOICE_SCALES)?;
        within("score of the takes", takes.into(), TAKE_SCORES)?;
        within("threshold", self.settings.threshold.unwrap_or_default().into(), THRESHOLDS)?;
        date(self.created)
    }

    fn unknown(name: String, folder: PathBuf) -> StoreError {
        StoreError::Unknown { name, folder }
    }

    fn exists(name: String) -> StoreError {
        StoreError::Exists(name)
    }
}

impl Kind for Voice {
    const FORMAT: Format = Format { magic: b"WAKEVOIC", version: 2, name: "a speaker's voice" };
    const EXTENSION: &'static str = "voice";
    const NOUN: &'static str = "speaker";
    const ENROL: &'static str = "wakeword speakers enroll NAME --from DIR";

    fn name(&self) -> &str {
        &self.name
    }

    fn models(&self) -> &str {
        &self.models
    }

    fn check(&self) -> Result<(), String> {
        unit("voice", &self.embedding, self.embedding.len())?;
        date(self.created)
    }

    fn unknown(name: String, folder: PathBuf) -> StoreError {
        StoreError::UnknownVoice { name, folder }
    }

    fn exists(name: String) -> StoreError {
        StoreError::VoiceExists(name)
    }
}

fn within(what: &str, value: f64, range: RangeInclusive<f64>) -> Result<(), String> {
    if range.contains(&value) { Ok(()) } else { Err(format!("its {what} is {value}")) }
}

fn date(created: u64) -> Result<(), String> {
    within("date", created as f64, 0.0..=LATEST as f64)
}

/// Whether `vector` has `dim` values and at most unit length; without sound it is zero.
fn unit(what: &str, vector: &[f32], dim: usize) -> Result<(), String> {
    if vector.len() != dim || dim == 0 {
        return Err(format!("its {what} has {} values", vector.len()));
    }
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    within(&format!("{what}'s length"), length, 0.0..=UNIT)
}

/// Checks a take whose vectors and embeddings have so many values.
fn take(take: &Take, (vector_dim, embedding_dim): (usize, usize)) -> Result<(), String> {
    within("take's length in seconds", take.seconds.into(), LENGTHS)?;
    within("number of augmented copies", take.augmented.len() as f64, 0.0..=MOST_COPIES)?;
    keyword_vectors(&take.vectors, vector_dim)?;
    cepstra(&take.cepstra)?;
    if take.pitch.len() != take.cepstra.rows() || !take.pitch.iter().all(|pitch| PITCHES.contains(pitch)) {
        return Err("its pitch is out of range".into());
    }
    for copy in &take.augmented {
        keyword_vectors(&copy.vectors, vector_dim)?;
        cepstra(&copy.cepstra)?;
    }
    let voices = [&take.embedding, &take.line_embedding, &take.phrase_embedding, &take.line_phrase_embedding];
    let copies = take.augmented.iter().flat_map(|copy| [&copy.embedding, &copy.phrase_embedding]);
    voices.into_iter().chain(copies).try_for_each(|voice| unit("voice", voice, embedding_dim))
}

/// Checks a near word whose vectors have so many values.
fn near(word: &NearWord, vector_dim: usize) -> Result<(), String> {
    keyword_vectors(&word.vectors, vector_dim)?;
    cepstra(&word.cepstra)
}

fn keyword_vectors(vectors: &Frames, dim: usize) -> Result<(), String> {
    whole(vectors, dim)?;
    vectors.iter().try_for_each(|vector| unit("vector", vector, dim))
}

fn cepstra(cepstra: &Frames) -> Result<(), String> {
    whole(cepstra, mfcc::DIM)?;
    let finite = cepstra.as_slice().iter().all(|value| value.abs() <= MOST_CEPSTRUM);
    if finite { Ok(()) } else { Err("its cepstra are out of range".into()) }
}

/// Whether `frames` has one whole row of `dim` values or more.
fn whole(frames: &Frames, dim: usize) -> Result<(), String> {
    let whole =
        dim > 0 && frames.dim() == dim && frames.as_slice().len().is_multiple_of(dim) && !frames.is_empty();
    if whole { Ok(()) } else { Err("shapes".into()) }
}
