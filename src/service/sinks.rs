//! Everybody who hears what happens: the bus, JSON lines, hooks.

use std::io;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::hooks::Hooks;
use super::json::JsonLines;
use super::outbox::Outbox;
use crate::bus::{self, BusOptions};
use crate::config::Config;
use crate::control::Command;
use crate::control::Notification;

/// Notifications that may wait for the bus.
const ROOM: usize = 256;
/// How long a bus that is given up may take to leave, before another is tried.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(300);

/// The sinks of the daemon. None of them makes it wait.
pub struct Sinks {
    bus: Outbox<Notification>,
    hooks: Hooks,
    json: Option<JsonLines>,
}

impl Sinks {
    /// Starts the configured sinks; `json` adds lines on stdout.
    pub fn new(config: &Config, json: bool, commands: &Sender<Command>) -> io::Result<Self> {
        Ok(Self {
            bus: start_bus(config, commands, None)?,
            hooks: Hooks::new(&config.hooks),
            json: json.then(|| JsonLines::new(io::stdout())).transpose()?,
        })
    }

    /// Replaces those sinks of which `new` says something else than `old`. Whether one came that knows
    /// nothing yet.
    pub fn update(&mut self, old: &Config, new: &Config, commands: &Sender<Command>) -> io::Result<bool> {
        let other = old.bus != new.bus;
        if other {
            let (old, left) = bounded(1);
            let bus = start_bus(new, commands, Some(left))?;
            // There is room for it.
            let _ = old.send(std::mem::replace(&mut self.bus, bus));
        }
        if old.hooks != new.hooks {
            std::mem::replace(&mut self.hooks, Hooks::new(&new.hooks)).finish(Instant::now());
        }
        Ok(other)
    }

    /// Tells everybody. False if the bus is so far behind that it missed this.
    pub fn publish(&self, notification: &Notification) -> bool {
        self.hooks.fire(notification);
        if let Some(json) = &self.json {
            json.send(notification);
        }
        self.tell_bus(notification.clone())
    }

    /// Tells the bus alone. False if it is so far behind that it missed this.
    pub fn tell_bus(&self, notification: Notification) -> bool {
        self.bus.push(notification)
    }

    /// Lets what was told get out, until `deadline` at the latest.
    pub fn finish(self, deadline: Instant) {
        self.bus.finish(deadline);
        self.hooks.finish(deadline);
        if let Some(json) = self.json {
            json.finish(deadline);
        }
    }
}

/// Starts the thread of the bus, which waits first until the bus `before` it has left: it has the same name.
fn start_bus(
    config: &Config,
    commands: &Sender<Command>,
    before: Option<Receiver<Outbox<Notification>>>,
) -> io::Result<Outbox<Notification>> {
    let options = BusOptions {
        kind: config.bus.kind,
        address: config.bus.address.clone(),
        rejected: config.bus.rejected,
        threshold: config.detection.threshold,
    };
    let commands = commands.clone();
    Outbox::new("the bus".into(), ROOM, move |notifications| {
        if let Some(old) = before.and_then(|before| before.recv().ok()) {
            old.finish(Instant::now() + LEAVE_TIMEOUT);
        }
        bus::run(&options, commands, &notifications);
    })
}
