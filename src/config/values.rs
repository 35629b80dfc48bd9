//! Values with a meaning or a range. Their errors say what would be right, in the terms of the file.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

use super::places::expand;

/// Which channel of a microphone to listen to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// The mean of all: `"mix"`.
    #[default]
    Mix,
    /// This one, from 1.
    Only(NonZeroU16),
}

impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Channel::Mix => "mix".serialize(serializer),
            Channel::Only(number) => number.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Channel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(NonZeroU16),
            Word(String),
        }
        let known = |raw: &Raw| !matches!(raw, Raw::Word(word) if word != "mix");
        Ok(match checked(deserializer, known, "\"mix\" or the number of a channel, from 1")? {
            Raw::Number(number) => Channel::Only(number),
            Raw::Word(_) => Channel::Mix,
        })
    }
}

/// The bus on which the daemon can be found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BusKind {
    /// The bus of the user's session.
    #[default]
    Session,
    /// The bus of the machine.
    System,
    Off,
}

/// An event on which a hook may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HookEvent {
    /// A phrase was accepted.
    Detected,
    /// A candidate was refused.
    Rejected,
    /// Somebody other than its owner said one.
    #[serde(rename = "other-voice")]
    OtherVoice,
    /// The daemon's state changed.
    State,
}

/// How important a message must be to be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What happens.
    #[default]
    Info,
    /// Why it happens.
    Debug,
    /// Every step.
    Trace,
}

/// A threshold, or something added to one.
pub fn score<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    checked(deserializer, |score| (0.0..=5.0).contains(score), "a score between 0 and 5")
}

/// Seconds of pre-roll, 1 to 60.
pub fn preroll<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    checked(deserializer, |seconds| (1..=60).contains(seconds), "whole seconds between 1 and 60")
}

/// Seconds that a hook may take, 1 to 3600.
pub fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    checked(deserializer, |seconds| (1..=3600).contains(seconds), "whole seconds between 1 and 3600")
}

/// A bus.
pub fn bus<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BusKind, D::Error> {
    checked(deserializer, |_| true, "\"session\", \"system\" or \"off\"")
}

/// A log level.
pub fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogLevel, D::Error> {
    checked(deserializer, |_| true, "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"")
}

/// A folder. A relative one would be another for the daemon than for a terminal.
pub fn folder<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let expanded = Option::<String>::deserialize(deserializer).ok().map(|text| text.as_deref().map(whole));
    match expanded {
        Some(None) => Ok(None),
        Some(Some(Some(path))) => Ok(Some(path)),
        _ => Err(D::Error::custom("must be a whole path: one that begins with / or, in your home, with ~/")),
    }
}

fn whole(text: &str) -> Option<PathBuf> {
    expand(Path::new(text)).filter(|path| path.is_absolute())
}

/// Program and arguments. A zero byte could not be passed on. The program is looked for in PATH, or has a whole path.
pub fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let usable = |words: &Vec<String>| {
        words.first().is_some_and(|program| !program.is_empty())
            && !words.iter().any(|word| word.contains('\0'))
    };
    let words = "a program and its arguments, such as [\"notify-send\", \"hello\"]";
    let mut command = checked(deserializer, usable, words)?;
    let place = command.first_mut().filter(|program| program.contains('/') || *program == "~");
    if let Some(program) = place {
        let path = whole(program).and_then(|path| path.into_os_string().into_string().ok());
        let wrong = "must begin with a program in PATH, or a whole path: one that begins with / or, in your home, with ~/";
        *program = path.ok_or_else(|| D::Error::custom(wrong))?;
    }
    Ok(command)
}

/// What to react to.
pub fn events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<HookEvent>, D::Error> {
    let some = |events: &Vec<HookEvent>| !events.is_empty();
    checked(deserializer, some, "one or more of [\"detected\", \"rejected\", \"other-voice\", \"state\"]")
}

/// A value that is as `words` say, which its type and `good` decide.
fn checked<'de, D, T>(deserializer: D, good: impl Fn(&T) -> bool, words: &str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let value = T::deserialize(deserializer).ok().filter(good);
    value.ok_or_else(|| D::Error::custom(format_args!("must be {words}")))
}
