//! What the engine says.

use serde::{Deserialize, Serialize};

/// Something that was heard in a stream. Positions are samples at 16 kHz, counted from where the stream began, or in
/// the daemon from where it began to listen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What it is.
    #[serde(flatten)]
    pub kind: EventKind,
    /// Whose phrase it is, or may be.
    pub profile: String,
    /// Who that is; empty if the phrase was said in another voice.
    pub user: String,
    /// The enrolled voice that it was said in, if it is one of them.
    #[serde(flatten)]
    pub speaker: Option<Speaker>,
    /// The phrase as text.
    pub phrase: String,
    /// First sample of the phrase.
    pub start: u64,
    /// Sample after the last of the phrase.
    pub end: u64,
    /// Sample that the stream had reached at the verdict.
    pub decided: u64,
    /// What was measured.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// Fused score.
    pub score: f32,
    /// Score needed.
    pub threshold: f32,
    /// `score` less `threshold`.
    pub margin: f32,
    /// When that was, where there is a clock: the engine has none.
    #[serde(flatten)]
    pub timing: Option<Timing>,
}

impl Event {
    /// Whether the phrase woke.
    pub fn is_detected(&self) -> bool {
        self.kind == EventKind::Detected
    }

    /// Why it was refused, if it was.
    pub fn reason(&self) -> Option<Reason> {
        if let EventKind::Rejected(reason) = self.kind { Some(reason) } else { None }
    }

    /// Whether this is the verdict on a candidate.
    pub fn is_verdict(&self) -> bool {
        matches!(self.kind, EventKind::Detected | EventKind::Rejected(_))
    }

    /// The same event, counted in a stream that began this many samples earlier.
    pub fn shifted(self, samples: u64) -> Self {
        Self { start: self.start + samples, end: self.end + samples, decided: self.decided + samples, ..self }
    }
}

/// What an event is. In JSON this is the field `event`, beside `reason` if it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", content = "reason", rename_all = "kebab-case")]
pub enum EventKind {
    /// The keyword stage heard something like the phrase, from `start` to `end`. The verdict follows.
    Candidate,
    /// The enrolled speaker said the enrolled phrase.
    Detected,
    /// A candidate was something else.
    Rejected(Reason),
    /// Somebody other than its owner said the enrolled phrase; told in household mode, once the phrase is over. Its
    /// refusals came before.
    OtherVoice,
}

impl EventKind {
    /// The public name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Candidate => "candidate",
            EventKind::Detected => "detected",
            EventKind::Rejected(_) => "rejected",
            EventKind::OtherVoice => "other-voice",
        }
    }
}

/// When a phrase was heard, by the clocks of the machine that heard it. Times in `_us` are microseconds of
/// CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Counts the daemon's events since its start, from 1.
    pub sequence: u64,
    /// When the phrase began.
    pub start_us: u64,
    /// When it ended.
    pub end_us: u64,
    /// When the verdict was there.
    pub decided_us: u64,
    /// When the phrase ended by the wall clock: microseconds since 1970 (UTC).
    pub end_unix_us: u64,
    /// From the phrase's end to the verdict, in milliseconds.
    pub latency_ms: f64,
}

/// One of the enrolled voices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speaker {
    /// Under which name it was enrolled.
    #[serde(rename = "speaker")]
    pub name: String,
    /// Cosine of the phrase to it.
    #[serde(rename = "speaker_similarity")]
    pub similarity: f32,
}

/// Why a candidate was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The words differ.
    OtherPhrase,
    /// The words fit, the voice does not.
    OtherSpeaker,
    /// Words and voice are both near, together not enough.
    Uncertain,
    /// Another profile fits better.
    Outscored,
    /// It would have been detected, but the profile pauses after refusals in a row; the daemon alone says this.
    Paused,
}

impl Reason {
    /// The public name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Reason::OtherPhrase => "other-phrase",
            Reason::OtherSpeaker => "other-speaker",
            Reason::Uncertain => "uncertain",
            Reason::Outscored => "outscored",
            Reason::Paused => "paused",
        }
    }

    /// The reason in words.
    pub fn describe(self) -> &'static str {
        match self {
            Reason::OtherPhrase => "other words",
            Reason::OtherSpeaker => "other voice",
            Reason::Uncertain => "uncertain",
            Reason::Outscored => "another profile fits better",
            Reason::Paused => "a pause after other voices",
        }
    }
}

/// What was measured of a candidate. Scores are relative to the profile's own takes: about 1 for a
/// good one, 0 for general speech.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Words, from the keyword encoder.
    pub keyword_score: f32,
    /// Words, from cepstra.
    pub cepstral_score: f32,
    /// Voice: 1 for a typical take; absent if it was not asked.
    pub speaker_score: Option<f32>,
    /// Cosine to the mean embedding of the takes, or of the takes in noise, in a room or over a narrow band if that
    /// is nearer; absent if it was not asked.
    pub speaker_cosine: Option<f32>,
    /// Cosine over the whole phrase in one piece to the mean of the takes, as recorded, in noise, in a room or over a
    /// narrow band, whichever is nearest; absent if it makes no difference.
    pub phrase_cosine: Option<f32>,
    /// How much the pitch moves otherwise than in the takes: mean absolute deviation of the difference of the natural
    /// logarithms; absent if it makes no difference or too little is voiced.
    pub pitch_deviation: Option<f32>,
    /// How much more than the takes the worst three of eight parts of the words cost, -2 to 2; absent if it makes no
    /// difference.
    pub segment_excess: Option<f32>,
    /// How far on the side of the takes, not of the owner's near words, by keyword vectors: about 1 at a take, -1 at a
    /// near word; absent without near words or if it makes no difference.
    pub near_keyword_margin: Option<f32>,
    /// The same by cepstra: costs to the near words less those to the takes.
    pub near_cepstral_margin: Option<f32>,
    /// Level of the phrase in dBFS.
    pub level_dbfs: f32,
    /// Signal-to-noise ratio around it in dB.
    pub snr_db: f32,
}
