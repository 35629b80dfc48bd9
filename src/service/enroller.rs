//! An enrolment over the bus: a thread that follows the audio handed over, and judges the takes in it.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use crate::control::{AudioStream, CommandError, EnrolRequest, EnrolResult, EnrolStep, HandedAudio};
use crate::engine::rule::Rule;
use crate::enroll::dialogue::{Dialogue, Enrolment, Failure, Input, Segmentation, Step};
use crate::enroll::{Problem, Quality, TAKES, TakeReport};
use crate::models::Models;
use crate::profile::Profile;
use crate::store::{Store, StoreError, now};

/// Longest wait for audio before it is looked whether to stop.
const WAIT: Duration = Duration::from_millis(100);
/// How long the listener may take to hand over its audio.
const OPENING: Duration = Duration::from_secs(10);

/// A step of the enrolment of this number.
pub type Numbered = (u64, EnrolStep);

/// All that an enrolment needs.
pub struct Enroller {
    pub models: Arc<Models>,
    pub store: Store,
    pub request: EnrolRequest,
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

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        let text = failure.to_string();
        let (result, reason) = match failure {
            Failure::Duplicate(other) => (EnrolResult::Duplicate, Some(other)),
            Failure::NoAudio { .. } => (EnrolResult::DeviceLost, None),
            Failure::GivenUp(_) | Failure::Learn(_) => (EnrolResult::Failed, None),
        };
        Self { result, reason, text }
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
        let mut dialogue = self.dialogue()?;
        let stream = self.audio.recv_timeout(OPENING).map_err(End::failed)?.map_err(End::failed)?;
        let mut audio = HandedAudio::new(stream.reader);
        let (mut samples, mut warnings, mut end) = (Vec::new(), String::new(), None);
        let mut follow = |step| match step {
            Step::Level { dbfs, speech } => self.tell(EnrolStep::Level(dbfs, speech)),
            Step::Take { report, good } => {
                *stage = good;
                self.tell(status(&report, good));
            }
            Step::Learned(learned) => warnings = text(&learned.warnings),
            Step::Done(profile) => end = Some(self.save(&profile)),
            Step::Failed(failure) => end = Some(Err(failure.into())),
            // Front ends on the bus see the level stop, and know what the next stage is.
            Step::Ask(_) | Step::AudioLost(_) | Step::AudioBack => {}
            // Only dialogues with tests have these.
            Step::Tested { .. } | Step::TestFailed | Step::NearWord { .. } => {}
        };
        dialogue.begin(&mut follow);
        while !dialogue.is_over() {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            samples.clear();
            let begun = Instant::now();
            let input = match audio.read(WAIT, &mut samples).map_err(End::failed)? {
                0 => Input::NoAudio(begun.elapsed().as_secs_f32()),
                _ => Input::Audio(&samples),
            };
            dialogue.feed(input, &mut follow);
        }
        match end {
            Some(end) => end.map(|()| Some(warnings)),
            None => Ok(None),
        }
    }

    fn dialogue(&self) -> Result<Dialogue, End> {
        let EnrolRequest { profile: name, phrase, user, allow_duplicate, .. } = &self.request;
        let limits = Quality::built_in().map_err(End::failed)?;
        let draft = Profile { user: user.clone(), ..Profile::draft(name, phrase, &self.models.fingerprint) };
        let others = self.others()?;
        let means = (self.models.clone(), Rule::default());
        let enrolment = Enrolment::new(means, limits.clone(), draft, TAKES, others);
        let enrolment = if *allow_duplicate { enrolment } else { enrolment.without_duplicates() };
        Ok(Dialogue::new(enrolment, limits, Segmentation::Automatic, false))
    }

    /// The other profiles, as they are stored now: the daemon may not listen for the latest of them yet.
    fn others(&self) -> Result<Vec<Arc<Profile>>, End> {
        let names = self.store.names()?.into_iter().filter(|other| *other != self.request.profile);
        let readable = names.filter_map(|other| self.store.load(&other).ok());
        Ok(readable.filter(|other| other.models == self.models.fingerprint).map(Arc::new).collect())
    }

    fn save(&self, profile: &Profile) -> Result<(), End> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(End::failed("stopped"));
        }
        let profile = Profile { created: now(), ..profile.clone() };
        self.store.put(&profile, self.request.replace)?;
        Ok(())
    }
}

fn status(report: &TakeReport, stage: usize) -> EnrolStep {
    let problems = if report.accepted { &report.warnings } else { &report.problems };
    EnrolStep::Status {
        result: if report.accepted { EnrolResult::StagePassed } else { EnrolResult::RetryScan },
        stage,
        reason: problems.first().map(|problem| problem.reason.name().into()),
        text: text(problems),
    }
}

fn text(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
