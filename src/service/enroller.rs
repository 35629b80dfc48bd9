//! An enrolment over the bus: a thread that follows the audio handed over, and judges the takes in it.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use crate::control::{AudioStream, CommandError, EnrolRequest, EnrolResult, EnrolStep, HandedAudio};
use crate::enroll::{Ear, Heard, Quality, Report, Session, State, TAKES};
use crate::models::Models;
use crate::profile::Profile;
use crate::store::{Store, StoreError, now};

/// How often it looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);
/// A pause of the audio that ends what was being said.
const BREAK: Duration = Duration::from_millis(500);
/// A microphone without sound for so long is lost.
const LOST: Duration = Duration::from_secs(10);

/// A step of the enrolment of this number.
pub type Numbered = (u64, EnrolStep);

/// All that an enrolment needs.
pub struct Enroller {
    pub models: Arc<Models>,
    pub store: Store,
    pub request: EnrolRequest,
    /// Profiles that there are already.
    pub others: Vec<Arc<Profile>>,
    /// Where its audio will come from.
    pub audio: Receiver<Result<AudioStream, CommandError>>,
    pub stop: Arc<AtomicBool>,
    /// Which enrolment it is, and who passes its steps on.
    pub number: u64,
    pub steps: Sender<Numbered>,
}

/// Why an enrolment ends without a profile.
struct End {
    result: EnrolResult,
    reason: Option<String>,
    text: String,
}

impl End {
    fn failed(text: impl ToString) -> Self {
        Self { result: EnrolResult::Failed, reason: None, text: text.to_string() }
    }
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        let full = matches!(&error, StoreError::Io { source, .. } if source.kind() == ErrorKind::StorageFull);
        Self {
            result: if full { EnrolResult::StorageFull } else { EnrolResult::Failed },
            ..Self::failed(error)
        }
    }
}

impl Enroller {
    /// Works until the profile is stored, something is wrong, or it is to stop.
    pub fn spawn(self) -> std::io::Result<()> {
        let work = move || {
            let mut stage = 0;
            let (result, reason, text) = match self.work(&mut stage) {
                Ok(Some(text)) => (EnrolResult::Completed, None, text),
                // Stopped: nobody listens any more.
                Ok(None) => return,
                Err(End { result, reason, text }) => (result, reason, text),
            };
            self.tell(EnrolStep::Status { result, stage, reason, text });
        };
        std::thread::Builder::new().name("enroller".into()).spawn(work)?;
        Ok(())
    }

    fn tell(&self, step: EnrolStep) {
        let _ = self.steps.send((self.number, step));
    }

    /// What is to be said of the stored profile; nothing if it was stopped.
    fn work(&self, stage: &mut usize) -> Result<Option<String>, End> {
        let limits = Quality::built_in().map_err(End::failed)?;
        let mut session = Session::new(self.models.clone(), limits.clone(), TAKES);
        let stream = self.audio.recv_timeout(LOST).map_err(End::failed)?.map_err(End::failed)?;
        let mut sound = Sound::new(HandedAudio::new(stream.reader), Ear::new(&limits));
        loop {
            match session.state() {
                State::Complete => break,
                State::GivenUp => {
                    let text =
                        format!("{} takes in a row could not be learned from", limits.dialogue.attempts);
                    return Err(End::failed(text));
                }
                State::Asking { .. } => {}
            }
            let Some(take) = sound.take(self)? else { return Ok(None) };
            let report = session.take(&take);
            *stage = session.good();
            self.tell(status(&report, *stage));
        }
        self.conclude(&session).map(Some)
    }

    fn conclude(&self, session: &Session) -> Result<String, End> {
        let EnrolRequest { profile: name, phrase, user, replace, allow_duplicate } = &self.request;
        let others: Vec<_> = self.others.iter().filter(|other| other.name != *name).cloned().collect();
        if !allow_duplicate && let Some(other) = session.duplicates(&others).first() {
            return Err(End {
                result: EnrolResult::Duplicate,
                reason: Some(other.name.clone()),
                text: format!("profile {:?} wakes for this phrase in this voice already", other.name),
            });
        }
        let learned = session.learn().map_err(End::failed)?;
        let mut profile = Profile::new(name, phrase, &self.models.fingerprint, learned);
        profile.created = now();
        profile.user.clone_from(user);
        if self.stop.load(Ordering::Relaxed) {
            return Err(End::failed("stopped"));
        }
        self.store.put(&profile, *replace)?;
        let warnings: Vec<String> = session.warnings().iter().map(ToString::to_string).collect();
        Ok(warnings.join("; "))
    }
}

fn status(report: &Report, stage: usize) -> EnrolStep {
    let problems = if report.accepted { &report.warnings } else { &report.problems };
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    EnrolStep::Status {
        result: if report.accepted { EnrolResult::StagePassed } else { EnrolResult::RetryScan },
        stage,
        reason: problems.first().map(|problem| problem.reason.name().into()),
        text: text.join("; "),
    }
}

/// The audio and the ear for it.
struct Sound {
    audio: HandedAudio,
    ear: Ear,
    /// When audio last came.
    heard: Instant,
    samples: Vec<f32>,
}

impl Sound {
    fn new(audio: HandedAudio, ear: Ear) -> Self {
        Self { audio, ear, heard: Instant::now(), samples: Vec::new() }
    }

    /// What is said next, empty if nobody speaks; nothing if it is to stop.
    fn take(&mut self, enroller: &Enroller) -> Result<Option<Vec<f32>>, End> {
        while !enroller.stop.load(Ordering::Relaxed) {
            self.samples.clear();
            if self.audio.read(LOOK, &mut self.samples).map_err(End::failed)? == 0 {
                if self.heard.elapsed() >= LOST {
                    let text = format!("no sound from the microphone for {} s", LOST.as_secs());
                    return Err(End { result: EnrolResult::DeviceLost, ..End::failed(text) });
                }
                continue;
            }
            if self.heard.elapsed() >= BREAK {
                self.ear.reset();
            }
            self.heard = Instant::now();
            let mut take = None;
            self.ear.push(&self.samples, |heard| match heard {
                Heard::Level(dbfs, speech) => enroller.tell(EnrolStep::Level(dbfs, speech)),
                Heard::Phrase(samples) => take = Some(samples),
                Heard::Nothing => take = Some(Vec::new()),
            });
            if take.is_some() {
                return Ok(take);
            }
        }
        Ok(None)
    }
}
