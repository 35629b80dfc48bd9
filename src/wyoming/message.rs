//! What the frames of a wake server mean.

use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use super::frame::Frame;
use crate::audio::{Encoding, RawFormat};
use crate::profile::Profile;

/// What a client says.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// It asks what there is.
    Describe,
    /// It asks whether anybody is here.
    Ping(Option<String>),
    /// It wants to be told of these phrases; of all if there are none.
    Detect(Vec<String>),
    /// A stream begins.
    Start,
    /// Some of it.
    Chunk(Chunk),
    /// It ends.
    Stop,
    /// Something that means nothing to a wake server.
    Other,
}

/// Some audio.
#[derive(Debug, PartialEq)]
pub struct Chunk {
    /// What the bytes mean; the error says why they cannot be used.
    pub format: Result<RawFormat, String>,
    /// When it begins, by the client's clock.
    pub timestamp: Option<Number>,
    /// The samples.
    pub audio: Vec<u8>,
}

/// Names that are null count as none, as if they were absent.
#[derive(Deserialize)]
struct Detect {
    names: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Format {
    rate: u32,
    width: u16,
    channels: u16,
}

impl Request {
    /// The meaning of a frame; the error says in words what is wrong with it.
    pub fn parse(frame: Frame) -> Result<Self, String> {
        Ok(match frame.kind.as_str() {
            "describe" => Self::Describe,
            "ping" => Self::Ping(frame.data.get("text").and_then(Value::as_str).map(String::from)),
            "detect" => {
                let detect: Detect = fields(frame.data).map_err(|error| format!("detect: {error}"))?;
                Self::Detect(detect.names.unwrap_or_default())
            }
            "audio-start" => Self::Start,
            "audio-chunk" => {
                let timestamp = match frame.data.get("timestamp") {
                    Some(Value::Number(number)) => Some(number.clone()),
                    _ => None,
                };
                Self::Chunk(Chunk { format: format(frame.data), timestamp, audio: frame.payload })
            }
            "audio-stop" => Self::Stop,
            _ => Self::Other,
        })
    }
}

fn fields<T: for<'de> Deserialize<'de>>(data: Map<String, Value>) -> serde_json::Result<T> {
    T::deserialize(Value::Object(data))
}

fn format(data: Map<String, Value>) -> Result<RawFormat, String> {
    let Format { rate, width, channels } = fields(data).map_err(|error| format!("audio: {error}"))?;
    let encoding = match width {
        1 => Encoding::U8,
        2 => Encoding::I16,
        3 => Encoding::I24,
        4 => Encoding::I32,
        _ => return Err(format!("audio: samples of {width} bytes; 1 to 4 are supported")),
    };
    let format = RawFormat { encoding, rate, channels };
    format.check().map_err(|kind| format!("audio: {kind}"))?;
    Ok(format)
}

/// An event with these fields.
fn frame(kind: &str, data: Value) -> Frame {
    let data = if let Value::Object(fields) = data { fields } else { Map::new() };
    Frame { kind: kind.into(), data, payload: Vec::new() }
}

/// What there is: a model a profile.
pub fn info<'a>(profiles: impl Iterator<Item = &'a Profile>) -> Frame {
    let version = env!("CARGO_PKG_VERSION");
    let model = |profile: &Profile| {
        json!({
            "name": profile.name,
            "phrase": phrase(profile),
            "description": format!("{} ({})", phrase(profile), profile.user),
            "attribution": { "name": profile.user, "url": "" },
            "installed": true,
            // A phrase is what it sounds like, in whatever language.
            "languages": [],
            "version": version,
        })
    };
    let program = json!({
        "name": "wakeword",
        "description": env!("CARGO_PKG_DESCRIPTION"),
        "attribution": { "name": "wakeword", "url": "" },
        "installed": true,
        "version": version,
        "models": profiles.map(model).collect::<Vec<_>>(),
    });
    frame("info", json!({ "wake": [program] }))
}

/// The phrase as Home Assistant compares it, which takes the same phrase from two satellites for one.
fn phrase(profile: &Profile) -> String {
    let words: Vec<&str> = profile.phrase.split_whitespace().collect();
    if words.is_empty() { profile.name.clone() } else { words.join(" ") }
}

pub fn pong(text: Option<String>) -> Frame {
    frame("pong", json!({ "text": text }))
}

/// A phrase was said. `context` is what was measured.
pub fn detection(name: &str, speaker: &str, timestamp: &Number, context: Value) -> Frame {
    let fields = json!({ "name": name, "timestamp": timestamp, "speaker": speaker, "context": context });
    frame("detection", fields)
}

pub fn not_detected() -> Frame {
    frame("not-detected", Value::Null)
}

/// What cannot be done; `code` is for programs.
pub fn error(code: &str, text: &str) -> Frame {
    frame("error", json!({ "text": text, "code": code }))
}
