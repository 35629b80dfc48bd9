//! What the supervisor tells.

use super::{Problem, Supervisor};
use crate::control::{Notification, State, Status};
use crate::engine::event::{Event, EventKind};

impl Supervisor {
    /// Something is wrong from now on; said once.
    pub(super) fn problem(&mut self, problem: Problem, text: &str) {
        if self.problems.insert(problem, text.into()).as_deref() != Some(text) {
            self.complain(text.into());
        }
    }

    pub(super) fn complain(&mut self, text: String) {
        tracing::warn!("{text}");
        self.status.last_error = text;
    }

    fn state(&self) -> State {
        if self.status.muted {
            State::Held
        } else if !self.microphone.hearing {
            // An attempt that has not failed yet is no missing microphone.
            if self.microphone.failed { State::NoDevice } else { State::Starting }
        } else if !self.ready {
            State::Starting
        } else if self.claim.taken() {
            State::Enrolling
        } else if !self.problems.is_empty() {
            State::Degraded
        } else {
            State::Listening
        }
    }

    pub(super) fn publish(&mut self) {
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

    pub(super) fn tell(&mut self, notification: Notification) {
        self.bus_behind |= !self.sinks.publish(&notification);
    }

    /// What a bus missed that is new or fell behind, it must still learn: all but the events.
    pub(super) fn catch_up(&mut self) {
        let Some(status) = self.told.clone().filter(|_| self.bus_behind) else { return };
        let news = [
            Notification::Threshold(self.config.detection.threshold),
            Notification::Profiles(self.roster.profiles.clone()),
            Notification::Status(status),
        ];
        self.bus_behind = !news.into_iter().all(|notification| self.sinks.tell_bus(notification));
    }
}

/// The line of the log.
pub(super) fn log(event: &Event) {
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
