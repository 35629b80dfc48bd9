//! What can be wrong with a store.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::MAX_NAME;
use super::key::KEY;

/// A profile or a voice that cannot be stored, found or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The name cannot be a file's.
    #[error(
        "{0:?} cannot name a profile or a speaker: use 1 to {MAX_NAME} letters, digits, '-', '_' or '.', not '.' first"
    )]
    BadName(String),
    /// No such profile.
    #[error("no profile named {name:?} in {folder:?}; `wakeword profiles list` shows those there are")]
    Unknown {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The name is taken.
    #[error("a profile named {0:?} exists; choose another name, or `wakeword profiles remove {0}` first")]
    Exists(String),
    /// No such voice.
    #[error("no speaker named {name:?} in {folder:?}; `wakeword speakers list` shows those there are")]
    UnknownVoice {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The voice's name is taken.
    #[error("a speaker named {0:?} exists; choose another name, or replace it with --replace")]
    VoiceExists(String),
    /// The system refused.
    #[error("{path:?}: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not an intact profile or voice.
    #[error("{path:?}: {reason}; enrol again, or restore the file from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another version of the program wrote the file.
    #[error(
        "{path:?}: made by another version of wakeword (format {found}, this one reads {known}); enrol again"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The file's.
        found: u8,
        /// This program's.
        known: u8,
    },
    /// A file that was given another name, which its seal does not allow.
    #[error("{path:?}: the file of {name:?}; give it that name back, then use `wakeword profiles rename`")]
    Renamed {
        /// The file.
        path: PathBuf,
        /// The name that it was written under.
        name: String,
    },
    /// The file needs another key than there is.
    #[error(
        "{path:?}: sealed with another key than {key:?}; restore that key, or remove the file and enrol again"
    )]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// The key at hand.
        key: PathBuf,
    },
    /// Files are there and their key is not.
    #[error(
        "{key:?}: the key that opens {folder:?} is missing; restore it from a backup, or remove what is in the folder \
         and enrol again"
    )]
    NoKey {
        /// Where it should be.
        key: PathBuf,
        /// What it opens.
        folder: PathBuf,
    },
    /// A service is given credentials, and the key is not among them.
    #[error(
        "{0:?}: the service has credentials, but not this key; give it one with LoadCredentialEncrypted=wakeword.key \
         in its unit, or unset CREDENTIALS_DIRECTORY to have a key on the disk"
    )]
    NoCredential(PathBuf),
    /// A file in the key's place is no key.
    #[error("{path:?}: {found} bytes, and a key has {KEY}; restore it from a backup")]
    BadKey {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// People other than its owner may read or change a file or folder.
    #[error(
        "{path:?}: open to others than its owner (mode {mode:03o}); mend it with: chmod {wanted:o} {path:?}"
    )]
    Open {
        /// File or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What it should have.
        wanted: u32,
    },
    /// A file or folder is somebody else's.
    #[error("{path:?}: belongs to user {owner}, and this runs as user {us}; {}", remedy(path, *owner, *us))]
    Owner {
        /// File or folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        us: u32,
    },
    /// A link may lead anywhere.
    #[error("{0:?}: a symbolic link, and those are not followed here; put the file itself in its place")]
    Link(PathBuf),
    /// The folder cannot have a key beside it.
    #[error("{0:?}: has no name to call a key after; choose another folder for the profiles")]
    NoPlace(PathBuf),
}

impl StoreError {
    /// The system refused something at `path`. Where that is because a folder on the way there is somebody else's,
    /// that is the error.
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        if source.kind() == ErrorKind::PermissionDenied {
            let us = rustix::process::geteuid().as_raw();
            let owner = |place: &Path| place.metadata().ok().map(|found| found.uid());
            let nearest = path.ancestors().find_map(|place| Some((place, owner(place)?)));
            if let Some((place, owner)) = nearest.filter(|(_, owner)| *owner != us) {
                return Self::Owner { path: place.into(), owner, us };
            }
        }
        Self::Io { path: path.into(), source }
    }
}

/// What to do about something of `owner` that `us` cannot use. What root left in somebody's own home was made by a
/// mistake of theirs; everything else is not for them to take.
fn remedy(path: &Path, owner: u32, us: u32) -> String {
    let in_home = std::env::home_dir().is_some_and(|home| path.starts_with(&home) && path != home);
    if owner == 0 && us != 0 && in_home {
        format!("give it back with: sudo chown -R {us} {path:?}")
    } else {
        format!("run it as that user: sudo -u '#{owner}' ...")
    }
}
