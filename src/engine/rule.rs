//! The fused decision.

use super::event::{Evidence, Reason};
use super::fusion::{self, Prior};
use crate::profile::Profile;

/// How much further from a take than the other must words or voice be to be the reason.
const CLEARLY: f32 = 1.3;

/// What opens a candidate, and the score needed.
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
    /// Measure all evidence of every candidate, whether it makes a difference or not: for evaluation.
    pub measure_all: bool,
    /// Fused score needed.
    pub threshold: f32,
    /// Added to the threshold, a profile's own too: while the device itself plays, for one.
    pub raise: f32,
    /// Household mode: tell of phrases that somebody other than their owner said.
    pub household: bool,
    /// Keyword score from which on it is the phrase, whoever says it.
    pub phrase_gate: f32,
    /// What is expected of the profile.
    pub prior: Prior,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            voice_gate: 0.3,
            keyword_gate: 0.45,
            words_gate: 0.5,
            explain: true,
            measure_all: false,
            threshold: 1.56,
            raise: 0.0,
            household: false,
            phrase_gate: 0.58,
            prior: Prior::default(),
        }
    }
}

impl Rule {
    /// This rule for one profile, with nothing left to raise.
    pub fn of_profile(&self, profile: &Profile) -> Self {
        let threshold = profile.settings.threshold.unwrap_or(self.threshold) + self.raise;
        Self { threshold, raise: 0.0, prior: Prior::of(profile), ..self.clone() }
    }

    /// The words' share of the fused score: about 1 for an enrolment take.
    pub fn words(&self, evidence: &Evidence) -> f32 {
        fusion::words(evidence)
    }

    /// Whether the words reach their gate, so that the voice matters.
    pub fn words_suffice(&self, evidence: &Evidence) -> bool {
        fusion::words(evidence) + fusion::noise(evidence) >= self.words_gate
    }

    /// Whether a refused candidate is the phrase all the same, in another voice. Only the keyword encoder can tell:
    /// in another voice the cepstra are far off.
    pub fn other_voice(&self, evidence: &Evidence, reason: Reason) -> bool {
        reason == Reason::OtherSpeaker && evidence.keyword_score >= self.phrase_gate
    }

    /// The fused score; without a voice, that of the words alone. Where the words miss their gate, it
    /// lies below the threshold by as much.
    pub fn fuse(&self, evidence: &Evidence) -> f32 {
        let words = fusion::words(evidence) + fusion::noise(evidence);
        let most =
            if words < self.words_gate { self.threshold + words - self.words_gate } else { f32::INFINITY };
        let voice = evidence.speaker_cosine.map_or(0.0, fusion::voice);
        (fusion::constant() + self.prior.offset + words + voice - fusion::penalty(evidence, &self.prior))
            .min(most)
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
