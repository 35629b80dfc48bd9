//! The listener thread: from the microphone to verdicts. It alone touches the microphone, the engine
//! and the audio that is handed over.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::command::{Answer, AudioStream, CommandError};
use super::handoff::Handoff;
use super::notice::WakeEvent;
use crate::audio::capture::{Capture, CaptureError, CaptureOptions, Health};
use crate::audio::{SAMPLE_RATE, clock};
use crate::engine::Engine;
use crate::engine::event::{Detection, Event, Reason, Rejection};
use crate::engine::rule::Rule;
use crate::profile::Profile;
use crate::speaker::voice::Voice;

/// Longest wait for audio before the orders are looked at again.
const WAIT: Duration = Duration::from_millis(100);
/// How often progress is reported.
const PROGRESS: Duration = Duration::from_millis(250);
/// Audio kept for an engine that is still being made, in samples (4 s).
const WAITING: usize = 4 * SAMPLE_RATE as usize;

/// What the supervisor tells the listener.
pub enum Order {
    /// Open the microphone, instead of the one that is open.
    Open(CaptureOptions),
    /// Let go of the microphone and forget what was heard.
    Close,
    /// Judge by this engine from now on.
    Engine(Box<Engine>),
    /// Listen for these profiles, name these voices, by this rule.
    Update(Vec<Arc<Profile>>, Arc<[Voice]>, Rule),
    /// Hand over audio.
    OpenAudio(u32, Answer<AudioStream>),
}

/// What the listener tells the supervisor.
pub enum Report {
    /// The microphone is open: its name and format, and whether it runs with real-time priority.
    Opened(String),
    /// There is no microphone (any more).
    Lost(CaptureError),
    /// A verdict.
    Verdict(WakeEvent),
    /// A phrase in another voice than its owner's.
    OtherVoice(WakeEvent),
    /// Audio came in.
    Progress {
        /// Samples heard since the start, at 16 kHz.
        samples: u64,
        /// How the capture is doing.
        health: Health,
    },
    /// A reader was too slow.
    AudioLost {
        /// Which.
        stream: u32,
        /// Samples lost.
        samples: u64,
    },
}

/// Starts the thread; it ends when the orders do, and drops `ended` then.
pub fn spawn(
    orders: Receiver<Order>,
    reports: Sender<Report>,
    handoff: Handoff,
    ended: Sender<Infallible>,
) -> std::io::Result<()> {
    let listen = move || {
        let listener = Listener {
            reports,
            handoff,
            capture: None,
            engine: None,
            block: Vec::new(),
            waiting: Vec::new(),
            clock: Clock::default(),
            sequence: 0,
            phrase: None,
            kept_from: 0,
        };
        listener.run(&orders);
        drop(ended);
    };
    std::thread::Builder::new().name("listener".into()).spawn(listen)?;
    Ok(())
}

struct Listener {
    reports: Sender<Report>,
    handoff: Handoff,
    capture: Option<Capture>,
    engine: Option<Box<Engine>>,
    block: Vec<f32>,
    /// Heard before there was an engine.
    waiting: Vec<f32>,
    clock: Clock,
    sequence: u64,
    /// The last accepted phrase, in samples handed over since they were last forgotten ...
    phrase: Option<(u64, u64)>,
    /// ... and how many were heard before.
    kept_from: u64,
}

/// Dates the samples of the engine's stream.
#[derive(Default)]
struct Clock {
    /// Samples heard since the start.
    heard: u64,
    /// When the next one will be: CLOCK_MONOTONIC in microseconds.
    now_us: u64,
    /// Where among the samples heard the engine's stream begins.
    origin: u64,
}

impl Clock {
    fn us(&self, stream_sample: u64) -> u64 {
        let ago = self.heard.saturating_sub(self.origin + stream_sample);
        self.now_us.saturating_sub(ago * 1_000_000 / u64::from(SAMPLE_RATE))
    }
}

impl Listener {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut reported = Instant::now();
        loop {
            if self.capture.is_none() {
                let Ok(order) = orders.recv() else { return };
                self.obey(order);
            }
            loop {
                match orders.try_recv() {
                    Ok(order) => self.obey(order),
                    Err(error) if error.is_disconnected() => return,
                    Err(_) => break,
                }
            }
            self.listen();
            if reported.elapsed() >= PROGRESS
                && let Some(capture) = &self.capture
            {
                reported = Instant::now();
                self.report(Report::Progress { samples: self.clock.heard, health: capture.health() });
            }
        }
    }

    /// The supervisor reads its reports promptly; should it be gone, nobody needs them.
    fn report(&self, report: Report) {
        let _ = self.reports.send(report);
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Open(options) => {
                // The old one first: a sound card may have but one user.
                self.close();
                match Capture::open(&options) {
                    Ok(capture) => {
                        self.report(Report::Opened(format!("{} ({})", capture.device(), capture.format())));
                        self.capture = Some(capture);
                    }
                    Err(error) => self.report(Report::Lost(error)),
                }
            }
            Order::Close => {
                self.close();
                self.forget();
            }
            Order::Engine(engine) => {
                self.engine = Some(engine);
                self.clock.origin = self.clock.heard - self.waiting.len() as u64;
                let waiting = std::mem::take(&mut self.waiting);
                self.judge(&waiting);
            }
            Order::Update(profiles, voices, rule) => {
                if let Some(engine) = &mut self.engine {
                    engine.update(&profiles, rule);
                    engine.recognise(voices);
                }
            }
            Order::OpenAudio(preroll_ms, answer) => {
                let _ = answer.send(self.open_audio(preroll_ms));
            }
        }
    }

    fn open_audio(&mut self, preroll_ms: u32) -> Result<AudioStream, CommandError> {
        if self.capture.is_none() {
            return Err(CommandError::NoAudio("the microphone is muted or missing".into()));
        }
        self.handoff.open(preroll_ms, self.phrase).map_err(|error| CommandError::Failed(error.to_string()))
    }

    fn listen(&mut self) {
        let Some(capture) = &mut self.capture else { return };
        self.block.clear();
        let read = capture.read(WAIT, &mut self.block);
        self.clock.now_us = capture.heard_us();
        self.clock.heard += self.block.len() as u64;
        let block = std::mem::take(&mut self.block);
        let reports = &self.reports;
        self.handoff.push(&block, self.clock.now_us, |stream, samples| {
            let _ = reports.send(Report::AudioLost { stream, samples });
        });
        self.judge(&block);
        self.block = block;
        if let Err(error) = read {
            self.close();
            self.forget();
            self.report(Report::Lost(error));
        }
    }

    fn judge(&mut self, samples: &[f32]) {
        let Some(engine) = &mut self.engine else {
            let surplus = (self.waiting.len() + samples.len()).saturating_sub(WAITING);
            self.waiting.drain(..surplus.min(self.waiting.len()));
            self.waiting.extend_from_slice(samples);
            return;
        };
        let mut events = Vec::new();
        engine.push(samples, |event| events.push(event));
        for event in events {
            match event {
                Event::Candidate(_) => {}
                Event::Accepted(detection) => {
                    let kept = self.clock.origin.saturating_sub(self.kept_from);
                    self.phrase = Some((kept + detection.start, kept + detection.end));
                    let event = self.dated(detection, None);
                    self.report(Report::Verdict(event));
                }
                Event::Rejected(Rejection { reason, detection }) => {
                    let event = self.dated(detection, Some(reason));
                    self.report(Report::Verdict(event));
                }
                Event::OtherVoice(detection) => {
                    let event = self.dated(detection, None);
                    self.report(Report::OtherVoice(event));
                }
            }
        }
    }

    /// What the engine heard, with what only the listener knows.
    fn dated(&mut self, detection: Detection, reason: Option<Reason>) -> WakeEvent {
        self.sequence += 1;
        let end_us = self.clock.us(detection.end);
        WakeEvent {
            sequence: self.sequence,
            reason,
            start_us: self.clock.us(detection.start),
            end_us,
            latency_ms: clock::monotonic_us().saturating_sub(end_us) as f64 / 1000.0,
            detection,
        }
    }

    /// What was said before a pause is no longer what was said just now.
    fn forget(&mut self) {
        self.handoff.wipe();
        self.phrase = None;
        self.kept_from = self.clock.heard;
    }

    /// Ends the stream: what comes next does not continue it.
    fn close(&mut self) {
        self.capture = None;
        self.waiting.clear();
        if let Some(engine) = &mut self.engine {
            engine.reset();
        }
        self.clock.origin = self.clock.heard;
    }
}
