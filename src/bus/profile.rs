//! `org.wakeword.Wakeword1.Profile`

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use zbus::message::Header;
use zbus::{Variant, interface};

use super::PATH;
use super::daemon::caller;
use super::error::BusError;
use super::queue::CommandQueue;
use crate::control::Command;
use crate::digits;
use crate::profile::Profile;

/// Name of the interface.
pub(super) const INTERFACE: &str = "org.wakeword.Wakeword1.Profile";

/// An enrolled profile's object.
pub struct ProfileObject {
    name: String,
    queue: CommandQueue,
    shown: Shown,
}

/// What an object shows. Locked for moments only.
pub(super) type Shown = Arc<Mutex<View>>;

/// The properties that can change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    phrase: String,
    user: String,
    created: u64,
    threshold: f64,
    enabled: bool,
    takes: u32,
}

impl View {
    /// A profile as others see it, `threshold` being needed of those without their own.
    pub fn new(profile: &Profile, threshold: f32) -> Self {
        Self {
            phrase: profile.phrase.clone(),
            user: profile.user.clone(),
            created: profile.created,
            threshold: digits::widen(profile.settings.threshold.unwrap_or(threshold)),
            enabled: profile.settings.enabled,
            takes: profile.takes.len() as u32,
        }
    }

    /// The properties in which `new` differs.
    pub fn changes<'a>(&self, new: &'a View) -> HashMap<&'static str, Variant<'a>> {
        let all = [
            (self.phrase != new.phrase, "Phrase", Variant::from(&new.phrase)),
            (self.user != new.user, "User", Variant::from(&new.user)),
            (self.created != new.created, "Created", Variant::from(new.created)),
            (self.threshold != new.threshold, "Threshold", Variant::from(new.threshold)),
            (self.enabled != new.enabled, "Enabled", Variant::from(new.enabled)),
            (self.takes != new.takes, "Takes", Variant::from(new.takes)),
        ];
        all.into_iter().filter(|(changed, ..)| *changed).map(|(_, name, value)| (name, value)).collect()
    }
}

impl ProfileObject {
    pub(super) fn new(name: String, queue: CommandQueue, shown: Shown) -> Self {
        Self { name, queue, shown }
    }

    fn view<T>(&self, field: impl FnOnce(&View) -> T) -> T {
        field(&self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A phrase of a user that the daemon knows.
#[interface(name = "org.wakeword.Wakeword1.Profile")]
impl ProfileObject {
    /// Deletes the profile for good.
    async fn remove(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        let profile = self.name.clone();
        self.queue.ask(&caller(&header)?, |answer| Command::Remove { profile, answer }).await
    }

    /// Listens for it, or not, from now on.
    async fn set_enabled(&self, enabled: bool, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        let profile = self.name.clone();
        self.queue.ask(&caller(&header)?, |answer| Command::SetEnabled { profile, enabled, answer }).await
    }

    /// Sets the score needed, between 0 and 5; 0 goes back to the configured one.
    async fn set_threshold(
        &self,
        threshold: f64,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(), BusError> {
        let asked = threshold as f32;
        if !(0.0..=5.0).contains(&asked) {
            let text = format!("{threshold} is no score: use one up to 5, or 0 for the configured one");
            return Err(BusError::InvalidArgument(text));
        }
        let threshold = (asked > 0.0).then_some(asked);
        let profile = self.name.clone();
        self.queue.ask(&caller(&header)?, |answer| Command::SetThreshold { profile, threshold, answer }).await
    }

    /// Its name, as in `Detected` and in the program's commands.
    #[zbus(property(emits_changed_signal = "const"))]
    fn name(&self) -> &str {
        &self.name
    }

    /// The phrase as text.
    #[zbus(property)]
    fn phrase(&self) -> String {
        self.view(|view| view.phrase.clone())
    }

    /// Who says it.
    #[zbus(property)]
    fn user(&self) -> String {
        self.view(|view| view.user.clone())
    }

    /// When it was enrolled, in seconds since 1970.
    #[zbus(property)]
    fn created(&self) -> u64 {
        self.view(|view| view.created)
    }

    /// The score needed: its own or the configured one.
    #[zbus(property)]
    fn threshold(&self) -> f64 {
        self.view(|view| view.threshold)
    }

    /// Whether the daemon listens for it.
    #[zbus(property)]
    fn enabled(&self) -> bool {
        self.view(|view| view.enabled)
    }

    /// How many recordings it was made from.
    #[zbus(property)]
    fn takes(&self) -> u32 {
        self.view(|view| view.takes)
    }
}

/// The object path of a profile: bytes of its name that a path may not hold, and a digit at its start,
/// become `_` and two hexadecimal digits, as `sd_bus_path_encode` has it.
pub fn path(name: &str) -> String {
    let mut path = format!("{PATH}/profiles/");
    if name.is_empty() {
        path.push('_');
    }
    for (place, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphabetic() || (place > 0 && byte.is_ascii_digit());
        // Writing to a string cannot fail.
        let _ = if plain { path.write_char(byte.into()) } else { write!(path, "_{byte:02x}") };
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zbus::ObjectPath;

    use super::*;

    /// The name that a path was made from.
    fn decode(path: &str) -> String {
        let mut rest = path.rsplit('/').next().unwrap();
        let mut bytes = Vec::new();
        while let Some(byte) = rest.bytes().next().filter(|_| rest != "_") {
            let (value, length) =
                if byte == b'_' { (u8::from_str_radix(&rest[1..3], 16).unwrap(), 3) } else { (byte, 1) };
            bytes.push(value);
            rest = &rest[length..];
        }
        String::from_utf8(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn no_two_names_share_an_object(name in any::<String>()) {
            let path = path(&name);
            prop_assert!(ObjectPath::try_from(path.as_str()).is_ok());
            prop_assert_eq!(decode(&path), name);
        }
    }

    #[test]
    fn paths_are_not_other_than_systemd_writes_them() {
        assert_eq!(path("Zoë_2"), format!("{PATH}/profiles/Zo_c3_ab_5f2"));
        assert_eq!(path("2nd"), format!("{PATH}/profiles/_32nd"));
    }
}
