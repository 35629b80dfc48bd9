//! The daemon as others on the bus see it: one look, or everything that happens.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream as _;
use serde::Serialize;
use serde_json::{Map, Value, json};
use zbus::fdo::{DBusProxy, ObjectManagerProxy, PropertiesProxy};
use zbus::names::{BusName, InterfaceName, MemberName, UniqueName};
use zbus::{MatchRule, Message, MessageStream, OwnedObjectPath, OwnedVariant, Variant, message};

use super::publish::DAEMON;
use super::{BusKind, NAME, PATH, builder, profile};

/// How long a lost bus is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// Longest wait for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no such bus.
    #[error("cannot reach the bus: {0}; is it the right one? --system asks that of the machine")]
    NoBus(zbus::Error),
    /// The bus is there, the daemon is not.
    #[error("no daemon runs on this bus; start it with: wakeword run")]
    NoDaemon,
    /// It did not answer as it should.
    #[error("the daemon does not answer: {0}")]
    NoAnswer(#[from] zbus::Error),
}

impl From<zbus::fdo::Error> for ClientError {
    fn from(error: zbus::fdo::Error) -> Self {
        Self::NoAnswer(error.into())
    }
}

/// The daemon at one moment: property names and values as on the bus.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// The daemon's own.
    pub daemon: Map<String, Value>,
    /// Those of each profile, by name.
    pub profiles: Vec<Map<String, Value>>,
}

/// Looks once. A daemon that does not run is not started by it.
///
/// # Errors
/// There is no bus, no daemon, or no answer.
pub fn snapshot(kind: BusKind, address: Option<&str>) -> Result<Snapshot, ClientError> {
    zbus::block_on(async {
        let connection =
            builder(kind, address).method_timeout(CALL_TIMEOUT).build().await.map_err(ClientError::NoBus)?;
        let name = BusName::try_from(NAME)?;
        if !DBusProxy::new(&connection).await?.name_has_owner(name).await? {
            return Err(ClientError::NoDaemon);
        }
        let properties = PropertiesProxy::new(&connection, NAME, PATH).await?;
        let interface = InterfaceName::try_from(DAEMON)?;
        let daemon = object(properties.get_all(interface).await?);
        let objects = ObjectManagerProxy::new(&connection, NAME, PATH).await?.get_managed_objects().await?;
        let mut profiles: Vec<_> = objects
            .into_values()
            .filter_map(|mut interfaces| interfaces.remove(profile::INTERFACE))
            .map(object)
            .collect();
        profiles.sort_by_key(|profile| profile.get("Name").map(Value::to_string));
        Ok(Snapshot { daemon, profiles })
    })
}

/// Something that happened on the bus.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Heard {
    /// There is no bus; it is being waited for.
    NoBus {
        /// Why.
        reason: String,
    },
    /// No daemon is on the bus; it is being waited for.
    NoDaemon,
    /// There is a daemon.
    Daemon,
    /// A phrase was heard.
    Detected {
        /// Whose.
        profile: String,
        /// What was measured.
        #[serde(flatten)]
        details: Map<String, Value>,
    },
    /// A candidate was refused.
    Rejected {
        /// Whose phrase it might have been.
        profile: String,
        /// What was measured, and the reason.
        #[serde(flatten)]
        details: Map<String, Value>,
    },
    /// Somebody other than its owner said a phrase.
    OtherVoice {
        /// Whose phrase it is.
        profile: String,
        /// What was measured.
        #[serde(flatten)]
        details: Map<String, Value>,
    },
    /// Properties changed.
    Changed {
        /// The object's path.
        object: String,
        /// Names and new values.
        changed: Map<String, Value>,
    },
    /// There is a new profile.
    Added {
        /// The object's path.
        object: String,
        /// Its properties.
        properties: Map<String, Value>,
    },
    /// A profile is gone.
    Removed {
        /// The object's path.
        object: String,
    },
}

/// Follows the bus until `tell` fails, through restarts of the daemon and of the bus.
///
/// # Errors
/// Those of `tell`.
pub fn follow(
    kind: BusKind,
    address: Option<&str>,
    mut tell: impl FnMut(Heard) -> io::Result<()>,
) -> io::Result<()> {
    let mut known = None;
    loop {
        let mut seen = false;
        let followed = zbus::block_on(follow_connection(kind, address, &mut |heard| {
            seen = true;
            tell(heard)
        }));
        let reason = match followed {
            Ok(told) => {
                told?;
                "the bus closed the connection".to_owned()
            }
            Err(error) => error.to_string(),
        };
        // A bus that stays away is not news.
        if seen || known.as_ref() != Some(&reason) {
            tell(Heard::NoBus { reason: reason.clone() })?;
            known = Some(reason);
        }
        std::thread::sleep(RETRY);
    }
}

/// Follows one connection until it ends, or until `tell` fails.
async fn follow_connection(
    kind: BusKind,
    address: Option<&str>,
    tell: &mut impl FnMut(Heard) -> io::Result<()>,
) -> zbus::Result<io::Result<()>> {
    let connection = builder(kind, address).method_timeout(CALL_TIMEOUT).build().await?;
    // One stream for all keeps the order between signals and changes of their sender.
    let mut messages = MessageStream::from(&connection);
    let bus = DBusProxy::new(&connection).await?;
    let signals = || MatchRule::builder().msg_type(message::Type::Signal);
    bus.add_match_rule(signals().path_namespace(PATH).build()?).await?;
    let owners = signals().sender("org.freedesktop.DBus").member("NameOwnerChanged").arg(0, NAME);
    bus.add_match_rule(owners.build()?).await?;
    let mut owner = bus.get_name_owner(NAME.try_into()?).await.ok().map(|owner| owner.to_string());
    let mut heard = Some(presence(owner.as_deref()));
    loop {
        if let Some(Err(error)) = heard.take().map(&mut *tell) {
            return Ok(Err(error));
        }
        let Some(message) = poll_fn(|context| Pin::new(&mut messages).poll_next(context)).await else {
            return Ok(Ok(()));
        };
        let message = message?;
        let header = message.header();
        let sender = header.sender().map(UniqueName::as_str);
        heard = match (sender, header.member().map(MemberName::as_str)) {
            (Some("org.freedesktop.DBus"), Some("NameOwnerChanged")) => {
                let body = message.body();
                let (name, _, new): (&str, &str, &str) = body.deserialize()?;
                let new = Some(new.to_owned()).filter(|new| !new.is_empty());
                let changed = name == NAME && owner != new;
                if changed {
                    owner = new;
                }
                changed.then(|| presence(owner.as_deref()))
            }
            (Some(_), Some(member)) if sender == owner.as_deref() => understand(member, &message),
            _ => None,
        };
    }
}

fn presence(owner: Option<&str>) -> Heard {
    if owner.is_some() { Heard::Daemon } else { Heard::NoDaemon }
}

/// What a signal of the daemon says; nothing if it is none that is known.
fn understand(member: &str, message: &Message) -> Option<Heard> {
    type Dictionary = HashMap<String, OwnedVariant>;
    let body = message.body();
    let object_path = || message.header().path().map(ToString::to_string);
    match member {
        "Detected" | "Rejected" | "OtherVoice" => {
            let (profile, details): (String, Dictionary) = body.deserialize().ok()?;
            let details = object(details);
            Some(match member {
                "Detected" => Heard::Detected { profile, details },
                "Rejected" => Heard::Rejected { profile, details },
                _ => Heard::OtherVoice { profile, details },
            })
        }
        "PropertiesChanged" => {
            let (_, changed, _): (String, Dictionary, Vec<String>) = body.deserialize().ok()?;
            Some(Heard::Changed { object: object_path()?, changed: object(changed) })
        }
        "InterfacesAdded" => {
            let (path, mut interfaces): (OwnedObjectPath, HashMap<String, Dictionary>) =
                body.deserialize().ok()?;
            let properties = object(interfaces.remove(profile::INTERFACE)?);
            Some(Heard::Added { object: path.to_string(), properties })
        }
        "InterfacesRemoved" => {
            let (path, _): (OwnedObjectPath, Vec<String>) = body.deserialize().ok()?;
            Some(Heard::Removed { object: path.to_string() })
        }
        _ => None,
    }
}

fn object(dictionary: HashMap<String, OwnedVariant>) -> Map<String, Value> {
    dictionary.into_iter().map(|(key, value)| (key, plain(&value))).collect()
}

fn plain(value: &Variant<'_>) -> Value {
    match value {
        Variant::Bool(value) => json!(value),
        Variant::U32(value) => json!(value),
        Variant::U64(value) => json!(value),
        Variant::F64(value) => json!(value),
        Variant::Str(value) => json!(value.as_str()),
        other => json!(other.to_string()),
    }
}
