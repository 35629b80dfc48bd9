//! Asking before something is gone for good.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// Whether somebody at the terminal agrees to what `question` asks. A program, which cannot answer, has decided.
pub fn agreed(question: &str) -> std::io::Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Ok(true);
    }
    let mut err = std::io::stderr().lock();
    write!(err, "{question} [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    let agreed = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    if !agreed {
        writeln!(err, "nothing was deleted")?;
    }
    Ok(agreed)
}
