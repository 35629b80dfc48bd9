//! How the evidence becomes one score.
//!
//! The score is a log-likelihood ratio in steps of its own: seven times its margin over the usual threshold is the natural
//! logarithm of the odds that the owner said the phrase, where a false alarm costs nine misses. [`super::fitted`] has the
//! weights, and `models/fit/fit.py` fits them.

use super::event::Evidence;
use super::fitted::FITTED;
use crate::features::level::percentile;
use crate::profile::Profile;

/// Signal-to-noise ratio from which on noise changes no score, in dB.
const QUIET_DB: f32 = 28.0;
/// Signal-to-noise ratio below which the voice over the whole phrase is expected to lose, in dB, and over how many dB
/// it comes to lose all that it does.
const NOISY_DB: f32 = 20.0;
const NOISY_RANGE_DB: f32 = 8.0;
/// How far the median score of the takes against each other lies above what is usual before it raises what is needed,
/// and by which share of that it does. From eleven corpora: copies of one manner reach much, later calls do not.
const USUAL_TAKES: f32 = 2.2;
const BY_TAKES: f32 = 0.3;
/// The most by which the takes raise it.
const MOST_BY_TAKES: f32 = 0.4;

/// What is expected of one profile whatever is heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Added to its scores.
    pub offset: f32,
    /// Share by which its pitch counts, 0 to 1.
    pub pitch_share: f32,
}

impl Default for Prior {
    fn default() -> Self {
        Self { offset: 0.0, pitch_share: 1.0 }
    }
}

impl Prior {
    /// By the length of the phrase in the takes of `profile`, and by what they score against each other.
    pub fn of(profile: &Profile) -> Self {
        let mut lengths: Vec<f32> = profile.takes.iter().map(|take| take.seconds).collect();
        if lengths.is_empty() {
            return Self::default();
        }
        let seconds = percentile(&mut lengths, 0.5);
        let short = FITTED.short * (FITTED.short_seconds - seconds).max(0.0);
        let by_takes = (BY_TAKES * (profile.scales.takes - USUAL_TAKES)).clamp(0.0, MOST_BY_TAKES);
        Self { offset: -short - by_takes, pitch_share: (FITTED.pitch_seconds / seconds).min(1.0) }
    }
}

/// What every score begins with.
pub fn constant() -> f32 {
    FITTED.constant
}

/// The words' share of the score: about 1 for an enrolment take.
pub fn words(evidence: &Evidence) -> f32 {
    FITTED.keyword * evidence.keyword_score
        + FITTED.cepstral * evidence.cepstral_score.min(FITTED.cepstral_limit)
}

/// The score of a take against the others in quiet, from keyword and cepstral score and the cosine, none of them
/// limited.
pub fn of_take([keyword, cepstral]: [f32; 2], cosine: f32) -> f32 {
    FITTED.constant + FITTED.keyword * keyword + FITTED.cepstral * cepstral + FITTED.cosine * cosine
}

/// What noise around the candidate takes from the other scores, in the mean, even of the owner's.
pub fn noise(evidence: &Evidence) -> f32 {
    (FITTED.noise * (QUIET_DB - evidence.snr_db).max(0.0) / 10.0).min(FITTED.noise_limit)
}

/// The voice's share of the score.
pub fn voice(cosine: f32) -> f32 {
    FITTED.cosine * cosine.min(FITTED.cosine_limit)
}

/// What the evidence that nothing else can make up for takes from the score. What was not measured takes nothing.
pub fn penalty(evidence: &Evidence, prior: &Prior) -> f32 {
    let lack = |weight: f32, measured: Option<f32>, limit: f32| {
        measured.map_or(0.0, |measured| weight * (limit - measured).max(0.0))
    };
    let noisy = ((NOISY_DB - evidence.snr_db) / NOISY_RANGE_DB).clamp(0.0, 1.0);
    let voice_limit = FITTED.phrase_voice_limit - FITTED.phrase_voice_noise * noisy;
    let excess = |weight: f32, measured: Option<f32>, limit: f32| lack(weight, measured.map(|x| -x), -limit);
    prior.pitch_share * excess(FITTED.pitch, evidence.pitch_deviation, FITTED.pitch_limit)
        + lack(FITTED.phrase_voice, evidence.phrase_cosine, voice_limit)
        + excess(FITTED.segment, evidence.segment_excess, FITTED.segment_limit)
        + lack(FITTED.near_keyword, evidence.near_keyword_margin, FITTED.near_keyword_limit)
        + lack(FITTED.near_cepstral, evidence.near_cepstral_margin, FITTED.near_cepstral_limit)
}
