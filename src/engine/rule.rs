//! The fused decision.

use super::event::{Evidence, Reason};

/// Ratio up to which less noise still makes scores more trustworthy, in dB.
const CLEAN_SNR_DB: f32 = 25.0;

/// Weights of the evidence, and the score needed.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Keyword score at which a candidate opens.
    pub keyword_gate: f32,
    /// Weights of keyword, cepstral and floored cepstral score.
    pub word_weights: [f32; 3],
    /// Weight of the speaker score, which counts up to 1.
    pub speaker_weight: f32,
    /// Added per 10 dB of signal-to-noise ratio below 25 dB, since noise lowers every score.
    pub noise_allowance: f32,
    /// Fused score needed.
    pub threshold: f32,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            keyword_gate: 0.25,
            word_weights: [0.5, 0.5, 0.0],
            speaker_weight: 1.0,
            noise_allowance: 0.0,
            threshold: 1.493,
        }
    }
}

impl Rule {
    /// The words' share of the fused score, with the allowance for noise.
    pub fn words(&self, evidence: &Evidence) -> f32 {
        let scores = [evidence.keyword_score, evidence.cepstral_score, evidence.floored_score];
        let noise = (CLEAN_SNR_DB - evidence.snr_db.min(CLEAN_SNR_DB)) / 10.0;
        scores.iter().zip(self.word_weights).map(|(s, w)| s * w).sum::<f32>() + self.noise_allowance * noise
    }

    /// What the words must reach, or no voice could make up for it.
    pub fn words_needed(&self) -> f32 {
        self.threshold - self.speaker_weight
    }

    /// The fused score.
    pub fn fuse(&self, evidence: &Evidence) -> f32 {
        self.words(evidence) + self.speaker_weight * evidence.speaker_score.unwrap_or(0.0).min(1.0)
    }

    /// Why a score below the threshold is so: whichever of words and voice is further from that of
    /// an enrolment take.
    pub fn reason(&self, evidence: &Evidence) -> Reason {
        let voice = self.speaker_weight * (1.0 - evidence.speaker_score.unwrap_or(0.0).min(1.0));
        let words = (self.word_weights.iter().sum::<f32>() - self.words(evidence)).max(0.0);
        if voice > 1.5 * words {
            Reason::OtherSpeaker
        } else if words > 1.5 * voice {
            Reason::OtherPhrase
        } else {
            Reason::Uncertain
        }
    }
}
