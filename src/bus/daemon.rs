//! `org.wakeword.Wakeword1.Daemon`

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedFd, OwnedVariant, SerializeDict, Type, Variant, fdo, interface};

use super::error::BusError;
use super::queue::{CommandQueue, clean};
use crate::control::{Command, HoldKind, MAX_READERS, Status};
use crate::digits;
use crate::engine::event::Event;
use crate::features::SAMPLE_RATE;

/// The daemon's object.
pub struct Daemon {
    queue: CommandQueue,
    shared: Arc<Shared>,
}

/// What the object shows, and whom it serves. Locked for moments only, never across a wait, so that a
/// call that waits keeps nobody from reading a property.
#[derive(Default)]
pub(super) struct Shared {
    status: Mutex<Status>,
    /// Unique names of callers that may have holds, audio or the claim.
    clients: Mutex<HashSet<String>>,
    /// Streams and their owners.
    streams: Mutex<[Option<(u32, String)>; MAX_READERS]>,
}

impl Shared {
    pub fn show(&self, status: &Status) {
        lock(&self.status).clone_from(status);
    }

    /// This caller asks for something that ends when it leaves.
    pub fn remember_client(&self, name: &str) {
        lock(&self.clients).insert(name.into());
    }

    /// Who left before it got what it asked for would keep it for ever: its leaving has been seen already.
    pub async fn check_client(
        &self,
        queue: &CommandQueue,
        connection: &Connection,
        owner: String,
    ) -> Result<(), BusError> {
        let bus = fdo::DBusProxy::new(connection).await?;
        if !bus.name_has_owner(owner.as_str().try_into()?).await.unwrap_or(true) {
            self.forget_client(&owner);
            queue.tell(Command::Vanished { owner });
        }
        Ok(())
    }

    /// Whether this caller may have any of that; asked once, when it leaves.
    pub fn forget_client(&self, name: &str) -> bool {
        lock(&self.clients).remove(name)
    }

    /// All callers that may have any of that, when the bus is gone and they with it.
    pub fn forget_clients(&self) -> Vec<String> {
        lock(&self.clients).drain().collect()
    }

    /// Who reads a stream.
    pub fn owner(&self, stream: u32) -> Option<String> {
        let streams = lock(&self.streams);
        let entry = streams[stream as usize % MAX_READERS].as_ref();
        entry.filter(|(id, _)| *id == stream).map(|(_, owner)| owner.clone())
    }

    fn remember_stream(&self, stream: u32, owner: String) {
        lock(&self.streams)[stream as usize % MAX_READERS] = Some((stream, owner));
    }

    fn status<T>(&self, field: impl FnOnce(&Status) -> T) -> T {
        field(&lock(&self.status))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Daemon {
    pub(super) fn new(queue: CommandQueue, shared: Arc<Shared>) -> Self {
        Self { queue, shared }
    }
}

/// Listens for the phrases of the enrolled profiles and tells who said one.
#[interface(name = "org.wakeword.Wakeword1.Daemon")]
impl Daemon {
    /// Holds the daemon back until `Release` or until the caller leaves the bus. Kinds: "mute" listens to
    /// nothing; "playback" says that the device itself is playing, and wakes only for a clearly better score.
    #[zbus(out_args("cookie"))]
    async fn hold(
        &self,
        kind: String,
        reason: String,
        application: String,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<u32, BusError> {
        let kind = match kind.as_str() {
            "mute" => HoldKind::Mute,
            "playback" => HoldKind::Playback,
            other => {
                let text = format!("no kind of hold is called {:?}: use mute or playback", clean(other));
                return Err(BusError::InvalidArgument(text));
            }
        };
        let owner = caller(&header)?;
        let (reason, application) = (clean(&reason), clean(&application));
        self.shared.remember_client(&owner);
        let hold = |owner| |answer| Command::Hold { kind, reason, application, owner, answer };
        let cookie = self.queue.ask(&owner, hold(owner.clone())).await?;
        self.shared.check_client(&self.queue, connection, owner).await?;
        Ok(cookie)
    }

    /// Ends a hold of the caller.
    async fn release(&self, cookie: u32, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        let owner = caller(&header)?;
        self.queue.ask(&owner.clone(), |answer| Command::Release { cookie, owner, answer }).await
    }

    /// Reads configuration and profiles again. If the new configuration is bad, nothing changes and the
    /// error says why.
    async fn reload(&self, #[zbus(header)] header: Header<'_>) -> Result<(), BusError> {
        self.queue.ask(&caller(&header)?, |answer| Command::Reload { answer: Some(answer) }).await
    }

    /// Hands over audio: first the past, as much as is kept of `preroll_ms` milliseconds, then what is heard
    /// until the descriptor is closed or the caller leaves the bus. Details: rate (u), channels (u), format (s), preroll_samples (t),
    /// first_us (t, when the first sample was heard, CLOCK_MONOTONIC), phrase_start and phrase_end (t, the last
    /// detected phrase in samples from the first one; absent if it is not in the past that was handed over),
    /// stream (u, names the stream in `AudioLost`).
    #[zbus(out_args("audio", "details"))]
    async fn open_audio(
        &self,
        preroll_ms: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(OwnedFd, AudioDetails), BusError> {
        let owner = caller(&header)?;
        self.shared.remember_client(&owner);
        let open = |owner| move |answer| Command::OpenAudio { preroll_ms, owner, answer };
        let stream = self.queue.ask(&owner, open(owner.clone())).await?;
        self.shared.remember_stream(stream.id, owner.clone());
        self.shared.check_client(&self.queue, connection, owner).await?;
        let details = AudioDetails {
            rate: SAMPLE_RATE as u32,
            channels: 1,
            format: "s16le",
            preroll_samples: stream.preroll_samples,
            first_us: stream.first_us,
            phrase_start: stream.phrase.map(|(start, _)| start),
            phrase_end: stream.phrase.map(|(_, end)| end),
            stream: stream.id,
        };
        Ok((stream.reader.into(), details))
    }

    /// What the daemon is doing: starting, listening, held, no-device, enrolling, degraded or stopping.
    #[zbus(property)]
    fn state(&self) -> String {
        self.shared.status(|status| status.state.name().into())
    }

    /// The program's version.
    #[zbus(property(emits_changed_signal = "const"))]
    #[expect(clippy::unused_self, reason = "a property is one of an object")]
    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// The microphone in use; empty without one.
    #[zbus(property)]
    fn input_device(&self) -> String {
        self.shared.status(|status| status.input_device.clone())
    }

    /// Whether somebody holds it muted.
    #[zbus(property)]
    fn muted(&self) -> bool {
        self.shared.status(|status| status.muted)
    }

    /// Whether somebody said that the device is playing.
    #[zbus(property)]
    fn playback(&self) -> bool {
        self.shared.status(|status| status.playback)
    }

    /// Times that audio came faster than it was listened to; changes are told once a second at most.
    #[zbus(property)]
    fn overruns(&self) -> u64 {
        self.shared.status(|status| status.overruns)
    }

    /// Samples at 16 kHz lost since the start; changes are told once a second at most.
    #[zbus(property)]
    fn lost_samples(&self) -> u64 {
        self.shared.status(|status| status.lost_samples)
    }

    /// The last error in words; empty if there was none.
    #[zbus(property)]
    fn last_error(&self) -> String {
        self.shared.status(|status| status.last_error.clone())
    }

    /// The speaker of a profile said its phrase. Details, as in the JSON of `wakeword run`: phrase, user (s); score,
    /// threshold, margin, keyword_score, cepstral_score, speaker_score, speaker_cosine (d, the last two absent if the
    /// voice was not asked), snr_db, level_dbfs (d); start, end, decided (t, samples at 16 kHz since the daemon began
    /// to listen); start_us, end_us, decided_us (t, microseconds of CLOCK_MONOTONIC), end_unix_us (t, microseconds
    /// since 1970), latency_ms (d), sequence (t). Where it was said in one of the voices of `wakeword speakers`:
    /// speaker (s), its name, and speaker_similarity (d).
    #[zbus(signal)]
    pub(super) async fn detected(
        emitter: &SignalEmitter<'_>,
        profile: &str,
        details: HashMap<String, OwnedVariant>,
    ) -> zbus::Result<()>;

    /// Something like the phrase of a profile was refused; sent only if configured. Details as of `Detected`,
    /// and reason (s): other-phrase, other-speaker, uncertain, outscored or paused.
    #[zbus(signal)]
    pub(super) async fn rejected(
        emitter: &SignalEmitter<'_>,
        profile: &str,
        details: HashMap<String, OwnedVariant>,
    ) -> zbus::Result<()>;

    /// Somebody other than its owner said the phrase of a profile; sent in household mode only, once the phrase
    /// is over. Details as of `Detected`, with an empty user: without a speaker, it was nobody enrolled.
    #[zbus(signal)]
    pub(super) async fn other_voice(
        emitter: &SignalEmitter<'_>,
        profile: &str,
        details: HashMap<String, OwnedVariant>,
    ) -> zbus::Result<()>;

    /// Sent to the reader of a stream alone: it was too slow and lost this many samples.
    #[zbus(signal)]
    pub(super) async fn audio_lost(
        emitter: &SignalEmitter<'_>,
        stream: u32,
        samples: u64,
    ) -> zbus::Result<()>;
}

/// The unique name of who calls.
pub(super) fn caller(header: &Header<'_>) -> Result<String, BusError> {
    let sender = header.sender().ok_or_else(|| BusError::Failed("the call does not say who calls".into()))?;
    Ok(sender.to_string())
}

/// The dictionary that comes with handed-over audio.
#[derive(SerializeDict, Type)]
#[zbus(signature = "a{sv}")]
struct AudioDetails {
    rate: u32,
    channels: u32,
    format: &'static str,
    preroll_samples: u64,
    first_us: u64,
    phrase_start: Option<u64>,
    phrase_end: Option<u64>,
    stream: u32,
}

/// What comes with the name of the profile in a signal: the fields of the event in JSON, under the same names.
pub(super) fn details(event: &Event) -> HashMap<String, OwnedVariant> {
    let Value::Object(fields) = digits::json(event) else { return HashMap::new() };
    let told = fields.into_iter().filter(|(name, _)| !["event", "profile"].contains(&name.as_str()));
    told.filter_map(|(name, value)| Some((name, variant(&value)?))).collect()
}

/// A text, a count or a measured value; nothing else is in an event.
fn variant(value: &Value) -> Option<OwnedVariant> {
    let variant = match value {
        Value::String(text) => Variant::from(text.clone()),
        Value::Number(number) => match number.as_u64() {
            Some(count) => Variant::from(count),
            None => Variant::from(number.as_f64()?),
        },
        _ => return None,
    };
    variant.try_to_owned().ok()
}
