//! Where configuration and profiles are, when nobody says.

use std::path::{Path, PathBuf};

/// The first place that has a configuration. One that cannot be looked at counts: reading it will say why.
pub fn existing() -> Option<PathBuf> {
    let mut places = Vec::new();
    places.extend(given_by_systemd("CONFIGURATION_DIRECTORY").map(|folder| folder.join("config.toml")));
    places.extend(xdg("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("wakeword/config.toml")));
    places.push("/etc/wakeword/config.toml".into());
    places.into_iter().find(|path| !matches!(path.try_exists(), Ok(false)))
}

/// The folder of profiles when none is configured: in the state folder that systemd gives a service
/// (`/var/lib/wakeword`), else in the user's data folder. None for a user without a home.
pub fn default_store() -> Option<PathBuf> {
    let state = given_by_systemd("STATE_DIRECTORY").map(|folder| folder.join("profiles"));
    state.or_else(|| xdg("XDG_DATA_HOME", ".local/share").map(|folder| folder.join("wakeword/profiles")))
}

/// Whether systemd runs this as a service of the machine: the unit for a user asks for no state folder.
pub fn is_machine_service() -> bool {
    given_by_systemd("STATE_DIRECTORY").is_some()
}

/// A folder that systemd made for its service; the first if the unit asks for several.
fn given_by_systemd(variable: &str) -> Option<PathBuf> {
    let folders = std::env::var_os(variable)?;
    std::env::split_paths(&folders).next().filter(|path| path.is_absolute())
}

/// A base folder after the XDG specification: the variable if it is an absolute path, else in the home.
fn xdg(variable: &str, in_home: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| std::env::home_dir().map(|home| home.join(in_home)))
}

/// `path` with the home folder in place of a `~` at its beginning. None for a user without a home.
pub fn expand(path: &Path) -> Option<PathBuf> {
    match path.strip_prefix("~") {
        Ok(rest) => Some(std::env::home_dir()?.join(rest)),
        Err(_) => Some(path.into()),
    }
}
