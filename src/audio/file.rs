//! A WAV or FLAC file as a stream of 16 kHz mono blocks.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::flac::FlacReader;
use super::wav::WavReader;
use super::{AudioError, AudioErrorKind, MAX_CHANNELS, OUTPUT_RATE, Resampler, foreign, tags};

/// A frame counts as clipped when a channel reaches this, full scale being 1.
const CLIP_LEVEL: f32 = 0.99;
/// The channels of a file cancel each other out if their mean has less than this share of their power (-20 dB). Speech
/// that channels have in common is kept whole in the mean, and of what they do not at least an eighth stays.
const CANCELLED: f64 = 0.01;
/// Longest file [`read_clip`] takes.
const MAX_CLIP_SECONDS: u32 = 600;

/// What a file holds, before conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// `"WAV"` or `"FLAC"`, from the content, whatever the name says.
    pub format: &'static str,
    /// Sample rate in Hz.
    pub rate: u32,
    pub channels: u16,
    /// Samples per channel, if known before reading. WAV: those really there. FLAC: those promised.
    pub frames: Option<u64>,
}

/// A whole short recording.
#[derive(Clone, Debug)]
pub struct Clip {
    /// 16 kHz mono in `[-1, 1]`, never empty.
    pub samples: Vec<f32>,
    /// Fraction of the file's frames, in `[0, 1]`, with a channel within 1 % of full scale.
    pub clipped: f32,
    pub info: FileInfo,
}

/// A WAV or FLAC file, read block by block as 16 kHz mono: the mean of its channels.
pub struct FileSource {
    path: PathBuf,
    decoder: Decoder,
    info: FileInfo,
    resampler: Resampler,
    state: State,
    /// Frames used so far, and how many of them were clipped.
    frames: u64,
    clipped: u64,
    /// Sums over the squares of the channels' samples, per channel, and of their mean.
    channel_energy: f64,
    mean_energy: f64,
    interleaved: Vec<f32>,
    mono: Vec<f32>,
}

enum Decoder {
    Wav(WavReader),
    Flac(Box<FlacReader>),
}

enum State {
    Reading,
    /// All samples are out; the reason why there are no more is still to be told.
    Failed(AudioErrorKind),
    Done,
}

impl FileSource {
    /// Opens a regular file and reads its header. Never blocks on a pipe or a device.
    pub fn open(path: &Path) -> Result<Self, AudioError> {
        Self::open_kind(path).map_err(|kind| AudioError { path: path.to_owned(), kind })
    }

    fn open_kind(path: &Path) -> Result<Self, AudioErrorKind> {
        let (decoder, info) = Decoder::open(path)?;
        if !(1..=MAX_CHANNELS).contains(&info.channels) {
            return Err(AudioErrorKind::UnsupportedChannels(info.channels));
        }
        Ok(Self {
            path: path.to_owned(),
            decoder,
            resampler: Resampler::new(info.rate)?,
            info,
            state: State::Reading,
            frames: 0,
            clipped: 0,
            channel_energy: 0.0,
            mean_energy: 0.0,
            interleaved: Vec::new(),
            mono: Vec::new(),
        })
    }

    pub fn info(&self) -> &FileInfo {
        &self.info
    }

    /// Appends the next samples, 16 kHz mono in `[-1, 1]`, possibly none, to `out`; false at the
    /// end.
    ///
    /// A file that is cut short, damaged, or not finite somewhere gives all samples before that
    /// point first, then its error once, then false; so does one whose channels cancel out, at its end.
    pub fn read(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioError> {
        let more = match std::mem::replace(&mut self.state, State::Done) {
            State::Reading => self.advance(out),
            State::Failed(kind) => Err(kind),
            State::Done => Ok(false),
        };
        more.map_err(|kind| AudioError { path: self.path.clone(), kind })
    }

    fn advance(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioErrorKind> {
        let more = self.next_mono();
        self.resampler.push(&self.mono, out)?;
        match more {
            Ok(true) => {
                self.state = State::Reading;
                return Ok(true);
            }
            Ok(false) if self.frames == 0 => return Err(AudioErrorKind::Empty),
            Ok(false) if self.mean_energy < CANCELLED * self.channel_energy => {
                self.state = State::Failed(AudioErrorKind::OppositeChannels);
            }
            Ok(false) => {}
            Err(kind) => self.state = State::Failed(kind),
        }
        self.resampler.finish(out)?;
        Ok(true)
    }

    /// Replaces `mono` with the next block; on an error, with the good samples before it.
    fn next_mono(&mut self) -> Result<bool, AudioErrorKind> {
        self.mono.clear();
        if !self.decoder.read(&mut self.interleaved)? {
            return Ok(false);
        }
        let channels = self.info.channels;
        for frame in self.interleaved.chunks_exact(usize::from(channels)) {
            if !frame.iter().all(|sample| sample.is_finite()) {
                let seconds = self.frames as f64 / f64::from(self.info.rate);
                return Err(AudioErrorKind::NotFinite { frame: self.frames, seconds });
            }
            // Floats may lie beyond full scale; a sound card would clip them too.
            let (mut sum, mut energy) = (0.0, 0.0);
            for sample in frame.iter().map(|sample| sample.clamp(-1.0, 1.0)) {
                sum += sample;
                energy += sample * sample;
            }
            let mean = sum / f32::from(channels);
            self.channel_energy += f64::from(energy / f32::from(channels));
            self.mean_energy += f64::from(mean * mean);
            self.mono.push(mean);
            self.clipped += u64::from(frame.iter().any(|sample| sample.abs() >= CLIP_LEVEL));
            self.frames += 1;
        }
        Ok(true)
    }
}

impl Decoder {
    /// Tells the format by the first bytes, since names lie.
    fn open(path: &Path) -> Result<(Self, FileInfo), AudioErrorKind> {
        // Asked before opening: opening a FIFO waits for a writer.
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return Err(AudioErrorKind::IsDirectory);
        }
        if !metadata.is_file() {
            return Err(AudioErrorKind::NotAFile);
        }
        let mut file = File::open(path)?;
        let start = tags::start(&mut file)?;
        file.seek(SeekFrom::Start(start))?;
        let mut head = Vec::with_capacity(12);
        (&mut file).take(12).read_to_end(&mut head)?;
        match head[..] {
            [] => Err(AudioErrorKind::Empty),
            [b'R', b'I', b'F', b'F', s0, s1, s2, s3, b'W', b'A', b'V', b'E']
            | [b'R', b'F', b'6', b'4', s0, s1, s2, s3, b'W', b'A', b'V', b'E']
            | [b'B', b'W', b'6', b'4', s0, s1, s2, s3, b'W', b'A', b'V', b'E'] => {
                let wav = WavReader::open(file, start + 12, u32::from_le_bytes([s0, s1, s2, s3]))?;
                let (rate, channels, frames) = (wav.rate(), wav.channels(), Some(wav.frames()));
                Ok((Self::Wav(wav), FileInfo { format: "WAV", rate, channels, frames }))
            }
            [b'f', b'L', b'a', b'C', ..] => {
                let flac = FlacReader::open(file, start + 4)?;
                let (rate, channels, frames) = (flac.rate(), flac.channels(), flac.frames());
                let flac = Self::Flac(Box::new(flac));
                Ok((flac, FileInfo { format: "FLAC", rate, channels, frames }))
            }
            // Other formats have such tags too, MP3 foremost.
            _ => Err(foreign::name(&head).map_or(AudioErrorKind::NotAudio, AudioErrorKind::Foreign)),
        }
    }

    /// Replaces `out` with the next interleaved samples; false at the end.
    fn read(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioErrorKind> {
        match self {
            Self::Wav(wav) => wav.read(out),
            Self::Flac(flac) => flac.read(out),
        }
    }
}

/// Reads a whole file of at most ten minutes; anything wrong with any part of it is an error.
pub fn read_clip(path: &Path) -> Result<Clip, AudioError> {
    let fail = |kind| AudioError { path: path.to_owned(), kind };
    let limit = MAX_CLIP_SECONDS as usize * OUTPUT_RATE as usize;
    let too_long = AudioErrorKind::TooLong { limit_seconds: MAX_CLIP_SECONDS };
    let mut source = FileSource::open(path)?;
    let mut samples = Vec::new();
    while source.read(&mut samples)? {
        if samples.len() > limit {
            return Err(fail(too_long));
        }
    }
    if samples.is_empty() {
        return Err(fail(AudioErrorKind::Empty)); // a single frame at a high rate
    }
    let clipped = (source.clipped as f64 / source.frames as f64) as f32;
    Ok(Clip { samples, clipped, info: source.info })
}
