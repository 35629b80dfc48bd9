//! Which of many enrolled phrases a short recording holds.
//!
//! Weights and threshold were chosen on the lists of docs/challenges.md, which `enroll/challenge/sbi/evaluate.py` runs.

use std::collections::BTreeMap;

use super::usual::Usual;
use crate::models::Models;
use crate::phrase::{Analyst, TakeTemplates, Utterance, phrase_span};
use crate::profile::{Profile, Take};
use crate::speaker::cosine;

/// Score from which on a phrase is the text.
const THRESHOLD: f32 = 0.77;
/// Weight of the cepstral score, that of the keyword score being 1.
const CEPSTRAL_WEIGHT: f32 = 0.375;
/// Weight of a take's voice: whose takes are in the list has some that fit, and should be measured by them.
const VOICE_WEIGHT: f32 = 0.15;
/// How many of a phrase's best takes count together, whoever they are from.
const TAKES_USED: usize = 2;
/// Phrases whose cepstra are compared too: the best by their keyword score.
const SHORT_LIST: usize = 4;
/// How many other phrases, the best of them, count against a phrase, and how much their mean does.
const RIVALS: usize = 3;
const RIVALS_WEIGHT: f32 = 0.2;

/// A list of phrases, ready for matching. A phrase may have profiles of several speakers.
pub struct PhraseList<'a> {
    models: &'a Models,
    phrases: Vec<Phrase<'a>>,
    usual: Usual<'a>,
}

struct Phrase<'a> {
    text: &'a str,
    /// One template a take, and the voice of each.
    templates: TakeTemplates,
    voices: Vec<&'a [f32]>,
}

/// A phrase as the keyword encoder alone hears it.
struct Ranked<'l, 'a> {
    phrase: &'l Phrase<'a>,
    /// Score of each take, and the mean of the best.
    takes: Vec<f32>,
    score: f32,
}

/// The phrase that fits a recording best.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<'a> {
    /// The phrase as text.
    pub text: &'a str,
    /// How well it fits: about 1 for a recording like the takes of the same voice, 0 for general speech.
    pub score: f32,
}

impl Found<'_> {
    /// Whether it fits well enough to be what was said.
    pub fn is_sure(&self) -> bool {
        self.score >= THRESHOLD
    }
}

impl<'a> PhraseList<'a> {
    /// The phrases of `profiles`; those of the same text are one.
    pub fn new(models: &'a Models, profiles: &'a [Profile]) -> Self {
        let mut by_text: BTreeMap<&str, Vec<&Profile>> = BTreeMap::new();
        for profile in profiles {
            by_text.entry(&profile.phrase).or_default().push(profile);
        }
        let phrase = |(text, profiles): (&'a str, Vec<&'a Profile>)| {
            let takes: Vec<&'a Take> = profiles.into_iter().flat_map(|profile| &profile.takes).collect();
            Phrase {
                text,
                templates: TakeTemplates::new(takes.iter().copied()),
                voices: takes.into_iter().map(|take| &*take.embedding).collect(),
            }
        };
        let reached = |profile: &'a Profile| {
            let reached = words(profile.scales.keyword, profile.scales.cepstra);
            profile.takes.iter().map(move |take| (&*take.embedding, reached))
        };
        let usual = Usual::new(profiles.iter().flat_map(reached).collect());
        Self { models, phrases: by_text.into_iter().map(phrase).collect(), usual }
    }

    /// The phrase that fits `samples` (16 kHz) best; `None` where nothing is said.
    pub fn best(&self, samples: &[f32]) -> Option<Found<'a>> {
        let span = phrase_span(samples)?;
        let utterance = Analyst::new(self.models).analyse(self.models, samples, &span);
        let ranked = self.ranked(&utterance);
        let voice = &utterance.embedding;
        let usual = self.usual.of(voice);
        let found = ranked.iter().take(SHORT_LIST).enumerate().map(|(rank, Ranked { phrase, takes, .. })| {
            let cepstral = phrase.templates.cepstral_scores(&utterance);
            let fused: Vec<f32> = takes
                .iter()
                .zip(cepstral)
                .zip(&phrase.voices)
                .map(|((keyword, cepstral), own)| {
                    words(*keyword, cepstral) + VOICE_WEIGHT * cosine(own, voice)
                })
                .collect();
            let score = (mean_of_best(&fused) - RIVALS_WEIGHT * rivals(&ranked, rank)) / usual;
            Found { text: phrase.text, score }
        });
        found.max_by(|a, b| a.score.total_cmp(&b.score))
    }

    /// All phrases, those first that the keyword encoder finds nearest.
    fn ranked<'l>(&'l self, utterance: &Utterance) -> Vec<Ranked<'l, 'a>> {
        let rank = |phrase: &'l Phrase<'a>| {
            let takes = phrase.templates.keyword_scores(utterance);
            Ranked { phrase, score: mean_of_best(&takes), takes }
        };
        let mut ranked: Vec<_> = self.phrases.iter().map(rank).collect();
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        ranked
    }
}

/// Keyword and cepstral score as one.
fn words(keyword: f32, cepstral: f32) -> f32 {
    keyword + CEPSTRAL_WEIGHT * cepstral
}

/// Mean score of the best phrases beside the one at `rank`. Where there are too few, general speech is one.
fn rivals(ranked: &[Ranked<'_, '_>], rank: usize) -> f32 {
    let others = ranked[..rank].iter().chain(&ranked[rank + 1..]);
    others.take(RIVALS).map(|other| other.score.max(0.0)).sum::<f32>() / RIVALS as f32
}

/// Mean of the [`TAKES_USED`] highest scores.
fn mean_of_best(scores: &[f32]) -> f32 {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted.truncate(TAKES_USED);
    sorted.iter().sum::<f32>() / sorted.len().max(1) as f32
}
