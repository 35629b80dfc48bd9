//! What the owner reaches.

use crate::engine::event::Evidence;
use crate::engine::rule::Rule;
use crate::models::Models;
use crate::phrase::{TakeTemplates, Utterance};
use crate::profile::{Profile, Take};
use crate::speaker::cosine;

/// A signal-to-noise ratio so high that the rule makes up for no noise, in dB.
const NO_NOISE_DB: f32 = 60.0;

/// The fused score of each take against the others, as if the phrase had been heard in a quiet room.
pub fn leave_one_out(models: &Models, profile: &Profile, rule: &Rule) -> Vec<f32> {
    let takes = &profile.takes;
    let templates = TakeTemplates::new(takes.iter());
    let rule = Rule { threshold: f32::INFINITY, ..rule.of_profile(profile) };
    let score = |(index, take): (usize, &Take)| {
        let words = templates.score(&Utterance::stored(&models.cohort, take), Some(index));
        let voices = profile.voices(Some(index));
        let cosine = voices.iter().map(|voice| cosine(voice, &take.embedding)).fold(-1.0, f32::max);
        rule.fuse(&Evidence {
            keyword_score: words.keyword / profile.scales.keyword,
            cepstral_score: words.cepstra / profile.scales.cepstra,
            speaker_cosine: Some(cosine),
            snr_db: NO_NOISE_DB,
            ..Evidence::default()
        })
    };
    takes.iter().enumerate().map(score).collect()
}
