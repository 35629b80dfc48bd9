//! A home for one test: a session bus and a sound server of its own, with a microphone into which
//! files can be played. Nothing of the user's own session is touched, and homes do not see each other.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Longest that anything here may take to start, on a machine busy with other tests.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The virtual microphone is what this sink plays.
const SINK: &str = "vmic";

/// A program that ends when this is dropped.
pub struct Running(Child);

impl Running {
    fn signal(&self, signal: &str) {
        let kill = Command::new("kill").arg(signal).arg(self.0.id().to_string()).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for it to end by itself and succeed.
    #[track_caller]
    pub fn finish(mut self) {
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A private session bus, PipeWire and its microphone.
pub struct Home {
    bus: Option<Running>,
    sound: Vec<Running>,
    /// As `pactl` numbers it.
    microphone: Option<String>,
    /// Dropped last: the others write into it.
    folder: TempDir,
}

impl Home {
    /// Everything running, the microphone at 16 kHz mono.
    pub fn start() -> Self {
        Self::with_microphone(16_000, 1)
    }

    /// Everything running.
    pub fn with_microphone(rate: u32, channels: u16) -> Self {
        let mut home = Self::bare();
        home.start_bus();
        home.start_sound_server();
        home.add_microphone(rate, channels);
        home
    }

    /// Nothing running yet.
    pub fn bare() -> Self {
        // Short, since the path of a socket has to be.
        let folder = tempfile::Builder::new().prefix("ww").tempdir_in("/tmp").unwrap();
        for name in ["run", "home"] {
            fs::DirBuilder::new().mode(0o700).create(folder.path().join(name)).unwrap();
        }
        Self { bus: None, sound: Vec::new(), microphone: None, folder }
    }

    /// A path for a file of the test's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The variables that lead a program to this home, and away from the user's.
    pub fn env(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("HOME", self.path("home").into()),
            ("XDG_RUNTIME_DIR", self.path("run").into()),
            ("DBUS_SESSION_BUS_ADDRESS", self.session_bus().into()),
        ]
    }

    /// A program in this home; of the surrounding variables it sees `PATH` alone.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(self.env());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub fn start_bus(&mut self) {
        self.bus = Some(self.spawn_bus("run/bus"));
    }

    /// As if it crashed: everybody loses the connection.
    pub fn kill_bus(&mut self) {
        self.bus = None;
    }

    /// Stops the bus from running, without ending it: connections stay, nobody is answered.
    pub fn freeze_bus(&self) {
        self.bus.as_ref().unwrap().signal("-STOP");
    }

    /// Lets a frozen bus go on.
    pub fn thaw_bus(&self) {
        self.bus.as_ref().unwrap().signal("-CONT");
    }

    /// The address of the session bus.
    pub fn session_bus(&self) -> String {
        self.bus_address("run/bus")
    }

    /// Starts the sound server, without a microphone.
    pub fn start_sound_server(&mut self) {
        // It needs a bus for itself, and has to outlive the session's.
        const BUS: &str = "run/sound-bus";
        self.sound.push(self.spawn_bus(BUS));
        let address = self.bus_address(BUS);
        for (program, socket) in [
            ("pipewire", Some("run/pipewire-0")),
            ("wireplumber", None),
            ("pipewire-pulse", Some("run/pulse/native")),
        ] {
            let mut command = self.command(program);
            // The machine's own bus leads to its users and devices.
            command.env("DBUS_SESSION_BUS_ADDRESS", &address).env("DBUS_SYSTEM_BUS_ADDRESS", &address);
            self.sound.push(self.spawn(command));
            if let Some(socket) = socket {
                wait_for_socket(&self.path(socket));
            }
        }
    }

    /// As if it crashed: streams break, and none can be opened.
    pub fn kill_sound_server(&mut self) {
        self.sound.clear();
        self.microphone = None;
        for socket in ["run/pipewire-0", "run/pulse/native"] {
            let _ = fs::remove_file(self.path(socket));
        }
    }

    /// Stops the sound server from running, without ending it: nothing moves, nothing breaks.
    pub fn freeze_sound_server(&self) {
        self.sound.iter().for_each(|server| server.signal("-STOP"));
    }

    /// Lets a frozen sound server go on.
    pub fn thaw_sound_server(&self) {
        self.sound.iter().for_each(|server| server.signal("-CONT"));
    }

    /// Plugs the microphone in, as the default source. Its name is `vmic.monitor`.
    pub fn add_microphone(&mut self, rate: u32, channels: u16) {
        assert!(self.microphone.is_none(), "there is one already");
        let map = ["mono", "front-left,front-right"][usize::from(channels) - 1];
        let module = self.pactl(&[
            "load-module",
            "module-null-sink",
            "media.class=Audio/Sink",
            &format!("sink_name={SINK}"),
            &format!("rate={rate}"),
            &format!("channel_map={map}"),
        ]);
        self.microphone = Some(module.trim().to_owned());
        let source = format!("{SINK}.monitor");
        wait_until("the microphone", || {
            self.try_pactl(&["set-default-source", &source]);
            self.try_pactl(&["get-default-source"]).is_some_and(|name| name.trim() == source)
        });
    }

    /// Unplugs the microphone.
    pub fn remove_microphone(&mut self) {
        let module = self.microphone.take().expect("a microphone to remove");
        self.pactl(&["unload-module", &module]);
    }

    /// Plays a WAV or FLAC file into the microphone, and returns when it has been played.
    #[track_caller]
    pub fn play(&self, file: &Path) {
        self.start_playing(file).finish();
    }

    /// The same, without waiting.
    pub fn start_playing(&self, file: &Path) -> Running {
        let mut command = self.command("paplay");
        command.arg(format!("--device={SINK}")).arg(file);
        self.spawn(command)
    }

    /// Starts a program of this home; what it says on stderr goes to `log` in the home.
    pub fn spawn(&self, mut command: Command) -> Running {
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let name = command.get_program().to_owned();
        match command.stdout(Stdio::null()).stderr(log).spawn() {
            Ok(child) => Running(child),
            Err(error) => panic!("{name:?} does not start, is it installed? {error}"),
        }
    }

    fn bus_address(&self, socket: &str) -> String {
        format!("unix:path={}", self.path(socket).display())
    }

    fn spawn_bus(&self, socket: &str) -> Running {
        let path = self.path(socket);
        let _ = fs::remove_file(&path);
        let mut command = self.command("dbus-daemon");
        command.args(["--session", "--nofork", "--nopidfile", "--nosyslog", "--address"]);
        command.arg(self.bus_address(socket));
        let bus = self.spawn(command);
        wait_for_socket(&path);
        bus
    }

    #[track_caller]
    fn pactl(&self, arguments: &[&str]) -> String {
        let mut answer = None;
        wait_until(&format!("pactl {arguments:?}"), || {
            answer = self.try_pactl(arguments);
            answer.is_some()
        });
        answer.unwrap()
    }

    fn try_pactl(&self, arguments: &[&str]) -> Option<String> {
        let output = self.command("pactl").args(arguments).output().expect("pactl is installed");
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }
}

/// Waits until something is so.
#[track_caller]
pub fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < TIMEOUT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn wait_for_socket(path: &Path) {
    let bound = || fs::metadata(path).is_ok_and(|data| data.file_type().is_socket());
    wait_until(&path.display().to_string(), || {
        bound() && std::os::unix::net::UnixStream::connect(path).is_ok()
    });
}
