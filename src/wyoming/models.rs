//! What all connections share: the networks, and the profiles as they are at the moment.

use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::rule::Rule;
use crate::models::Models;
use crate::profile::Profile;
use crate::service::roster::Roster;
use crate::service::watch::Watch;
use crate::store::Store;

/// What engines are made of.
pub struct Shared {
    /// The networks.
    pub models: Arc<Models>,
    /// By which to judge.
    pub rule: Rule,
    store: Store,
    seen: Mutex<Seen>,
}

/// The store when it was last read.
struct Seen {
    folder: Watch,
    roster: Option<Arc<Roster>>,
}

impl Shared {
    /// Profiles are read from `store` when somebody asks, and again after they changed.
    pub fn new(models: Arc<Models>, rule: Rule, store: Store) -> Self {
        let folder = Watch::new(vec![store.folder().to_owned()]);
        Self { models, rule, store, seen: Mutex::new(Seen { folder, roster: None }) }
    }

    /// The profiles and voices as they are now, without those that are disabled. What cannot be used is logged.
    pub fn roster(&self) -> Arc<Roster> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at before it is read, or a change in between would be missed.
        let changed = seen.folder.changed();
        if let Some(roster) = seen.roster.as_ref().filter(|_| !changed) {
            return roster.clone();
        }
        let mut roster = Roster::load(&self.store, &self.models.fingerprint);
        roster.profiles.retain(|profile| profile.settings.enabled);
        if seen.roster.as_ref().is_none_or(|before| before.broken != roster.broken) {
            roster.broken.iter().for_each(|text| tracing::warn!("{text}"));
        }
        seen.roster.insert(Arc::new(roster)).clone()
    }

    /// Why there may be nothing to listen for.
    pub fn nothing(&self) -> String {
        let folder = self.store.folder().display();
        format!("no enabled profiles in {folder}; enrol one: wakeword enroll NAME --phrase \"PHRASE\"")
    }
}

/// Those of the profiles that are asked for, all if none is, and the names that nobody has.
pub fn chosen<'a>(profiles: &[Arc<Profile>], names: &'a [String]) -> (Vec<Arc<Profile>>, Vec<&'a String>) {
    let unknown = names.iter().filter(|&name| profiles.iter().all(|profile| profile.name != *name));
    let asked = profiles.iter().filter(|profile| names.is_empty() || names.contains(&profile.name));
    (asked.cloned().collect(), unknown.collect())
}
