//! Notices that something changed in places that change rarely, by looking.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// Some files and folders.
#[derive(Debug)]
pub struct Watch {
    places: Vec<PathBuf>,
    seen: Vec<Option<(u64, i64, i64)>>,
}

impl Watch {
    /// Changes from now on count.
    pub fn new(places: Vec<PathBuf>) -> Self {
        let seen = look(&places);
        Self { places, seen }
    }

    /// Whether any place came, went or changed since the last time of asking.
    pub fn changed(&mut self) -> bool {
        let now = look(&self.places);
        std::mem::replace(&mut self.seen, now) != self.seen
    }
}

/// Inode and time of change of each place that is there.
fn look(places: &[PathBuf]) -> Vec<Option<(u64, i64, i64)>> {
    let seen =
        |place: &PathBuf| place.metadata().ok().map(|data| (data.ino(), data.ctime(), data.ctime_nsec()));
    places.iter().map(seen).collect()
}

/// Where a microphone's return shows: sound cards, and the sockets of sound servers.
pub fn microphone_places() -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("/dev/snd")];
    for variable in ["PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR"] {
        if let Some(folder) = std::env::var_os(variable).map(PathBuf::from) {
            places.extend(["pipewire-0", "pulse/native"].map(|socket| folder.join(socket)));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let (file, missing) = (folder.path().join("file"), folder.path().join("missing"));
        std::fs::write(&file, "1").unwrap();
        let mut watch = Watch::new(vec![folder.path().into(), file.clone(), missing.clone()]);
        assert!(!watch.changed());
        std::fs::write(&missing, "").unwrap();
        assert!(watch.changed() && !watch.changed());
        std::fs::remove_file(&file).unwrap();
        assert!(watch.changed() && !watch.changed());
    }
}
