//! Text from outside: files as editors write them, and what is shown on terminals.

use std::borrow::Cow;

/// Longest phrase and user's name, in characters.
const MAX_TEXT: usize = 200;

/// `text` without the byte-order mark that some editors and spreadsheets put in front of UTF-8.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Whether a terminal shows `character` in its place and does nothing else: no control characters, nor those that
/// end a line or turn the direction of what follows.
fn is_printable(character: char) -> bool {
    !character.is_control() && !matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with every character that is not printable as `\u{1b}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_printable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_printable(character) { shown.push(character) } else { shown.extend(character.escape_default()) }
    }
    Cow::Owned(shown)
}

/// A phrase or a user's name as it is stored: it is shown on terminals and sent to other programs. The error
/// is a reason in words.
pub fn text(value: &str) -> Result<String, String> {
    let value = value.trim();
    if value.is_empty() || value.chars().count() > MAX_TEXT || !value.chars().all(is_printable) {
        return Err(format!("use 1 to {MAX_TEXT} characters, all of them printable"));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_is_ever_shown() {
        for harmless in ["", "hello \u{1f33b} sunflower", "Jörg's \"two\" \\", "\u{5e9}\u{5dc}\u{5d5}\u{5dd}"]
        {
            assert_eq!(printable(harmless), harmless);
        }
        let hostile = "a\u{1b}[2J\nb\r\u{9b}31m\u{202e}c\u{7f}\u{2029}";
        assert_eq!(printable(hostile), r"a\u{1b}[2J\nb\r\u{9b}31m\u{202e}c\u{7f}\u{2029}");
        for bad in ["", "  ", hostile, &"x".repeat(201)] {
            assert!(text(bad).is_err(), "{bad:?}");
        }
        assert_eq!(text(" hello "), Ok("hello".into()));
    }
}
