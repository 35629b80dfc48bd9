//! Helpers that write small files, byte by byte where the bytes are the point.

mod files;
mod flac;
mod resampling;
mod wav;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

/// A directory that goes away with the test, and one file in it.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// Reads a file to its end or error: the samples delivered, and the error if there was one.
fn drain(path: &Path) -> (Vec<f32>, Option<AudioErrorKind>) {
    let mut samples = Vec::new();
    let mut source = match FileSource::open(path) {
        Ok(source) => source,
        Err(error) => return (samples, Some(error.kind)),
    };
    loop {
        match source.read(&mut samples) {
            Ok(true) => {}
            Ok(false) => return (samples, None),
            Err(error) => {
                let len = samples.len();
                assert!(!source.read(&mut samples).unwrap(), "an error ends the stream");
                assert_eq!(samples.len(), len);
                return (samples, Some(error.kind));
            }
        }
    }
}

fn open_error(path: &Path) -> AudioError {
    match FileSource::open(path) {
        Ok(_) => panic!("{path:?} was accepted"),
        Err(error) => error,
    }
}

/// `amplitude * sin(2 pi hz t)` at `rate`.
fn sine(hz: f64, rate: u32, frames: usize, amplitude: f64) -> Vec<f32> {
    let step = std::f64::consts::TAU * hz / f64::from(rate);
    (0..frames).map(|i| (amplitude * (step * i as f64).sin()) as f32).collect()
}

/// Distinct 16-bit samples, and what they are as `f32`.
fn ramp(len: usize) -> (Vec<i16>, Vec<f32>) {
    let codes: Vec<i16> = (0..len).map(|i| (i as i32 * 7919 % 60_000 - 30_000) as i16).collect();
    let samples = codes.iter().map(|&code| f32::from(code) / 32_768.0).collect();
    (codes, samples)
}

fn i16_bytes(codes: &[i16]) -> Vec<u8> {
    codes.iter().flat_map(|code| code.to_le_bytes()).collect()
}

/// xorshift64: repeatable noise.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

fn chunk(id: &[u8; 4], size: u32, body: &[u8]) -> Vec<u8> {
    [&id[..], &size.to_le_bytes(), body, &[0][..body.len() % 2]].concat()
}

/// A `fmt ` chunk of 16 bytes.
fn fmt(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let align = channels.wrapping_mul(bits / 8);
    let mut body = Vec::new();
    body.extend(tag.to_le_bytes());
    body.extend(channels.to_le_bytes());
    body.extend(rate.to_le_bytes());
    body.extend(rate.wrapping_mul(u32::from(align)).to_le_bytes());
    body.extend(align.to_le_bytes());
    body.extend(bits.to_le_bytes());
    chunk(b"fmt ", 16, &body)
}

/// A RIFF file of these chunks; `size` overrides the true RIFF size.
fn riff(size: Option<u32>, chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    let size = size.unwrap_or(body.len() as u32 + 4);
    [b"RIFF", &size.to_le_bytes()[..], b"WAVE", &body].concat()
}

/// A WAV file with one `fmt ` and one honest `data` chunk.
fn wav(tag: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    riff(None, &[fmt(tag, channels, rate, bits), chunk(b"data", data.len() as u32, data)])
}
