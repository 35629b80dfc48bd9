//! The enrolled profiles and voices as the daemon knows them.

use std::sync::Arc;

use crate::control::CommandError;
use crate::profile::{Profile, Settings};
use crate::speaker::voice::Voice;
use crate::store::{Kind, Store, StoreError};

/// What of a store can be used, and what is wrong with the rest.
#[derive(Debug, Default)]
pub struct Roster {
    /// Usable profiles, by name.
    pub profiles: Vec<Arc<Profile>>,
    /// Usable voices, by name.
    pub voices: Arc<[Voice]>,
    /// One text a profile or voice that cannot be used, naming it.
    pub broken: Vec<String>,
}

impl Roster {
    /// Reads everything; what was made with other models than `fingerprint`'s cannot be used.
    pub fn load(store: &Store, fingerprint: &str) -> Self {
        let mut broken = Vec::new();
        let profiles = usable(store, fingerprint, &mut broken).map(Arc::new).collect();
        let voices = usable(&store.voices(), fingerprint, &mut broken).collect();
        Self { profiles, voices, broken }
    }
}

/// What of `store` was made with these models.
fn usable<T: Kind>(store: &Store<T>, fingerprint: &str, broken: &mut Vec<String>) -> impl Iterator<Item = T> {
    let names = store.names().unwrap_or_else(|error| {
        broken.push(error.to_string());
        Vec::new()
    });
    let mut found = Vec::new();
    for name in names {
        match store.load(&name) {
            Ok(one) if one.models() == fingerprint => found.push(one),
            Ok(_) => broken.push(format!("{} {name:?} was made with other models; enrol it again", T::NOUN)),
            Err(error) => broken.push(error.to_string()),
        }
    }
    found.into_iter()
}

/// Changes the settings of a stored profile.
pub fn edit(store: &Store, name: &str, change: impl FnOnce(&mut Settings)) -> Result<(), CommandError> {
    let mut profile = store.load(name).map_err(refused)?;
    change(&mut profile.settings);
    store.save(&profile).map_err(refused)?;
    Ok(())
}

/// Deletes a stored profile.
pub fn remove(store: &Store, name: &str) -> Result<(), CommandError> {
    store.remove(name).map_err(refused)
}

fn refused(error: StoreError) -> CommandError {
    match error {
        StoreError::Unknown { name, .. } => CommandError::UnknownProfile(name),
        other => CommandError::Failed(other.to_string()),
    }
}
