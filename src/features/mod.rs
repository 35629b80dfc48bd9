//! Acoustic features: pure functions of 16 kHz mono samples.
//!
//! Everything that runs per sample plans its FFT once, owns its scratch and never allocates afterwards.

pub mod activity;
pub mod band;
pub mod fbank;
pub mod frames;
pub mod level;
pub mod logmel;
mod mel;
pub mod mfcc;
pub mod pitch;
pub mod samples;
mod spectrum;
pub mod vad;

#[cfg(test)]
mod tests;

pub use frames::Frames;

/// The only sample rate inside the engine, in Hz.
pub const SAMPLE_RATE: usize = 16_000;
/// Frame shift of every feature, in samples (10 ms).
pub const HOP: usize = 160;
/// Analysis window of every feature, in samples (25 ms).
pub const WINDOW: usize = 400;

/// How many frames of `window` samples, `HOP` apart, fit into `samples`.
pub fn frame_count(samples: usize, window: usize) -> usize {
    if samples < window { 0 } else { (samples - window) / HOP + 1 }
}
