//! The verdict on a candidate: cepstra, then voice, then the fused score.

use std::ops::Range;
use std::sync::Arc;

use super::event::{Event, EventKind, Evidence, Speaker};
use super::rule::Rule;
use crate::features::band::Band;
use crate::features::level::{dbfs, snr_db};
use crate::features::mfcc::Mfcc;
use crate::features::pitch::Pitch;
use crate::features::{Frames, SAMPLE_RATE};
use crate::models::Models;
use crate::phrase::{CepstralTemplates, NearMargin, Segments, costs, pitch_deviation};
use crate::profile::{Profile, Take};
use crate::speaker::voice::{self, Voice};
use crate::speaker::{self, SpeakerEncoder, cosine};

/// Samples by which the place of a known voice may miss that of a candidate (80 ms) ...
const NEARBY: u64 = SAMPLE_RATE as u64 * 8 / 100;
/// ... if the fused score is this far from the threshold.
const CLEAR: f32 = 0.2;

/// One profile, ready to judge by.
pub struct Reference {
    templates: CepstralTemplates,
    /// Mean embedding of the takes, and of the takes under each other condition.
    voices: Vec<Vec<f32>>,
    /// The same for what comes through a narrow band.
    line_voice: Vec<f32>,
    /// The same two of the phrase in one piece.
    phrase_voices: Vec<Vec<f32>>,
    line_phrase_voice: Vec<f32>,
    segments: Segments,
    profile: Arc<Profile>,
}

impl Reference {
    /// Stacks the templates of `profile`.
    pub fn new(profile: Arc<Profile>) -> Self {
        let cepstra = profile.takes.iter().flat_map(Take::all_cepstra);
        let templates = CepstralTemplates::new(cepstra);
        let voices = profile.voices(None);
        let line_voice = voice::mean(profile.takes.iter().map(|take| &*take.line_embedding));
        Self {
            templates,
            voices,
            line_voice,
            phrase_voices: profile.phrase_voices(),
            line_phrase_voice: voice::mean(profile.takes.iter().map(|take| &*take.line_phrase_embedding)),
            segments: Segments::new(&profile.takes),
            profile,
        }
    }
}

/// The audio around a candidate.
pub struct Scene<'a> {
    /// The candidate's surroundings.
    pub audio: &'a [f32],
    /// Trailing seconds, for the noise level.
    pub background: &'a [f32],
    /// Where the keyword stage saw the phrase, in samples of `audio`.
    pub phrase: Range<usize>,
    /// Where in the stream `audio` begins.
    pub origin: u64,
    /// Sample that the stream has reached.
    pub now: u64,
    /// Keyword vectors of the phrase and a few around it.
    pub vectors: Frames,
}

/// Scratch for verdicts.
#[derive(Default)]
pub struct Judge {
    /// The enrolled voices, one of which may be named.
    pub voices: Arc<[Voice]>,
    mfcc: Mfcc,
    band: Band,
    pitch: Pitch,
    speaker: SpeakerEncoder,
    /// The last voice that was asked for, and from where in the stream it was: a candidate that grew, or that
    /// another profile brought too, is often of the same place or next to it.
    voice: Option<(Range<u64>, Vec<f32>)>,
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
    ) -> Event {
        let scales = &reference.profile.scales;
        let cepstra = self.mfcc.cepstra(scene.audio);
        let cohort = costs(&models.cohort.cepstra.best_matches(&cepstra));
        let cepstral = reference.templates.score(&cepstra, &cohort, None);
        let phrase = if cepstral.phrase.is_empty() { scene.phrase.clone() } else { cepstral.phrase };
        let mut evidence = Evidence {
            keyword_score,
            cepstral_score: cepstral.score / scales.cepstra,
            speaker_score: None,
            speaker_cosine: None,
            phrase_cosine: None,
            pitch_deviation: None,
            segment_excess: None,
            near_keyword_margin: None,
            near_cepstral_margin: None,
            level_dbfs: dbfs(&scene.audio[phrase.clone()]),
            snr_db: snr_db(scene.background),
        };
        let mut speaker = None;
        // The voice costs most: ask it only where it makes a difference, or the reason is wanted.
        if rule.explain || rule.words_suffice(&evidence) {
            let voices = self.voices.clone();
            let narrow = self.band.is_narrow(&scene.audio[phrase.clone()]);
            let likeness = |embedding: &[f32]| {
                let heard = reference.voices.iter().chain(narrow.then_some(&reference.line_voice));
                heard.map(|voice| cosine(voice, embedding)).fold(-1.0, f32::max)
            };
            let clear = |embedding: &[f32]| {
                let evidence = Evidence { speaker_cosine: Some(likeness(embedding)), ..evidence };
                (rule.fuse(&evidence) - rule.threshold).abs() > CLEAR
            };
            let embedding = self.embedding(models, scene, &phrase, clear);
            let cosine = likeness(embedding);
            evidence.speaker_cosine = Some(cosine);
            evidence.speaker_score = Some(cosine / scales.voice);
            speaker = voice::recognise(&voices, embedding)
                .map(|(voice, similarity)| Speaker { name: voice.name.clone(), similarity });
        }
        self.measure_rest(models, reference, rule, scene, (&phrase, &cepstra), &mut evidence);
        let (score, profile) = (rule.fuse(&evidence), &reference.profile);
        Event {
            kind: rule.refusal(&evidence).map_or(EventKind::Detected, EventKind::Rejected),
            profile: profile.name.clone(),
            user: profile.user.clone(),
            speaker,
            phrase: profile.phrase.clone(),
            start: scene.origin + phrase.start as u64,
            end: scene.origin + phrase.end as u64,
            decided: scene.now,
            evidence,
            score,
            threshold: rule.threshold,
            margin: score - rule.threshold,
            timing: None,
        }
    }

    /// Measures what can only speak against the candidate, the cheapest first, for as long as it would be accepted.
    fn measure_rest(
        &mut self,
        models: &Models,
        reference: &Reference,
        rule: &Rule,
        scene: &Scene<'_>,
        (phrase, cepstra): (&Range<usize>, &Frames),
        evidence: &mut Evidence,
    ) {
        let open = |evidence: &Evidence| rule.measure_all || rule.refusal(evidence).is_none();
        let Profile { takes, near_words, .. } = &*reference.profile;
        if open(evidence) {
            evidence.segment_excess = reference.segments.excess(takes, &scene.vectors);
            let near = NearMargin::new(takes, near_words, &scene.vectors, cepstra);
            evidence.near_keyword_margin = near.map(|near| near.keyword);
            evidence.near_cepstral_margin = near.map(|near| near.cepstral);
        }
        if open(evidence) {
            let pitch = self.pitch.contour(scene.audio);
            evidence.pitch_deviation = pitch_deviation(takes, cepstra, &pitch);
        }
        if open(evidence) {
            let narrow = self.band.is_narrow(&scene.audio[phrase.clone()]);
            let embedding = self.speaker.embed_whole(&models.speaker, scene.audio, phrase.clone());
            let voices = reference.phrase_voices.iter().chain(narrow.then_some(&reference.line_phrase_voice));
            evidence.phrase_cosine = voices.map(|voice| cosine(voice, &embedding)).reduce(f32::max);
        }
    }

    /// Forgets the stream.
    pub fn reset(&mut self) {
        self.voice = None;
    }

    /// The voice in `phrase`, or next to it if that decides clearly enough.
    fn embedding(
        &mut self,
        models: &Models,
        scene: &Scene<'_>,
        phrase: &Range<usize>,
        clear: impl Fn(&[f32]) -> bool,
    ) -> &[f32] {
        let heard = speaker::heard(&models.speaker, phrase.clone(), scene.audio.len());
        let place = scene.origin + heard.start as u64..scene.origin + heard.end as u64;
        let near = |other: &Range<u64>| {
            place.start.abs_diff(other.start).max(place.end.abs_diff(other.end)) <= NEARBY
        };
        let serves =
            |(other, voice): &(Range<u64>, Vec<f32>)| *other == place || (near(other) && clear(voice));
        let known = self.voice.take().filter(serves);
        let embed = || (place, self.speaker.embed(&models.speaker, scene.audio, phrase.clone()));
        &self.voice.insert(known.unwrap_or_else(embed)).1
    }
}
