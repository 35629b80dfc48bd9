//! The user's unit under a real service manager, with a real bus and a microphone: nothing of the unit is
//! changed but the watchdog's time. Needs root, or what else lets systemd run beside the machine's own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use wakeword::wyoming::frame::Frame;

use super::common::daemon::enrolled;
use super::common::home::{Home, wait_until};
use super::common::repository;
use super::{INSTALLED, installed};

/// Longest that hearing a phrase may take on a busy machine.
const WAKE_TIMEOUT: Duration = Duration::from_secs(60);

struct Manager<'a> {
    home: &'a Home,
    process: Child,
}

impl<'a> Manager<'a> {
    /// `None` where none can run: its standard error says why.
    fn start(home: &'a Home) -> Option<Self> {
        const NOT_HERE: i32 = 77;
        let mut command = home.command(repository("tests/systemd/manager.sh"));
        command.env("HOME_FOLDER", home.path("")).env("INSTALLED", INSTALLED.path());
        let mut process = command.spawn().unwrap();
        let socket = home.path("run/systemd/private");
        let mut ended = None;
        wait_until("the service manager", || {
            ended = process.try_wait().unwrap();
            ended.is_some() || socket.exists()
        });
        assert!(ended.is_none_or(|status| status.code() == Some(NOT_HERE)), "{ended:?}");
        ended.is_none().then_some(Self { home, process })
    }

    fn systemctl(&self, arguments: &[&str]) -> String {
        let output = self.home.command("systemctl").arg("--user").args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn property(&self, name: &str) -> String {
        self.property_of("wakeword", name)
    }

    fn property_of(&self, unit: &str, name: &str) -> String {
        self.systemctl(&["show", unit, "--value", "--property", name]).trim().to_owned()
    }

    #[track_caller]
    fn wait_until_it_hears(&self) {
        wait_until("listening", || self.property("StatusText").starts_with("listening"));
    }
}

impl Drop for Manager<'_> {
    fn drop(&mut self) {
        // It stops its units first.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

/// What a subscriber sees of the phrase in the living room.
fn woken(home: &Home, monitor: &Path) -> String {
    let mut child = home.command(monitor).args(["monitor", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, seen) = channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    // The first line tells the state, and that it follows.
    seen.recv_timeout(WAKE_TIMEOUT).unwrap();
    let _playing = home.start_playing(&repository("enroll/demo/living-room.flac"));
    let woke = loop {
        let line = seen.recv_timeout(WAKE_TIMEOUT).unwrap();
        if line.contains("\"detected\"") {
            break line;
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    woke
}

#[test]
fn the_service_manager_starts_reloads_and_restarts_the_daemon() {
    let home = Home::start();
    enrolled(&home.path("home/.local/share/wakeword/profiles"));
    let overrides = home.path("home/.config/systemd/user/wakeword.service.d");
    std::fs::create_dir_all(&overrides).unwrap();
    std::fs::write(overrides.join("watchdog.conf"), "[Service]\nWatchdogSec=3\n").unwrap();
    let Some(manager) = Manager::start(&home) else {
        eprintln!("not tried: no service manager may run here");
        return;
    };
    // Returns when the program says that it is ready.
    manager.systemctl(&["start", "wakeword"]);
    manager.wait_until_it_hears();
    assert!(woken(&home, &installed("usr/local/bin/wakeword")).contains("\"demo\""));

    // Returns when the program says that it has reloaded.
    manager.systemctl(&["reload", "wakeword"]);
    assert_eq!(manager.property("ActiveState"), "active");

    // A program that hangs is ended, and another takes its place.
    let before = manager.property("MainPID");
    manager.systemctl(&["kill", "--signal=STOP", "wakeword"]);
    wait_until("another process", || !["0", &before].contains(&&*manager.property("MainPID")));
    manager.wait_until_it_hears();
    assert_eq!(manager.property("NRestarts"), "1");

    manager.systemctl(&["stop", "wakeword"]);
    assert_eq!(manager.property("Result"), "success");
    assert_eq!(manager.property("ExecMainStatus"), "0");
}

/// What a Wyoming server in the unit says of itself.
fn described(address: &str) -> Frame {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"{\"type\":\"describe\"}\n").unwrap();
    Frame::read(&mut BufReader::new(stream)).unwrap().unwrap()
}

#[test]
fn the_wyoming_unit_serves_profiles_enrolled_while_it_runs() {
    const UNIT: &str = "wakeword-wyoming";
    let home = Home::bare();
    let overrides = home.path("home/.config/systemd/user/wakeword-wyoming.service.d");
    std::fs::create_dir_all(&overrides).unwrap();
    let anywhere = "[Service]\nEnvironment=WAKEWORD_WYOMING_URI=tcp://127.0.0.1:0\n";
    std::fs::write(overrides.join("port.conf"), anywhere).unwrap();
    // The unit sees the folder of the profiles if it is there when it starts.
    std::fs::create_dir_all(home.path("home/.local/share/wakeword")).unwrap();
    let Some(manager) = Manager::start(&home) else {
        eprintln!("not tried: no service manager may run here");
        return;
    };
    manager.systemctl(&["start", UNIT]);
    let status = manager.property_of(UNIT, "StatusText");
    let address = status.strip_prefix("listening at tcp://").unwrap();
    assert_eq!(described(address).data["wake"][0]["models"].as_array().map(Vec::len), Some(0));
    enrolled(&home.path("home/.local/share/wakeword/profiles"));
    assert_eq!(described(address).data["wake"][0]["models"][0]["name"], "demo");
    manager.systemctl(&["stop", UNIT]);
    assert_eq!(manager.property_of(UNIT, "Result"), "success");
}
