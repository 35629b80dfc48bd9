//! What can go wrong with a microphone, and who can do something about it.

use std::time::Duration;

use crate::audio::AudioErrorKind;

/// What to do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Open again at once: the device is there.
    Now,
    /// Open again after a while, ever less often: it may come back by itself.
    Later,
    /// Nothing changes before the user has acted.
    Never,
}

/// A microphone that cannot be used, or that ended. Device names are quoted and escaped.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// No device has this name.
    #[error("no microphone is called {name:?}; there {}", listed(.available))]
    NotFound { name: String, available: Vec<String> },
    /// Several devices have this in their description.
    #[error("{name:?} may be any of {}; use one of these names", quoted(.matches))]
    Ambiguous { name: String, matches: Vec<String> },
    /// The configured channel does not exist.
    #[error("microphone {device:?} has no channel {wanted}; it has {channels}")]
    NoChannel { device: String, wanted: u16, channels: u16 },
    /// The device records in no form that can be used.
    #[error("microphone {device:?} cannot be used: {reason}; choose another, see `wakeword devices`")]
    Unsupported { device: String, reason: String },
    /// The system does not let this user record.
    #[error(
        "not allowed to record from {device:?}; add the user who runs this to the group audio, \
         or run it in the session that owns the sound server"
    )]
    Denied { device: String },
    /// Somebody else uses the device.
    #[error(
        "microphone {device:?} is in use by another program; close it, or record through the sound server"
    )]
    Busy { device: String },
    /// There is no such device now.
    #[error("microphone {device:?} is not there; plug it in, or start the sound server")]
    Missing { device: String },
    /// The sound server, or the sound system, does not answer or broke off.
    #[error("the sound system failed for microphone {device:?}: {reason}; check that the sound server runs")]
    System { device: String, reason: String },
    /// The device has changed, for example its rate.
    #[error("microphone {device:?} has changed and has to be opened again")]
    Changed { device: String },
    /// The device was opened, but nothing came: a sound server may have no source behind it.
    #[error(
        "microphone {device:?} delivers nothing; check that the sound server runs and has a source \
         (`wpctl status` or `pactl list sources`)"
    )]
    Silent { device: String },
    /// The device delivers nothing any more.
    #[error("microphone {device:?} has delivered nothing for {:.1} s", .silence.as_secs_f64())]
    Stalled { device: String, silence: Duration },
    /// The machine slept: what was heard before is of the past.
    #[error("the machine slept for {:.1} s", .duration.as_secs_f64())]
    Slept { duration: Duration },
    /// The audio could not be brought to 16 kHz.
    #[error("audio of microphone {device:?} {kind}")]
    Conversion { device: String, kind: AudioErrorKind },
}

impl CaptureError {
    /// What to do about it.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Changed { .. } | Self::Stalled { .. } | Self::Slept { .. } => Retry::Now,
            Self::NotFound { .. }
            | Self::Busy { .. }
            | Self::Missing { .. }
            | Self::System { .. }
            | Self::Silent { .. } => Retry::Later,
            Self::Ambiguous { .. }
            | Self::NoChannel { .. }
            | Self::Unsupported { .. }
            | Self::Denied { .. }
            | Self::Conversion { .. } => Retry::Never,
        }
    }

    /// In a few words, where the device need not be named.
    pub fn brief(&self) -> String {
        match self {
            Self::Busy { .. } => "in use by another program".to_owned(),
            Self::Missing { .. } => "not there".to_owned(),
            Self::Denied { .. } => "not allowed".to_owned(),
            Self::Unsupported { reason, .. } | Self::System { reason, .. } => reason.clone(),
            _ => self.to_string(),
        }
    }

    /// What cpal says of `device`.
    pub(super) fn new(device: &str, error: &cpal::Error) -> Self {
        use cpal::ErrorKind as Kind;
        let device = device.to_owned();
        match error.kind() {
            Kind::DeviceBusy => Self::Busy { device },
            Kind::DeviceNotAvailable => Self::Missing { device },
            Kind::PermissionDenied => Self::Denied { device },
            Kind::StreamInvalidated | Kind::DeviceChanged => Self::Changed { device },
            Kind::UnsupportedConfig | Kind::UnsupportedOperation | Kind::InvalidInput => {
                Self::Unsupported { device, reason: error.to_string() }
            }
            _ => Self::System { device, reason: error.to_string() },
        }
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "is none at all".to_owned(),
        names => format!("are {}", quoted(names)),
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    names.join(", ")
}
