//! What the owner says that sounds nearly like the phrase, and must not wake.

use super::quality::Quality;
use crate::features::SAMPLE_RATE;
use crate::models::Models;
use crate::phrase::{Analyst, Excerpt, Signal, TakeTemplates, frames_of, phrase_span, vectors_of};
use crate::profile::{NearWord, Profile};
use crate::speaker::cosine;

/// Near words that are asked for.
pub const NEAR_WORDS: usize = 2;
/// Near words that a profile keeps: each costs time whenever something like the phrase is heard.
pub const MAX_NEAR_WORDS: usize = 6;
/// Keyword and cepstral score, relative to the takes, from which on both say that it is the phrase itself. Of 315
/// near words of the development tasks 1 % reach both, of 1326 of the owners' phrases 61 %.
const SAME_PHRASE: [f32; 2] = [0.9, 0.75];
/// Cosine below which it is somebody else's voice; it takes 2 % of those near words for one.
const OTHER_VOICE: f32 = 0.3;

/// Why a recording is no near word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NearWordError {
    /// Nobody speaks in it.
    #[error("no speech was found; say something that sounds nearly like the phrase")]
    NoSpeech,
    /// It is longer than any phrase.
    #[error("it is too long; say a few words that sound nearly like the phrase, not a sentence")]
    TooLong,
    /// It is the phrase.
    #[error("that is the phrase itself; say something that only sounds nearly like it")]
    SamePhrase,
    /// Somebody else says it.
    #[error("that is another voice; near words have to be said by the owner of the phrase")]
    OtherVoice,
}

/// The near word in `recording` (16 kHz mono) for `profile`.
pub fn near_word(
    models: &Models,
    limits: &Quality,
    profile: &Profile,
    recording: &[f32],
) -> Result<NearWord, NearWordError> {
    let span = phrase_span(recording).ok_or(NearWordError::NoSpeech)?;
    if Signal::measure(recording, &span).speech_s == 0.0 {
        return Err(NearWordError::NoSpeech);
    }
    if span.len() as f32 > limits.duration.longest_s * SAMPLE_RATE as f32 {
        return Err(NearWordError::TooLong);
    }
    let utterance = Analyst::new(models).analyse(models, recording, &span);
    let score = TakeTemplates::new(profile.takes.iter()).score(&utterance, None);
    let relative = [score.keyword / profile.scales.keyword, score.cepstra / profile.scales.cepstra];
    let voice =
        profile.voices(None).iter().map(|voice| cosine(voice, &utterance.embedding)).fold(-1.0, f32::max);
    if voice < OTHER_VOICE {
        return Err(NearWordError::OtherVoice);
    }
    if relative.iter().zip(SAME_PHRASE).all(|(score, same)| *score >= same) {
        return Err(NearWordError::SamePhrase);
    }
    let rows = vectors_of(span.clone());
    let end = rows.end.min(utterance.vectors.rows());
    let frames = frames_of(Excerpt::new(&span, recording.len()).phrase);
    Ok(NearWord {
        vectors: utterance.vectors.slice(rows.start.min(end.saturating_sub(1)), end),
        cepstra: utterance.cepstra.slice(frames.start, frames.end.min(utterance.cepstra.rows())),
    })
}

/// Adds `words` to those of `profile`, which keeps the latest [`MAX_NEAR_WORDS`].
pub fn add_near_words(profile: &mut Profile, words: Vec<NearWord>) {
    profile.near_words.extend(words);
    let surplus = profile.near_words.len().saturating_sub(MAX_NEAR_WORDS);
    profile.near_words.drain(..surplus);
}
