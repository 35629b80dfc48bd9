//! The model: how often what is not the phrase, and how often the phrase, would reach a threshold.
//!
//! Its constants were fitted to the recordings of docs/calibration.md; `benches/calibration.py` prints what they are
//! held against.

use serde::Serialize;

use super::genuine::leave_one_out;
use super::point::Point;
use super::room::Room;
use crate::engine::fusion::{self, Prior};
use crate::engine::rule::Rule;
use crate::models::Models;
use crate::profile::Profile;

/// How often words of other speech suffice, per hour of sound, for a phrase whose takes stand out from the cohort
/// by scales of 1: it falls with these powers of the keyword and the cepstral scale.
const RATE: f64 = 0.019;
const RATE_BY_KEYWORD: f64 = -2.8;
const RATE_BY_CEPSTRA: f64 = -1.7;
/// How many candidates that estimate is worth beside those of a room.
const RATE_WORTH: f64 = 1.0;
/// How far beyond their gate such words reach, in the mean.
const BEYOND: f64 = 0.085;
/// Cosine of other voices to the owner's, mean and standard deviation.
const OTHERS: (f64, f64) = (0.09, 0.075);
/// Cosine of the owner's other words, below that of the takes among each other.
const OWN: (f64, f64) = (-0.26, 0.11);
/// How much more often the owner's other words suffice than other people's.
const OWN_MORE: f64 = 10.0;
/// Share of the sound that is the owner talking.
const OWN_SHARE: f64 = 0.1;
/// Hours for which such sounds were measured: half an event in them is the least that can be claimed.
const MEASURED_HOURS: f64 = 120.0;
/// Scores of others with the phrase: middle and steepness.
const IMPOSTORS: (f64, f64) = (0.94, 0.12);
/// Mean score of the takes of most profiles, that of later calls, and how much of a profile's difference from the
/// former shows in the latter: five takes of one session say little of later ones.
const TAKES: f64 = 2.1;
const LATER: f64 = 2.0;
const LATER_BY_TAKES: f64 = 0.4;
/// Steepness of later scores, and the share of calls that fails whatever the threshold.
const LATER_STEEP: f64 = 0.1;
const LOST: f64 = 0.02;
/// Thresholds that are looked at, and how far apart they are.
const LOWEST: f32 = 1.2;
const HIGHEST: f32 = 2.4;
const STEP: f32 = 0.02;
/// Standard deviations to each side, and parts, by which a normal distribution is summed up.
const WIDTH: f64 = 4.0;
const PARTS: u32 = 80;

/// What to expect at one threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Expectation {
    /// Fused score needed.
    pub threshold: f32,
    /// False wakes in an hour in which something sounds all the time, a tenth of it the owner talking.
    pub false_per_hour: f64,
    /// Share of the owner's calls that are missed in a quiet room.
    pub miss_rate: f64,
    /// Share of others' calls, with the same phrase, that wake it.
    pub others_rate: f64,
}

/// What is known of a profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// Fused score of each take against the others.
    pub takes: Vec<f32>,
    /// Candidates whose words suffice, per hour of sound.
    rate: f64,
    voice: f64,
    /// What every score of the profile begins with.
    usual: f64,
    rule: Rule,
    room: Room,
}

impl Outlook {
    /// From the takes of `profile`, and from what a `room` sounded like, which may be nothing.
    pub fn new(models: &Models, profile: &Profile, rule: &Rule, room: Room) -> Self {
        let scales = &profile.scales;
        let usual = RATE
            * f64::from(scales.keyword).powf(RATE_BY_KEYWORD)
            * f64::from(scales.cepstra).powf(RATE_BY_CEPSTRA);
        // The mean of the gamma distribution that has seen `RATE_WORTH` candidates before the room.
        let rate = (RATE_WORTH + room.scores.len() as f64) / (RATE_WORTH / usual + room.hours);
        let takes = leave_one_out(models, profile, rule);
        let usual = f64::from(fusion::constant() + Prior::of(profile).offset);
        Self { takes, rate, voice: f64::from(scales.voice), usual, rule: rule.clone(), room }
    }

    /// What to expect at `threshold`.
    pub fn at(&self, threshold: f32) -> Expectation {
        let wanted = f64::from(threshold);
        let by_voice = |(mean, deviation)| self.rate * self.reaching(wanted, mean, deviation);
        let others = by_voice(OTHERS);
        let owner = OWN_MORE * by_voice((self.voice + OWN.0, OWN.1));
        let modelled = (1.0 - OWN_SHARE) * others + OWN_SHARE * owner;
        let heard = self.room.scores.iter().filter(|score| **score >= threshold).count() as f64;
        let least = (heard + 0.5) / (MEASURED_HOURS + self.room.hours);
        let heard = if heard > 0.0 { heard / self.room.hours } else { 0.0 };
        let takes = self.takes.iter().map(|score| f64::from(*score)).sum::<f64>() / self.takes.len() as f64;
        let usual = LATER + LATER_BY_TAKES * (takes - TAKES);
        Expectation {
            threshold,
            false_per_hour: modelled.max(heard).max(least),
            miss_rate: LOST + (1.0 - LOST) * logistic((wanted - usual) / LATER_STEEP),
            others_rate: logistic((IMPOSTORS.0 - wanted) / IMPOSTORS.1),
        }
    }

    /// The thresholds worth choosing from, with what to expect.
    pub fn table(&self) -> Vec<Expectation> {
        let steps = ((HIGHEST - LOWEST) / STEP).round() as u32;
        (0..=steps).map(|step| self.at(LOWEST + step as f32 * STEP)).collect()
    }

    /// The threshold for `point`.
    pub fn choose(&self, point: Point) -> Expectation {
        let cost = |one: &Expectation| one.miss_rate + point.weight() * one.others_rate;
        let table = self.table();
        let quiet = table.iter().filter(|one| one.false_per_hour <= point.most_per_hour());
        let best = quiet.min_by(|a, b| cost(a).total_cmp(&cost(b)));
        best.copied().unwrap_or_else(|| self.at(HIGHEST))
    }

    /// The lowest threshold with at most so many false wakes an hour; `None` if no estimate goes as low.
    pub fn for_target(&self, most_per_hour: f64) -> Option<Expectation> {
        self.table().into_iter().find(|one| one.false_per_hour <= most_per_hour)
    }

    /// The fewest false wakes an hour that can be claimed.
    pub fn least_per_hour(&self) -> f64 {
        self.at(HIGHEST).false_per_hour
    }

    /// Share of the candidates whose words suffice that reach `threshold` in voices so near to the owner's.
    fn reaching(&self, threshold: f64, mean: f64, deviation: f64) -> f64 {
        let gate = f64::from(self.rule.words_gate);
        let (mut sum, mut all) = (0.0, 0.0);
        for part in 0..=PARTS {
            let place = WIDTH * (2.0 * f64::from(part) / f64::from(PARTS) - 1.0);
            let density = (-place * place / 2.0).exp();
            let voice = fusion::voice((mean + deviation * place) as f32);
            let words = threshold - self.usual - f64::from(voice);
            sum += density * (-(words - gate).max(0.0) / BEYOND).exp();
            all += density;
        }
        sum / all
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
