//! The microphone: opened by name, read as 16 kHz mono, with every lost sample counted.
//!
//! ```text
//! sound card ─▶ cpal's thread: Intake ─ring─▶ reader: Outlet ─▶ Resampler ─▶ 16 kHz mono
//! ```

mod error;
mod format;
pub mod intake;
mod microphone;
mod pcm;
mod realtime;
mod timeline;
mod timeout;

#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait as _, StreamTrait as _};
use cpal::{BufferSize, ErrorKind, SampleFormat, Stream, StreamConfig};

pub use error::{CaptureError, Retry};
pub use format::{ChannelChoice, Format};
pub use microphone::{Microphone, Offer, microphones};
pub use pcm::Pcm;
pub use realtime::Realtime;

use self::intake::{Flow, Intake, Outlet};
use self::microphone::{DEFAULT, Source};
use self::timeout::with_timeout;
use super::clock::{SleepWatch, monotonic_us};
use super::{OUTPUT_RATE, Resampler};

/// A device that has delivered may pause no longer than this.
const STALL: Duration = Duration::from_secs(1);
/// A device may need this long until it delivers: a headset has to be connected first.
const START: Duration = Duration::from_secs(5);
/// A reader looks again after this long at the latest, in case that it is not who is woken.
const LOOK: Duration = Duration::from_millis(50);

/// Which microphone to open, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureOptions {
    /// Its name as [`microphones`] tells it, or a part of its name or description that no other has;
    /// the default if absent.
    pub device: Option<String>,
    /// Which of its channels to hear.
    pub channel: ChannelChoice,
}

/// How a stream is doing. Counts begin when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Times that the reader was so slow that the ring became full.
    pub overruns: u64,
    /// Samples lost, at 16 kHz: for a full ring, or before they came here, judged by the clock.
    pub lost_samples: u64,
    /// Times that the device itself reported a loss; how much, the clock tells.
    pub device_overruns: u64,
    /// For how long there has been nothing but digital silence: a muted or dead input. A real
    /// microphone always has noise.
    pub dead_for: Duration,
    /// Since when nothing was delivered.
    pub stalled_for: Duration,
    /// Priority of the thread that takes the audio from the device.
    pub realtime: Realtime,
}

/// An open microphone.
pub struct Capture {
    device: String,
    format: Format,
    outlet: Outlet,
    resampler: Resampler,
    trouble: Arc<Trouble>,
    sleep: SleepWatch,
    opened: Instant,
    /// Mono at the device's rate.
    raw: Vec<f32>,
    /// Samples returned so far.
    returned: u64,
    /// Ends when this is dropped.
    _stream: Stream,
}

/// What the device has complained of.
#[derive(Default)]
struct Trouble {
    /// What ended the stream.
    fatal: OnceLock<cpal::Error>,
    denied: OnceLock<String>,
}

impl Capture {
    /// Opens a microphone, and starts to record. Takes no longer than five seconds.
    pub fn open(options: &CaptureOptions) -> Result<Self, CaptureError> {
        let CaptureOptions { device, channel } = options.clone();
        with_timeout(options.device.as_deref().unwrap_or(DEFAULT), move || {
            let source = Source::find(device.as_deref())?;
            let format = source.format(channel)?;
            let pace = Pace::of(&source);
            let fixed = BufferSize::Fixed(format.rate * pace.block_ms / 1000);
            Self::start(&source, format, channel, fixed, pace).or_else(|error| match error {
                // Then what the device prefers.
                CaptureError::Unsupported { .. } => {
                    Self::start(&source, format, channel, BufferSize::Default, pace)
                }
                error => Err(error),
            })
        })
    }

    fn start(
        source: &Source,
        format: Format,
        choice: ChannelChoice,
        buffer_size: BufferSize,
        pace: Pace,
    ) -> Result<Self, CaptureError> {
        let device = source.name.clone();
        let (intake, outlet) = Intake::new(format.rate, format.channels, choice);
        let trouble = Arc::new(Trouble::default());
        let config = StreamConfig { channels: format.channels, sample_rate: format.rate, buffer_size };
        let (flow, rests) = (outlet.flow.clone(), pace.rests);
        let parts = Parts { source, config, intake, flow, rests, trouble: trouble.clone() };
        let stream = parts.stream(format.samples).map_err(|error| CaptureError::new(&device, &error))?;
        let resampler = Resampler::new(format.rate)
            .map_err(|kind| CaptureError::Conversion { device: device.clone(), kind })?;
        stream.play().map_err(|error| CaptureError::new(&device, &error))?;
        Ok(Self {
            device,
            format,
            outlet,
            resampler,
            trouble,
            sleep: SleepWatch::new(),
            opened: Instant::now(),
            raw: Vec::new(),
            returned: 0,
            _stream: stream,
        })
    }

    /// The name of the device in use.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// How the device records.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Waits at most `timeout` for audio, then appends all that has arrived to `out`, 16 kHz mono in
    /// `[-1, 1]`. Returns how many samples, 0 if none came in time.
    ///
    /// After an error nothing more comes; open another. One thread at a time is woken promptly: the one
    /// that reads first.
    pub fn read(&mut self, timeout: Duration, out: &mut Vec<f32>) -> Result<usize, CaptureError> {
        self.outlet.flow.reader.get_or_init(thread::current);
        let deadline = Instant::now() + timeout;
        let start = out.len();
        loop {
            // Before any audio: what is left from before the sleep is not to be heard.
            if let Some(duration) = self.sleep.slept() {
                return Err(CaptureError::Slept { duration });
            }
            let fatal = self.trouble.fatal.get();
            self.raw.clear();
            self.outlet.take(&mut self.raw);
            self.resampler
                .push(&self.raw, out)
                .map_err(|kind| CaptureError::Conversion { device: self.device.clone(), kind })?;
            let appended = out.len() - start;
            if appended > 0 {
                self.returned += appended as u64;
                return Ok(appended);
            }
            if let Some(error) = fatal {
                return Err(CaptureError::new(&self.device, error));
            }
            let (silence, device) = (self.stalled_for(), &self.device);
            match self.has_delivered() {
                true if silence >= STALL => {
                    return Err(CaptureError::Stalled { device: device.clone(), silence });
                }
                false if silence >= START => return Err(CaptureError::Silent { device: device.clone() }),
                _ => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(0);
            }
            thread::park_timeout(left.min(LOOK));
        }
    }

    /// How the stream is doing. Asks the kernel for the priority: not meant for every block.
    pub fn health(&self) -> Health {
        let flow = &self.outlet.flow;
        let rate = u64::from(self.format.rate);
        let lost = self.outlet.dropped() + self.outlet.missing();
        Health {
            overruns: self.outlet.overruns(),
            lost_samples: lost * u64::from(OUTPUT_RATE) / rate,
            device_overruns: flow.xruns.load(Relaxed),
            dead_for: Duration::from_micros(flow.silent.load(Relaxed) * 1_000_000 / rate),
            stalled_for: self.stalled_for(),
            realtime: Realtime::of_capture(self.trouble.denied.get()),
        }
    }

    /// When the sample after the last one returned was heard: CLOCK_MONOTONIC in microseconds.
    ///
    /// Exact to a few milliseconds. Late by the length of a loss while audio from before it is still being
    /// read, and early by it for the seconds in which the clock has not yet told of it. Meaningless
    /// before the first audio.
    pub fn heard_us(&self) -> u64 {
        self.outlet.heard_us(self.returned as f64, OUTPUT_RATE)
    }

    fn has_delivered(&self) -> bool {
        self.outlet.flow.last_us.load(Relaxed) != 0
    }

    fn stalled_for(&self) -> Duration {
        match self.outlet.flow.last_us.load(Relaxed) {
            0 => self.opened.elapsed(),
            last => Duration::from_micros(monotonic_us().saturating_sub(last)),
        }
    }
}

/// Share of a block's length: beyond a server's step, and well before the next block is complete.
const REST: f64 = 0.6;

/// How a device is asked for audio. cpal keeps room for two blocks.
#[derive(Clone, Copy)]
struct Pace {
    block_ms: u32,
    /// Whether cpal's thread rests after each block, for [`REST`] of its length.
    rests: bool,
}

impl Pace {
    fn of(source: &Source) -> Self {
        if source.is_hardware() {
            return Self { block_ms: 10, rests: false };
        }
        // A sound server's client has no real-time priority, and may come late. The server moves audio in at
        // least two steps a block; until the next step PipeWire's plugin for ALSA says that there is more to
        // read when there is not, and whoever asks at once goes on asking.
        Self { block_ms: 40, rests: true }
    }
}

/// What a stream is made of.
struct Parts<'a> {
    source: &'a Source,
    config: StreamConfig,
    intake: Intake,
    flow: Arc<Flow>,
    rests: bool,
    trouble: Arc<Trouble>,
}

impl Parts<'_> {
    fn stream(self, samples: SampleFormat) -> Result<Stream, cpal::Error> {
        match samples {
            SampleFormat::I8 => self.build::<i8>(),
            SampleFormat::I16 => self.build::<i16>(),
            SampleFormat::I24 => self.build::<cpal::I24>(),
            SampleFormat::I32 => self.build::<i32>(),
            SampleFormat::I64 => self.build::<i64>(),
            SampleFormat::U8 => self.build::<u8>(),
            SampleFormat::U16 => self.build::<u16>(),
            SampleFormat::U24 => self.build::<cpal::U24>(),
            SampleFormat::U32 => self.build::<u32>(),
            SampleFormat::U64 => self.build::<u64>(),
            SampleFormat::F32 => self.build::<f32>(),
            SampleFormat::F64 => self.build::<f64>(),
            _ => Err(ErrorKind::UnsupportedConfig.into()),
        }
    }

    fn build<T: Pcm + cpal::SizedSample>(self) -> Result<Stream, cpal::Error> {
        let Self { source, config, mut intake, flow, rests, trouble } = self;
        let samples_per_second = f64::from(config.sample_rate) * f64::from(config.channels);
        let deliver = move |samples: &[T], info: &cpal::InputCallbackInfo| {
            let times = info.timestamp();
            // A driver that tells nonsense must not date audio into the distant past.
            let age = times.callback.duration_since(times.capture).min(STALL);
            intake.push(samples, monotonic_us(), age.as_micros() as u64);
            if rests {
                thread::sleep(Duration::from_secs_f64(REST * samples.len() as f64 / samples_per_second));
            }
        };
        let complain = move |error: cpal::Error| trouble.note(error, &flow);
        source.device.build_input_stream(config, deliver, complain, Some(STALL))
    }
}

impl Trouble {
    /// Called by cpal's thread.
    fn note(&self, error: cpal::Error, flow: &Flow) {
        match error.kind() {
            ErrorKind::Xrun => {
                flow.xruns.fetch_add(1, Relaxed);
            }
            // The stream goes on with the new device.
            ErrorKind::DeviceChanged => {}
            ErrorKind::RealtimeDenied => {
                let _ = self.denied.set(error.to_string());
            }
            _ => {
                // The first is the cause.
                let _ = self.fatal.set(error);
                flow.wake();
                // cpal calls again at once, for as long as the stream is open.
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
