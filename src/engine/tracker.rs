//! Follows one profile's keyword score and says when it has peaked.

use std::ops::Range;

use super::window::SlidingMinimum;
use crate::keyword::bank::{BankTracker, TemplateBank};
use crate::keyword::score::t_norm;
use crate::profile::Profile;

/// Templates of different length peak at different vectors; their best of this many count together.
const PEAK_WIDTH: usize = 4;
/// A peak stands when this many vectors brought nothing better (160 ms).
const SETTLED_AFTER: usize = 2;
/// A score as high as this is what the owner reaches: the verdict need not wait for the peak.
const SURE: f32 = 0.6;
/// A refused candidate is judged again when its score has grown by this much.
const REJUDGE_GAIN: f32 = 0.05;

/// A keyword score at its peak.
#[derive(Clone, Debug, PartialEq)]
pub struct Peak {
    /// Relative to the profile's own takes.
    pub score: f32,
    /// Vectors of the best alignment, counted from the stream's beginning.
    pub vectors: Range<usize>,
}

enum Phase {
    /// Nothing like the phrase.
    Idle,
    /// Above the gate; the score may still grow. It was judged at `tried`.
    Rising { peak: Peak, since: usize, tried: f32 },
    /// This peak had its verdict.
    Judged { score: f32 },
    /// Accepted: deaf until the score has left the gate.
    Refractory,
}

/// The keyword stage of one profile.
pub struct Tracker {
    bank: TemplateBank,
    state: BankTracker,
    recent: SlidingMinimum,
    scale: f32,
    gate: f32,
    phase: Phase,
    /// The best recent alignment: cost, vectors.
    best: (f32, Range<usize>),
    age: usize,
    /// Where in the stream the next vector, and the first one since the last gap, lie.
    index: usize,
    origin: usize,
}

impl Tracker {
    /// Opens a candidate at scores of `gate` and more; the first vector is the stream's number `origin`.
    pub fn new(profile: &Profile, gate: f32, origin: usize) -> Self {
        let bank = TemplateBank::new(profile.takes.iter().map(|take| &take.vectors));
        Self {
            state: BankTracker::new(&bank),
            recent: SlidingMinimum::new(bank.len(), PEAK_WIDTH),
            bank,
            scale: profile.scales.keyword,
            gate,
            phase: Phase::Idle,
            best: (f32::INFINITY, 0..0),
            age: 0,
            index: origin,
            origin,
        }
    }

    /// Forgets what came before the vector `origin` of the stream.
    pub fn reset(&mut self, origin: usize) {
        self.state.reset();
        self.recent.reset();
        self.phase = Phase::Idle;
        self.best = (f32::INFINITY, 0..0);
        (self.index, self.origin) = (origin, origin);
    }

    /// Takes the next vector; a peak that has settled comes back.
    pub fn push(&mut self, vector: &[f32], cohort_costs: &[f32]) -> Option<Peak> {
        let alignments = self.state.push(&self.bank, vector);
        self.age += 1;
        if self.age >= PEAK_WIDTH {
            self.best = (f32::INFINITY, 0..0);
        }
        self.index += 1;
        for alignment in alignments {
            if alignment.cost < self.best.0 {
                self.best = (alignment.cost, self.origin + alignment.start as usize..self.index);
                self.age = 0;
            }
        }
        let costs = self.recent.push(alignments.iter().map(|alignment| alignment.cost));
        let score = t_norm(costs, cohort_costs) / self.scale;
        self.step(score)
    }

    /// Whether a peak has yet to settle.
    pub fn rising(&self) -> bool {
        matches!(self.phase, Phase::Rising { .. })
    }

    /// Whether something like the phrase is heard, or was just now.
    pub fn open(&self) -> bool {
        !matches!(self.phase, Phase::Idle)
    }

    /// Settles a peak that may still be rising.
    pub fn finish(&mut self) -> Option<Peak> {
        let Phase::Rising { peak, .. } = &self.phase else { return None };
        let peak = peak.clone();
        self.phase = Phase::Judged { score: peak.score };
        Some(peak)
    }

    /// The verdict on the last peak.
    pub fn judged(&mut self, accepted: bool) {
        if accepted {
            self.phase = Phase::Refractory;
        }
    }

    fn step(&mut self, score: f32) -> Option<Peak> {
        if score < self.gate {
            let peak = self.finish();
            self.phase = Phase::Idle;
            return peak;
        }
        let here = || Peak { score, vectors: self.best.1.clone() };
        match &mut self.phase {
            Phase::Idle => {
                self.phase = Phase::Rising { peak: here(), since: 0, tried: f32::NEG_INFINITY };
            }
            Phase::Judged { score: old } if score > *old + REJUDGE_GAIN => {
                self.phase = Phase::Rising { peak: here(), since: 0, tried: *old };
            }
            Phase::Rising { peak, since, .. } if score > peak.score => (*peak, *since) = (here(), 0),
            Phase::Rising { since, .. } => *since += 1,
            Phase::Judged { .. } | Phase::Refractory => {}
        }
        match &mut self.phase {
            Phase::Rising { since, .. } if *since >= SETTLED_AFTER => self.finish(),
            Phase::Rising { peak, since: 0, tried } if peak.score >= SURE.max(*tried + REJUDGE_GAIN) => {
                *tried = peak.score;
                Some(peak.clone())
            }
            _ => None,
        }
    }
}
