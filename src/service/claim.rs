//! Who may enrol over the bus: one program at a time, and one enrolment at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::control::CommandError;

/// The claim in force, if any.
#[derive(Debug, Default)]
pub struct Claim {
    owner: Option<String>,
    running: Option<Running>,
    /// Enrolments begun so far.
    begun: u64,
}

/// An enrolment under way; it ends when this is dropped.
#[derive(Debug)]
struct Running {
    number: u64,
    stop: Arc<AtomicBool>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Claim {
    /// Makes the program of this bus name the claimant; it may be so already.
    pub fn begin(&mut self, owner: String) -> Result<(), CommandError> {
        if self.owner.as_ref().is_some_and(|other| *other != owner) {
            return Err(CommandError::Claimed);
        }
        self.owner = Some(owner);
        Ok(())
    }

    /// Ends the claim of `owner`, and its enrolment.
    pub fn release(&mut self, owner: &str) -> Result<(), CommandError> {
        self.check(owner)?;
        self.clear();
        Ok(())
    }

    /// Whoever has this name left the bus. Whether that ended a claim.
    pub fn vanished(&mut self, owner: &str) -> bool {
        self.release(owner).is_ok()
    }

    /// Ends the claim: the bus is lost, and the claimant with it.
    pub fn clear(&mut self) {
        (self.owner, self.running) = (None, None);
    }

    /// Whether anybody has it.
    pub fn taken(&self) -> bool {
        self.owner.is_some()
    }

    /// That `owner` is the claimant and has no enrolment under way.
    pub fn free(&self, owner: &str) -> Result<(), CommandError> {
        self.check(owner)?;
        if self.running.is_some() { Err(CommandError::Enrolling) } else { Ok(()) }
    }

    /// Begins an enrolment: its number, and what says that it is to stop.
    pub fn start(&mut self) -> (u64, Arc<AtomicBool>) {
        self.begun += 1;
        let stop = Arc::new(AtomicBool::new(false));
        self.running = Some(Running { number: self.begun, stop: stop.clone() });
        (self.begun, stop)
    }

    /// Stops the enrolment of `owner`; harmless if there is none.
    pub fn stop(&mut self, owner: &str) -> Result<(), CommandError> {
        self.check(owner)?;
        self.running = None;
        Ok(())
    }

    /// Who hears of the enrolment of this number; nobody once it was stopped.
    pub fn listener(&self, number: u64) -> Option<&str> {
        self.running.as_ref().filter(|running| running.number == number)?;
        self.owner.as_deref()
    }

    fn check(&self, owner: &str) -> Result<(), CommandError> {
        if self.owner.as_deref() == Some(owner) { Ok(()) } else { Err(CommandError::NotClaimed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_has_one_owner_and_ends_its_enrolment() {
        let mut claim = Claim::default();
        claim.begin(":1.1".into()).unwrap();
        claim.begin(":1.1".into()).unwrap();
        assert!(claim.begin(":1.2".into()).is_err() && claim.free(":1.2").is_err());
        let (number, stop) = claim.start();
        assert!(claim.free(":1.1").is_err() && claim.stop(":1.2").is_err());
        assert_eq!((claim.listener(number), claim.listener(number + 1)), (Some(":1.1"), None));
        assert!(!claim.vanished(":1.2") && !stop.load(Ordering::Relaxed));
        assert!(claim.vanished(":1.1") && stop.load(Ordering::Relaxed));
        assert_eq!(claim.listener(number), None);
        claim.begin(":1.2".into()).unwrap();
        let (_, stop) = claim.start();
        claim.stop(":1.2").unwrap();
        claim.stop(":1.2").unwrap();
        assert!(stop.load(Ordering::Relaxed) && claim.free(":1.2").is_ok());
    }
}
