//! Models, profiles and configuration, as they are read.

use std::sync::Arc;

use super::{Loaded, Problem, Supervisor};
use crate::config::Config;
use crate::control::{Answer, CommandError, Notification};
use crate::engine::Engine;
use crate::engine::rule::Rule;
use crate::models::Models;
use crate::service::ServiceError;
use crate::service::librarian::{Change, Job, Reading};
use crate::service::listener::Order;
use crate::service::roster::Roster;
use crate::service::watch::Watch;

impl Supervisor {
    /// Loading takes long: it must not keep the microphone waiting.
    pub(super) fn load_models(&mut self) {
        let (folder, done) = (self.config.models.path.clone(), self.model_loads.0.clone());
        let load = move || {
            let _ = done.send(Models::load(folder.as_deref()).map(Arc::new));
        };
        if let Err(error) = std::thread::Builder::new().name("loader".into()).spawn(load) {
            self.complain(format!("no thread to load the models: {error}"));
        }
    }

    pub(super) fn use_models(&mut self, loaded: Loaded) -> Result<(), ServiceError> {
        match (loaded, &self.models) {
            (Ok(models), _) => {
                let (keyword, speaker) = (&models.keyword.choice, &models.speaker.choice);
                tracing::info!(%keyword, %speaker, "models loaded");
                self.models = Some(models);
                // Its engine begins with its profiles: what was said meanwhile is heard with them.
                self.engine_due = true;
                self.read_profiles();
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

    /// Has the profiles read. What they are comes to [`use_profiles`](Self::use_profiles).
    pub(super) fn read_profiles(&mut self) {
        // What changes while the store is being read may have been missed.
        if std::mem::replace(&mut self.reading, true) {
            self.read_again = true;
        } else {
            self.have_done(None);
        }
    }

    pub(super) fn change(&mut self, change: Change, answer: Answer<()>) {
        self.have_done(Some((change, answer)));
    }

    fn have_done(&self, change: Option<(Change, Answer<()>)>) {
        let fingerprint = self.models.as_ref().map(|models| models.fingerprint.clone());
        // The thread lives as long as its jobs may come.
        let _ = self.librarian.0.send(Job { store: self.store.clone(), fingerprint, change });
    }

    pub(super) fn use_profiles(&mut self, reading: Reading) {
        let Reading { fingerprint, roster, change } = reading;
        if change.is_none() {
            self.reading = false;
            if std::mem::take(&mut self.read_again) {
                self.read_profiles();
            }
        }
        // Read for models that were replaced meanwhile: these profiles are about to be read again.
        if self.models.as_ref().is_some_and(|models| models.fingerprint == fingerprint) {
            self.listen_for(roster);
        }
        if let Some((done, answer)) = change {
            let _ = answer.send(done);
        }
    }

    fn listen_for(&mut self, roster: Roster) {
        self.roster = roster;
        if !self.roster.broken.is_empty() {
            self.problem(Problem::Profiles, &self.roster.broken.join("; "));
        } else if !self.roster.profiles.iter().any(|profile| profile.settings.enabled) {
            let text = "there is no profile to listen for; enrol one: wakeword enroll NAME --phrase TEXT";
            self.problem(Problem::Profiles, text);
        } else {
            self.problems.remove(&Problem::Profiles);
        }
        let (profiles, voices) = (self.roster.profiles.len(), self.roster.voices.len());
        tracing::info!(profiles, voices, "profiles read");
        match self.models.clone().filter(|_| self.engine_due) {
            Some(models) => {
                self.engine_due = false;
                let mut engine = Engine::new(models, &self.roster.profiles, self.rule());
                engine.recognise(self.roster.voices.clone());
                self.orders.give(Order::Engine(Box::new(engine)));
                if !std::mem::replace(&mut self.ready, true) {
                    self.systemd.ready();
                }
            }
            None => self.update_engine(),
        }
        self.tell(Notification::Profiles(self.roster.profiles.clone()));
    }

    pub(super) fn update_engine(&mut self) {
        let Roster { profiles, voices, .. } = &self.roster;
        self.orders.give(Order::Update(profiles.clone(), voices.clone(), self.rule()));
    }

    fn rule(&self) -> Rule {
        let raise = if self.status.playback { self.config.service.playback_margin } else { 0.0 };
        Rule { raise, ..self.config.detection.rule() }
    }

    pub(super) fn obey_reload(&mut self, answer: Option<Answer<()>>) {
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
}
