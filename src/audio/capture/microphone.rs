//! Which microphones there are, and which one a name means.

use std::ops::RangeInclusive;

use cpal::traits::{DeviceTrait as _, HostTrait as _};
use cpal::{Device, DeviceId, Host, HostId, SupportedStreamConfigRange as Range};

use super::format::choose;
use super::timeout::with_timeout;
use super::{CaptureError, ChannelChoice, Format};

/// ALSA's name for the device that the user prefers; with a sound server, for the server's.
pub(super) const DEFAULT: &str = "default";

/// A source of audio.
#[derive(Clone, Debug)]
pub struct Microphone {
    /// Its name for the configuration; stays the same when other devices come and go.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whether it is used when none is configured.
    pub is_default: bool,
    /// What it offers, or why it cannot be used now.
    pub offer: Result<Offer, String>,
}

/// What a microphone can deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Lowest to highest rate in Hz.
    pub rates: RangeInclusive<u32>,
    /// Fewest to most channels; a converter in front of a device claims many.
    pub channels: RangeInclusive<u16>,
    /// What is used of it, unless a channel is chosen.
    pub used: Format,
}

/// Every microphone, the default first.
///
/// ALSA's converters, the way to JACK (which prints much on stderr when it is not there), and names that count
/// the cards and so change with them, are left out; they can be opened by name all the same. Opens each device
/// for a moment, to see whether it can be used.
pub fn microphones() -> Result<Vec<Microphone>, CaptureError> {
    with_timeout(DEFAULT, || Ok(listed(&host()?)?.iter().map(Source::describe).collect()))
}

/// A device and what it is called.
pub(super) struct Source {
    pub device: Device,
    pub name: String,
    description: String,
}

impl Source {
    fn new(device: Device) -> Option<Self> {
        let name = device.id().ok()?.id().to_owned();
        let description = device.description().ok()?;
        let lines: Vec<&str> = description.extended().collect();
        let description = if lines.is_empty() { description.name().to_owned() } else { lines.join(", ") };
        Some(Self { device, name, description })
    }

    /// The device of this name, or the only one with this in its name or description. Without a
    /// name the default.
    pub(super) fn find(name: Option<&str>) -> Result<Self, CaptureError> {
        let host = host()?;
        let not_there = || CaptureError::Missing { device: DEFAULT.to_owned() };
        let Some(name) = name.filter(|&name| name != DEFAULT) else {
            return host.default_input_device().and_then(Self::new).ok_or_else(not_there);
        };
        let exact = host.device_by_id(&DeviceId::new(HostId::Alsa, name));
        if let Some(source) = exact.and_then(Self::new) {
            return Ok(source);
        }
        let sources = listed(&host)?;
        let available = sources.iter().map(|source| source.name.clone()).collect();
        let mut matches: Vec<Self> = sources.into_iter().filter(|source| source.is_meant_by(name)).collect();
        match (matches.pop(), matches.is_empty()) {
            (Some(source), true) => Ok(source),
            (None, _) => Err(CaptureError::NotFound { name: name.to_owned(), available }),
            (Some(last), false) => {
                let matches = matches.into_iter().chain([last]).map(|source| source.name).collect();
                Err(CaptureError::Ambiguous { name: name.to_owned(), matches })
            }
        }
    }

    /// Whether it is a sound card, with nothing in between.
    pub(super) fn is_hardware(&self) -> bool {
        self.name.starts_with("hw:")
    }

    fn is_meant_by(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.name.to_lowercase().contains(&name) || self.description.to_lowercase().contains(&name)
    }

    /// In which form to record.
    pub(super) fn format(&self, choice: ChannelChoice) -> Result<Format, CaptureError> {
        let offered = self.offered()?;
        choose(&offered, choice).ok_or_else(|| match choice {
            ChannelChoice::Only(wanted) if choose(&offered, ChannelChoice::Mix).is_some() => {
                let channels = offered.iter().map(Range::channels).max().unwrap_or(0);
                CaptureError::NoChannel { device: self.name.clone(), wanted: wanted.get(), channels }
            }
            _ => self.unusable(),
        })
    }

    fn offered(&self) -> Result<Vec<Range>, CaptureError> {
        match self.device.supported_input_configs() {
            Ok(ranges) => Ok(ranges.collect()),
            Err(error) => Err(CaptureError::new(&self.name, &error)),
        }
    }

    fn unusable(&self) -> CaptureError {
        let reason = match self.name.strip_prefix("hw:") {
            Some(rest) => format!("it records in none of the usual forms; try \"plughw:{rest}\""),
            None => "it records in none of the usual forms".to_owned(),
        };
        CaptureError::Unsupported { device: self.name.clone(), reason }
    }

    fn describe(&self) -> Microphone {
        let offer = self.offered().and_then(|ranges| {
            let used = choose(&ranges, ChannelChoice::Mix).ok_or_else(|| self.unusable())?;
            let rates = ranges.iter().flat_map(|range| [range.min_sample_rate(), range.max_sample_rate()]);
            Ok(Offer { rates: span(rates), channels: span(ranges.iter().map(Range::channels)), used })
        });
        Microphone {
            name: self.name.clone(),
            description: self.description.clone(),
            is_default: self.name == DEFAULT,
            offer: offer.map_err(|error| error.brief()),
        }
    }
}

fn host() -> Result<Host, CaptureError> {
    cpal::host_from_id(HostId::Alsa).map_err(|error| CaptureError::new(DEFAULT, &error))
}

fn listed(host: &Host) -> Result<Vec<Source>, CaptureError> {
    let devices = host.input_devices().map_err(|error| CaptureError::new(DEFAULT, &error))?;
    let others = devices.filter_map(Source::new).filter(|source| is_worth_listing(&source.name));
    Ok(host.default_input_device().and_then(Source::new).into_iter().chain(others).collect())
}

/// Whether a user who looks for a microphone wants to see this name.
fn is_worth_listing(name: &str) -> bool {
    /// Converters, outputs, and several ways to the same card.
    const HIDDEN: [&str; 19] = [
        DEFAULT,
        "null",
        "lavrate",
        "samplerate",
        "speexrate",
        "speex",
        "upmix",
        "vdownmix",
        "oss",
        "plughw",
        "sysdefault",
        "front",
        "dsnoop",
        "dmix",
        "usbstream",
        "jack",
        "iec958",
        "hdmi",
        "a52",
    ];
    let (kind, arguments) = name.split_once(':').unwrap_or((name, ""));
    let card = arguments.strip_prefix("CARD=").unwrap_or("");
    let counted = card.starts_with(|digit: char| digit.is_ascii_digit());
    !HIDDEN.contains(&kind) && !kind.starts_with("surround") && !counted
}

fn span<T: Copy + Ord + Default>(values: impl Iterator<Item = T> + Clone) -> RangeInclusive<T> {
    values.clone().min().unwrap_or_default()..=values.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_change_with_the_cards_are_never_offered() {
        let names =
            ["hw:CARD=0,DEV=0", "plughw:CARD=PCH,DEV=0", "surround51:CARD=PCH,DEV=0", "null", "default"];
        assert!(!names.into_iter().any(is_worth_listing));
        let names = ["hw:CARD=PCH,DEV=0", "pipewire", "pulse", "kitchen"];
        assert!(names.into_iter().all(is_worth_listing));
    }
}
