//! The templates of takes, and how well recordings fit them.

use std::ops::Range;

use super::Utterance;
use crate::features::{Frames, HOP, WINDOW};
use crate::keyword::bank::{Match, TemplateBank};
use crate::keyword::score::t_norm;
use crate::profile::Take;

/// Cepstral templates of some takes.
pub struct CepstralTemplates(TemplateBank);

/// How well a stretch of audio fits cepstral templates.
pub struct CepstralScore {
    /// T-normalised score.
    pub score: f32,
    /// The phrase, in samples of the stretch; empty if nothing could be aligned.
    pub phrase: Range<usize>,
}

impl CepstralTemplates {
    /// Stacks the templates of several takes.
    pub fn new<'a>(takes: impl Iterator<Item = &'a Frames>) -> Self {
        Self(TemplateBank::new(takes))
    }

    /// Scores `cepstra` given the cohort's costs for them; `left_out` is the take that they come from,
    /// if any.
    pub fn score(&self, cepstra: &Frames, cohort_costs: &[f32], left_out: Option<usize>) -> CepstralScore {
        let mut matches = self.0.best_matches(cepstra);
        leave_out(&mut matches, left_out);
        let best = matches.iter().min_by(|a, b| a.cost.total_cmp(&b.cost));
        let phrase = best
            .filter(|best| best.cost.is_finite())
            .map_or(0..0, |best| best.start * HOP..(best.end.max(1) - 1) * HOP + WINDOW);
        CepstralScore { score: t_norm(&costs(&matches), cohort_costs), phrase }
    }
}

/// The templates of some takes: keyword vectors and cepstra.
pub struct TakeTemplates {
    keyword: TemplateBank,
    cepstra: CepstralTemplates,
}

/// How well the words of an utterance fit templates: T-normalised scores, 0 for other speech.
#[derive(Clone, Copy, Debug)]
pub struct WordScores {
    /// By the keyword vectors.
    pub keyword: f32,
    /// By the cepstra.
    pub cepstra: f32,
}

impl TakeTemplates {
    /// Stacks the templates of `takes`.
    pub fn new<'a>(takes: impl Iterator<Item = &'a Take> + Clone) -> Self {
        Self {
            keyword: TemplateBank::new(takes.clone().map(|take| &take.vectors)),
            cepstra: CepstralTemplates::new(takes.map(|take| &take.cepstra)),
        }
    }

    /// How well `utterance` fits all takes together, without the take `left_out`: the one that it is.
    pub fn score(&self, utterance: &Utterance, left_out: Option<usize>) -> WordScores {
        let mut keyword = costs(&self.keyword.best_matches(&utterance.vectors));
        leave_out(&mut keyword, left_out);
        let cepstra = self.cepstra.score(&utterance.cepstra, &utterance.cepstral_cohort_costs, left_out);
        WordScores { keyword: t_norm(&keyword, &utterance.keyword_cohort_costs), cepstra: cepstra.score }
    }

    /// How well the keyword vectors of `utterance` fit each take.
    pub fn keyword_scores(&self, utterance: &Utterance) -> Vec<f32> {
        single_scores(&self.keyword, &utterance.vectors, &utterance.keyword_cohort_costs)
    }

    /// How well the cepstra of `utterance` fit each take.
    pub fn cepstral_scores(&self, utterance: &Utterance) -> Vec<f32> {
        single_scores(&self.cepstra.0, &utterance.cepstra, &utterance.cepstral_cohort_costs)
    }
}

/// The T-normalised score of each template of `bank`.
fn single_scores(bank: &TemplateBank, stream: &Frames, cohort_costs: &[f32]) -> Vec<f32> {
    costs(&bank.best_matches(stream)).iter().map(|cost| t_norm(&[*cost], cohort_costs)).collect()
}

/// The costs of `matches`.
pub fn costs(matches: &[Match]) -> Vec<f32> {
    matches.iter().map(|found| found.cost).collect()
}

fn leave_out<T>(items: &mut Vec<T>, left_out: Option<usize>) {
    if let Some(index) = left_out {
        items.remove(index);
    }
}
