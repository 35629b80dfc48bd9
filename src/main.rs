//! The `wakeword` program.
#![forbid(unsafe_code)]

mod cli;

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    map_large_blocks();
    cli::main()
}

/// Begins again with glibc told to give every block of 1 MiB a mapping of its own. By itself it stops doing so
/// once one was freed, and then loading the networks leaves holes that stay: 10 MB of the peak. It reads this
/// from the environment alone, at the start. Where that cannot be, all goes on as it is.
fn map_large_blocks() {
    const THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";
    if std::env::var_os(THRESHOLD).is_some() {
        return;
    }
    let mut arguments = std::env::args_os();
    if let (Ok(program), Some(name)) = (std::env::current_exe(), arguments.next()) {
        // Returns only if it fails.
        let _ = Command::new(program).arg0(name).args(arguments).env(THRESHOLD, "1048576").exec();
    }
}
