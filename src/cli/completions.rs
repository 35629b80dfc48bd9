//! `wakeword completions`

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
    clap_complete::generate(args.shell, &mut super::Cli::command(), "wakeword", &mut std::io::stdout());
    Ok(Outcome::Done)
}
