//! What `make install` puts on a machine, and what its units let the program do.
//!
//! systemd itself judges the units here (`systemd-analyze`), and a bus with the installed policy its names.
//! The user's unit runs under systemd where that may be started beside the machine's own (`manager`). The
//! restrictions of both are applied as far as that goes without:
//!
//! - tried: a file system that is read-only but for the state folder (by landlock, in place of the unit's
//!   mounts); no privileges to gain; and where root runs the tests, another user without privileges, and no
//!   network.
//! - not tried: the filter of system calls, the list of devices, namespaces of users and processes, memory
//!   that is never writable and executable.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[path = "../common/mod.rs"]
mod common;
mod manager;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;

use assert_cmd::cargo::cargo_bin;
use common::commands::subcommands;
use common::sandbox::confine;
use common::{demo_profile, repository};
use tempfile::TempDir;
use wakeword::store::Store;

const NAME: &str = "org.wakeword.Wakeword1";
/// For whom there are units, which these are, and how each starts the program.
const OWNERS: [&str; 2] = ["user", "system"];
const UNITS: [(&str, &str); 2] = [("wakeword", "run"), ("wakeword-wyoming", "wyoming")];

fn make(target: &str, destination: &Path) {
    let mut make = Command::new("make");
    make.arg("--silent").arg(target).current_dir(repository(""));
    make.arg(format!("DESTDIR={}", destination.display()));
    make.arg(format!("BINARY={}", cargo_bin!("wakeword").display())).env_remove("MAKEFLAGS");
    let output = make.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The program installed below a folder.
static INSTALLED: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    make("install", folder.path());
    folder
});

fn installed(path: &str) -> PathBuf {
    INSTALLED.path().join(path)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Units as systemd is to judge them: with the program where it is now.
fn units(of: &str, folder: &TempDir) -> Vec<PathBuf> {
    let here = installed("usr/local/bin");
    let unit = |(name, command): (&str, &str)| {
        let file = format!("{name}.service");
        let text = fs::read_to_string(installed("usr/local/lib/systemd").join(of).join(&file)).unwrap();
        assert!(text.contains(&format!("ExecStart=/usr/local/bin/wakeword {command}\n")), "{text}");
        let path = folder.path().join(file);
        fs::write(&path, text.replace("/usr/local/bin", here.to_str().unwrap())).unwrap();
        path
    };
    UNITS.map(unit).into()
}

fn analyze(of: &str, arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(arguments).args(units(of, &folder)).env("XDG_RUNTIME_DIR", folder.path());
    if of == "user" {
        analyze.arg("--user");
    }
    analyze.output().unwrap()
}

#[test]
fn uninstalling_removes_every_file() {
    let folder = TempDir::new().unwrap();
    make("install", folder.path());
    assert!(files(folder.path()).len() > 12);
    for file in files(folder.path()) {
        let text = fs::read(&file).unwrap();
        let unfilled = |word: &str| text.windows(word.len()).any(|there| there == word.as_bytes());
        assert!(!unfilled("@bindir@") && !unfilled("@docdir@"), "{}", file.display());
        assert!(!text.is_empty(), "{}", file.display());
    }
    make("uninstall", folder.path());
    let left = files(folder.path());
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn every_subcommand_has_a_man_page_and_documents_are_installed() {
    for path in subcommands() {
        let page = installed(&format!("usr/local/share/man/man1/wakeword-{}.1", path.join("-")));
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.contains(".SH SYNOPSIS"), "{text}");
    }
    let first = fs::read_to_string(installed("usr/local/share/man/man1/wakeword.1")).unwrap();
    for path in subcommands().iter().filter(|path| path.len() == 1) {
        // A hyphen is written as an escape in roff.
        assert!(first.contains(&format!("wakeword\\-{}", path[0].replace('-', "\\-"))), "{path:?}: {first}");
    }
    let documents = installed("usr/local/share/doc/wakeword");
    for entry in fs::read_dir(repository("docs")).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(documents.join("docs").join(&name).is_file(), "{name:?}");
    }
}

#[test]
fn systemd_accepts_the_units() {
    for of in OWNERS {
        let output = analyze(of, &["verify"]);
        assert!(output.status.success() && output.stderr.is_empty(), "{of}: {output:?}");
    }
}

#[test]
fn units_are_confined() {
    for of in OWNERS {
        // 20 stands for an exposure of 2 of 10, which the units with a network have at most; the daemon's have less.
        let output = analyze(of, &["security", "--offline=true", "--threshold=20"]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{of}: {text}");
        let (_, daemon) = text.split_once("Overall exposure level for wakeword.service: ").unwrap();
        assert!(daemon.split(' ').next().unwrap().parse::<f32>().unwrap() <= 1.5, "{of}: {text}");
    }
}

#[test]
fn the_bus_starts_only_enabled_units() {
    for (of, services) in [("user", "services"), ("system", "system-services")] {
        let unit =
            fs::read_to_string(installed(&format!("usr/local/lib/systemd/{of}/wakeword.service"))).unwrap();
        let service = installed(&format!("usr/local/share/dbus-1/{services}/{NAME}.service"));
        let service = fs::read_to_string(service).unwrap();
        let value = |key: &str| {
            let line = service.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.to_owned()
        };
        assert_eq!(value("Name="), NAME);
        assert_eq!(value("Exec="), "/bin/false");
        assert!(unit.lines().any(|line| line == format!("Alias={}", value("SystemdService="))));
    }
}

/// A system bus with the installed policy.
struct Bus {
    daemon: Child,
    address: String,
    _folder: TempDir,
}

impl Bus {
    /// With `user` in place of the service's, whom a machine knows only after installing.
    fn start(user: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let policies = folder.path().join("system.d");
        fs::create_dir(&policies).unwrap();
        let policy = fs::read_to_string(installed(&format!("etc/dbus-1/system.d/{NAME}.conf"))).unwrap();
        assert!(policy.contains("policy user=\"wakeword\""));
        let policy = policy.replace("user=\"wakeword\"", &format!("user=\"{user}\""));
        fs::write(policies.join("policy.conf"), policy).unwrap();
        let address = format!("unix:path={}", folder.path().join("bus").display());
        // What the system's bus starts with, but here, in the foreground, and as who runs this.
        let elsewhere =
            ["<user>", "<fork", "<pidfile>", "<servicehelper>", "<listen>", "<includedir>", "<include "];
        let system = fs::read_to_string("/usr/share/dbus-1/system.conf").unwrap();
        let kept = system.lines().filter(|line| !elsewhere.iter().any(|word| line.trim().starts_with(word)));
        let here = format!("<listen>{address}</listen><includedir>{}</includedir>", policies.display());
        let text: Vec<&str> = kept.collect();
        let text = text.join("\n").replace("</busconfig>", &format!("{here}</busconfig>"));
        let config = folder.path().join("system.conf");
        fs::write(&config, text).unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The address is printed when it can be reached.
        let mut line = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with(&address), "{line}");
        Self { daemon, address, _folder: folder }
    }

    /// What the bus answers when the service's name is asked for.
    fn request_name(&self) -> String {
        let mut call = Command::new("busctl");
        call.arg(format!("--address={}", self.address)).arg("call");
        call.args(["org.freedesktop.DBus", "/", "org.freedesktop.DBus", "RequestName", "su", NAME, "0"]);
        let output = call.output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

#[test]
fn only_the_service_user_may_own_the_bus_name() {
    let me = Command::new("id").arg("-un").output().unwrap();
    let me = String::from_utf8(me.stdout).unwrap();
    assert_eq!(Bus::start(me.trim()).request_name().trim(), "u 1");
    let answer = Bus::start("sys").request_name();
    assert!(answer.contains("Access denied"), "{answer}");
}

/// The program as its service starts it. Another user, no privileges and no network only root can give it.
fn in_service(state: &Path) -> Command {
    let mut words = vec!["setpriv", "--no-new-privs"];
    if rustix::process::geteuid().is_root() {
        words = vec!["unshare", "--net", "--ipc", "setpriv", "--no-new-privs", "--bounding-set=-all"];
        words.extend(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
    }
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(installed("usr/local/bin/wakeword")).stdin(Stdio::null());
    let path = std::env::var_os("PATH").unwrap();
    command.env_clear().env("PATH", path).env("HOME", "/nonexistent").env("STATE_DIRECTORY", state);
    command
}

#[test]
fn detection_works_in_the_sandbox() {
    // Some service users cannot look into a temporary folder.
    for folder in [INSTALLED.path(), installed("usr").as_path()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let outside = TempDir::new().unwrap();
    let state = TempDir::new().unwrap();
    Store::new(state.path().join("profiles")).save(demo_profile()).unwrap();
    fs::copy(repository("enroll/demo/living-room.flac"), state.path().join("room.flac")).unwrap();
    if rustix::process::geteuid().is_root() {
        let chown = Command::new("chown").args(["-R", "nobody:nogroup"]).arg(state.path()).status();
        assert!(chown.unwrap().success());
    }
    let run = |arguments: &[&str]| {
        let mut command = in_service(state.path());
        command.args(arguments).arg(state.path().join("room.flac")).output().unwrap()
    };
    let (outside, folder) = (outside.path().join("file"), state.path());
    let confined = std::thread::scope(|scope| {
        // Only this thread and what it starts is confined.
        let confined = scope.spawn(|| {
            confine(folder);
            assert!(fs::write(&outside, "").is_err(), "landlock does nothing");
            let detected = run(&["detect", "--json", "--detected-only"]);
            let removed = in_service(folder).args(["profiles", "remove", "demo"]).output().unwrap();
            (detected, removed)
        });
        confined.join().unwrap()
    });
    let (detected, removed) = confined;
    let lines = String::from_utf8(detected.stdout).unwrap();
    let errors = String::from_utf8(detected.stderr).unwrap();
    assert!(lines.matches("\"event\":\"detected\"").count() > 1, "{lines}{errors}");
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(fs::read_dir(state.path().join("profiles")).unwrap().count(), 0);
}
