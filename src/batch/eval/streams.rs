//! False accepts in long recordings, or in a shard of them.

use serde::{Deserialize, Serialize};

use super::measures::{rate_bound, rate_interval};
use crate::batch::shard::{JoinError, Shard, join};
use crate::engine::event::Event;

/// The false accepts in one recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    pub file: String,
    /// Hours heard, times profiles.
    pub profile_hours: f64,
    /// In the order of the recording.
    pub false_accepts: Vec<Event>,
    /// How many there would be if everybody had the owner's voice: what the words alone let in.
    pub with_any_voice: usize,
}

/// False accepts in all recordings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamsReport {
    /// Which share of the recordings.
    pub shard: Shard,
    /// Whether the run was ended before all was heard.
    pub partial: bool,
    /// In the order in which they were given.
    pub recordings: Vec<Recording>,
    /// Number of profiles.
    pub profiles: usize,
    /// Hours heard, of all profiles together.
    pub profile_hours: f64,
    pub false_accepts: usize,
    /// `None` where nothing was heard.
    pub false_accepts_per_hour: Option<f64>,
    /// The highest rate that would still show so few.
    pub upper_bound_per_hour: Option<f64>,
    /// 95 % interval of the rate, two-sided.
    pub interval_per_hour: Option<[f64; 2]>,
    /// How many there would be if everybody had the owner's voice.
    pub with_any_voice: usize,
    /// The same per hour; `None` where nothing was heard.
    pub with_any_voice_per_hour: Option<f64>,
}

/// Results that cannot be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// They are not the shards of one run.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// A run was interrupted.
    #[error("shard {0} was ended before it had heard everything; run it again")]
    Unfinished(Shard),
    /// The runs listened for different profiles.
    #[error("the shards listened for different numbers of profiles: {0} and {1}")]
    Profiles(usize, usize),
}

impl StreamsReport {
    /// Sums up `recordings`.
    pub fn new(shard: Shard, partial: bool, recordings: Vec<Recording>, profiles: usize) -> Self {
        let profile_hours = recordings.iter().map(|one| one.profile_hours).sum();
        let false_accepts = recordings.iter().map(|one| one.false_accepts.len()).sum();
        let with_any_voice = recordings.iter().map(|one| one.with_any_voice).sum();
        let rates = EventRate::of(false_accepts, profile_hours);
        Self {
            shard,
            partial,
            recordings,
            profiles,
            profile_hours,
            false_accepts,
            false_accepts_per_hour: rates.map(|rates| rates.found),
            upper_bound_per_hour: rates.map(|rates| rates.most),
            interval_per_hour: rates.map(|rates| rates.interval),
            with_any_voice,
            with_any_voice_per_hour: EventRate::of(with_any_voice, profile_hours).map(|rates| rates.found),
        }
    }

    /// The report that one run over everything would have given.
    pub fn merge(parts: Vec<Self>) -> Result<Self, MergeError> {
        if let Some(part) = parts.iter().find(|part| part.partial) {
            return Err(MergeError::Unfinished(part.shard));
        }
        let profiles = parts.first().map_or(0, |part| part.profiles);
        if let Some(other) = parts.iter().find(|part| part.profiles != profiles) {
            return Err(MergeError::Profiles(profiles, other.profiles));
        }
        let recordings = join(parts.into_iter().map(|part| (part.shard, part.recordings)).collect())?;
        Ok(Self::new(Shard::ALL, false, recordings, profiles))
    }
}

/// A rate of events per hour, estimated from a count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventRate {
    /// Count per hour.
    pub found: f64,
    /// The highest that would still show so few (one-sided 95 %, Poisson), per hour.
    pub most: f64,
    /// 95 % interval (two-sided, Poisson), per hour.
    pub interval: [f64; 2],
}

impl EventRate {
    /// The rate of `count` events in `hours`; `None` where nothing was heard.
    pub fn of(count: usize, hours: f64) -> Option<Self> {
        let (low, high) = rate_interval(count);
        let rates = Self {
            found: count as f64 / hours,
            most: rate_bound(count) / hours,
            interval: [low, high].map(|rate| rate / hours),
        };
        (hours > 0.0).then_some(rates)
    }
}
