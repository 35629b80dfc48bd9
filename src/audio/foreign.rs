//! Formats that are recognised to be named, not read.

use std::ffi::OsStr;

/// Endings of the files of other formats that telephones and recorders make.
const ENDINGS: [&str; 17] = [
    "m4a", "mp4", "mp3", "aac", "ogg", "oga", "opus", "3gp", "3ga", "amr", "wma", "webm", "mka", "caf",
    "aif", "aiff", "w64",
];

/// Whether a file with this ending holds audio of another format than WAV and FLAC.
pub fn is_foreign(ending: &OsStr) -> bool {
    ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// What audio begins with `head`, if it is none that is read here.
pub(super) fn name(head: &[u8]) -> Option<&'static str> {
    match head {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("M4A, MP4 or 3GP"),
        [b'O', b'g', b'g', b'S', ..] => Some("Ogg (Opus or Vorbis)"),
        [b'#', b'!', b'A', b'M', b'R', ..] => Some("AMR"),
        [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', b'F' | b'C'] => Some("AIFF"),
        [0x30, 0x26, 0xB2, 0x75, ..] => Some("WMA"),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Some("WebM or Matroska"),
        [b'c', b'a', b'f', b'f', ..] => Some("CAF"),
        [b'r', b'i', b'f', b'f', ..] => Some("Wave64"),
        [b'R', b'I', b'F', b'X', ..] => Some("RIFX (big-endian WAV)"),
        // An MPEG frame: eleven bits of sync; layer 0 is AAC.
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => Some("AAC"),
        [0xFF, second, ..] if second & 0xE0 == 0xE0 && second & 0x06 != 0 => Some("MP3"),
        _ => None,
    }
}
