//! The enrolled profiles as the daemon knows them.

use std::sync::Arc;

use super::command::CommandError;
use crate::profile::{Profile, Settings};
use crate::store::{Store, StoreError};

/// The profiles of a store that can be used, and what is wrong with the others.
#[derive(Debug, Default)]
pub struct Roster {
    /// Usable profiles, by name.
    pub profiles: Vec<Arc<Profile>>,
    /// One text a profile that cannot be used, naming it.
    pub broken: Vec<String>,
}

impl Roster {
    /// Reads all profiles; those made with other models than `fingerprint`'s cannot be used.
    pub fn load(store: &Store, fingerprint: &str) -> Self {
        let mut roster = Self::default();
        let names = store.names().unwrap_or_else(|error| {
            roster.broken.push(error.to_string());
            Vec::new()
        });
        for name in names {
            match store.load(&name) {
                Ok(profile) if profile.models == fingerprint => roster.profiles.push(Arc::new(profile)),
                Ok(_) => {
                    roster
                        .broken
                        .push(format!("profile {name:?} was made with other models; enrol it again"));
                }
                Err(error) => roster.broken.push(error.to_string()),
            }
        }
        roster
    }
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
