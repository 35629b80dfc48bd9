//! `org.wakeword.Wakeword1.Enrollment`

use std::collections::HashMap;
use std::sync::Arc;

use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedVariant, SerializeDict, Type, Variant, interface};

use super::daemon::{Shared, caller};
use super::error::BusError;
use super::queue::{CommandQueue, clean};
use crate::control::{Command, EnrolRequest};
use crate::enroll::{TAKES, text};

/// Name of the interface.
pub(super) const INTERFACE: &str = "org.wakeword.Wakeword1.Enrollment";

/// The enrolment of the daemon's object.
pub struct Enrollment {
    queue: CommandQueue,
    shared: Arc<Shared>,
}

impl Enrollment {
    pub(super) fn new(queue: CommandQueue, shared: Arc<Shared>) -> Self {
        Self { queue, shared }
    }
}

/// Enrols without a terminal: claim it, start, and follow the status until it is done.
#[interface(name = "org.wakeword.Wakeword1.Enrollment")]
impl Enrollment {
    /// Lets the caller alone enrol, until `Release` or until it leaves the bus. Meanwhile nothing said wakes
    /// anybody.
    async fn claim(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), BusError> {
        let owner = caller(&header)?;
        self.shared.remember_client(&owner);
        let claimant = owner.clone();
        self.queue.ask(&owner, |answer| Command::Claim { owner: claimant, answer }).await?;
        self.shared.check_client(&self.queue, connection, owner).await
    }

    /// Ends the claim, and the enrolment that may be under way: nothing of it is stored.
    async fn release(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        let owner = caller(&header)?;
        self.queue.ask(&owner.clone(), |answer| Command::ReleaseClaim { owner, answer }).await
    }

    /// Begins to listen for `NumEnrollStages` takes of a phrase, which become the profile of this name. Options:
    /// user (s, who says it; the profile's name if absent), replace (b, a profile of this name),
    /// allow-duplicate (b, although another profile wakes for this already).
    async fn enroll_start(
        &self,
        profile: String,
        phrase: String,
        options: HashMap<String, OwnedVariant>,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(), BusError> {
        let owner = caller(&header)?;
        let phrase = checked("phrase", &phrase)?;
        let mut request =
            EnrolRequest { user: profile.clone(), profile, phrase, replace: false, allow_duplicate: false };
        for (name, value) in &options {
            match (name.as_str(), &**value) {
                ("user", Variant::Str(user)) => request.user = checked("user", user)?,
                ("replace", Variant::Bool(replace)) => request.replace = *replace,
                ("allow-duplicate", Variant::Bool(allow)) => request.allow_duplicate = *allow,
                _ => {
                    let known = "use user (s), replace (b) and allow-duplicate (b)";
                    return Err(BusError::InvalidArgument(format!("option {:?}: {known}", clean(name))));
                }
            }
        }
        self.queue.ask(&owner.clone(), |answer| Command::StartEnrolment { owner, request, answer }).await
    }

    /// Stops the enrolment under way, if any: nothing of it is stored.
    async fn enroll_stop(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        let owner = caller(&header)?;
        self.queue.ask(&owner.clone(), |answer| Command::StopEnrolment { owner, answer }).await
    }

    /// Good takes that make a profile.
    #[zbus(property(emits_changed_signal = "const"))]
    #[expect(clippy::unused_self, reason = "a property is one of an object")]
    fn num_enroll_stages(&self) -> u32 {
        TAKES as u32
    }

    /// Sent to the claimant alone. Results: enroll-stage-passed and enroll-retry-scan after a take; with `done`,
    /// enroll-completed, or without a profile enroll-failed, enroll-duplicate, enroll-storage-full or
    /// enroll-device-lost. Details: stage (u, good takes so far), stages (u), text (s, for people), reason (s: of a
    /// take no-speech, too-quiet, clipped, too-noisy, too-short, too-long, repeated, wrong-phrase or
    /// inconsistent-voice; of a duplicate the other profile's name; absent if there is none).
    #[zbus(signal)]
    pub(super) async fn enroll_status(
        emitter: &SignalEmitter<'_>,
        result: &str,
        done: bool,
        details: StatusDetails,
    ) -> zbus::Result<()>;

    /// Sent to the claimant alone while it listens, ten times a second: how loud it is, in dBFS, and whether
    /// somebody speaks.
    #[zbus(signal)]
    pub(super) async fn enroll_level(
        emitter: &SignalEmitter<'_>,
        level_dbfs: f64,
        speech: bool,
    ) -> zbus::Result<()>;
}

fn checked(what: &str, value: &str) -> Result<String, BusError> {
    text(value).map_err(|reason| BusError::InvalidArgument(format!("{what} {:?}: {reason}", clean(value))))
}

/// The dictionary that comes with a status.
#[derive(SerializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub(super) struct StatusDetails {
    stage: u32,
    stages: u32,
    text: String,
    reason: Option<String>,
}

impl StatusDetails {
    pub(super) fn new(stage: usize, reason: Option<String>, text: String) -> Self {
        Self { stage: stage as u32, stages: TAKES as u32, text, reason }
    }
}
