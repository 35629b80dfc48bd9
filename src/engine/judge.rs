//! The verdict on a candidate: cepstra, then voice, then the fused score.

use std::ops::Range;
use std::sync::Arc;

use super::event::{Evidence, Reason};
use super::rule::Rule;
use crate::features::level::{dbfs, snr_db};
use crate::features::mfcc::Mfcc;
use crate::inference::InferenceError;
use crate::models::Models;
use crate::phrase::{Cepstra, CepstralTemplates, CohortCosts};
use crate::profile::Profile;
use crate::speaker::{SpeakerEncoder, cosine};

/// One profile, ready to judge by.
pub struct Reference {
    templates: CepstralTemplates,
    profile: Arc<Profile>,
}

impl Reference {
    /// Stacks the templates of `profile`.
    pub fn new(profile: Arc<Profile>) -> Self {
        let takes = profile.takes.iter().map(|take| (&take.cepstra, &take.floored));
        Self { templates: CepstralTemplates::new(takes), profile }
    }
}

/// What is known of a candidate after the verdict.
pub struct Verdict {
    /// Everything measured.
    pub evidence: Evidence,
    /// Fused score.
    pub score: f32,
    /// Why not, if not.
    pub refused: Option<Reason>,
    /// The phrase within the audio.
    pub phrase: Range<usize>,
}

/// The audio around a candidate.
pub struct Scene<'a> {
    /// The candidate's surroundings.
    pub audio: &'a [f32],
    /// Trailing seconds, for the noise level.
    pub background: &'a [f32],
    /// Where the keyword stage saw the phrase, in samples of `audio`.
    pub phrase: Range<usize>,
}

/// Scratch for verdicts.
#[derive(Default)]
pub struct Judge {
    mfcc: Mfcc,
    speaker: SpeakerEncoder,
}

impl Judge {
    /// Judges the candidate in `scene` with a keyword score of `keyword_score`.
    pub fn judge(
        &mut self,
        models: &Models,
        reference: &Reference,
        rule: &Rule,
        keyword_score: f32,
        scene: &Scene<'_>,
    ) -> Result<Verdict, InferenceError> {
        let scales = &reference.profile.scales;
        let cepstra = Cepstra::of(&mut self.mfcc, scene.audio);
        let cohort = CohortCosts::of(&models.cohort, &cepstra);
        let cepstral = reference.templates.score(&cepstra, &cohort, None);
        let phrase = if cepstral.phrase.is_empty() { scene.phrase.clone() } else { cepstral.phrase };
        let mut evidence = Evidence {
            keyword_score,
            cepstral_score: cepstral.plain / scales.cepstra,
            floored_score: cepstral.floored / scales.floored,
            speaker_score: None,
            level_dbfs: dbfs(&scene.audio[phrase.clone()]),
            snr_db: snr_db(scene.background),
        };
        // The voice costs most: ask it only where it can make a difference.
        if rule.words(&evidence) < rule.words_needed() {
            let score = rule.words(&evidence);
            return Ok(Verdict { evidence, score, refused: Some(Reason::OtherPhrase), phrase });
        }
        let embedding = self.speaker.embed(&models.speaker, scene.audio, phrase.clone())?;
        let cosines: f32 =
            reference.profile.takes.iter().map(|take| cosine(&take.embedding, &embedding)).sum();
        evidence.speaker_score = Some(cosines / reference.profile.takes.len() as f32 / scales.voice);
        let score = rule.fuse(&evidence);
        let refused = (score < rule.threshold).then(|| rule.reason(&evidence));
        Ok(Verdict { evidence, score, refused, phrase })
    }
}
