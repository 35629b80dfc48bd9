//! What a run over an Auto-KWS dataset, or over a shard of one, comes to.

use serde::{Deserialize, Serialize};

use super::score::Score;
use super::shard::{JoinError, Shard, join};

/// What is reported of a speaker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeakerReport {
    pub speaker: String,
    pub files: usize,
    /// How many of them could not be heard to their end. What was not heard counts as refused.
    #[serde(default)]
    pub unheard: usize,
    /// Seconds of audio in them.
    pub audio_s: f64,
    /// Seconds that enrolment took.
    pub enroll_s: f64,
    /// Seconds that the decisions took.
    pub predict_s: f64,
    /// Both of them for a second of audio.
    pub real_time_factor: f64,
    /// `None` without labels.
    pub score: Option<Score>,
}

/// The results of all speakers of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// Which part of the dataset.
    pub shard: Shard,
    /// In the order of the dataset.
    pub speakers: Vec<SpeakerReport>,
    /// Seconds of audio.
    pub audio_s: f64,
    /// Seconds that it took, of all shards together.
    pub wall_s: f64,
    /// Threads at work, the most of any shard.
    pub threads: usize,
    /// `wall_s` for a second of audio.
    pub real_time_factor: f64,
    /// Most memory of any shard, in megabytes, where the system tells.
    pub peak_memory_mb: Option<f64>,
    /// Mean over the speakers with labels.
    pub score: Option<Score>,
}

impl RunReport {
    /// Sums up `speakers`.
    pub fn new(
        shard: Shard,
        speakers: Vec<SpeakerReport>,
        wall_s: f64,
        threads: usize,
        peak_memory_mb: Option<f64>,
    ) -> Self {
        let audio_s = speakers.iter().map(|speaker| speaker.audio_s).sum();
        let scores: Vec<Score> = speakers.iter().filter_map(|speaker| speaker.score).collect();
        let real_time_factor = per_second(wall_s, audio_s);
        let score = Score::mean(&scores);
        Self { shard, speakers, audio_s, wall_s, threads, real_time_factor, peak_memory_mb, score }
    }

    /// The report that one run over everything would have given, but for its times.
    pub fn merge(parts: Vec<Self>) -> Result<Self, JoinError> {
        let wall_s = parts.iter().map(|part| part.wall_s).sum();
        let threads = parts.iter().map(|part| part.threads).max().unwrap_or(0);
        let peak = parts.iter().filter_map(|part| part.peak_memory_mb).reduce(f64::max);
        let speakers = join(parts.into_iter().map(|part| (part.shard, part.speakers)).collect())?;
        Ok(Self::new(Shard::ALL, speakers, wall_s, threads, peak))
    }
}

/// `spent` for a second of `audio_s`.
pub fn per_second(spent: f64, audio_s: f64) -> f64 {
    spent / audio_s.max(f64::MIN_POSITIVE)
}
