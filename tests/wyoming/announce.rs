//! The announcement by a real Avahi, on a bus and in a folder of its own.

use std::time::{Duration, Instant};

use super::common::home::{Home as Place, Running};
use super::harness::{Home, LOOPBACK, Server};

/// Avahi as root of a namespace: where it keeps its process number is fixed.
fn avahi(place: &Place) -> Running {
    let config = place.path("avahi.conf");
    std::fs::write(&config, "[publish]\npublish-workstation=no\npublish-hinfo=no\n").unwrap();
    let mut command = place.command("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let script =
        "mount -t tmpfs tmpfs /run && exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f \"$0\"";
    command.args(["--mount", "sh", "-c", script]).arg(config);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", place.session_bus());
    place.spawn(command)
}

/// What Avahi resolves the name to.
fn resolved(place: &Place, name: &str) -> Option<String> {
    let output = place
        .command("busctl")
        .arg(format!("--address={}", place.session_bus()))
        .args(["call", "org.freedesktop.Avahi", "/", "org.freedesktop.Avahi.Server", "ResolveService"])
        .args(["iisssiu", "--", "-1", "-1", name, "_wyoming._tcp", "local", "-1", "0"])
        .output()
        .unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn avahi_announces_the_server_again_after_it_restarts() {
    let (home, mut place) = (Home::new(), Place::bare());
    place.start_bus();
    let mut command = home.command(&["--uri", LOOPBACK, "--announce=kitchen"]);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", place.session_bus());
    let server = Server::run(command);
    server.wait_for_log("is avahi-daemon installed and running?");
    let port = server.address.rsplit(':').next().unwrap();
    for _ in 0..2 {
        let running = avahi(&place);
        let start = Instant::now();
        let mut found = None;
        while found.is_none() && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(200));
            found = resolved(&place, "kitchen");
        }
        let found = found.unwrap_or_else(|| {
            let log = std::fs::read_to_string(place.path("log")).unwrap();
            panic!("not announced: {}{log}", server.log())
        });
        assert!(found.contains("\"_wyoming._tcp\"") && found.contains(port), "{found}");
        drop(running);
    }
}
