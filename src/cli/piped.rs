//! Audio on standard input, for those who can read it.

use clap::ValueEnum;
use wakeword::audio::{Encoding, RawFormat};

/// What samples on standard input are, unless a WAV header says it.
#[derive(clap::Args)]
pub struct Samples {
    /// Sample rate of standard input in Hz, unless it is WAV [default: 16000]
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(8_000..=192_000))]
    rate: Option<u32>,
    /// Channels of standard input, unless it is WAV [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=8))]
    channels: Option<u16>,
    /// Samples of standard input, little-endian, unless it is WAV [default: s16le]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Stored>,
}

/// As ALSA and FFmpeg call them.
#[derive(Clone, Copy, ValueEnum)]
enum Stored {
    S16le,
    S24le,
    S32le,
    F32le,
}

impl Samples {
    /// Whether anything is said of standard input.
    pub fn given(&self) -> bool {
        self.rate.is_some() || self.channels.is_some() || self.format.is_some()
    }

    pub fn format(&self) -> RawFormat {
        let usual = RawFormat::default();
        let encoding = match self.format {
            None => usual.encoding,
            Some(Stored::S16le) => Encoding::I16,
            Some(Stored::S24le) => Encoding::I24,
            Some(Stored::S32le) => Encoding::I32,
            Some(Stored::F32le) => Encoding::F32,
        };
        let (rate, channels) = (self.rate.unwrap_or(usual.rate), self.channels.unwrap_or(usual.channels));
        RawFormat { encoding, rate, channels }
    }
}
