//! Reads and changes the store on a thread of its own: a disk may take its time, and the supervisor has none.

use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::roster::{self, Roster};
use crate::control::{Answer, CommandError};
use crate::store::Store;

/// What is to be done with the store, before it is read again.
pub enum Change {
    /// Listen for this profile, or not.
    Enabled(String, bool),
    /// The score that this profile needs; the configured one if absent.
    Threshold(String, Option<f32>),
    /// Delete this profile.
    Remove(String),
}

/// Something to do.
pub struct Job {
    pub store: Store,
    /// Of the models whose profiles can be used; nothing is read without it.
    pub fingerprint: Option<String>,
    pub change: Option<(Change, Answer<()>)>,
}

/// What was read.
pub struct Reading {
    /// The models whose profiles these are.
    pub fingerprint: String,
    pub roster: Roster,
    /// Who waits until the change is in force, and what to answer.
    pub change: Option<(Result<(), CommandError>, Answer<()>)>,
}

/// Starts the thread; it ends when there are no more jobs to come.
pub fn spawn() -> std::io::Result<(Sender<Job>, Receiver<Reading>)> {
    // Changes are limited by the calls that may wait, readings by the supervisor.
    let (jobs, to_do) = unbounded();
    let (readings, done) = unbounded();
    thread::Builder::new().name("store".into()).spawn(move || work(&to_do, &readings))?;
    Ok((jobs, done))
}

fn work(jobs: &Receiver<Job>, readings: &Sender<Reading>) {
    for Job { store, fingerprint, change } in jobs {
        let change = change.map(|(change, answer)| (carry_out(&store, change), answer));
        match fingerprint {
            Some(fingerprint) => {
                let roster = Roster::load(&store, &fingerprint);
                if readings.send(Reading { fingerprint, roster, change }).is_err() {
                    return;
                }
            }
            // Nobody listens for any profile yet.
            None => {
                if let Some((done, answer)) = change {
                    let _ = answer.send(done);
                }
            }
        }
    }
}

fn carry_out(store: &Store, change: Change) -> Result<(), CommandError> {
    match change {
        Change::Enabled(name, enabled) => roster::edit(store, &name, |settings| settings.enabled = enabled),
        Change::Threshold(name, threshold) => {
            roster::edit(store, &name, |settings| settings.threshold = threshold)
        }
        Change::Remove(name) => roster::remove(store, &name),
    }
}
