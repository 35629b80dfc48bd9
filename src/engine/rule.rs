//! The fused decision.

use super::event::{Evidence, Reason};

/// How much further from a take than the other must words or voice be to be the reason.
const CLEARLY: f32 = 1.3;

/// Signal-to-noise ratio from which on noise changes no score, in dB.
const QUIET_DB: f32 = 28.0;

/// Weights of the evidence, and the score needed.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Speech probability that opens the voice gate; at 0 it never shuts.
    pub voice_gate: f32,
    /// Keyword score at which a candidate opens.
    pub keyword_gate: f32,
    /// Words' share that no voice can make up for.
    pub words_gate: f32,
    /// Ask the voice even of a candidate whose words refuse it, only to name the right reason.
    pub explain: bool,
    /// Weight of the keyword score.
    pub keyword_weight: f32,
    /// Weight of the cepstral score.
    pub cepstral_weight: f32,
    /// Weight of the speaker cosine.
    pub cosine_weight: f32,
    /// What noise makes up for, for each 10 dB below what a quiet room has.
    pub noise_weight: f32,
    /// The most that noise makes up for.
    pub noise_most: f32,
    /// Fused score needed.
    pub threshold: f32,
    /// Added to the threshold, a profile's own too: while the device itself plays, for one.
    pub raise: f32,
    /// Household mode: tell of phrases that somebody other than their owner said.
    pub household: bool,
    /// Keyword score from which on it is the phrase, whoever says it.
    pub phrase_gate: f32,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            voice_gate: 0.3,
            keyword_gate: 0.45,
            words_gate: 0.5,
            explain: true,
            keyword_weight: 0.6,
            cepstral_weight: 0.4,
            cosine_weight: 1.5,
            noise_weight: 0.28,
            noise_most: 0.32,
            threshold: 1.56,
            raise: 0.0,
            household: false,
            phrase_gate: 0.58,
        }
    }
}

impl Rule {
    /// This rule for a profile that may have a threshold of its own, with nothing left to raise.
    pub fn of_profile(&self, own: Option<f32>) -> Self {
        Self { threshold: own.unwrap_or(self.threshold) + self.raise, raise: 0.0, ..self.clone() }
    }

    /// The words' share of the fused score: about 1 for an enrolment take.
    pub fn words(&self, evidence: &Evidence) -> f32 {
        self.keyword_weight * evidence.keyword_score + self.cepstral_weight * evidence.cepstral_score
    }

    /// What the noise around the candidate takes from every other score, in the mean, even of the owner's.
    fn noise(&self, evidence: &Evidence) -> f32 {
        (self.noise_weight * (QUIET_DB - evidence.snr_db).max(0.0) / 10.0).min(self.noise_most)
    }

    /// Whether the words reach their gate, so that the voice matters.
    pub fn words_suffice(&self, evidence: &Evidence) -> bool {
        self.words(evidence) + self.noise(evidence) >= self.words_gate
    }

    /// Whether a refused candidate is the phrase all the same, in another voice. Only the keyword encoder can tell:
    /// in another voice the cepstra are far off.
    pub fn other_voice(&self, evidence: &Evidence, reason: Reason) -> bool {
        reason == Reason::OtherSpeaker && evidence.keyword_score >= self.phrase_gate
    }

    /// The fused score; without a voice, that of the words alone. Where the words miss their gate, it
    /// lies below the threshold by as much.
    pub fn fuse(&self, evidence: &Evidence) -> f32 {
        let words = self.words(evidence) + self.noise(evidence);
        let voice = self.cosine_weight * evidence.speaker_cosine.unwrap_or(0.0);
        let most =
            if words < self.words_gate { self.threshold + words - self.words_gate } else { f32::INFINITY };
        (words + voice).min(most)
    }

    /// Whether the candidate would be accepted in a voice of this cosine: its owner's usual one, for one.
    pub fn accepts_words(&self, evidence: &Evidence, cosine: f32) -> bool {
        self.fuse(&Evidence { speaker_cosine: Some(cosine), ..*evidence }) >= self.threshold
    }

    /// Why the candidate is refused, if it is. Without a voice it always is.
    pub fn refusal(&self, evidence: &Evidence) -> Option<Reason> {
        let Some(speaker_score) = evidence.speaker_score else { return Some(Reason::OtherPhrase) };
        if self.fuse(evidence) >= self.threshold {
            return None;
        }
        // The keyword encoder hardly knows voices, so its score tells words from voice; the cepstra
        // mix the two.
        let (words, voice) = (1.0 - evidence.keyword_score, 1.0 - speaker_score);
        Some(if voice > CLEARLY * words {
            Reason::OtherSpeaker
        } else if words > CLEARLY * voice {
            Reason::OtherPhrase
        } else {
            Reason::Uncertain
        })
    }
}
