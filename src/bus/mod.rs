//! The daemon on D-Bus: what others may see of it and ask of it.
//!
//! The bus has a thread of its own and speaks with the rest of the daemon only in
//! [`Command`]s and [`Notification`]s, so nothing that happens on the bus can hold up the listening.

mod borrow;
pub mod client;
mod daemon;
mod enrollment;
mod error;
mod profile;
mod publish;
mod queue;
mod serve;

use crossbeam_channel::{Receiver, Sender};
use zbus::connection::Builder;

use crate::control::{Command, Notification};

pub use borrow::{BorrowError, Borrowed};
pub use profile::path as profile_path;

pub use crate::config::BusKind;

/// The name that the daemon owns.
pub const NAME: &str = "org.wakeword.Wakeword1";
/// The daemon's object; it manages those of the profiles.
pub const PATH: &str = "/org/wakeword/Wakeword1";

/// How the bus is served.
#[derive(Clone, Debug)]
pub struct BusOptions {
    /// Which bus.
    pub kind: BusKind,
    /// Its address, if it is not where such a bus usually is.
    pub address: Option<String>,
    /// Whether refused candidates are announced too.
    pub rejected: bool,
    /// Score needed by profiles without a threshold of their own.
    pub threshold: f32,
}

/// Serves the bus until the other end of `notifications` is dropped.
///
/// A bus that is missing, lost or taken by another daemon is reported as [`Command::Bus`] and tried
/// again for ever. Both channels should be bounded: room in `commands` limits how many calls can wait.
pub fn run(options: &BusOptions, commands: Sender<Command>, notifications: &Receiver<Notification>) {
    match options.kind {
        BusKind::Off => notifications.iter().for_each(drop),
        BusKind::Session | BusKind::System => serve::run(options, commands, notifications),
    }
}

/// The way to a bus.
fn builder<'a>(kind: BusKind, address: Option<&str>) -> Builder<'a> {
    match (address, kind) {
        (Some(address), _) => Builder::address(address),
        (None, BusKind::System) => Builder::system(),
        (None, _) => Builder::session(),
    }
}
