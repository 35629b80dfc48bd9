//! What a take has to be like: the limits, and what is said when one is not kept.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The limits in `enroll/quality.toml`, where each is explained.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    pub level: Level,
    pub clipping: Clipping,
    pub noise: Noise,
    pub duration: Duration,
    pub agreement: Agreement,
    pub phrase: Phrase,
    pub duplicate: Duplicate,
    pub dialogue: Dialogue,
}

/// `[level]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    pub min_dbfs: f32,
}

/// `[clipping]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clipping {
    pub max_share: f32,
}

/// `[noise]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    pub min_snr_db: f32,
}

/// `[duration]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duration {
    pub warn_s: f32,
    pub refuse_s: f32,
    pub longest_s: f32,
}

/// `[agreement]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    pub words: f32,
    pub voice: f32,
}

/// `[phrase]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phrase {
    pub separation: f32,
}

/// `[duplicate]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    pub share: f32,
}

/// `[dialogue]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialogue {
    pub pause_s: f32,
    pub floor_dbfs: f32,
    pub pre_roll_s: f32,
    pub min_speech_s: f32,
    pub silence_timeout_s: f32,
    pub gap_s: f32,
    pub audio_timeout_s: f32,
    pub attempts: usize,
}

impl Quality {
    /// The limits built into the program.
    pub fn built_in() -> Result<Self, toml::de::Error> {
        toml::from_str(include_str!("../../enroll/quality.toml"))
    }
}

/// What is wrong with a take, or with the phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Nothing in it is speech.
    NoSpeech,
    /// Measured in dBFS.
    TooQuiet,
    /// Measured as the share of samples at full scale.
    Clipped,
    /// Measured as the signal-to-noise ratio in dB.
    TooNoisy,
    /// Measured in seconds of speech.
    TooShort,
    /// Measured in seconds.
    TooLong,
    /// Measured as the cosine to a take that is there already.
    Repeated,
    /// Measured against the other takes, 0 for other speech.
    WrongPhrase,
    /// Measured as the cosine to the other takes.
    InconsistentVoice,
    /// Measured as how far the takes stand out from common speech.
    CommonPhrase,
}

impl Reason {
    /// The public name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Reason::NoSpeech => "no-speech",
            Reason::TooQuiet => "too-quiet",
            Reason::Clipped => "clipped",
            Reason::TooNoisy => "too-noisy",
            Reason::TooShort => "too-short",
            Reason::TooLong => "too-long",
            Reason::Repeated => "repeated",
            Reason::WrongPhrase => "wrong-phrase",
            Reason::InconsistentVoice => "inconsistent-voice",
            Reason::CommonPhrase => "common-phrase",
        }
    }
}

/// A limit that is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Problem {
    /// Which one.
    pub reason: Reason,
    /// What was measured.
    pub measured: f32,
    /// What is needed.
    pub limit: f32,
}

/// What it is, and what to do about it.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, measured, limit } = *self;
        match reason {
            Reason::NoSpeech => write!(
                f,
                "no speech found; speak closer to the microphone, with a moment of quiet around the phrase"
            ),
            Reason::TooQuiet => write!(
                f,
                "too quiet ({measured:.0} dBFS, {limit:.0} needed); come closer, or raise the microphone's level"
            ),
            Reason::Clipped => write!(
                f,
                "overdriven ({:.1} % of it clipped); move away a little, or lower the microphone's level",
                100.0 * measured
            ),
            Reason::TooNoisy => write!(
                f,
                "too noisy (speech {measured:.0} dB above the noise, {limit:.0} needed); find a quieter place"
            ),
            Reason::TooShort => write!(
                f,
                "short ({measured:.2} s of speech, less than {limit:.1} s); a phrase of three syllables or more is safer"
            ),
            Reason::TooLong => write!(
                f,
                "no end of it within {limit:.0} s; say the phrase alone, and turn off talk and music"
            ),
            Reason::Repeated => {
                write!(f, "the same recording as a take that is there already; say the phrase once more")
            }
            Reason::WrongPhrase => write!(
                f,
                "other words than before ({measured:.2}, {limit:.2} needed); say the same phrase each time"
            ),
            Reason::InconsistentVoice => write!(
                f,
                "another voice than before ({measured:.2}, {limit:.2} needed); one person says all takes, in their usual voice"
            ),
            Reason::CommonPhrase => write!(
                f,
                "the phrase is close to common speech ({measured:.2}, {limit:.2} is usual); a longer one would be safer"
            ),
        }
    }
}
