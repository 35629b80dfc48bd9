//! What others ask.

use crossbeam_channel::bounded;

use super::{Problem, Supervisor};
use crate::control::{
    BusCondition, Command, CommandError, EnrolRequest, EnrolResult, EnrolStep, HoldKind, Notification,
};
use crate::service::ServiceError;
use crate::service::enroller::Enroller;
use crate::service::librarian::Change;
use crate::service::listener::Order;

impl Supervisor {
    pub(super) fn obey(&mut self, command: Command) {
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
                self.orders.give(Order::CloseAudio(owner.clone()));
                if self.holds.vanished(&owner) > 0 {
                    tracing::info!(owner, "holds released: their owner left the bus");
                    self.holds_changed();
                }
            }
            Command::Reload { answer } => self.obey_reload(answer),
            Command::OpenAudio { preroll_ms, owner, answer } => {
                self.orders.give(Order::OpenAudio { preroll_ms, owner, answer });
            }
            Command::SetEnabled { profile, enabled, answer } => {
                self.change(Change::Enabled(profile, enabled), answer);
            }
            Command::SetThreshold { profile, threshold, answer } => {
                self.change(Change::Threshold(profile, threshold), answer);
            }
            Command::Remove { profile, answer } => self.change(Change::Remove(profile), answer),
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
            Command::Stop => self.end = Some(Ok(())),
        }
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
            audio,
            stop,
            number,
            steps: self.steps.0.clone(),
        };
        if let Err(error) = enroller.spawn() {
            self.claim.stop(owner)?;
            return Err(CommandError::Failed(error.to_string()));
        }
        self.orders.give(Order::OpenAudio { preroll_ms: 0, owner: String::new(), answer: sender });
        Ok(())
    }

    pub(super) fn enrolled(&mut self, number: u64, step: EnrolStep) {
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
                self.orders.give(Order::Close);
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
        match condition {
            BusCondition::Serving => {
                self.served = true;
                self.problems.remove(&Problem::Bus);
                tracing::info!("{condition}");
                return;
            }
            // Two daemons would run every hook twice.
            BusCondition::NameTaken if !self.served => {
                self.end = Some(Err(ServiceError::AnotherDaemon));
                return;
            }
            BusCondition::NameTaken | BusCondition::Lost(_) => {}
        }
        // Whoever held or claimed is out of reach, and could not release.
        self.claim.clear();
        self.holds.clear();
        self.holds_changed();
        self.problem(Problem::Bus, &condition.to_string());
    }
}
