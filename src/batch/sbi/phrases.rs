//! Which of many enrolled phrases a short recording holds.

use std::collections::BTreeMap;

use crate::enroll::phrase_span;
use crate::features::mfcc::{self, Mfcc};
use crate::inference::VECTOR_DIM;
use crate::keyword::bank::TemplateBank;
use crate::keyword::encoder::KeywordEncoder;
use crate::keyword::score::t_norm;
use crate::models::Models;
use crate::phrase::{SURROUNDINGS, costs};
use crate::profile::{Profile, Scales};

/// Score from which on a phrase is the text.
const THRESHOLD: f32 = 0.58;
/// Weights of the keyword and the cepstral score.
const KEYWORD_WEIGHT: f32 = 0.7;
const CEPSTRAL_WEIGHT: f32 = 0.3;
/// What two takes of a phrase by one speaker usually reach against each other. A profile's own scales may
/// come from as few as two takes, so they count for little.
const USUAL: Scales = Scales { keyword: 0.49, cepstra: 0.23, voice: 1.0 };
const OWN_SHARE: f32 = 0.3;
/// How many of a phrase's best takes count together, whoever they are from.
const TAKES_USED: usize = 3;
/// Phrases whose cepstra are compared too: the best by their keyword score.
const SHORT_LIST: usize = 4;

/// A list of phrases, ready for matching. A phrase may have profiles of several speakers.
pub struct PhraseList<'a> {
    models: &'a Models,
    phrases: Vec<Phrase<'a>>,
}

struct Phrase<'a> {
    text: &'a str,
    /// One template a take, and the scales of each.
    keyword: TemplateBank,
    cepstra: TemplateBank,
    scales: Vec<Scales>,
}

/// The phrase that fits a recording best.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<'a> {
    /// The phrase as text.
    pub text: &'a str,
    /// How well it fits: about 1 for a take of it, 0 for general speech.
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
        let phrase = |(text, profiles): (&'a str, Vec<&Profile>)| {
            let takes = || profiles.iter().flat_map(|profile| &profile.takes);
            let scales = |profile: &&Profile| vec![usual_with(&profile.scales); profile.takes.len()];
            Phrase {
                text,
                keyword: TemplateBank::new(VECTOR_DIM, takes().map(|take| &take.vectors)),
                cepstra: TemplateBank::new(mfcc::DIM, takes().map(|take| &take.cepstra)),
                scales: profiles.iter().flat_map(scales).collect(),
            }
        };
        Self { models, phrases: by_text.into_iter().map(phrase).collect() }
    }

    /// The phrase that fits `samples` (16 kHz) best; `None` where nothing is said.
    pub fn best(&self, samples: &[f32]) -> Option<Found<'a>> {
        let span = phrase_span(samples)?;
        let mut vectors = KeywordEncoder::new(&self.models.keyword).recording(samples);
        vectors.iter_mut().for_each(|vector| self.models.cohort.centre(vector));
        let cohort = costs(&self.models.cohort.vectors.best_matches(&vectors));
        let mut short_list: Vec<(&Phrase<'a>, Vec<f32>)> = self
            .phrases
            .iter()
            .map(|phrase| {
                let scaled = phrase.scores(&phrase.keyword, &vectors, &cohort, |scales| scales.keyword);
                (phrase, scaled)
            })
            .collect();
        short_list.sort_by(|a, b| mean_of_best(&b.1).total_cmp(&mean_of_best(&a.1)));
        short_list.truncate(SHORT_LIST);

        let around = span.start.saturating_sub(SURROUNDINGS)..(span.end + SURROUNDINGS).min(samples.len());
        let cepstra = Mfcc::default().cepstra(&samples[around]);
        let cohort = costs(&self.models.cohort.cepstra.best_matches(&cepstra));
        let found = short_list.into_iter().map(|(phrase, keyword)| {
            let cepstral = phrase.scores(&phrase.cepstra, &cepstra, &cohort, |scales| scales.cepstra);
            let fused: Vec<f32> = keyword
                .iter()
                .zip(cepstral)
                .map(|(keyword, cepstral)| KEYWORD_WEIGHT * keyword + CEPSTRAL_WEIGHT * cepstral)
                .collect();
            Found { text: phrase.text, score: mean_of_best(&fused) }
        });
        found.max_by(|a, b| a.score.total_cmp(&b.score))
    }
}

impl Phrase<'_> {
    /// The normalised score of each take.
    fn scores(
        &self,
        bank: &TemplateBank,
        stream: &crate::features::Frames,
        cohort_costs: &[f32],
        scale: fn(&Scales) -> f32,
    ) -> Vec<f32> {
        let costs = costs(&bank.best_matches(stream));
        costs
            .iter()
            .zip(&self.scales)
            .map(|(cost, scales)| t_norm(&[*cost], cohort_costs) / scale(scales))
            .collect()
    }
}

fn usual_with(own: &Scales) -> Scales {
    let mix = |usual: f32, own: f32| (1.0 - OWN_SHARE) * usual + OWN_SHARE * own;
    Scales { keyword: mix(USUAL.keyword, own.keyword), cepstra: mix(USUAL.cepstra, own.cepstra), ..USUAL }
}

/// Mean of the [`TAKES_USED`] highest scores.
fn mean_of_best(scores: &[f32]) -> f32 {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted.truncate(TAKES_USED);
    sorted.iter().sum::<f32>() / sorted.len().max(1) as f32
}
