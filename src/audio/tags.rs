//! Tags that programs put before and behind the audio of any format.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

/// Bytes of the header of an ID3v2 tag, and of its footer.
const ID3V2: u64 = 10;
/// Bytes of an ID3v1 tag.
const ID3V1: u64 = 128;
/// Bytes of the footer of an APE tag, and of its header.
const APE: u64 = 32;
/// More tags in a row are no tags.
const MOST: usize = 8;

/// Where the audio of `file` begins: behind the ID3v2 tags at its start (id3.org, "ID3 tag version 2.4.0").
pub(super) fn start(file: &mut File) -> io::Result<u64> {
    let mut start = 0;
    for _ in 0..MOST {
        let mut head = Vec::with_capacity(ID3V2 as usize);
        file.seek(SeekFrom::Start(start))?;
        file.take(ID3V2).read_to_end(&mut head)?;
        let [b'I', b'D', b'3', _, _, flags, a, b, c, d] = head[..] else { break };
        // Seven bits of a byte count, so that no byte looks like the sync of an MPEG frame.
        let size = [a, b, c, d].iter().fold(0, |size, byte| size << 7 | u64::from(byte & 0x7F));
        let footer = if flags & 0x10 != 0 { ID3V2 } else { 0 };
        start += ID3V2 + size + footer;
    }
    Ok(start)
}

/// Where the audio of `file`, which has `length` bytes, ends: before an ID3v1 and an APE tag at its end.
pub(super) fn end(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    if at(file, end, ID3V1)?.starts_with(b"TAG") {
        end -= ID3V1;
    }
    let footer = at(file, end, APE)?;
    if let [b'A', b'P', b'E', b'T', b'A', b'G', b'E', b'X', _, _, _, _, a, b, c, d, ..] = footer[..] {
        // The size leaves out a header.
        let header = if footer[23] & 0x80 != 0 { APE } else { 0 };
        end = end.saturating_sub(u64::from(u32::from_le_bytes([a, b, c, d])) + header);
    }
    Ok(end)
}

/// The `count` bytes before `end`; none if there are fewer.
fn at(file: &mut File, end: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(start) = end.checked_sub(count) {
        file.seek(SeekFrom::Start(start))?;
        file.take(count).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
