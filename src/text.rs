//! Text files as editors write them.

/// `text` without the byte-order mark that some editors and spreadsheets put in front of UTF-8.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}
