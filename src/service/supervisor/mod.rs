//! The supervisor: the one place that knows the daemon's condition and decides what happens next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::claim::Claim;
use super::enroller::{Enroller, Numbered};
use super::holds::Holds;
use super::listener::{ListenerMessage, Order};
use super::microphone::Microphone;
use super::priority::ask_realtime_kit;
use super::roster::{self, Roster};
use super::sinks::Sinks;
use super::systemd::Systemd;
use super::watch::Watch;
use super::{Options, ServiceError, capture_options};
use crate::audio::capture::{CaptureError, Health, Realtime};
use crate::config::Config;
use crate::control::{
    Answer, BusCondition, Command, CommandError, EnrolRequest, EnrolResult, EnrolStep, HoldKind,
    Notification, State, Status,
};
use crate::engine::Engine;
use crate::engine::event::{Event, EventKind};
use crate::engine::rule::Rule;
use crate::models::{ModelError, Models};
use crate::store::Store;

/// How often it looks around when nothing happens.
const TICK: Duration = Duration::from_millis(250);
/// What is left to tell at the end may take so long.
const PATIENCE: Duration = Duration::from_millis(300);

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
    /// What enrolments tell.
    steps: (Sender<Numbered>, Receiver<Numbered>),
    microphone: Microphone,
    problems: BTreeMap<Problem, String>,
    store_watch: Watch,
    stopping: bool,
}

impl Supervisor {
    pub fn new(
        options: Options,
        config: Config,
        store: Store,
        orders: Sender<Order>,
        messages: Receiver<ListenerMessage>,
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
            messages,
            commands,
            sinks,
            systemd: Systemd::from_environment()?,
            status: Status::default(),
            told: None,
            bus_behind: false,
            holds: Holds::default(),
            claim: Claim::default(),
            steps: bounded(64),
            microphone: Microphone::new(),
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
        let (messages, commands) = (self.messages.clone(), self.commands.1.clone());
        let (loads, steps) = (self.model_loads.1.clone(), self.steps.1.clone());
        while !self.stopping {
            select! {
                recv(messages) -> message => match message {
                    Ok(message) => self.hear(message),
                    // The listener is gone: only a new process can help.
                    Err(_) => return Err(ServiceError::Listener),
                },
                recv(commands) -> command => if let Ok(command) = command { self.obey(command) },
                recv(steps) -> step => if let Ok((number, step)) = step { self.enrolled(number, step) },
                recv(loads) -> loaded => if let Ok(loaded) = loaded { self.use_models(loaded)? },
                default(TICK) => {}
            }
            self.look_around();
            self.publish();
            self.catch_up();
        }
        tracing::info!("stopping");
        let last = Status { state: State::Stopping, ..self.told.take().unwrap_or_default() };
        self.tell(Notification::Status(last));
        self.order(Order::Close);
        let deadline = Instant::now() + PATIENCE;
        self.systemd.stopping(deadline);
        self.sinks.finish(deadline);
        Ok(())
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
                log(&event);
                // Whoever enrols says the phrase again and again, and wants nothing to happen.
                if !self.claim.taken() {
                    self.tell(Notification::Event(Arc::new(event)));
                }
            }
            ListenerMessage::Progress { samples, health } => self.progressed(samples, &health),
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

    // ---- what others ask

    fn obey(&mut self, command: Command) {
        match command {
            Command::Hold { kind, reason, application, owner, answer } => {
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
                if self.claim.vanished(&owner) {
                    tracing::info!(owner, "enrolment free again: the claimant left the bus");
                }
                if self.holds.vanished(&owner) > 0 {
                    tracing::info!(owner, "holds released: their owner left the bus");
                    self.holds_changed();
                }
            }
            Command::Reload { answer } => {
                self.systemd.reloading();
                let reloaded = self.reload();
                self.systemd.ready();
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
            Command::Claim { owner, answer } => {
                let claimed = self.claim.begin(owner.clone());
                if answer.send(claimed).is_err() {
                    // The caller has given up: it would never release.
                    self.claim.vanished(&owner);
                }
            }
            Command::ReleaseClaim { owner, answer } => {
                let _ = answer.send(self.claim.release(&owner));
            }
            Command::StartEnrolment { owner, request, answer } => {
                let _ = answer.send(self.start_enrolment(&owner, request));
            }
            Command::StopEnrolment { owner, answer } => {
                let _ = answer.send(self.claim.stop(&owner));
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

    fn start_enrolment(&mut self, owner: &str, request: EnrolRequest) -> Result<(), CommandError> {
        self.claim.free(owner)?;
        let free = self.store.check_free(&request.profile, request.replace);
        free.map_err(|error| CommandError::Invalid(error.to_string()))?;
        let Some(models) = self.models.clone() else {
            return Err(CommandError::Failed("the models are not loaded yet; try again".into()));
        };
        if !self.microphone.hearing {
            return Err(CommandError::NoAudio("the microphone is muted or missing".into()));
        }
        let (sender, audio) = bounded(1);
        let (number, stop) = self.claim.start();
        tracing::info!(profile = request.profile, "enrolment begins");
        let enroller = Enroller {
            models,
            store: self.store.clone(),
            request,
            others: self.roster.profiles.clone(),
            audio,
            stop,
            number,
            steps: self.steps.0.clone(),
        };
        if let Err(error) = enroller.spawn() {
            self.claim.stop(owner)?;
            return Err(CommandError::Failed(error.to_string()));
        }
        self.order(Order::OpenAudio(0, sender));
        Ok(())
    }

    fn enrolled(&mut self, number: u64, step: EnrolStep) {
        let Some(owner) = self.claim.listener(number).map(String::from) else { return };
        if let EnrolStep::Status { result, text, .. } = &step
            && result.done()
        {
            tracing::info!(result = result.name(), text, "enrolment ends");
            // Done already: this cannot fail.
            let _ = self.claim.stop(&owner);
            if *result == EnrolResult::Completed {
                self.read_profiles();
            }
        }
        self.tell(Notification::Enrolment { owner, step });
    }

    fn holds_changed(&mut self) {
        let (muted, playback) = (self.holds.any(HoldKind::Mute), self.holds.any(HoldKind::Playback));
        if muted != self.status.muted {
            self.status.muted = muted;
            if muted {
                self.microphone.closed();
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
        // Whoever held or claimed is out of reach, and could not release.
        self.claim.clear();
        self.holds.clear();
        self.holds_changed();
        self.problem(Problem::Bus, &condition.to_string());
    }

    // ---- what it does by itself

    fn look_around(&mut self) {
        let now = Instant::now();
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
                let engine = Engine::new(models.clone(), &[], self.rule());
                let first = self.models.replace(models).is_none();
                self.order(Order::Engine(Box::new(engine)));
                self.read_profiles();
                if first {
                    self.systemd.ready();
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
        let (profiles, voices) = (self.roster.profiles.len(), self.roster.voices.len());
        tracing::info!(profiles, voices, "profiles read");
        self.update_engine();
        self.tell(Notification::Profiles(self.roster.profiles.clone()));
    }

    fn update_engine(&mut self) {
        let Roster { profiles, voices, .. } = &self.roster;
        self.order(Order::Update(profiles.clone(), voices.clone(), self.rule()));
    }

    fn rule(&self) -> Rule {
        let raise = if self.status.playback { self.config.service.playback_margin } else { 0.0 };
        Rule { raise, ..self.config.detection.rule() }
    }

    /// All of the new configuration, or nothing of it.
    fn reload(&mut self) -> Result<(), CommandError> {
        let failed = |error: &dyn std::error::Error| CommandError::Failed(error.to_string());
        let config = Config::load(self.options.config.as_deref()).map_err(|error| failed(&error))?;
        let store = self.options.store(&config).map_err(|error| failed(&error))?;
        if config.models != self.config.models {
            Models::check(config.models.path.as_deref()).map_err(|error| failed(&error))?;
        }
        let old = std::mem::replace(&mut self.config, config);
        match self.sinks.update(&old, &self.config, &self.commands.0) {
            Ok(other) => self.bus_behind |= other,
            Err(error) => {
                self.config = old;
                return Err(failed(&error));
            }
        }
        if old.detection != self.config.detection {
            self.tell(Notification::Threshold(self.config.detection.threshold));
        }
        if store.folder() != self.store.folder() {
            self.store_watch = Watch::new(vec![store.folder().to_owned()]);
        }
        self.store = store;
        if old.models != self.config.models {
            self.load_models();
        }
        if old.service.preroll_s != self.config.service.preroll_s {
            tracing::warn!("preroll_s changes at the next start");
        }
        if old.audio != self.config.audio && !self.status.muted {
            self.microphone.closed();
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
        let status = Status {
            state: self.state(),
            overruns: self.microphone.overruns(),
            lost_samples: self.microphone.lost_samples(),
            ..self.status.clone()
        };
        if self.told.as_ref() == Some(&status) {
            return;
        }
        if self.told.as_ref().is_none_or(|told| told.state != status.state) {
            tracing::info!(state = status.state.name(), "state");
        }
        self.systemd.status(&status);
        self.told = Some(status.clone());
        self.tell(Notification::Status(status));
    }

    fn tell(&mut self, notification: Notification) {
        self.bus_behind |= !self.sinks.publish(&notification);
    }

    /// What a bus missed that is new or fell behind, it must still learn: all but the events.
    fn catch_up(&mut self) {
        let Some(status) = self.told.clone().filter(|_| self.bus_behind) else { return };
        let news = [
            Notification::Threshold(self.config.detection.threshold),
            Notification::Profiles(self.roster.profiles.clone()),
            Notification::Status(status),
        ];
        self.bus_behind = !news.into_iter().all(|notification| self.sinks.tell_bus(notification));
    }
}

fn log(event: &Event) {
    let Event { profile, speaker, margin, .. } = event;
    match event.kind {
        EventKind::Candidate => {}
        EventKind::Detected => tracing::info!(profile, margin, "detected"),
        EventKind::Rejected(reason) => tracing::debug!(profile, margin, "rejected: {}", reason.describe()),
        EventKind::OtherVoice => {
            let speaker = speaker.as_ref().map(|speaker| &speaker.name);
            tracing::info!(profile, speaker, "the phrase in another voice");
        }
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
