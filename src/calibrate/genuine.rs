//! What the owner reaches.

use crate::engine::event::Evidence;
use crate::engine::rule::Rule;
use crate::inference::VECTOR_DIM;
use crate::keyword::bank::TemplateBank;
use crate::keyword::score::t_norm;
use crate::models::Models;
use crate::phrase::{CepstralTemplates, costs, without};
use crate::profile::{Profile, Take};
use crate::speaker::cosine;

/// A signal-to-noise ratio at which noise counts for nothing.
const QUIET_DB: f32 = 60.0;

/// The fused score of each take against the others, as if the phrase had been heard in a quiet room.
pub fn leave_one_out(models: &Models, profile: &Profile, rule: &Rule) -> Vec<f32> {
    let takes = &profile.takes;
    let keyword = TemplateBank::new(VECTOR_DIM, takes.iter().map(|take| &take.vectors));
    let cepstral = CepstralTemplates::new(takes.iter().map(|take| &take.cepstra));
    let rule = Rule { threshold: f32::INFINITY, ..rule.clone() };
    let score = |(index, take): (usize, &Take)| {
        let found = costs(&keyword.best_matches(&take.vectors));
        let cohort = costs(&models.cohort.vectors.best_matches(&take.vectors));
        let words = t_norm(&without(found, Some(index)), &cohort);
        let cohort = costs(&models.cohort.cepstra.best_matches(&take.cepstra));
        let cepstra = cepstral.score(&take.cepstra, &cohort, Some(index)).score;
        let voices = profile.voices(Some(index));
        let cosine = voices.iter().map(|voice| cosine(voice, &take.embedding)).fold(-1.0, f32::max);
        rule.fuse(&Evidence {
            keyword_score: words / profile.scales.keyword,
            cepstral_score: cepstra / profile.scales.cepstra,
            speaker_score: None,
            speaker_cosine: Some(cosine),
            level_dbfs: 0.0,
            snr_db: QUIET_DB,
        })
    };
    takes.iter().enumerate().map(score).collect()
}
