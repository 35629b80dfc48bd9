//! How an enrolment over the bus goes.

/// What a claimant hears of its enrolment.
#[derive(Clone, Debug)]
pub enum EnrolStep {
    /// How loud it is, in dBFS, and whether somebody speaks.
    Level(f32, bool),
    /// What became of a take, or of it all.
    Status {
        /// Its name on the bus.
        result: EnrolResult,
        /// Good takes so far.
        stage: usize,
        /// What is wrong, by name, if anything.
        reason: Option<String>,
        /// The same for people.
        text: String,
    },
}

/// What a step of an enrolment comes to. The names are those of fprintd where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolResult {
    /// A take was good.
    StagePassed,
    /// A take has to be said again.
    RetryScan,
    /// The profile is stored.
    Completed,
    /// Nothing is stored: too many bad takes, or something went wrong.
    Failed,
    /// Nothing is stored: another profile wakes for this phrase in this voice already.
    Duplicate,
    /// Nothing is stored: the disk is full.
    StorageFull,
    /// Nothing is stored: no sound comes any more.
    DeviceLost,
}

impl EnrolResult {
    /// The public name.
    pub fn name(self) -> &'static str {
        match self {
            EnrolResult::StagePassed => "enroll-stage-passed",
            EnrolResult::RetryScan => "enroll-retry-scan",
            EnrolResult::Completed => "enroll-completed",
            EnrolResult::Failed => "enroll-failed",
            EnrolResult::Duplicate => "enroll-duplicate",
            EnrolResult::StorageFull => "enroll-storage-full",
            EnrolResult::DeviceLost => "enroll-device-lost",
        }
    }

    /// Whether nothing follows it.
    pub fn done(self) -> bool {
        !matches!(self, EnrolResult::StagePassed | EnrolResult::RetryScan)
    }
}
