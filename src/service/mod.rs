//! The daemon: threads, their states, and what they say to each other.
//!
//! ```text
//! capture ──ring──▶ listener ─Message─▶ supervisor ──Notification──▶ bus, JSON lines, hooks
//!                      ▲                     │  ▲
//!                      └──────── Order ──────┘  └── Command ── bus, signals
//! ```
//!
//! The listener owns the microphone, the engine and the audio kept for others; the supervisor owns
//! every decision. The supervisor never waits for anybody, the listener for nobody but the microphone.

mod backoff;
mod claim;
mod ears;
pub mod enroller;
pub mod handoff;
mod holds;
mod hook_run;
mod hooks;
mod json;
mod librarian;
mod listener;
mod lockout;
pub mod log;
mod microphone;
mod orders;
mod outbox;
mod priority;
mod record;
pub mod roster;
mod signals;
mod sinks;
mod supervisor;
mod systemd;
pub mod watch;

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::bounded;

use crate::audio::capture::{CaptureOptions, ChannelChoice};
use crate::audio::{AudioErrorKind, RawFormat};
use crate::config::{Channel, Config, ConfigError, default_store};
use crate::models::ModelError;
use crate::store::Store;
use ears::Ears;
use handoff::Handoff;
use supervisor::Supervisor;

/// The listener may take so long to let go of a microphone; a sound server that died is not waited for.
const LETTING_GO: Duration = Duration::from_millis(500);

/// How the daemon is started; what it says here stays when the configuration is read again.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The configuration file; one of the usual places if absent.
    pub config: Option<PathBuf>,
    /// The profiles' folder, in place of the configured one.
    pub store: Option<PathBuf>,
    /// The microphone, in place of the configured one.
    pub device: Option<String>,
    /// Whether events go to stdout as JSON lines.
    pub json: bool,
    /// Listen to standard input, which holds WAV or such samples, in place of a microphone.
    pub piped: Option<RawFormat>,
}

impl Options {
    fn store(&self, config: &Config) -> Result<Store, ServiceError> {
        let folder = self.store.clone().or_else(|| config.store.path.clone()).or_else(default_store);
        folder.map(Store::new).ok_or(ServiceError::NoStore)
    }
}

/// The configured microphone, or `device` in its place.
pub fn capture_options(config: &Config, device: Option<&str>) -> CaptureOptions {
    CaptureOptions {
        device: device.map(String::from).or_else(|| config.audio.device.clone()),
        channel: match config.audio.channel {
            Channel::Mix => ChannelChoice::Mix,
            Channel::Only(number) => ChannelChoice::Only(number),
        },
    }
}

/// Why the daemon ends, or does not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The models cannot be used.
    #[error(transparent)]
    Models(#[from] ModelError),
    /// Nobody knows where the profiles are.
    #[error("no home folder: say where the profiles are with --store, or in the configuration")]
    NoStore,
    /// The system gave no thread, or no signal handler.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// Another daemon is on the bus.
    #[error("another daemon runs already: stop it first, or see what it does with: wakeword status")]
    AnotherDaemon,
    /// What came on standard input cannot be used.
    #[error("standard input: {0}")]
    Piped(AudioErrorKind),
    /// The listener thread ended by itself.
    #[error("the listener stopped; this is a defect of the program, please report it")]
    Listener,
}

/// Listens until a signal says to stop, or standard input ends that it listens to.
pub fn run(options: Options) -> Result<(), ServiceError> {
    let config = Config::load(options.config.as_deref())?;
    let store = options.store(&config)?;
    let handoff = Handoff::new(config.service.preroll_s as usize);
    let ears = Ears::new(options.piped)?;
    let (orders, taken) = bounded(64);
    let (messages, heard) = bounded(256);
    let supervisor = Supervisor::new(options, config, store, orders, heard)?;
    signals::forward(supervisor.commands())?;
    let (ended, end) = bounded(0);
    listener::spawn(taken, messages, handoff, ears, ended)?;
    let run = supervisor.run();
    // Nothing is ever sent: it is the end of the thread that is received.
    let _ = end.recv_timeout(LETTING_GO);
    run
}
