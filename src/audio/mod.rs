//! Audio in: files and microphones of any common rate, sample format and channel count, as 16 kHz mono.
//!
//! Every sample the rest of the program sees is an `f32` in `[-1, 1]` at [`SAMPLE_RATE`].

pub mod capture;
pub mod clock;
mod encoding;
mod error;
mod file;
mod flac;
mod foreign;
mod pipe;
pub mod playback;
mod raw;
mod resample;
mod tags;
mod wav;

#[cfg(test)]
mod tests;

pub use capture::{Capture, CaptureError, CaptureOptions, ChannelChoice};
pub use encoding::Encoding;
pub use error::{AudioError, AudioErrorKind};
pub use file::{Clip, FileInfo, FileSource, read_clip};
pub use foreign::is_foreign;
pub use pipe::Pipe;
pub use raw::{Raw, RawFormat};
pub use resample::Resampler;

use crate::features::SAMPLE_RATE;

/// [`SAMPLE_RATE`] in the type of the rates of devices and files, in Hz.
const OUTPUT_RATE: u32 = SAMPLE_RATE as u32;

/// Input rates that can be converted to [`SAMPLE_RATE`], in Hz.
pub const INPUT_RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// Most channels an input may have.
pub const MAX_CHANNELS: u16 = 8;
