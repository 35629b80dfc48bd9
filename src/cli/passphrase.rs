//! Asking for a passphrase without showing it.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use anyhow::{Context as _, ensure};
use console::Term;

/// Longer passphrases are files that were named by mistake.
const MAX_BYTES: u64 = 4096;

/// The passphrase: the first line of `file`, or what is typed, twice where it is `new`, or without a terminal the
/// first line of the standard input.
pub fn ask(file: Option<&Path>, new: bool) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    let passphrase = match file {
        Some(path) => std::fs::File::open(path).and_then(first_line).with_context(|| format!("{path:?}"))?,
        None if stdin.is_terminal() => typed(new)?,
        None => first_line(stdin).context("the passphrase on the standard input")?,
    };
    ensure!(!passphrase.is_empty(), "the passphrase is empty; nothing was done");
    Ok(passphrase)
}

fn first_line(source: impl std::io::Read) -> std::io::Result<String> {
    let mut line = String::new();
    std::io::BufReader::new(source.take(MAX_BYTES)).read_line(&mut line)?;
    // Windows's editors put a byte-order mark in front of the text.
    let line = line.strip_prefix('\u{feff}').unwrap_or(&line);
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn typed(new: bool) -> anyhow::Result<String> {
    let terminal = Term::stderr();
    let ask = |prompt: &str| {
        terminal.write_str(prompt)?;
        terminal.read_secure_line()
    };
    let passphrase = ask("passphrase: ")?;
    ensure!(!new || passphrase == ask("the same again: ")?, "the two are not the same; nothing was done");
    Ok(passphrase)
}
