//! What the engine says.

use serde::{Deserialize, Serialize};

/// An event of the stream. Positions are samples at 16 kHz since its beginning.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// Something like a phrase of `profile` was heard; the verdict follows.
    Candidate(Candidate),
    /// The enrolled speaker said the enrolled phrase.
    Accepted(Detection),
    /// A candidate was something else.
    Rejected(Rejection),
    /// Somebody other than its owner said the enrolled phrase; told in household mode, once the phrase is over. Its
    /// refusals came before. `user` is empty.
    #[serde(rename = "other-voice")]
    OtherVoice(Detection),
}

/// The place and the first score of a possible phrase.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Whose phrase it may be.
    pub profile: String,
    /// The phrase as text.
    pub phrase: String,
    /// First sample.
    pub start: u64,
    /// Sample after the last.
    pub end: u64,
    /// Score of the keyword stage, 1 for a typical enrolment take.
    pub keyword_score: f32,
}

/// A candidate with its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Whose phrase it is.
    pub profile: String,
    /// Who that is.
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
    /// All evidence.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// Fused score.
    pub score: f32,
    /// Score needed.
    pub threshold: f32,
    /// `score` less `threshold`.
    pub margin: f32,
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

/// A refused candidate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rejection {
    /// Why it was refused.
    pub reason: Reason,
    /// What was measured.
    #[serde(flatten)]
    pub detection: Detection,
}

/// Why a candidate was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
}

impl Reason {
    /// The public name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Reason::OtherPhrase => "other-phrase",
            Reason::OtherSpeaker => "other-speaker",
            Reason::Uncertain => "uncertain",
            Reason::Outscored => "outscored",
        }
    }

    /// The reason in words.
    pub fn describe(self) -> &'static str {
        match self {
            Reason::OtherPhrase => "other words",
            Reason::OtherSpeaker => "other voice",
            Reason::Uncertain => "uncertain",
            Reason::Outscored => "another profile fits better",
        }
    }
}

/// What was measured of a candidate. Scores are relative to the profile's own takes: about 1 for a
/// good one, 0 for general speech.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Level of the phrase in dBFS.
    pub level_dbfs: f32,
    /// Signal-to-noise ratio around it in dB.
    pub snr_db: f32,
}
