//! What goes into a dialogue, and what comes out.

use std::sync::Arc;

use crate::engine::event::Event;
use crate::enroll::{EnrolError, NearWordError, Problem, TakeReport};
use crate::profile::Profile;

/// What a front end gives to a dialogue.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// The next samples, any number (16 kHz mono, full scale 1).
    Audio(&'a [f32]),
    /// No audio came for so many seconds since the last input.
    NoAudio(f32),
    /// The source is lost, for this reason; another may be opened.
    Lost(String),
    /// What was heard so far is no answer: the prompt is shown only now.
    Restart,
    /// The user began or ended a take, where takes are marked.
    Mark,
    /// The user leaves out what was asked for. Does nothing where it is needed.
    Skip,
}

/// What the user is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// The phrase.
    Take {
        /// Which take, from 1.
        number: usize,
        /// How many there will be.
        of: usize,
    },
    /// The phrase once more, to see that it is accepted.
    TestPhrase,
    /// A sentence without the phrase, to see that it is not accepted.
    OtherSentence,
    /// Something that sounds nearly like the phrase, and must not wake.
    NearWord {
        /// Which, from 1.
        number: usize,
        /// How many there will be.
        of: usize,
    },
}

/// A step of a dialogue.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The user is asked to say something.
    Ask(Prompt),
    /// How loud it is.
    Level {
        /// Level of the last tenth of a second.
        dbfs: f32,
        /// Whether somebody speaks.
        speech: bool,
    },
    /// A take was judged.
    Take {
        /// The verdict.
        report: TakeReport,
        /// How many good takes there are now.
        good: usize,
    },
    /// No audio comes any more, for this reason. What was being said has to be said again.
    AudioLost(String),
    /// Audio comes again.
    AudioBack,
    /// The takes gave a profile.
    Learned(Learned),
    /// What the daemon would make of the answer to a test.
    Tested {
        /// What was asked for.
        prompt: Prompt,
        /// Whether anybody spoke.
        answered: bool,
        /// The acceptance, or the best refusal; absent if nothing like the phrase was heard.
        heard: Option<Event>,
    },
    /// A near word was learned, or was none.
    NearWord {
        /// Which, from 1.
        number: usize,
        /// Why it was none.
        problem: Option<NearWordError>,
    },
    /// The phrase was not accepted at any attempt. The profile is learned all the same.
    TestFailed,
    /// The end: this profile is to be stored.
    Done(Arc<Profile>),
    /// The end: there is no profile.
    Failed(Failure),
}

/// What takes gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// The profile.
    pub profile: Arc<Profile>,
    /// What could be better about the phrase.
    pub warnings: Vec<Problem>,
    /// Other profiles that wake for this phrase in this voice already.
    pub duplicates: Vec<Arc<Profile>>,
}

/// Why a dialogue ends without a profile.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// Too many takes in a row were refused.
    #[error("{0} takes in a row could not be learned from")]
    GivenUp(usize),
    /// No audio came for so long.
    #[error("no sound from the microphone for {seconds} s")]
    NoAudio {
        /// How long.
        seconds: f32,
    },
    /// Another profile wakes for this phrase in this voice already.
    #[error("profile {0:?} wakes for this phrase in this voice already")]
    Duplicate(String),
    /// The takes give no profile.
    #[error(transparent)]
    Learn(#[from] EnrolError),
}
