//! What the server says where it cannot do as it is asked.

use std::net::TcpListener;

use super::harness::{Home, How, LOOPBACK, Server, USUAL, assert_detection, phrase};

/// Standard error of a server that does not start.
#[track_caller]
fn refusal(home: &Home, arguments: &[&str]) -> String {
    let output = home.command(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", taken.local_addr().unwrap());
    let text = refusal(&home, &["--uri", &address]);
    assert!(text.contains(&address) && text.contains("another program has this port"), "{text}");
    // Reserved for documentation: no machine has it.
    let text = refusal(&home, &["--uri", "tcp://203.0.113.1:10400"]);
    assert!(text.contains("no address of this machine"), "{text}");
}

#[test]
fn a_file_or_another_server_at_the_socket_stays() {
    let home = Home::new();
    let file = home.path("file");
    std::fs::write(&file, "precious").unwrap();
    let text = refusal(&home, &["--uri", &format!("unix://{}", file.display())]);
    assert!(text.contains("is no socket") && std::fs::read(&file).unwrap() == b"precious", "{text}");

    let socket = format!("unix://{}", home.path("wake.sock").display());
    let server = Server::run(home.command(&["--uri", &socket]));
    let text = refusal(&home, &["--uri", &socket]);
    assert!(text.contains("another server listens"), "{text}");
    assert_eq!(server.connect().models(), ["demo"]);
}

#[test]
fn a_wrong_option_is_wrong_usage() {
    let home = Home::new();
    for arguments in [["--uri", "127.0.0.1:10400"], ["--allow", "192.168.1.0/33"]] {
        assert_eq!(home.command(&arguments).output().unwrap().status.code(), Some(2), "{arguments:?}");
    }
    let text = refusal(&home, &["--uri", "stdio://", "--announce"]);
    assert!(text.contains("only a server at tcp://"), "{text}");
}

#[test]
fn without_profiles_it_serves_and_says_so() {
    let home = Home::empty();
    let server = Server::start(&home);
    let mut client = server.connect();
    assert!(client.models().is_empty());
    client.detect(&[]);
    let error = client.next("error");
    assert!(error.data["text"].as_str().unwrap().contains("wakeword enroll"), "{error:?}");
    server.wait_for_log("no enabled profiles");
}

#[test]
fn an_unknown_name_is_an_error_and_ends_nothing() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    client.detect(&["nobody"]);
    let error = client.next("error");
    assert_eq!(error.data["code"], "unknown-model");
    assert!(error.data["text"].as_str().unwrap().contains("nobody"), "{error:?}");
    client.start();
    client.audio(phrase(), USUAL);
    client.stop();
    client.next("not-detected");
    // Beside a name that exists, that one is heard all the same.
    client.detect(&["nobody", "demo"]);
    assert_eq!(client.next("error").data["code"], "unknown-model");
    client.audio(phrase(), USUAL);
    assert_detection(&client.next("detection"));
}

#[test]
fn audio_that_cannot_be_used_is_told_once_a_stream() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    client.detect(&["demo"]);
    for (format, words) in [
        ("{\"rate\": 4000, \"width\": 2, \"channels\": 1}", "4000 Hz"),
        ("{\"rate\": 0, \"width\": 2, \"channels\": 1}", "0 Hz"),
        ("{\"rate\": 16000, \"width\": 9, \"channels\": 1}", "9 bytes"),
        ("{\"rate\": 16000, \"width\": 2, \"channels\": 1000}", "1000 channels"),
        ("{\"rate\": -1, \"width\": 2, \"channels\": 1}", "audio"),
        ("{\"rate\": \"x\", \"width\": 2, \"channels\": 1}", "audio"),
        ("{}", "rate"),
    ] {
        client.start();
        client.send("audio-chunk", format, &[0; 641]);
        client.send("audio-chunk", format, b"");
        let error = client.next("error");
        assert_eq!(error.data["code"], "invalid-audio");
        assert!(error.data["text"].as_str().unwrap().contains(words), "{error:?}");
        client.assert_quiet();
    }
    client.start();
    client.audio(phrase(), USUAL);
    assert_detection(&client.next("detection"));
}

#[test]
fn names_that_are_no_list_are_an_error() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    client.send("detect", "{\"names\": 5}", b"");
    assert_eq!(client.next("error").data["code"], "invalid-message");
    client.assert_quiet();
}

#[test]
fn a_store_that_others_may_read_is_refused_by_name() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    assert_eq!(client.models(), ["demo"]);
    std::fs::set_permissions(home.path("profiles"), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(client.models().is_empty());
    server.wait_for_log("chmod");
    std::fs::rename(home.path("profiles"), home.path("away")).unwrap();
    assert!(client.models().is_empty());
}

#[test]
fn peers_that_are_not_named_are_turned_away() {
    let home = Home::new();
    let server = Server::run(home.command(&["--uri", LOOPBACK, "--allow", "192.0.2.0/24"]));
    assert_eq!(server.connect().any(), None);
    server.wait_for_log("--allow does not name");
    let mut command = home.command(&["--uri", LOOPBACK]);
    command.env("WAKEWORD_WYOMING_ALLOW", "192.0.2.0/24,127.0.0.0/8");
    assert_eq!(Server::run(command).connect().models(), ["demo"]);
}

#[test]
fn an_address_for_everybody_is_warned_of() {
    let home = Home::new();
    let warned = |arguments: &[&str]| Server::run(home.command(arguments)).log().contains("--allow");
    assert!(warned(&["--uri", "tcp://0.0.0.0:0"]));
    assert!(!warned(&["--uri", "tcp://0.0.0.0:0", "--allow", "127.0.0.1"]));
    assert!(!warned(&["--uri", LOOPBACK]));
}

#[test]
fn too_many_clients_are_turned_away() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut clients: Vec<_> = (0..64).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(super::harness::Client::assert_quiet);
    assert_eq!(server.connect().any(), None);
    drop(clients);
    super::common::home::wait_until("a free place", || {
        let mut client = server.connect();
        client.send("ping", "", b"");
        client.any().is_some()
    });
}

#[test]
fn a_phrase_in_the_wrong_format_wakes_nobody() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    client.detect(&["demo"]);
    // 48 kHz that is said to be 16.
    let slow = super::common::stretch(phrase(), 3.0);
    client.audio(&slow, How { chunk: 1024, ..USUAL });
    client.stop();
    client.next("not-detected");
}
