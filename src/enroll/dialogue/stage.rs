//! A part of a dialogue, and what all parts work on.

use std::sync::Arc;

use super::step::{Failure, Learned, Prompt, Step};
use crate::engine::rule::Rule;
use crate::enroll::{EnrolError, NearWordError, Quality, Session, add_near_words, near_word};
use crate::models::Models;
use crate::profile::Profile;

/// A part of a dialogue in which one kind of thing is asked for.
pub(super) trait Stage {
    /// What the user is to say now; `None` for a stage in which nobody has to speak.
    fn prompt(&self, enrolment: &Enrolment) -> Option<Prompt>;

    /// Whether the user may leave it out.
    fn optional(&self) -> bool {
        false
    }

    /// Takes what was said; it is empty if nobody spoke.
    fn advance(&mut self, enrolment: &mut Enrolment, said: &[f32], sink: &mut dyn FnMut(Step)) -> Progress;
}

/// What follows a stage's answer.
pub(super) enum Progress {
    /// The same stage asks again.
    Again,
    /// The next stage.
    Next,
    /// The end, with a profile.
    Last,
    /// The end, without one.
    Failed(Failure),
}

/// What an enrolment is made of: the takes so far, and what is to become of them.
pub struct Enrolment {
    pub(super) models: Arc<Models>,
    pub(super) rule: Rule,
    pub(super) session: Session,
    /// The profile without its new takes.
    draft: Profile,
    others: Vec<Arc<Profile>>,
    learned: Option<Arc<Profile>>,
    /// Whether another profile may wake for the same phrase and voice.
    pub(super) duplicates_allowed: bool,
}

impl Enrolment {
    /// `wanted` takes for the profile `draft`; they have to fit those that it has. `others` are the profiles beside
    /// it, and `rule` is what the finished profile is tested by.
    pub fn new(
        (models, rule): (Arc<Models>, Rule),
        limits: Quality,
        draft: Profile,
        wanted: usize,
        others: Vec<Arc<Profile>>,
    ) -> Self {
        let session = Session::new(models.clone(), limits, wanted, &draft.takes);
        Self { models, rule, session, draft, others, learned: None, duplicates_allowed: true }
    }

    /// Refuses a phrase for which another profile wakes in this voice already.
    #[must_use]
    pub fn without_duplicates(self) -> Self {
        Self { duplicates_allowed: false, ..self }
    }

    /// The models that hear it.
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// The phrase as text.
    pub fn phrase(&self) -> &str {
        &self.draft.phrase
    }

    /// The takes.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The takes, to add to them.
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// What the takes give.
    pub fn learn(&mut self) -> Result<Learned, EnrolError> {
        Ok(Learned {
            profile: self.profile()?,
            warnings: self.session.warnings(),
            duplicates: self.session.duplicates(&self.others),
        })
    }

    /// Adds the near word in `said` to the profile, unless it is none.
    pub(super) fn teach(
        &mut self,
        limits: &Quality,
        said: &[f32],
    ) -> Result<Result<(), NearWordError>, EnrolError> {
        let mut profile = Profile::clone(&*self.profile()?);
        let word = near_word(&self.models, limits, &profile, said);
        Ok(word.map(|word| {
            add_near_words(&mut profile, vec![word]);
            self.learned = Some(Arc::new(profile));
        }))
    }

    /// The profile that the takes give.
    pub(super) fn profile(&mut self) -> Result<Arc<Profile>, EnrolError> {
        if let Some(learned) = &self.learned {
            return Ok(learned.clone());
        }
        let (takes, scales) = self.session.learn()?;
        Ok(self.learned.insert(Arc::new(Profile { takes, scales, ..self.draft.clone() })).clone())
    }
}
