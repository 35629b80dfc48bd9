//! Bytes that no client should send: whatever comes, others are served. `PROPTEST_CASES` sets how much is tried.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::harness::{Home, Server};

#[test]
fn what_is_no_frame_closes_only_its_connection() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut bystander = server.connect();
    let long = [b"{\"type\":\"".to_vec(), vec![b'x'; 2 << 20]].concat();
    let deep = format!("{{\"type\":\"ping\",\"data\":{}{}}}\n", "[".repeat(30_000), "]".repeat(30_000));
    let payload = [b"{\"type\":\"x\",\"payload_length\":67108864}\n".to_vec(), vec![0; 1 << 20]].concat();
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\n",
        b"{\"type\":\"\xff\xfe\"}\n",
        b"[]\n",
        b"{}\n",
        b"{\"type\":5}\n",
        b"{\"type\":\"ping\",\"data_length\":1099511627776}\n",
        b"{\"type\":\"ping\",\"data_length\":-1}\n",
        b"{\"type\":\"ping\",\"data_length\":5}\n12,45",
        b"{\"type\":\"ping\",\"data_length\":5}\n[1,2]",
        b"{\"type\":\"x\",\"payload_length\":1e99}\n",
        &long,
        deep.as_bytes(),
        &payload,
    ] {
        let mut client = server.connect();
        client.write(bytes);
        assert_eq!(client.any(), None, "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)]));
        server.assert_answers(&mut bystander);
    }
}

#[test]
fn an_event_may_come_byte_by_byte() {
    let home = Home::new();
    let server = Server::start(&home);
    let mut client = server.connect();
    let bytes = b"{\"type\":\"x\",\"payload_length\":3}\n{\n\n{\"type\":\"ping\",\"data_length\":12,\"payload_length\":2}\n{\"text\":\"b\"}xy";
    for byte in bytes {
        client.write(&[*byte]);
    }
    assert_eq!(client.next("pong").data["text"], "b");
}

/// A server for all cases.
static SERVER: LazyLock<(Home, Server)> = LazyLock::new(|| {
    let home = Home::new();
    let server = Server::start(&home);
    (home, server)
});

fn event() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop::sample::select(vec![
        "describe",
        "ping",
        "detect",
        "audio-start",
        "audio-chunk",
        "audio-stop",
        "x",
    ]);
    let number = prop_oneof![Just(16_000), Just(2), Just(1), any::<i64>()];
    let names = prop_oneof![
        Just("null".to_owned()),
        Just("[\"demo\"]".into()),
        Just("[\"demo\", \"x\"]".into()),
        Just("7".into()),
    ];
    let format = (number.clone(), number.clone(), number.clone(), number);
    (kinds, format, names, prop::collection::vec(any::<u8>(), 0..700)).prop_map(
        |(kind, (rate, width, channels, timestamp), names, payload)| {
            let data = format!(
                "{{\"rate\":{rate},\"width\":{width},\"channels\":{channels},\"timestamp\":{timestamp},\"names\":{names}}}"
            );
            let header = format!(
                "{{\"type\":\"{kind}\",\"data_length\":{},\"payload_length\":{}}}\n",
                data.len(),
                payload.len()
            );
            [header.as_bytes(), data.as_bytes(), &payload].concat()
        },
    )
}

proptest! {
    #[test]
    fn no_bytes_stop_the_server(
        events in prop::collection::vec(event(), 1..20),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let server = &SERVER.1;
        let mut bytes = events.concat();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let mut client = server.connect();
        client.write(&bytes);
        client.close_writing();
        // Reads to the end, which has to come.
        while client.any().is_some() {}
        server.assert_answers(&mut server.connect());
    }
}
