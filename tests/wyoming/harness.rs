//! The built server in a home of its own, and a client that writes the bytes of the protocol by hand.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use wakeword::profile::Profile;
use wakeword::store::Store;
use wakeword::wyoming::frame::Frame;

use super::common::home::wait_until;
use super::common::{PHRASE, cut, demo_profile, seconds};

/// Longest that an answer may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The port is any that is free.
pub const LOOPBACK: &str = "tcp://127.0.0.1:0";

/// The demo voice's phrase with quiet before and after.
pub fn phrase() -> &'static [f32] {
    cut(17.7, 20.7)
}

/// The demo voice with other words.
pub fn other() -> &'static [f32] {
    cut(1.9, 4.8)
}

/// A folder with a store of profiles.
pub struct Home(TempDir);

impl Home {
    /// The demo voice is enrolled as `demo`, of the user `anna`.
    pub fn new() -> Self {
        let home = Self::empty();
        home.store().save(&Profile { user: "anna".into(), ..(**demo_profile()).clone() }).unwrap();
        home
    }

    /// Nobody is enrolled.
    pub fn empty() -> Self {
        // Short, since the path of a socket has to be.
        Self(tempfile::Builder::new().prefix("wy").tempdir_in("/tmp").unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn store(&self) -> Store {
        Store::new(self.path("profiles"))
    }

    /// `wakeword wyoming` with these arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin!("wakeword"));
        command.env_clear().env("HOME", self.path("")).stdin(Stdio::null());
        command.arg("--store").arg(self.path("profiles")).arg("wyoming").args(arguments);
        command
    }
}

/// A running server.
pub struct Server {
    child: Child,
    log: Arc<Mutex<String>>,
    /// Where it listens.
    pub address: String,
}

impl Server {
    pub fn start(home: &Home) -> Self {
        Self::run(home.command(&["--uri", LOOPBACK]))
    }

    /// Starts it, and waits until it listens.
    pub fn run(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()).lines(), log.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        let mut server = Self { child, log, address: String::new() };
        wait_until("the address", || {
            assert!(server.child.try_wait().unwrap().is_none(), "it ended: {}", server.log());
            let log = server.log();
            let address = log.lines().find_map(|line| line.split_once("listening at "));
            server.address = address.map_or_else(String::new, |(_, address)| address.trim().into());
            !server.address.is_empty()
        });
        server
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the log says this.
    #[track_caller]
    pub fn wait_for_log(&self, words: &str) {
        wait_until(words, || self.log().contains(words));
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> ExitStatus {
        let mut status = None;
        wait_until("its end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    pub fn connect(&self) -> Client {
        Client::connect(&self.address)
    }

    /// Fails unless it still answers somebody who has been connected, and somebody new.
    #[track_caller]
    pub fn assert_answers(&self, bystander: &mut Client) {
        for client in [bystander, &mut self.connect()] {
            client.write(b"{\"type\":\"ping\",\"data\":{\"text\":\"there?\"}}\n");
            assert_eq!(client.next("pong").data["text"], "there?");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes to the server, and lets it end.
trait Connection: Read + Write + Send {
    fn close(&self, how: Shutdown);
}

impl Connection for TcpStream {
    fn close(&self, how: Shutdown) {
        let _ = self.shutdown(how);
    }
}

impl Connection for UnixStream {
    fn close(&self, how: Shutdown) {
        let _ = self.shutdown(how);
    }
}

/// A client that reads at all times.
pub struct Client {
    writer: Box<dyn Connection>,
    frames: Receiver<Frame>,
}

/// How a client sends its audio.
#[derive(Clone, Copy)]
pub struct How {
    pub rate: u32,
    pub width: u16,
    pub channels: u16,
    /// Samples a chunk.
    pub chunk: usize,
    /// The first timestamp, and what a millisecond adds to it.
    pub stamps: Option<(u64, u64)>,
    /// Each chunk is sent when it would have been recorded.
    pub live: bool,
}

/// As Home Assistant sends it, but at once.
pub const USUAL: How =
    How { rate: 16_000, width: 2, channels: 1, chunk: 160, stamps: Some((0, 1)), live: false };

impl Client {
    pub fn connect(address: &str) -> Self {
        let (writer, reader): (Box<dyn Connection>, Box<dyn Read + Send>) = match open(address) {
            Stream::Tcp(stream) => (Box::new(stream.try_clone().unwrap()), Box::new(stream)),
            Stream::Unix(stream) => (Box::new(stream.try_clone().unwrap()), Box::new(stream)),
        };
        let (sender, frames) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            while let Ok(Some(frame)) = Frame::read(&mut reader) {
                let _ = sender.send(frame);
            }
        });
        Self { writer, frames }
    }

    /// Sends bytes; a server that closed is no fault here.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.writer.write_all(bytes);
    }

    /// Sends an event as wyoming 1.10.2 writes it: all data after the header.
    pub fn send(&mut self, kind: &str, data: &str, payload: &[u8]) {
        let mut header = format!("{{\"type\": \"{kind}\", \"version\": \"1.10.2\"");
        if !data.is_empty() {
            header += &format!(", \"data_length\": {}", data.len());
        }
        if !payload.is_empty() {
            header += &format!(", \"payload_length\": {}", payload.len());
        }
        self.write(&[format!("{header}}}\n{data}").as_bytes(), payload].concat());
    }

    pub fn detect(&mut self, names: &[&str]) {
        self.send("detect", &format!("{{\"names\": {}}}", json!(names)), b"");
    }

    pub fn start(&mut self) {
        self.send(
            "audio-start",
            "{\"rate\": 16000, \"width\": 2, \"channels\": 1, \"timestamp\": null}",
            b"",
        );
    }

    pub fn stop(&mut self) {
        self.send("audio-stop", "{\"timestamp\": null}", b"");
    }

    /// Sends samples in chunks.
    pub fn audio(&mut self, samples: &[f32], how: How) {
        let bytes = pcm(samples, how);
        let frame = usize::from(how.width * how.channels);
        let start = Instant::now();
        for (number, chunk) in bytes.chunks(how.chunk * frame).enumerate() {
            let ms = (number * how.chunk) as u64 * 1000 / u64::from(how.rate);
            if how.live {
                let due = start + Duration::from_millis(ms);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            let timestamp = how.stamps.map(|(first, each)| first + each * ms);
            let data = format!(
                "{{\"rate\": {}, \"width\": {}, \"channels\": {}, \"timestamp\": {}}}",
                how.rate,
                how.width,
                how.channels,
                json!(timestamp)
            );
            self.send("audio-chunk", &data, chunk);
        }
    }

    /// The next event, whatever it is; `None` once the server has closed.
    #[track_caller]
    pub fn any(&mut self) -> Option<Frame> {
        match self.frames.recv_timeout(PATIENCE) {
            Ok(frame) => Some(frame),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(error) => panic!("nothing came: {error}"),
        }
    }

    /// The next event, which is of this kind.
    #[track_caller]
    pub fn next(&mut self, kind: &str) -> Frame {
        let frame = self.any().unwrap_or_else(|| panic!("closed before {kind}"));
        assert_eq!(frame.kind, kind, "{frame:?}");
        frame
    }

    /// Fails if there is anything to read before the answer to a ping.
    #[track_caller]
    pub fn assert_quiet(&mut self) {
        self.send("ping", "{\"text\": null}", b"");
        assert_eq!(self.next("pong").data["text"], Value::Null);
    }

    /// The names of the models.
    #[track_caller]
    pub fn models(&mut self) -> Vec<String> {
        self.write(b"{\"type\": \"describe\", \"version\": \"1.10.2\"}\n");
        let info = self.next("info");
        let models = info.data["wake"][0]["models"].as_array().unwrap().iter();
        models.map(|model| model["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Says nothing more.
    pub fn close_writing(&self) {
        self.writer.close(Shutdown::Write);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The reading thread has the connection too.
        self.writer.close(Shutdown::Both);
    }
}

pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

pub fn open(address: &str) -> Stream {
    match address.strip_prefix("unix://") {
        Some(path) => Stream::Unix(UnixStream::connect(Path::new(path)).unwrap()),
        None => Stream::Tcp(TcpStream::connect(address.strip_prefix("tcp://").unwrap()).unwrap()),
    }
}

/// 16 kHz samples as bytes of another format.
fn pcm(samples: &[f32], how: How) -> Vec<u8> {
    let resampled = match how.rate {
        16_000 => samples.to_vec(),
        rate => super::common::stretch(samples, rate as f32 / 16_000.0),
    };
    let bytes = |sample: f32| match how.width {
        // As loud as it can be, or the steps would drown it.
        1 => vec![(sample * 3.0).mul_add(127.0, 128.0).clamp(0.0, 255.0) as u8],
        2 => ((sample * 32_767.0) as i16).to_le_bytes().to_vec(),
        3 => ((sample * 8_388_607.0) as i32).to_le_bytes()[..3].to_vec(),
        _ => ((f64::from(sample) * 2_147_483_647.0) as i32).to_le_bytes().to_vec(),
    };
    let frame = |sample: &f32| bytes(*sample).repeat(usize::from(how.channels));
    resampled.iter().flat_map(frame).collect()
}

/// Checks a detection of the demo voice's phrase.
#[track_caller]
pub fn assert_detection(frame: &Frame) {
    assert_eq!(frame.data["name"], "demo");
    assert_eq!(frame.data["speaker"], "anna");
    let context = &frame.data["context"];
    assert_eq!(context["phrase"], PHRASE);
    assert!(context["score"].as_f64().unwrap() >= context["threshold"].as_f64().unwrap(), "{context}");
    assert!(frame.data["timestamp"].is_u64(), "{frame:?}");
}

/// Quiet after which a phrase is over.
pub fn quiet(length: f32) -> Vec<f32> {
    super::common::noise(3, seconds(length)).into_iter().map(|sample| sample * 1e-3).collect()
}
