//! `wakeword completions`

use std::io::Write as _;

use clap::CommandFactory as _;

use super::Outcome;

/// Arguments of `completions`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  wakeword completions bash > /etc/bash_completion.d/wakeword")]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    // Writing to a closed pipe or a full disk, the generator would panic.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "wakeword", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Outcome::Done)
}
