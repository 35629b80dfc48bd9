//! Tells the local network of the server, by Avahi on the system bus: nobody else here speaks mDNS.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::thread;
use std::time::Duration;

use futures_core::Stream as _;
use sha2::{Digest as _, Sha256};
use zbus::fdo::DBusProxy;
use zbus::message::Type;
use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, Proxy};

const AVAHI: &str = "org.freedesktop.Avahi";
const SERVICE: &str = "_wyoming._tcp";
/// On any network interface, by any protocol: as Avahi writes it.
const ANY: i32 = -1;
const GROUP: &str = "org.freedesktop.Avahi.EntryGroup";
/// States of a group, as Avahi numbers them.
const ESTABLISHED: i32 = 2;
const COLLISION: i32 = 3;
const FAILURE: i32 = 4;
/// Avahi, or the bus, is left alone for so long after it failed.
const RETRY: Duration = Duration::from_secs(10);

/// What is announced.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// By which Home Assistant knows this server again: stable, and different on each machine.
    pub name: String,
    pub port: u16,
}

/// A name that is this machine's for good, and tells nothing of it.
pub fn default_name() -> Option<String> {
    let machine = std::fs::read_to_string(Path::new("/etc/machine-id")).ok()?;
    let machine = machine.trim();
    if machine.is_empty() {
        return None;
    }
    let digest = Sha256::new().chain_update(b"wakeword wyoming ").chain_update(machine).finalize();
    Some(digest[..6].iter().fold(String::from("wakeword-"), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    }))
}

impl Announcement {
    /// Announces it from now on, whenever Avahi is there, until the process ends.
    pub fn begin(self) -> std::io::Result<()> {
        let announce = move || {
            let mut said = String::new();
            loop {
                let end = zbus::block_on(self.while_avahi_stays());
                let text = end.map_or_else(|error| error.to_string(), |()| "Avahi went away".into());
                if text != said {
                    tracing::warn!(
                        "not announced on the network: {text}; is avahi-daemon installed and running?"
                    );
                    said = text;
                }
                thread::sleep(RETRY);
            }
        };
        thread::Builder::new().name("announce".into()).spawn(announce)?;
        Ok(())
    }

    /// Announces it once; returns when Avahi, whose memory is lost then, left the bus or another came.
    async fn while_avahi_stays(&self) -> zbus::Result<()> {
        let bus = zbus::connection::Builder::system().build().await?;
        let mut messages = MessageStream::from(&bus);
        let dbus = DBusProxy::new(&bus).await?;
        let signals = || MatchRule::builder().msg_type(Type::Signal);
        let owners = signals().sender("org.freedesktop.DBus").member("NameOwnerChanged").arg(0, AVAHI);
        dbus.add_match_rule(owners.build()?).await?;
        let states = signals().sender(AVAHI).interface(GROUP).member("StateChanged");
        dbus.add_match_rule(states.build()?).await?;
        self.publish(&bus).await?;
        while let Some(message) = poll_fn(|context| Pin::new(&mut messages).poll_next(context)).await {
            let message = message?;
            match message.header().member().map(zbus::names::MemberName::as_str) {
                Some("NameOwnerChanged") => break,
                Some("StateChanged") => self.look_at(message.body().deserialize()?)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// What Avahi says of the group.
    fn look_at(&self, (state, reason): (i32, &str)) -> zbus::Result<()> {
        let failed = |text| Err(zbus::Error::Failure(text));
        match state {
            ESTABLISHED => tracing::info!(name = self.name, "announced as {SERVICE}"),
            COLLISION => return failed(format!("another machine is called {:?}", self.name)),
            FAILURE => return failed(reason.into()),
            _ => {}
        }
        Ok(())
    }

    async fn publish(&self, bus: &Connection) -> zbus::Result<()> {
        let server = Proxy::new(bus, AVAHI, "/", "org.freedesktop.Avahi.Server").await?;
        let path: OwnedObjectPath = server.call("EntryGroupNew", &()).await?;
        let group = Proxy::new(bus, AVAHI, path, GROUP).await?;
        let (domain, host, text) = ("", "", Vec::<Vec<u8>>::new());
        let service = (ANY, ANY, 0u32, &*self.name, SERVICE, domain, host, self.port, text);
        group.call::<_, _, ()>("AddService", &service).await?;
        group.call("Commit", &()).await
    }
}
