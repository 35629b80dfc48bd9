//! The supervisor: the one place that knows the daemon's condition and decides what happens next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::backoff::Backoff;
use super::command::{Answer, BusCondition, Command, CommandError, HoldKind};
use super::holds::{Holds, printable};
use super::listener::{Order, Report};
use super::notice::{Notice, State, Status};
use super::priority::ask_realtime_kit;
use super::roster::{self, Roster};
use super::sinks::Sinks;
use super::systemd::{self, Watchdog};
use super::watch::{Watch, microphone_places};
use super::{Options, ServiceError, capture_options};
use crate::audio::capture::{CaptureError, Health, Realtime, Retry};
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::rule::Rule;
use crate::models::{ModelError, Models};
use crate::store::Store;

/// How often it looks around when nothing happens.
const TICK: Duration = Duration::from_millis(250);
/// Exact zeros for so long are no room, however quiet.
const DEAD_AFTER: Duration = Duration::from_secs(5);
/// After so long, and then ever less often, the microphone is opened again: what is said in that moment is
/// lost, and some sources are silent whenever nobody speaks.
const REVIVED_AFTER: Duration = Duration::from_secs(60);
/// Losses are a problem until there were none for so long.
const LOSS_FORGOTTEN: Duration = Duration::from_secs(10);
/// An order to open the microphone that takes longer hangs.
const OPENING: Duration = Duration::from_secs(10);

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
    orders: Sender<Order>,
    reports: Receiver<Report>,
    commands: (Sender<Command>, Receiver<Command>),
    sinks: Sinks,
    watchdog: Watchdog,
    status: Status,
    /// What the sinks were told last.
    told: Option<Status>,
    holds: Holds,
    microphone: Microphone,
    problems: BTreeMap<Problem, String>,
    store_watch: Watch,
    stopping: bool,
}

/// What is known of the microphone.
struct Microphone {
    /// Audio came from it.
    hearing: bool,
    /// An order to open it was given then and not answered yet.
    opening: Option<Instant>,
    retry: Backoff,
    watch: Watch,
    /// It was missing or lost since it last gave audio.
    failed: bool,
    /// Reopened so many times because it was dead.
    revivals: u32,
    /// Overruns and lost samples of this capture, and of those before it.
    losses: (u64, u64),
    past: (u64, u64),
    lost_at: Option<Instant>,
    /// Samples heard at the last look.
    samples: u64,
}

impl Supervisor {
    pub fn new(
        options: Options,
        config: Config,
        store: Store,
        orders: Sender<Order>,
        reports: Receiver<Report>,
    ) -> Result<Self, ServiceError> {
        let commands = bounded(64);
        let sinks = Sinks::new(&config, options.json, &commands.0)?;
        Ok(Self {
            store_watch: Watch::new(vec![store.folder().to_owned()]),
            options,
            config,
            store,
            models: None,
            model_loads: bounded(1),
            roster: Roster::default(),
            orders,
            reports,
            commands,
            sinks,
            watchdog: Watchdog::from_environment(),
            status: Status::default(),
            told: None,
            holds: Holds::default(),
            microphone: Microphone {
                hearing: false,
                failed: false,
                opening: None,
                retry: Backoff::default(),
                watch: Watch::new(microphone_places()),
                revivals: 0,
                losses: (0, 0),
                past: (0, 0),
                lost_at: None,
                samples: 0,
            },
            problems: BTreeMap::new(),
            stopping: false,
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
        let (reports, commands) = (self.reports.clone(), self.commands.1.clone());
        let loads = self.model_loads.1.clone();
        while !self.stopping {
            select! {
                recv(reports) -> report => match report {
                    Ok(report) => self.hear(report),
                    // The listener is gone: only a new process can help.
                    Err(_) => return Err(ServiceError::Listener),
                },
                recv(commands) -> command => if let Ok(command) = command { self.obey(command) },
                recv(loads) -> loaded => if let Ok(loaded) = loaded { self.use_models(loaded)? },
                default(TICK) => {}
            }
            self.look_around();
            self.publish();
        }
        systemd::stopping();
        let last = Status { state: State::Stopping, ..self.told.take().unwrap_or_default() };
        self.sinks.publish(&Notice::Status(last));
        tracing::info!("stopping");
        self.order(Order::Close);
        self.sinks.finish();
        Ok(())
    }

    // ---- what the listener says

    fn hear(&mut self, report: Report) {
        let now = Instant::now();
        let microphone = &mut self.microphone;
        match report {
            Report::Opened(name) => {
                tracing::info!(name, "microphone open");
                microphone.opening = None;
                self.status.input_device = name;
            }
            Report::Lost(error) => self.lost(&error, now),
            Report::Verdict(event) => {
                let (detection, margin) = (&event.detection, event.detection.margin);
                match event.reason {
                    None => tracing::info!(profile = detection.profile, margin, "woke"),
                    Some(reason) => {
                        tracing::debug!(
                            profile = detection.profile,
                            margin,
                            "refused: {}",
                            reason.describe()
                        );
                    }
                }
                self.sinks.publish(&Notice::Verdict(Arc::new(event)));
            }
            Report::Progress { samples, health } => self.progressed(samples, &health, now),
            Report::AudioLost { stream, samples } => {
                self.sinks.publish(&Notice::AudioLost { stream, samples });
            }
            Report::EngineFailed(error) => {
                self.complain(error.to_string());
                self.load_models();
            }
        }
    }

    fn lost(&mut self, error: &CaptureError, now: Instant) {
        let microphone = &mut self.microphone;
        let heard = microphone.hearing;
        microphone.end_of_capture();
        microphone.failed = true;
        self.status.input_device.clear();
        self.problems.remove(&Problem::Silence);
        let wait = match error.retry() {
            // Only for a microphone that had worked: one that never does would be opened without end.
            Retry::Now if heard => {
                microphone.retry.hasten(now);
                Duration::ZERO
            }
            _ => microphone.retry.failed(now),
        };
        let text = error.to_string();
        if text != self.status.last_error {
            tracing::warn!("microphone: {text}; next attempt in {wait:?}");
        }
        self.status.last_error = text;
    }

    fn progressed(&mut self, samples: u64, health: &Health, now: Instant) {
        let microphone = &mut self.microphone;
        if samples > microphone.samples && !microphone.hearing {
            microphone.hearing = true;
            microphone.failed = false;
            if let Realtime::Denied(reason) = &health.realtime {
                ask_for_priority(reason.clone());
            }
            microphone.retry.succeeded();
        }
        self.watchdog.fed(samples);
        microphone.samples = samples;
        let lost = health.lost_samples > microphone.losses.1;
        microphone.losses = (health.overruns, health.lost_samples);
        let dead = health.dead_for >= DEAD_AFTER;
        if lost {
            microphone.lost_at = Some(now);
        }
        // A removed source often leaves a stream that lives on in silence.
        let revive = dead
            && health.dead_for >= REVIVED_AFTER * (1 << microphone.revivals.min(4))
            && microphone.opening.is_none();
        if health.dead_for.is_zero() {
            microphone.revivals = 0;
            self.problems.remove(&Problem::Silence);
        }
        if revive {
            microphone.revivals += 1;
            microphone.add_up();
            self.open_microphone();
        }
        if lost {
            self.problem(Problem::Loss, "audio was lost; is the machine overloaded?");
        }
        if dead {
            let text = "the microphone gives digital silence: is it muted, or another one the default?";
            self.problem(Problem::Silence, text);
        }
    }

    // ---- what others ask

    fn obey(&mut self, command: Command) {
        match command {
            Command::Hold { kind, reason, application, owner, answer } => {
                let (reason, application) = (printable(&reason), printable(&application));
                tracing::info!(?kind, reason, application, "hold");
                let begun = self.holds.begin(kind, owner.clone());
                let cookie = begun.as_ref().ok().copied();
                if answer.send(begun).is_err()
                    && let Some(cookie) = cookie
                {
                    // The caller has given up: it would never release.
                    let _ = self.holds.release(cookie, &owner);
                }
                self.holds_changed();
            }
            Command::Release { cookie, owner, answer } => {
                let _ = answer.send(self.holds.release(cookie, &owner));
                self.holds_changed();
            }
            Command::Vanished { owner } => {
                if self.holds.vanished(&owner) > 0 {
                    tracing::info!(owner, "holds released: their owner left the bus");
                    self.holds_changed();
                }
            }
            Command::Reload { answer } => {
                systemd::reloading();
                let reloaded = self.reload();
                systemd::ready();
                if let Err(error) = &reloaded {
                    self.complain(error.to_string());
                }
                if let Some(answer) = answer {
                    let _ = answer.send(reloaded);
                }
            }
            Command::OpenAudio { preroll_ms, answer } => {
                self.order(Order::OpenAudio(preroll_ms, answer));
            }
            Command::SetEnabled { profile, enabled, answer } => {
                let edited = roster::edit(&self.store, &profile, |settings| settings.enabled = enabled);
                self.edited(edited, &answer);
            }
            Command::SetThreshold { profile, threshold, answer } => {
                let edited = roster::edit(&self.store, &profile, |settings| settings.threshold = threshold);
                self.edited(edited, &answer);
            }
            Command::Remove { profile, answer } => {
                let removed = roster::remove(&self.store, &profile);
                self.edited(removed, &answer);
            }
            Command::Bus(condition) => self.bus(condition),
            Command::Stop => self.stopping = true,
        }
    }

    fn edited(&mut self, done: Result<(), CommandError>, answer: &Answer<()>) {
        if done.is_ok() {
            self.read_profiles();
        }
        let _ = answer.send(done);
    }

    fn holds_changed(&mut self) {
        let (muted, playback) = (self.holds.any(HoldKind::Mute), self.holds.any(HoldKind::Playback));
        if muted != self.status.muted {
            self.status.muted = muted;
            if muted {
                self.microphone.end_of_capture();
                self.microphone.retry.cancel();
                self.status.input_device.clear();
                self.order(Order::Close);
            } else {
                self.open_microphone();
            }
        }
        if playback != self.status.playback {
            self.status.playback = playback;
            self.update_engine();
        }
    }

    fn bus(&mut self, condition: BusCondition) {
        if condition == BusCondition::Serving {
            self.problems.remove(&Problem::Bus);
            tracing::info!("{condition}");
            return;
        }
        // Whoever held is out of reach, and could not release.
        self.holds.clear();
        self.holds_changed();
        self.problem(Problem::Bus, &condition.to_string());
    }

    // ---- what it does by itself

    fn look_around(&mut self) {
        let now = Instant::now();
        let microphone = &mut self.microphone;
        if microphone.lost_at.is_some_and(|at| now - at > LOSS_FORGOTTEN) {
            microphone.lost_at = None;
            self.problems.remove(&Problem::Loss);
        }
        let waiting =
            self.status.input_device.is_empty() && microphone.opening.is_none() && !self.status.muted;
        if microphone.watch.changed() && waiting {
            microphone.retry.hasten(now);
        }
        if microphone.retry.take_due(now) && waiting {
            self.open_microphone();
        }
        // Without a microphone no audio can feed the watchdog; what then has to go on is the waiting.
        let hangs = self.microphone.opening.is_some_and(|since| now - since > OPENING);
        if !self.microphone.hearing && !hangs {
            self.watchdog.excused();
        }
        if self.store_watch.changed() {
            self.read_profiles();
        }
    }

    fn open_microphone(&mut self) {
        if self.status.muted {
            return;
        }
        self.microphone.opening = Some(Instant::now());
        let options = capture_options(&self.config, self.options.device.as_deref());
        self.order(Order::Open(options));
    }

    /// Loading takes long: it must not keep the microphone waiting.
    fn load_models(&mut self) {
        let (folder, done) = (self.config.models.path.clone(), self.model_loads.0.clone());
        let load = move || {
            let _ = done.send(Models::load(folder.as_deref()).map(Arc::new));
        };
        if let Err(error) = std::thread::Builder::new().name("loader".into()).spawn(load) {
            self.complain(format!("no thread to load the models: {error}"));
        }
    }

    fn use_models(&mut self, loaded: Loaded) -> Result<(), ServiceError> {
        match (loaded, &self.models) {
            (Ok(models), _) => {
                let engine = Engine::new(models.clone(), &[], self.rule())?;
                let first = self.models.replace(models).is_none();
                self.order(Order::Engine(Box::new(engine)));
                self.read_profiles();
                if first {
                    systemd::ready();
                }
                Ok(())
            }
            // The old ones still serve.
            (Err(error), Some(_)) => {
                self.complain(error.to_string());
                Ok(())
            }
            (Err(error), None) => Err(error.into()),
        }
    }

    fn read_profiles(&mut self) {
        let Some(models) = &self.models else { return };
        self.roster = Roster::load(&self.store, &models.fingerprint);
        if self.roster.broken.is_empty() {
            self.problems.remove(&Problem::Profiles);
        } else {
            self.problem(Problem::Profiles, &self.roster.broken.join("; "));
        }
        tracing::info!(profiles = self.roster.profiles.len(), "profiles read");
        self.update_engine();
        self.sinks.publish(&Notice::Profiles(self.roster.profiles.clone()));
    }

    fn update_engine(&mut self) {
        self.order(Order::Update(self.roster.profiles.clone(), self.rule()));
    }

    fn rule(&self) -> Rule {
        let raise = if self.status.playback { self.config.service.playback_margin } else { 0.0 };
        Rule { threshold: self.config.detection.threshold, raise, ..Rule::default() }
    }

    /// All of the new configuration, or nothing of it.
    fn reload(&mut self) -> Result<(), CommandError> {
        let failed = |error: &dyn std::error::Error| CommandError::Failed(error.to_string());
        let config = Config::load(self.options.config.as_deref()).map_err(|error| failed(&error))?;
        let store = self.options.store(&config).map_err(|error| failed(&error))?;
        let old = std::mem::replace(&mut self.config, config);
        match self.sinks.update(&old, &self.config, &self.commands.0) {
            // A new bus knows nothing yet.
            Ok(true) => self.told = None,
            Ok(false) => {}
            Err(error) => {
                self.config = old;
                return Err(failed(&error));
            }
        }
        if old.detection != self.config.detection {
            self.sinks.publish(&Notice::Threshold(self.config.detection.threshold));
        }
        if store.folder() != self.store.folder() {
            self.store_watch = Watch::new(vec![store.folder().to_owned()]);
        }
        self.store = store;
        if old.models != self.config.models {
            self.load_models();
        }
        if old.audio != self.config.audio && !self.status.muted {
            self.microphone.end_of_capture();
            self.open_microphone();
        }
        self.read_profiles();
        tracing::info!("configuration read");
        Ok(())
    }

    /// The listener may hang in the sound system; nobody waits for it.
    fn order(&self, order: Order) {
        if self.orders.try_send(order).is_err() {
            tracing::error!("the listener hangs: it takes no more orders");
        }
    }

    // ---- what it tells

    /// Something is wrong from now on; said once.
    fn problem(&mut self, problem: Problem, text: &str) {
        if self.problems.insert(problem, text.into()).as_deref() != Some(text) {
            self.complain(text.into());
        }
    }

    fn complain(&mut self, text: String) {
        tracing::warn!("{text}");
        self.status.last_error = text;
    }

    fn state(&self) -> State {
        if self.status.muted {
            State::Held
        } else if !self.microphone.hearing {
            // An attempt that has not failed yet is no missing microphone.
            if self.microphone.failed { State::NoDevice } else { State::Starting }
        } else if self.models.is_none() {
            State::Starting
        } else if !self.problems.is_empty() {
            State::Degraded
        } else {
            State::Listening
        }
    }

    fn publish(&mut self) {
        let microphone = &self.microphone;
        let status = Status {
            state: self.state(),
            overruns: microphone.past.0 + microphone.losses.0,
            lost_samples: microphone.past.1 + microphone.losses.1,
            ..self.status.clone()
        };
        if self.told.as_ref() == Some(&status) {
            return;
        }
        if self.told.as_ref().is_none_or(|told| told.state != status.state) {
            tracing::info!(state = status.state.name(), "state");
        }
        systemd::status(&status);
        self.told = Some(status.clone());
        self.sinks.publish(&Notice::Status(status));
    }
}

impl Microphone {
    fn end_of_capture(&mut self) {
        self.hearing = false;
        self.opening = None;
        self.add_up();
    }

    /// The next capture counts its losses from zero.
    fn add_up(&mut self) {
        let (overruns, samples) = std::mem::take(&mut self.losses);
        self.past = (self.past.0 + overruns, self.past.1 + samples);
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
