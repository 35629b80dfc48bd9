//! What subscribers see: signals, and properties as they change.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use zbus::fdo::Properties;
use zbus::names::{BusName, InterfaceName};
use zbus::object_server::SignalEmitter;
use zbus::{Connection, Variant};

use super::PATH;
use super::daemon::{Daemon, details};
use super::enrollment::{Enrollment, StatusDetails};
use super::profile::{self, ProfileObject, Shown, View};
use super::queue::CommandQueue;
use crate::control::{EnrolStep, Notification, Status};
use crate::digits;
use crate::engine::event::{Event, EventKind};
use crate::profile::Profile;

/// Name of the interface of the daemon's object.
pub(super) const DAEMON: &str = "org.wakeword.Wakeword1.Daemon";

/// Counters may change with every block of audio; nobody needs to hear of each.
const COUNTERS_EVERY: Duration = Duration::from_secs(1);

/// What there is to publish at any moment: it outlives connections.
pub struct News {
    pub status: Status,
    profiles: Vec<Arc<Profile>>,
    threshold: f32,
}

impl News {
    pub fn new(threshold: f32) -> Self {
        Self { status: Status::default(), profiles: Vec::new(), threshold }
    }

    /// Takes what lasts from a notification.
    pub fn keep(&mut self, notification: Notification) {
        match notification {
            Notification::Status(status) => self.status = status,
            Notification::Profiles(profiles) => self.profiles = profiles,
            Notification::Threshold(threshold) => self.threshold = threshold,
            Notification::Event(_) | Notification::Enrolment { .. } | Notification::AudioLost { .. } => {}
        }
    }

    fn views(&self) -> BTreeMap<String, View> {
        let view = |profile: &Arc<Profile>| (profile.name.clone(), View::new(profile, self.threshold));
        self.profiles.iter().map(view).collect()
    }
}

/// Emits on one connection.
pub struct Publisher {
    emitter: SignalEmitter<'static>,
    queue: CommandQueue,
    /// The condition as subscribers know it.
    told: Status,
    /// When its counters were told.
    counters_told: Instant,
    /// Whether they have changed since.
    counters_changed: bool,
    profiles: BTreeMap<String, Shown>,
}

impl Publisher {
    /// Registers the profiles' objects.
    pub async fn new(connection: Connection, queue: CommandQueue, news: &News) -> zbus::Result<Self> {
        let mut publisher = Self {
            emitter: SignalEmitter::new(&connection, PATH)?.into_owned(),
            queue,
            told: news.status.clone(),
            counters_told: Instant::now(),
            counters_changed: false,
            profiles: BTreeMap::new(),
        };
        publisher.profiles(news).await?;
        Ok(publisher)
    }

    /// Tells all properties.
    pub async fn greet(&self, news: &News) -> zbus::Result<()> {
        let mut all = changes(None, &news.status);
        all.extend(counters(&news.status));
        self.changed(&self.emitter, DAEMON, all).await
    }

    pub async fn event(&self, event: &Event) -> zbus::Result<()> {
        let (emitter, profile, details) = (&self.emitter, &event.profile, details(event));
        match event.kind {
            EventKind::Candidate => Ok(()),
            EventKind::Detected => Daemon::detected(emitter, profile, details).await,
            EventKind::Rejected(_) => Daemon::rejected(emitter, profile, details).await,
            EventKind::OtherVoice => Daemon::other_voice(emitter, profile, details).await,
        }
    }

    pub async fn audio_lost(&self, owner: BusName<'_>, stream: u32, samples: u64) -> zbus::Result<()> {
        let emitter = self.emitter.to_owned().set_destination(owner);
        Daemon::audio_lost(&emitter, stream, samples).await
    }

    /// Tells the claimant alone how its enrolment goes.
    pub async fn enrolment(&self, owner: BusName<'_>, step: &EnrolStep) -> zbus::Result<()> {
        let emitter = self.emitter.to_owned().set_destination(owner);
        match step {
            EnrolStep::Level(dbfs, speech) => {
                Enrollment::enroll_level(&emitter, digits::widen(*dbfs), *speech).await
            }
            EnrolStep::Status { result, stage, reason, text } => {
                let details = StatusDetails::new(*stage, reason.clone(), text.clone());
                Enrollment::enroll_status(&emitter, result.name(), result.done(), details).await
            }
        }
    }

    /// Tells what changed of the condition; its counters when they are due.
    pub async fn status(&mut self, status: &Status) -> zbus::Result<()> {
        let changed = changes(Some(&self.told), status);
        if !changed.is_empty() {
            self.changed(&self.emitter, DAEMON, changed).await?;
        }
        self.counters_changed |=
            (self.told.overruns, self.told.lost_samples) != (status.overruns, status.lost_samples);
        self.told.clone_from(status);
        match self.counters_due() {
            Some(due) if due <= Instant::now() => self.counters(status).await,
            _ => Ok(()),
        }
    }

    /// When the counters are to be told, if they changed.
    pub fn counters_due(&self) -> Option<Instant> {
        self.counters_changed.then(|| self.counters_told + COUNTERS_EVERY)
    }

    /// Tells the counters.
    pub async fn counters(&mut self, status: &Status) -> zbus::Result<()> {
        self.counters_told = Instant::now();
        self.counters_changed = false;
        self.changed(&self.emitter, DAEMON, counters(status)).await
    }

    /// Makes the profiles' objects those that there are now.
    pub async fn profiles(&mut self, news: &News) -> zbus::Result<()> {
        let server = self.emitter.connection().object_server();
        let views = news.views();
        let gone: Vec<String> =
            self.profiles.keys().filter(|name| !views.contains_key(*name)).cloned().collect();
        for name in gone {
            server.remove::<ProfileObject, _>(profile::path(&name)).await?;
            self.profiles.remove(&name);
        }
        for (name, view) in views {
            let path = profile::path(&name);
            let Some(shown) = self.profiles.get(&name) else {
                let shown = Arc::new(Mutex::new(view));
                let object = ProfileObject::new(name.clone(), self.queue.clone(), shown.clone());
                server.at(path, object).await?;
                self.profiles.insert(name, shown);
                continue;
            };
            let before =
                std::mem::replace(&mut *shown.lock().unwrap_or_else(PoisonError::into_inner), view.clone());
            if before != view {
                let emitter = SignalEmitter::new(self.emitter.connection(), path)?;
                self.changed(&emitter, profile::INTERFACE, before.changes(&view)).await?;
            }
        }
        Ok(())
    }

    /// Leaves the bus.
    pub async fn close(self) {
        // A bus that is gone cannot be left.
        let _ = self.emitter.connection().clone().close().await;
    }

    async fn changed(
        &self,
        emitter: &SignalEmitter<'_>,
        interface: &str,
        changed: HashMap<&str, Variant<'_>>,
    ) -> zbus::Result<()> {
        let interface = InterfaceName::try_from(interface)?;
        Properties::properties_changed(emitter, interface, changed, (&[]).into()).await
    }
}

/// The properties but for the counters, or only those that differ from `old`.
fn changes<'a>(old: Option<&Status>, new: &'a Status) -> HashMap<&'static str, Variant<'a>> {
    let differs = |same: fn(&Status, &Status) -> bool| old.is_none_or(|old| !same(old, new));
    let all = [
        (differs(|a, b| a.state == b.state), "State", Variant::from(new.state.name())),
        (differs(|a, b| a.input_device == b.input_device), "InputDevice", Variant::from(&new.input_device)),
        (differs(|a, b| a.muted == b.muted), "Muted", Variant::from(new.muted)),
        (differs(|a, b| a.playback == b.playback), "Playback", Variant::from(new.playback)),
        (differs(|a, b| a.last_error == b.last_error), "LastError", Variant::from(&new.last_error)),
    ];
    all.into_iter().filter(|(changed, ..)| *changed).map(|(_, name, value)| (name, value)).collect()
}

fn counters(status: &Status) -> HashMap<&'static str, Variant<'static>> {
    [("Overruns", Variant::from(status.overruns)), ("LostSamples", Variant::from(status.lost_samples))].into()
}
