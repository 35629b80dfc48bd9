//! From the device's callback to the reader: a ring without locks, and what is known about its flow.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use ringbuf::traits::{Consumer as _, Observer as _, Producer as _, Split as _};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use super::ChannelChoice;
use super::pcm::Pcm;
use super::timeline::Timeline;

/// Seconds of audio that wait for a slow reader.
const RING_SECONDS: u32 = 4;
/// Frames converted at once.
const BLOCK: usize = 256;

/// What the callback tells the reader beside the audio.
#[derive(Default)]
pub(super) struct Flow {
    /// Times that the ring became full.
    pub overruns: AtomicU64,
    /// Frames that did not fit.
    pub dropped: AtomicU64,
    /// Frames that never came, judged by the clock.
    pub missing: AtomicU64,
    /// Frames of digital silence until now.
    pub silent: AtomicU64,
    /// When the last callback ran; 0 before the first.
    pub last_us: AtomicU64,
    /// When the first frame of the ring was, or would have been, heard.
    pub origin_us: AtomicI64,
    /// Times that the device lost audio and said so.
    pub xruns: AtomicU64,
    /// Who waits for audio.
    pub reader: OnceLock<Thread>,
}

impl Flow {
    /// Lets the reader look.
    pub(super) fn wake(&self) {
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }
}

/// The body of the device's callback: takes blocks in any sample format, picks or mixes the channels, and
/// puts them into the ring. Never allocates, never waits.
pub struct Intake {
    ring: HeapProd<f32>,
    flow: Arc<Flow>,
    channels: usize,
    choice: ChannelChoice,
    us_per_frame: f64,
    timeline: Timeline,
    full: bool,
    silent: u64,
    dropped: u64,
    block: [f32; BLOCK],
}

/// The reader's end.
pub struct Outlet {
    ring: HeapCons<f32>,
    pub(super) flow: Arc<Flow>,
}

impl Intake {
    /// Both ends for a device that delivers `channels` interleaved at `rate` Hz. A chosen channel has to
    /// be one of them.
    pub fn new(rate: u32, channels: u16, choice: ChannelChoice) -> (Self, Outlet) {
        let flow = Arc::new(Flow::default());
        let (producer, consumer) = HeapRb::new((rate * RING_SECONDS) as usize).split();
        let intake = Self {
            ring: producer,
            flow: flow.clone(),
            channels: usize::from(channels),
            choice,
            us_per_frame: 1e6 / f64::from(rate),
            timeline: Timeline::new(rate),
            full: false,
            silent: 0,
            dropped: 0,
            block: [0.0; BLOCK],
        };
        (intake, Outlet { ring: consumer, flow })
    }

    /// Takes interleaved samples, at `now_us`; their first was heard `age_us` before. Both are
    /// CLOCK_MONOTONIC in microseconds.
    pub fn push<T: Pcm>(&mut self, interleaved: &[T], now_us: u64, age_us: u64) {
        let frames = interleaved.len() / self.channels;
        for chunk in interleaved.chunks(BLOCK * self.channels) {
            let mut length = 0;
            for (mono, frame) in self.block.iter_mut().zip(chunk.chunks_exact(self.channels)) {
                *mono = match self.choice {
                    ChannelChoice::Mix => {
                        frame.iter().map(|&sample| clean(sample)).sum::<f32>() / frame.len() as f32
                    }
                    ChannelChoice::Only(number) => clean(frame[usize::from(number.get()) - 1]),
                };
                self.silent = if *mono == 0.0 { self.silent + 1 } else { 0 };
                length += 1;
            }
            let fitted = self.ring.push_slice(&self.block[..length]);
            self.dropped += (length - fitted) as u64;
            let full = fitted < length;
            if full && !self.full {
                self.flow.overruns.fetch_add(1, Relaxed);
            }
            self.full = full;
        }

        let length_us = (frames as f64 * self.us_per_frame) as u64;
        self.timeline.push(frames as u64, (now_us + length_us).saturating_sub(age_us));
        // What was dropped is not in the ring: what follows seems to begin later.
        let dropped_us = self.dropped as f64 * self.us_per_frame;
        self.flow.origin_us.store(self.timeline.origin_us() + dropped_us as i64, Relaxed);
        self.flow.missing.store(self.timeline.missing(), Relaxed);
        self.flow.dropped.store(self.dropped, Relaxed);
        self.flow.silent.store(self.silent, Relaxed);
        self.flow.last_us.store(now_us, Relaxed);
        self.flow.wake();
    }
}

impl Outlet {
    /// Appends all that has arrived, mono at the device's rate, to `out`.
    pub fn take(&mut self, out: &mut Vec<f32>) {
        let start = out.len();
        out.resize(start + self.ring.occupied_len(), 0.0);
        self.ring.pop_slice(&mut out[start..]);
    }

    /// Times that the ring became full.
    pub fn overruns(&self) -> u64 {
        self.flow.overruns.load(Relaxed)
    }

    /// Frames that did not fit into the ring.
    pub fn dropped(&self) -> u64 {
        self.flow.dropped.load(Relaxed)
    }

    /// Frames that never came, judged by the clock.
    pub fn missing(&self) -> u64 {
        self.flow.missing.load(Relaxed)
    }

    /// When frame number `frame` of those taken was heard: CLOCK_MONOTONIC in microseconds.
    pub fn heard_us(&self, frame: f64, rate: u32) -> u64 {
        let origin = self.flow.origin_us.load(Relaxed);
        (origin as f64 + frame * 1e6 / f64::from(rate)).max(0.0) as u64
    }
}

/// Within full scale, as a sound card would clip it; no number becomes silence.
fn clean<T: Pcm>(sample: T) -> f32 {
    let value = sample.value();
    if value.is_nan() { 0.0 } else { value.clamp(-1.0, 1.0) }
}
