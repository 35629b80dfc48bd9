//! The listener thread: from the microphone to verdicts. It alone touches the microphone, the engine
//! and the audio that is handed over.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use super::ears::{Deaf, Ears};
use super::handoff::Handoff;
use crate::audio::capture::{CaptureError, CaptureOptions, Health};
use crate::audio::{AudioErrorKind, clock};
use crate::control::{Answer, AudioStream, CommandError};
use crate::engine::Engine;
use crate::engine::event::{Event, EventKind, Timing};
use crate::engine::rule::Rule;
use crate::features::SAMPLE_RATE;
use crate::profile::Profile;
use crate::speaker::voice::Voice;

/// Longest wait for audio before the orders are looked at again.
const WAIT: Duration = Duration::from_millis(100);
/// How often progress is reported.
const PROGRESS: Duration = Duration::from_millis(250);
/// Audio kept for an engine that is still being made, in samples (4 s).
const WAITING: usize = 4 * SAMPLE_RATE;

/// What the supervisor tells the listener.
pub enum Order {
    /// Open the microphone, instead of the one that is open.
    Open(CaptureOptions),
    /// Let go of the microphone and forget what was heard.
    Close,
    /// Judge by this engine from now on. It knows its profiles and voices already: it hears at once what was said while
    /// it was made.
    Engine(Box<Engine>),
    /// Listen for these profiles, name these voices, by this rule.
    Update(Vec<Arc<Profile>>, Arc<[Voice]>, Rule),
    /// Hand over audio.
    OpenAudio {
        /// How much of the past, in milliseconds.
        preroll_ms: u32,
        /// Who reads.
        owner: String,
        /// The stream.
        answer: Answer<AudioStream>,
    },
    /// Hand over no more audio to this client.
    CloseAudio(String),
}

/// What the listener tells the supervisor.
pub enum ListenerMessage {
    /// The microphone is open: its name and format, and whether it runs with real-time priority.
    Opened(String),
    /// There is no microphone (any more).
    Lost(CaptureError),
    /// The engine heard something. Positions count from the first sample that the listener heard; `timing` is there.
    Event(Event),
    /// Audio came in.
    Progress {
        /// Samples heard since the start, at 16 kHz.
        samples: u64,
        /// How the capture is doing.
        health: Health,
    },
    /// What came on standard input has ended, or cannot be read any more for this reason.
    Ended(Option<AudioErrorKind>),
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
    messages: Sender<ListenerMessage>,
    handoff: Handoff,
    ears: Ears,
    ended: Sender<Infallible>,
) -> std::io::Result<()> {
    let listen = move || {
        let listener = Listener {
            messages,
            handoff,
            ears,
            engine: None,
            origin: 0,
            block: Vec::new(),
            waiting: Vec::new(),
            sequence: 0,
            detected: None,
        };
        listener.run(&orders);
        drop(ended);
    };
    std::thread::Builder::new().name("listener".into()).spawn(listen)?;
    Ok(())
}

struct Listener {
    messages: Sender<ListenerMessage>,
    /// Counts and dates the samples heard.
    handoff: Handoff,
    ears: Ears,
    engine: Option<Box<Engine>>,
    /// Sample at which the engine's stream began.
    origin: u64,
    block: Vec<f32>,
    /// Heard before there was an engine.
    waiting: Vec<f32>,
    sequence: u64,
    /// First sample, and the one after the last, of the last detected phrase.
    detected: Option<(u64, u64)>,
}

impl Listener {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut reported = Instant::now();
        loop {
            if self.ears.rest(self.engine.is_some()) {
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
                && let Some(health) = self.ears.health()
            {
                reported = Instant::now();
                let samples = self.handoff.heard();
                self.tell(ListenerMessage::Progress { samples, health });
            }
        }
    }

    /// The supervisor reads its messages promptly; should it be gone, nobody needs them.
    fn tell(&self, message: ListenerMessage) {
        let _ = self.messages.send(message);
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Open(options) => {
                self.close();
                match self.ears.open(&options) {
                    Ok(name) => self.tell(ListenerMessage::Opened(name)),
                    Err(error) => self.tell(ListenerMessage::Lost(error)),
                }
            }
            Order::Close => {
                self.close();
                self.forget();
            }
            Order::Engine(engine) => {
                self.engine = Some(engine);
                self.origin = self.handoff.heard() - self.waiting.len() as u64;
                let waiting = std::mem::take(&mut self.waiting);
                self.judge(&waiting);
            }
            Order::Update(profiles, voices, rule) => {
                if let Some(engine) = &mut self.engine {
                    engine.update(&profiles, rule);
                    engine.recognise(voices);
                }
            }
            Order::OpenAudio { preroll_ms, owner, answer } => {
                let opened = self.open_audio(&owner, preroll_ms);
                if opened.is_ok() {
                    tracing::info!(owner, preroll_ms, "audio is handed over");
                }
                let _ = answer.send(opened);
            }
            Order::CloseAudio(owner) => self.handoff.close(&owner),
        }
    }

    fn open_audio(&mut self, owner: &str, preroll_ms: u32) -> Result<AudioStream, CommandError> {
        if !self.ears.is_open() {
            return Err(CommandError::NoAudio("the microphone is muted or missing".into()));
        }
        self.handoff
            .open(owner, preroll_ms, self.detected)
            .map_err(|error| CommandError::Failed(error.to_string()))
    }

    fn listen(&mut self) {
        if self.ears.rest(self.engine.is_some()) {
            return;
        }
        self.block.clear();
        let read = self.ears.read(WAIT, &mut self.block);
        let heard_us = self.ears.heard_us();
        let block = std::mem::take(&mut self.block);
        let messages = &self.messages;
        self.handoff.push(&block, heard_us, |stream, samples| {
            let _ = messages.send(ListenerMessage::AudioLost { stream, samples });
        });
        self.judge(&block);
        self.block = block;
        if let Err(reason) = read {
            let message = match reason {
                Deaf::Lost(error) => ListenerMessage::Lost(error),
                Deaf::Ended(reason) => {
                    self.finish();
                    ListenerMessage::Ended(reason)
                }
            };
            self.close();
            self.forget();
            self.tell(message);
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
        self.tell_all(events);
    }

    /// Judges what is still open at the end of all audio.
    fn finish(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        let mut events = Vec::new();
        engine.finish(|event| events.push(event));
        self.tell_all(events);
    }

    fn tell_all(&mut self, events: Vec<Event>) {
        // The verdict follows a candidate at once.
        for event in events.into_iter().filter(|event| event.kind != EventKind::Candidate) {
            let event = event.shifted(self.origin);
            if event.is_detected() {
                self.detected = Some((event.start, event.end));
            }
            let timing = Some(self.timing(event.start, event.end));
            self.tell(ListenerMessage::Event(Event { timing, ..event }));
        }
    }

    /// When a phrase was heard whose verdict is there now.
    fn timing(&mut self, start: u64, end: u64) -> Timing {
        self.sequence += 1;
        let (end_us, decided_us) = (self.handoff.us(end), clock::monotonic_us());
        let late_us = decided_us.saturating_sub(end_us);
        Timing {
            sequence: self.sequence,
            start_us: self.handoff.us(start),
            end_us,
            decided_us,
            end_unix_us: clock::unix_us().saturating_sub(late_us),
            latency_ms: late_us as f64 / 1000.0,
        }
    }

    /// What was said before a pause is no longer what was said just now.
    fn forget(&mut self) {
        self.handoff.wipe();
        self.detected = None;
    }

    /// Ends the stream: what comes next does not continue it.
    fn close(&mut self) {
        self.ears.close();
        self.waiting.clear();
        if let Some(engine) = &mut self.engine {
            engine.reset();
        }
        self.origin = self.handoff.heard();
    }
}
