//! The supervisor: the one place that knows the daemon's condition and decides what happens next.

mod commands;
mod profiles;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};

use super::claim::Claim;
use super::enroller::Numbered;
use super::holds::Holds;
use super::librarian::{self, Job, Reading};
use super::listener::{ListenerMessage, Order};
use super::lockout::Lockout;
use super::microphone::Microphone;
use super::orders::Orders;
use super::priority::ask_realtime_kit;
use super::roster::Roster;
use super::sinks::Sinks;
use super::systemd::Systemd;
use super::watch::Watch;
use super::{Options, ServiceError, capture_options};
use crate::audio::capture::{CaptureError, Health, Realtime};
use crate::config::Config;
use crate::control::{Command, Notification, State, Status};
use crate::models::{ModelError, Models};
use crate::store::Store;

/// How often it looks around when nothing happens.
const TICK: Duration = Duration::from_millis(250);
/// What is left to tell at the end may take so long.
const FINISH_TIMEOUT: Duration = Duration::from_millis(300);

/// Something that is not as it should be, though the daemon listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Problem {
    Silence,
    Loss,
    Bus,
    Profiles,
}

/// What loading the models gave.
pub type Loaded = Result<Arc<Models>, ModelError>;

pub struct Supervisor {
    options: Options,
    config: Config,
    store: Store,
    models: Option<Arc<Models>>,
    model_loads: (Sender<Loaded>, Receiver<Loaded>),
    roster: Roster,
    orders: Orders,
    messages: Receiver<ListenerMessage>,
    commands: (Sender<Command>, Receiver<Command>),
    sinks: Sinks,
    systemd: Systemd,
    status: Status,
    /// What the sinks were told last.
    told: Option<Status>,
    /// The bus missed something.
    bus_behind: bool,
    holds: Holds,
    claim: Claim,
    lockout: Lockout,
    /// What enrolments tell.
    steps: (Sender<Numbered>, Receiver<Numbered>),
    microphone: Microphone,
    problems: BTreeMap<Problem, String>,
    store_watch: Watch,
    librarian: (Sender<Job>, Receiver<Reading>),
    /// Profiles are being read; they have to be read once more.
    reading: bool,
    read_again: bool,
    /// The models are new to the listener.
    engine_due: bool,
    /// The listener has an engine.
    ready: bool,
    /// This daemon has been on its bus.
    served: bool,
    /// How it ends, once it is to.
    end: Option<Result<(), ServiceError>>,
}

impl Supervisor {
    pub fn new(
        options: Options,
        config: Config,
        store: Store,
        orders: Sender<Order>,
        messages: Receiver<ListenerMessage>,
    ) -> Result<Self, ServiceError> {
        // The bus limits the calls that may wait; what it tells may neither wait nor get lost.
        let commands = unbounded();
        let sinks = Sinks::new(&config, options.json, &commands.0)?;
        Ok(Self {
            store_watch: Watch::new(vec![store.folder().to_owned()]),
            options,
            config,
            store,
            models: None,
            model_loads: bounded(1),
            roster: Roster::default(),
            orders: Orders::new(orders),
            messages,
            commands,
            sinks,
            systemd: Systemd::from_environment()?,
            status: Status::default(),
            told: None,
            bus_behind: false,
            holds: Holds::default(),
            claim: Claim::default(),
            lockout: Lockout::default(),
            steps: bounded(64),
            microphone: Microphone::new(),
            problems: BTreeMap::new(),
            librarian: librarian::spawn()?,
            reading: false,
            read_again: false,
            engine_due: false,
            ready: false,
            served: false,
            end: None,
        })
    }

    /// Where others leave their commands.
    pub fn commands(&self) -> Sender<Command> {
        self.commands.0.clone()
    }

    /// Runs until told to stop.
    pub fn run(mut self) -> Result<(), ServiceError> {
        self.load_models();
        self.open_microphone();
        self.publish();
        let (messages, commands) = (self.messages.clone(), self.commands.1.clone());
        let (loads, steps) = (self.model_loads.1.clone(), self.steps.1.clone());
        let readings = self.librarian.1.clone();
        let end = loop {
            if let Some(end) = self.end.take() {
                break end;
            }
            select! {
                recv(messages) -> message => match message {
                    Ok(message) => self.hear(message),
                    // The listener is gone: only a new process can help.
                    Err(_) => return Err(ServiceError::Listener),
                },
                recv(commands) -> command => if let Ok(command) = command { self.obey(command) },
                recv(steps) -> step => if let Ok((number, step)) = step { self.enrolled(number, step) },
                recv(readings) -> reading => if let Ok(reading) = reading { self.use_profiles(reading) },
                recv(loads) -> loaded => if let Ok(loaded) = loaded { self.use_models(loaded)? },
                default(TICK) => {}
            }
            self.look_around();
            self.publish();
            self.catch_up();
        };
        tracing::info!("stopping");
        let last = Status { state: State::Stopping, ..self.told.take().unwrap_or_default() };
        self.tell(Notification::Status(last));
        self.orders.give(Order::Close);
        let deadline = Instant::now() + FINISH_TIMEOUT;
        self.systemd.stopping(deadline);
        self.sinks.finish(deadline);
        end
    }

    // ---- what the listener says

    fn hear(&mut self, message: ListenerMessage) {
        match message {
            ListenerMessage::Opened(name) => {
                tracing::info!(name, "microphone open");
                self.microphone.opened();
                self.status.input_device = name;
            }
            ListenerMessage::Lost(error) => self.lost(&error),
            ListenerMessage::Event(event) => {
                let (event, pause) = self.lockout.judge(event);
                if pause {
                    let profile = &event.profile;
                    tracing::warn!(profile, "paused: the phrase was said again and again in other voices");
                }
                status::log(&event);
                // Whoever enrols says the phrase again and again, and wants nothing to happen.
                if !self.claim.taken() {
                    self.tell(Notification::Event(Arc::new(event)));
                }
            }
            ListenerMessage::Progress { samples, health } => self.progressed(samples, &health),
            ListenerMessage::Ended(reason) => {
                tracing::info!("standard input ended");
                self.end = Some(reason.map_or(Ok(()), |kind| Err(ServiceError::Piped(kind))));
            }
            ListenerMessage::AudioLost { stream, samples } => {
                self.tell(Notification::AudioLost { stream, samples });
            }
        }
    }

    fn lost(&mut self, error: &CaptureError) {
        let wait = self.microphone.lost(error.retry(), Instant::now());
        self.status.input_device.clear();
        self.problems.remove(&Problem::Silence);
        let text = error.to_string();
        if text != self.status.last_error {
            tracing::warn!("microphone: {text}; next attempt in {wait:?}");
        }
        self.status.last_error = text;
    }

    fn progressed(&mut self, samples: u64, health: &Health) {
        let Some(progress) = self.microphone.progressed(samples, health) else { return };
        self.systemd.fed(samples);
        if progress.first
            && let Realtime::Denied(reason) = &health.realtime
        {
            ask_for_priority(reason.clone());
        }
        if progress.dead {
            let text = "the microphone gives digital silence: is it muted, or another one the default?";
            self.problem(Problem::Silence, text);
        } else if health.dead_for.is_zero() {
            self.problems.remove(&Problem::Silence);
        }
        if progress.revive {
            self.open_microphone();
        }
    }

    // ---- what it does by itself

    fn look_around(&mut self) {
        let now = Instant::now();
        self.orders.send_kept();
        if self.microphone.loses(now) {
            self.problem(Problem::Loss, "audio is lost; is the machine overloaded?");
        } else {
            self.problems.remove(&Problem::Loss);
        }
        let missing = self.status.input_device.is_empty() && !self.status.muted;
        if self.microphone.due(missing, now) {
            self.open_microphone();
        }
        // Without a microphone no audio can feed the watchdog; what then has to go on is the waiting.
        if self.microphone.waits(now) {
            self.systemd.alive();
        }
        if self.store_watch.changed() {
            self.read_profiles();
        }
    }

    fn open_microphone(&mut self) {
        if self.status.muted {
            return;
        }
        self.microphone.ordered(Instant::now());
        let options = capture_options(&self.config, self.options.device.as_deref());
        self.orders.give(Order::Open(options));
    }
}

/// Real-time priority is worth asking for twice, but not worth waiting for.
fn ask_for_priority(denied: String) {
    let ask = move || match ask_realtime_kit() {
        Ok(priority) => tracing::info!(priority, "capture runs in real time"),
        Err(error) => tracing::warn!(
            "capture without real-time priority, audio may be lost on a busy machine: {denied}; {error}"
        ),
    };
    if let Err(error) = std::thread::Builder::new().name("priority".into()).spawn(ask) {
        tracing::warn!("no thread to ask for priority: {error}");
    }
}
