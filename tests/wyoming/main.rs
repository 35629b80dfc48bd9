//! The Wyoming server: the built program with the demo voice, over real sockets, and clients that write the bytes that
//! the real ones were seen to write.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[path = "../common/mod.rs"]
mod common;

mod announce;
mod errors;
mod frames;
mod harness;

use common::demo_profile;
use harness::{Client, Home, How, Server, USUAL, assert_detection, other, phrase, quiet};
use rustix::process::Signal;
use serde_json::json;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use wakeword::profile::{Profile, Settings};

#[test]
fn describe_gives_what_home_assistant_requires() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    client.write(b"{\"type\": \"describe\", \"version\": \"1.10.2\"}\n");
    let info = client.next("info");
    assert_eq!(info.data.keys().collect::<Vec<_>>(), ["wake"], "a satellite's info makes no entity");
    let program = &info.data["wake"][0];
    for (field, value) in [("name", json!("wakeword")), ("installed", json!(true))] {
        assert_eq!(program[field], value);
    }
    let model = &program["models"][0];
    assert_eq!((&model["name"], &model["phrase"]), (&json!("demo"), &json!(common::PHRASE)));
    assert_eq!((&model["installed"], &model["languages"]), (&json!(true), &json!([])));
    for of in [program, model] {
        assert!(of["attribution"]["name"].is_string() && of["attribution"]["url"].is_string(), "{of}");
        assert!(of["description"].is_string() && of["version"].is_string(), "{of}");
    }
}

#[test]
fn an_event_is_a_line_and_then_its_data() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let home = Home::new();
    let server = Server::start(&home);
    let harness::Stream::Tcp(mut stream) = harness::open(&server.address) else { panic!("no tcp") };
    stream
        .write_all(b"{\"type\": \"ping\", \"version\": \"1.10.2\", \"data_length\": 13}\n{\"text\": \"x\"}")
        .unwrap();
    let mut reader = BufReader::new(stream);
    let mut header = String::new();
    reader.read_line(&mut header).unwrap();
    let header: serde_json::Value = serde_json::from_str(&header).unwrap();
    assert_eq!(
        (&header["type"], header.get("data"), header.get("payload_length")),
        (&json!("pong"), None, None)
    );
    let mut data = vec![0; header["data_length"].as_u64().unwrap() as usize];
    reader.read_exact(&mut data).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&data).unwrap(), json!({ "text": "x" }));
}

/// One run of Home Assistant's: its bytes, and the place of the detection.
fn hear_as_home_assistant(client: &mut Client) -> u64 {
    client.detect(&["demo"]);
    client.start();
    client.audio(phrase(), USUAL);
    let detection = client.next("detection");
    assert_detection(&detection);
    detection.data["timestamp"].as_u64().unwrap()
}

#[test]
fn home_assistant_hears_the_phrase_over_tcp_and_unix() {
    let home = Home::new();
    let socket = format!("unix://{}", home.path("wake.sock").display());
    for address in [harness::LOOPBACK, &socket] {
        let server = Server::run(home.command(&["--uri", address]));
        let timestamp = hear_as_home_assistant(&mut server.connect());
        // The phrase is over 2 s after the beginning.
        assert!((1500..2500).contains(&timestamp), "{timestamp}");
    }
}

#[test]
fn a_satellite_is_heard_after_each_detect_without_a_start() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    // wyoming-satellite 1.0.0 counts nanoseconds.
    let first = 3_918_048_962_188;
    let how = How { chunk: 1024, stamps: Some((first, 1_000_000)), ..USUAL };
    for _ in 0..2 {
        client.detect(&["demo"]);
        client.audio(phrase(), how);
        let detection = client.next("detection");
        assert_detection(&detection);
        let timestamp = detection.data["timestamp"].as_u64().unwrap();
        let chunks = (timestamp - first).is_multiple_of(64_000_000);
        assert!(chunks && timestamp > first + 1_000_000_000, "{timestamp}");
        client.assert_quiet();
    }
}

#[test]
fn without_a_detect_everybody_is_heard() {
    let home = Home::new();
    let server = Server::start(&home);
    for names in ["", "{}", "{\"names\": null}", "{\"names\": []}"] {
        let mut client = server.connect();
        if !names.is_empty() {
            client.send("detect", names, b"");
        }
        client.audio(phrase(), How { stamps: None, ..USUAL });
        let detection = client.next("detection");
        assert_detection(&detection);
        let timestamp = detection.data["timestamp"].as_u64().unwrap();
        assert!((1500..2500).contains(&timestamp), "{timestamp}");
    }
}

#[test]
fn audio_of_any_format_is_heard() {
    let home = Home::new();
    let server = Server::start(&home);
    for (rate, width, channels, chunk) in [
        (48_000, 2, 2, 480),
        (44_100, 2, 1, 1024),
        (22_050, 4, 2, 37),
        (16_000, 1, 1, 160),
        (16_000, 3, 8, 160),
        (192_000, 4, 1, 19_200),
    ] {
        let mut client = server.connect();
        client.detect(&["demo"]);
        client.audio(phrase(), How { rate, width, channels, chunk, ..USUAL });
        assert_detection(&client.next("detection"));
    }
}

#[test]
fn the_end_of_a_stream_says_what_was_not_heard() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    client.detect(&["demo"]);
    client.start();
    client.audio(other(), USUAL);
    client.stop();
    client.next("not-detected");
    // The same connection again; the stream ends with the phrase.
    client.start();
    client.audio(&phrase()[..common::seconds(2.05)], USUAL);
    client.stop();
    assert_detection(&client.next("detection"));
    client.assert_quiet();
}

#[test]
fn several_phrases_in_one_stream_are_all_told() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    client.detect(&["demo"]);
    client.start();
    for _ in 0..2 {
        client.audio(phrase(), USUAL);
        client.audio(&quiet(1.0), USUAL);
        assert_detection(&client.next("detection"));
    }
}

#[test]
fn clients_listen_beside_each_other() {
    let home = Home::new();
    let server = Server::start(&home);
    let clients: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    std::thread::scope(|scope| {
        for (number, mut client) in clients.into_iter().enumerate() {
            scope.spawn(move || {
                if number % 2 == 0 {
                    hear_as_home_assistant(&mut client);
                } else {
                    client.start();
                    client.audio(other(), USUAL);
                    assert!(client.models() == ["demo"], "in the middle of a stream");
                    client.stop();
                    client.next("not-detected");
                }
            });
        }
    });
}

#[test]
fn profiles_that_change_are_known_at_the_next_question() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    assert_eq!(client.models(), ["demo"]);
    let berta = Profile { name: "berta".into(), user: "anna".into(), ..(**demo_profile()).clone() };
    home.store().save(&berta).unwrap();
    home.store().remove("demo").unwrap();
    assert_eq!(client.models(), ["berta"]);
    client.detect(&["berta"]);
    client.audio(phrase(), USUAL);
    assert_eq!(client.next("detection").data["name"], "berta");

    let disabled = Settings { enabled: false, ..berta.settings };
    home.store().save(&Profile { settings: disabled, ..berta }).unwrap();
    assert!(client.models().is_empty());
    client.detect(&["berta"]);
    assert_eq!(client.next("error").data["code"], "unknown-model");
}

#[test]
fn a_damaged_profile_hides_no_other_and_is_named_once() {
    let home = Home::new();
    std::fs::copy(home.path("profiles/demo.wakeword"), home.path("profiles/other.wakeword")).unwrap();
    let server = Server::start(&home);
    let mut client = server.connect();
    for _ in 0..3 {
        assert_eq!(client.models(), ["demo"]);
    }
    server.wait_for_log("other.wakeword");
    assert_eq!(server.log().matches("other.wakeword").count(), 1, "{}", server.log());
}

#[test]
fn an_hour_of_silence_keeps_the_connection() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    client.detect(&["demo"]);
    let minute = vec![0.0; common::seconds(60.0)];
    for _ in 0..60 {
        client.audio(&minute, How { chunk: 16_000, ..USUAL });
    }
    client.audio(phrase(), USUAL);
    assert_detection(&client.next("detection"));
}

#[test]
fn a_server_that_cannot_keep_up_skips_to_the_newest() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    let how = How { live: true, ..USUAL };
    client.detect(&["demo"]);
    // It runs for a moment three times a second, as on a machine that has no time for it.
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                server.signal(Signal::STOP);
                std::thread::sleep(Duration::from_millis(300));
                server.signal(Signal::CONT);
            }
        });
        for _ in 0..10 {
            client.audio(phrase(), how);
            if server.log().contains("skipped up to the newest") {
                break;
            }
        }
        done.store(true, Relaxed);
    });
    server.wait_for_log("skipped up to the newest");
    client.detect(&["demo"]);
    client.send("ping", "{\"text\": null}", b"");
    while client.any().unwrap().kind != "pong" {}
    client.audio(phrase(), how);
    assert_detection(&client.next("detection"));
}

#[test]
fn a_signal_closes_connections_and_removes_the_socket() {
    let home = Home::new();
    let path = home.path("wake.sock");
    let socket = format!("unix://{}", path.display());
    for signal in [Signal::TERM, Signal::INT] {
        let server = Server::run(home.command(&["--uri", &socket]));
        let mut client = server.connect();
        client.detect(&["demo"]);
        client.assert_quiet();
        server.signal(signal);
        assert_eq!(client.any(), None);
        assert!(server.end().success());
        assert!(!path.exists());
    }
}

#[test]
fn a_socket_that_was_left_behind_is_no_obstacle() {
    let home = Home::new();
    let path = home.path("wake.sock");
    let socket = format!("unix://{}", path.display());
    let server = Server::run(home.command(&["--uri", &socket]));
    server.signal(Signal::KILL);
    server.end();
    assert!(path.exists());
    let server = Server::run(home.command(&["--uri", &socket]));
    assert_eq!(server.connect().models(), ["demo"]);
}

#[test]
fn a_client_on_standard_input_ends_the_server_with_it() {
    use std::io::Write as _;
    let home = Home::new();
    let mut command = home.command(&["--uri", "stdio://"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"type\": \"describe\", \"version\": \"1.10.2\"}\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let info = wakeword::wyoming::frame::Frame::read(&mut &output.stdout[..]).unwrap().unwrap();
    assert_eq!(info.data["wake"][0]["models"][0]["name"], "demo");
}

#[test]
fn a_client_that_reads_nothing_is_given_up() {
    use std::io::Write as _;
    let home = Home::new();
    let server = Server::start(&home);
    let mut bystander = server.connect();
    let harness::Stream::Tcp(mut deaf) = harness::open(&server.address) else { panic!("no tcp") };
    deaf.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let question = b"{\"type\":\"describe\"}\n".repeat(1000);
    // Until the server reads no more, since it cannot write.
    while deaf.write_all(&question).is_ok() {}
    server.assert_answers(&mut bystander);
    assert!(hear_as_home_assistant(&mut bystander) > 0);
    deaf.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    let end = (0..).map(|_| deaf.write_all(&question)).find_map(Result::err).unwrap();
    assert_ne!(end.kind(), std::io::ErrorKind::WouldBlock, "it is still connected");
}
