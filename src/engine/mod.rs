//! The engine: samples in, events out. It knows no clock, device, file or bus.
//!
//! All state moves in steps of 10 ms counted from the stream's first sample, so the events do not
//! depend on how the samples were cut into blocks.

pub mod event;
mod fitted;
pub mod fusion;
mod history;
mod household;
mod judge;
pub mod rule;
mod tracker;
mod weights;
mod window;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use crate::features::samples::SampleBuffer;
use crate::features::vad::Vad;
use crate::features::{Frames, HOP, SAMPLE_RATE};
use crate::keyword::bank::BankTracker;
use crate::keyword::encoder::{KeywordEncoder, MAX_AHEAD, Output, STEP};
use crate::models::Models;
use crate::phrase;
use crate::profile::Profile;
use crate::speaker::voice::Voice;
use event::{Event, EventKind, Reason};
use history::History;
use household::Household;
use judge::{Judge, Reference, Scene};
use rule::Rule;
use tracker::{Peak, Tracker};
use window::SlidingMinimum;

/// Vectors over which the cohort's best costs count (2 s).
const COHORT_WINDOW: usize = 25;
/// Trailing audio from which noise is measured, in samples (3 s).
const BACKGROUND: u64 = 3 * SAMPLE_RATE as u64;
/// Audio kept beyond the longest phrase, in samples (4 s).
const KEPT: usize = 4 * SAMPLE_RATE;
/// Keyword vectors on each side of a candidate that may belong to it.
const AROUND: usize = 3;
/// How long the voice gate stays open after speech, in seconds.
const VAD_HANGOVER_S: f32 = 0.4;

/// Detects the phrases of some profiles in one stream of 16 kHz mono audio.
pub struct Engine {
    models: Arc<Models>,
    rule: Rule,
    samples: SampleBuffer,
    vad: Vad,
    encoder: KeywordEncoder,
    keywords: KeywordStage,
    voices: Vec<(Arc<Profile>, Reference)>,
    judge: Judge,
    household: Household,
}

/// Everything that runs once per keyword vector.
struct KeywordStage {
    cohort: BankTracker,
    cohort_costs: SlidingMinimum,
    trackers: Vec<Tracker>,
    vector: Vec<f32>,
    /// The last vectors, value after value, since the vector of index `first`.
    recent: History,
    first: usize,
    /// Where in the stream the next vector lies.
    next: usize,
}

impl Engine {
    /// An engine at the beginning of a stream. Profiles that are disabled are left out.
    pub fn new(models: Arc<Models>, profiles: &[Arc<Profile>], rule: Rule) -> Self {
        let encoder = KeywordEncoder::new(&models.keyword);
        let keywords = KeywordStage {
            cohort: BankTracker::new(&models.cohort.vectors),
            cohort_costs: SlidingMinimum::new(models.cohort.vectors.len(), COHORT_WINDOW),
            trackers: Vec::new(),
            vector: vec![0.0; models.keyword.geometry().dimension],
            recent: History::new(KEPT / STEP * models.keyword.geometry().dimension),
            first: 0,
            next: 0,
        };
        let mut engine = Self {
            samples: SampleBuffer::new(KEPT.max(encoder.needed()), MAX_AHEAD),
            vad: Vad::new(rule.voice_gate, VAD_HANGOVER_S),
            encoder,
            keywords,
            voices: Vec::new(),
            judge: Judge::default(),
            household: Household::default(),
            models,
            rule: rule.clone(),
        };
        engine.update(profiles, rule);
        engine
    }

    /// Listens for other profiles, or by another rule, from the next sample on. What is being said just
    /// now in a phrase known before and after is still heard. Profiles that are disabled are left out.
    pub fn update(&mut self, profiles: &[Arc<Profile>], rule: Rule) {
        let same_gate = rule.keyword_gate == self.rule.keyword_gate;
        let voices = std::mem::take(&mut self.voices).into_iter().map(|(profile, _)| profile);
        let trackers = std::mem::take(&mut self.keywords.trackers);
        let mut known: Vec<_> = voices.zip(trackers).filter(|_| same_gate).collect();
        for profile in profiles.iter().filter(|profile| profile.settings.enabled) {
            let same = |old: &Profile| old.takes == profile.takes && old.scales == profile.scales;
            let tracker = match known.iter().position(|(old, _)| same(old)) {
                Some(index) => known.swap_remove(index).1,
                None => Tracker::new(profile, rule.keyword_gate, self.keywords.next),
            };
            // A phrase may be twice as slow as its template.
            let longest = profile.takes.iter().map(|take| take.vectors.rows()).max();
            let vectors = 2 * longest.unwrap_or(0);
            self.samples.keep(KEPT + vectors * STEP);
            let dimension = self.keywords.vector.len();
            self.keywords.recent.keep((KEPT / STEP + vectors) * dimension);
            self.keywords.trackers.push(tracker);
            self.voices.push((profile.clone(), Reference::new(profile.clone())));
        }
        self.vad.set_threshold(rule.voice_gate);
        self.rule = rule;
    }

    /// Names these voices from now on, whatever the phrase, where one of them says it.
    pub fn recognise(&mut self, voices: Arc<[Voice]>) {
        self.judge.voices = voices;
    }

    /// Takes the next samples, any number, in `[-1, 1]`; `sink` gets the events they complete.
    pub fn push(&mut self, samples: &[f32], mut sink: impl FnMut(Event)) {
        for part in samples.chunks(MAX_AHEAD) {
            self.samples.append(part);
            while self.samples.advance() {
                self.step(&mut sink);
            }
        }
    }

    /// Forgets the stream: the next samples are the first of another.
    pub fn reset(&mut self) {
        self.samples.reset();
        self.vad.reset();
        self.encoder.reset();
        self.keywords.reset(0);
        self.judge.reset();
        self.household = Household::default();
    }

    /// Ends a finite stream: what is still open is judged as if silence followed. The next samples are
    /// the first of another.
    pub fn finish(&mut self, mut sink: impl FnMut(Event)) {
        if self.samples.unheard() > 0 {
            self.samples.append(&[0.0; HOP][self.samples.unheard()..]);
            self.samples.advance();
            self.step(&mut sink);
        }
        let speech = self.vad.active() || self.keywords.rising();
        let (keywords, models) = (&mut self.keywords, &self.models);
        let mut peaks = Vec::new();
        self.encoder.finish(&self.samples, speech, &mut |output| keywords.take(models, output, &mut peaks));
        keywords.finish(&mut peaks);
        self.judge_all(peaks, &mut sink);
        self.tell_household(&mut sink);
        self.reset();
    }

    fn step(&mut self, sink: &mut impl FnMut(Event)) {
        // A peak keeps the gate open until it has settled: its verdict cannot wait for the next speech.
        let speech = self.vad.push(self.samples.hop()) || self.keywords.rising();
        let (keywords, models) = (&mut self.keywords, &self.models);
        let mut peaks = Vec::new();
        let certain = self.vad.remaining();
        self.encoder
            .hear(&self.samples, speech, certain, &mut |output| keywords.take(models, output, &mut peaks));
        self.judge_all(peaks, sink);
        if !(speech && self.keywords.open()) {
            self.tell_household(sink);
        }
    }

    /// What nobody's own voice said is known once the phrase is over: until then its owner may yet be heard.
    fn tell_household(&mut self, sink: &mut impl FnMut(Event)) {
        if let Some(event) = self.household.take(self.samples.heard()) {
            sink(event);
        }
    }

    /// Judges the peaks of one moment together: only the best of them can be accepted.
    fn judge_all(&mut self, peaks: Vec<(usize, Peak)>, sink: &mut impl FnMut(Event)) {
        let mut verdicts = Vec::with_capacity(peaks.len());
        for (profile, peak) in peaks {
            verdicts.push((profile, self.judge_one(profile, &peak, sink)));
        }
        let winner = verdicts
            .iter()
            .filter(|(_, event)| event.is_detected())
            .max_by(|a, b| a.1.margin.total_cmp(&b.1.margin))
            .map(|(profile, event)| (*profile, event.end));
        if let Some((_, end)) = winner {
            self.household.woke(end);
        }
        let winner = winner.map(|(profile, _)| profile);
        for (profile, mut event) in verdicts {
            if event.is_detected() && winner != Some(profile) {
                event.kind = EventKind::Rejected(Reason::Outscored);
            }
            self.keywords.trackers[profile].judged(winner.is_some());
            if winner.is_none() && self.rule.household {
                self.household.hear(&self.rule, &event);
            }
            sink(event);
        }
    }

    /// The verdict on a peak of the profile of this index; `sink` gets the candidate.
    fn judge_one(&mut self, profile: usize, peak: &Peak, sink: &mut impl FnMut(Event)) -> Event {
        let (profile, reference) = &self.voices[profile];
        let seen = phrase::samples_of(peak.vectors.clone());
        let now = self.samples.heard();
        let (start, end) = (seen.start as u64, (seen.end as u64).min(now));
        let around = phrase::SURROUNDINGS as u64;
        let (origin, audio) = self.samples.get(start.saturating_sub(around)..end + around);
        let (_, background) = self.samples.get(now.saturating_sub(BACKGROUND)..now);
        let place = |sample: u64| (sample.saturating_sub(origin) as usize).min(audio.len());
        let vectors = self.keywords.around(&peak.vectors);
        let scene = Scene { audio, background, phrase: place(start)..place(end), origin, now, vectors };
        let rule = self.rule.of_profile(profile);
        let verdict = self.judge.judge(&self.models, reference, &rule, peak.score, &scene);
        sink(Event { kind: EventKind::Candidate, start, end, ..verdict.clone() });
        verdict
    }
}

impl KeywordStage {
    fn take(&mut self, models: &Models, output: Output<'_>, peaks: &mut Vec<(usize, Peak)>) {
        match output {
            Output::Gap(next) => {
                self.finish(peaks);
                self.reset(next);
            }
            Output::Vector(raw) => {
                self.vector.copy_from_slice(raw);
                models.cohort.centre(&mut self.vector);
                let alignments = self.cohort.push(&models.cohort.vectors, &self.vector);
                let costs = self.cohort_costs.push(alignments.iter().map(|alignment| alignment.cost));
                self.recent.push(&self.vector);
                self.next += 1;
                let mut settled = false;
                for (profile, tracker) in self.trackers.iter_mut().enumerate() {
                    if let Some(peak) = tracker.push(&self.vector, costs) {
                        // Vectors that came at once may bring two peaks of one phrase: the later is better.
                        peaks.retain(|(earlier, _)| *earlier != profile);
                        peaks.push((profile, peak));
                        settled = true;
                    }
                }
                if settled {
                    // Profiles that share words peak a few vectors apart: let them compete.
                    self.finish(peaks);
                }
            }
        }
    }

    /// The vectors of `range` and a few around it, as far as they are there.
    fn around(&self, range: &Range<usize>) -> Frames {
        let dimension = self.vector.len();
        let value = |vector: usize| (vector.saturating_sub(self.first) * dimension) as u64;
        let wanted = value(range.start.saturating_sub(AROUND))..value(range.end + AROUND);
        Frames::from_vec(dimension, self.recent.get(wanted).1.to_vec())
    }

    /// Forgets the stream before vector `next`.
    fn reset(&mut self, next: usize) {
        self.next = next;
        self.recent.reset();
        self.first = next;
        self.cohort.reset();
        self.cohort_costs.reset();
        self.trackers.iter_mut().for_each(|tracker| tracker.reset(next));
    }

    /// Whether a peak has yet to settle.
    fn rising(&self) -> bool {
        self.trackers.iter().any(Tracker::rising)
    }

    /// Whether the verdict on what is heard just now may yet be another.
    fn open(&self) -> bool {
        self.trackers.iter().any(Tracker::open)
    }

    /// Settles every peak that is still rising; each comes with the index of its profile.
    fn finish(&mut self, peaks: &mut Vec<(usize, Peak)>) {
        for (profile, tracker) in self.trackers.iter_mut().enumerate() {
            if peaks.iter().all(|(earlier, _)| *earlier != profile) {
                peaks.extend(tracker.finish().map(|peak| (profile, peak)));
            }
        }
    }
}
