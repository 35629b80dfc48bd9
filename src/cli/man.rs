//! `wakeword man`

use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::{Cli, Outcome};

/// Arguments of `man`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  wakeword man /usr/local/share/man/man1")]
pub struct Args {
    /// Folder for the pages, made if missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let failed = || args.folder.display().to_string();
    std::fs::create_dir_all(&args.folder).with_context(failed)?;
    clap_mangen::generate_to(Cli::command(), &args.folder).with_context(failed)?;
    Ok(Outcome::Done)
}
