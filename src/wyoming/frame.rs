//! Frames: a line of JSON, then as much data and payload as it announces.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Longest header line in bytes, that of the protocol's own library.
pub const MAX_HEADER: u64 = 64 << 10;
/// Most bytes of data, and of payload: 32 s of audio at 16 kHz.
pub const MAX_BODY: u64 = 1 << 20;

/// One event of the protocol.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// What happens.
    pub kind: String,
    /// Its fields.
    pub data: Map<String, Value>,
    /// Audio, or nothing.
    pub payload: Vec<u8>,
}

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The bytes are no frame; where the next one begins is not known.
    #[error("not a frame of the Wyoming protocol: {0}")]
    Malformed(String),
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "type")]
    kind: String,
    data: Option<Map<String, Value>>,
    data_length: Option<u64>,
    payload_length: Option<u64>,
}

#[derive(Serialize)]
struct Announced<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_length: Option<usize>,
}

impl Frame {
    /// Reads one; `None` where the stream ends between two.
    ///
    /// # Errors
    /// The stream breaks off within a frame, or holds something else.
    pub fn read(from: &mut impl BufRead) -> Result<Option<Self>, FrameError> {
        let mut line = Vec::new();
        from.take(MAX_HEADER).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            return Err(if line.len() as u64 == MAX_HEADER {
                malformed(format_args!("its header is longer than {MAX_HEADER} bytes"))
            } else {
                io::Error::from(io::ErrorKind::UnexpectedEof).into()
            });
        }
        let header: Header =
            serde_json::from_slice(&line).map_err(|error| malformed(format_args!("header: {error}")))?;
        let more = body(from, "data", header.data_length)?;
        let mut data = header.data.unwrap_or_default();
        if !more.is_empty() {
            let more: Map<String, Value> =
                serde_json::from_slice(&more).map_err(|error| malformed(format_args!("data: {error}")))?;
            data.extend(more);
        }
        let payload = body(from, "payload", header.payload_length)?;
        Ok(Some(Self { kind: header.kind, data, payload }))
    }

    /// Writes it at once, all in one piece.
    ///
    /// # Errors
    /// The stream is broken.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let some = |length: usize| (length > 0).then_some(length);
        let data = if self.data.is_empty() { Vec::new() } else { serde_json::to_vec(&self.data)? };
        let header = Announced {
            kind: &self.kind,
            version: env!("CARGO_PKG_VERSION"),
            data_length: some(data.len()),
            payload_length: some(self.payload.len()),
        };
        let mut bytes = serde_json::to_vec(&header)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&data);
        bytes.extend_from_slice(&self.payload);
        to.write_all(&bytes)?;
        to.flush()
    }
}

/// The bytes behind the header.
fn body(from: &mut impl Read, what: &str, length: Option<u64>) -> Result<Vec<u8>, FrameError> {
    let length = length.unwrap_or(0);
    if length > MAX_BODY {
        return Err(malformed(format_args!("its {what} has {length} bytes, more than {MAX_BODY}")));
    }
    let mut bytes = Vec::new();
    // Takes no memory for what does not come.
    if from.take(length).read_to_end(&mut bytes)? as u64 != length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes)
}

fn malformed(what: std::fmt::Arguments<'_>) -> FrameError {
    FrameError::Malformed(what.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use proptest::prelude::*;

    use super::*;

    /// The frames of some bytes that come in pieces of so many, and how the stream ends.
    fn read_all(bytes: &[u8], piece: usize) -> (Vec<Frame>, Option<FrameError>) {
        let mut from = BufReader::with_capacity(piece, Cursor::new(bytes));
        let mut frames = Vec::new();
        loop {
            match Frame::read(&mut from) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => return (frames, None),
                Err(error) => return (frames, Some(error)),
            }
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..3)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    fn frame() -> impl Strategy<Value = Frame> {
        let data = prop::collection::hash_map(any::<String>(), value(), 0..4);
        let payload = prop::collection::vec(any::<u8>(), 0..200);
        (any::<String>(), data, payload).prop_map(|(kind, data, payload)| Frame {
            kind,
            data: data.into_iter().collect(),
            payload,
        })
    }

    /// A whole stream, some of whose bytes may be others.
    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
        (prop::collection::vec(frame(), 0..4), edits).prop_map(|(frames, edits)| {
            let mut bytes = written(&frames);
            for (place, byte) in edits {
                if !bytes.is_empty() {
                    let place = place.index(bytes.len());
                    bytes[place] = byte;
                }
            }
            bytes
        })
    }

    fn written(frames: &[Frame]) -> Vec<u8> {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut bytes).unwrap());
        bytes
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(
            frames in prop::collection::vec(frame(), 0..5),
            piece in 1..50usize,
        ) {
            let (read, error) = read_all(&written(&frames), piece);
            prop_assert!(error.is_none(), "{error:?}");
            prop_assert_eq!(read, frames);
        }

        #[test]
        fn any_bytes_end_in_frames_or_in_one_error(
            bytes in prop_oneof![damaged(), prop::collection::vec(any::<u8>(), 0..300)],
            piece in 1..50usize,
        ) {
            let (frames, _) = read_all(&bytes, piece);
            // Each frame takes its header at least.
            prop_assert!(frames.len() <= bytes.len());
            let (again, _) = read_all(&bytes, 1 << 16);
            prop_assert_eq!(frames, again);
        }
    }

    #[test]
    fn data_after_the_header_comes_before_data_within() {
        let bytes =
            b"{\"data_length\":12,\"data\":{\"text\":\"a\",\"x\":1},\"type\":\"ping\"}\r\n{\"text\":\"b\"}";
        let (frames, error) = read_all(bytes, 1);
        assert!(error.is_none());
        assert_eq!(frames[0].data["text"], "b");
        assert_eq!(frames[0].data["x"], 1);
    }

    #[test]
    fn lengths_that_are_null_or_missing_are_none() {
        let (frames, error) = read_all(b"{\"type\":\"a\",\"data_length\":null,\"payload_length\":0}\n", 7);
        assert!(error.is_none());
        assert_eq!(frames, [Frame { kind: "a".into(), ..Frame::default() }]);
    }

    #[test]
    fn what_is_no_frame_names_its_fault() {
        let long = [b"{\"type\":\"".to_vec(), vec![b'x'; 70_000]].concat();
        let deep =
            format!("{{\"type\":\"x\",\"data\":{{\"x\":{}{}}}}}\n", "[".repeat(30_000), "]".repeat(30_000));
        for (bytes, words) in [
            (&b"GET / HTTP/1.1\r\n"[..], "header"),
            (b"\n", "header"),
            (b"[]\n", "header"),
            (b"{}\n", "type"),
            (b"{\"type\":5}\n", "string"),
            (b"{\"type\":\"x\",\"data_length\":-1}\n", "header"),
            (b"{\"type\":\"x\",\"data_length\":\"5\"}\n", "header"),
            (b"{\"type\":\"x\",\"payload_length\":1e99}\n", "header"),
            (b"{\"type\":\"x\",\"payload_length\":1048577}\n", "payload has 1048577 bytes"),
            (b"{\"type\":\"x\",\"data_length\":1099511627776}\n", "data has"),
            (b"{\"type\":\"x\",\"data_length\":5}\n[1,2]", "data"),
            (b"{\"type\":\"x\",\"data_length\":5}\n12,45", "data"),
            (b"{\"type\":\"\xff\"}\n", "header"),
            (&long, "longer than 65536"),
            (deep.as_bytes(), "recursion"),
        ] {
            let (frames, error) = read_all(bytes, 4096);
            let error = error.unwrap();
            assert!(frames.is_empty() && matches!(error, FrameError::Malformed(_)), "{error:?}");
            assert!(error.to_string().contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn a_stream_that_breaks_off_is_no_end() {
        for bytes in [&b"{\"type\":\"pi"[..], b"{\"type\":\"x\",\"payload_length\":2}\n1"] {
            let (frames, error) = read_all(bytes, 4096);
            assert!(frames.is_empty() && matches!(error, Some(FrameError::Io(_))), "{error:?}");
        }
    }
}
