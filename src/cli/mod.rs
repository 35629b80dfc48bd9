//! The command line: one file a subcommand, and one place that turns an error into an exit code.

mod batch;
mod calibrate;
mod completions;
mod config;
mod confirm;
mod detect;
mod devices;
mod doctor;
mod enroll;
mod eval;
mod interrupt;
mod man;
mod models;
mod monitor;
mod output;
mod passphrase;
mod piped;
mod profiles;
mod run;
mod sbi;
mod source;
mod speakers;
mod status;
mod which_bus;
mod wyoming;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use wakeword::config::{Config, default_store, expand};
use wakeword::engine::rule::Rule;
use wakeword::models::Models;
use wakeword::profile::Profile;
use wakeword::speaker::voice::Voice;
use wakeword::store::{Kind, Store};

/// Wakes for your phrase in your voice, on your device.
#[derive(Parser)]
#[command(
    version,
    after_help = "\
Examples:
  wakeword enroll anna --phrase \"hello sunflower\"
  wakeword detect living-room.flac
  wakeword profiles list

Exit status: 0 done, 1 failed, 2 wrong usage, 3 done but some files could not be used, \
128 + N ended by signal N (130: Ctrl-C)."
)]
struct Cli {
    /// Configuration file [default: ~/.config/wakeword/config.toml, then /etc/wakeword/config.toml]
    #[arg(long, global = true, value_name = "FILE", env = "WAKEWORD_CONFIG", value_parser = in_home())]
    config: Option<PathBuf>,
    /// Folder of the profiles [default: ~/.local/share/wakeword/profiles]
    #[arg(long, global = true, value_name = "DIR", env = "WAKEWORD_STORE", value_parser = in_home())]
    store: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Learn a phrase at the microphone, or from recordings of it
    Enroll(enroll::Args),
    /// Look for enrolled phrases in recordings
    Detect(detect::Args),
    /// List, show, rename, remove, export or import enrolled phrases
    Profiles(profiles::Args),
    /// Say what to expect of a profile, and set its threshold
    Calibrate(calibrate::Args),
    /// Look whether everything is as the daemon needs it
    Doctor(doctor::Args),
    /// List the microphones
    Devices(devices::Args),
    /// Tell people apart by their voice, whatever they say
    Speakers(speakers::Args),
    /// List the models and what runs them; make the cohort of other ones
    Models(models::Args),
    /// Run over whole folders of recordings
    Batch(batch::Args),
    /// Check or show the configuration
    Config(config::Args),
    /// Listen for the enrolled phrases until told to stop: the daemon
    Run(run::Args),
    /// What the running daemon is doing
    Status(status::Args),
    /// Follow what the running daemon says on the bus
    Monitor(monitor::Args),
    /// Serve the enrolled phrases to Home Assistant and to satellites that stream their audio
    Wyoming(wyoming::Args),
    /// Measure on recordings of which is known what should be heard in them
    Eval(eval::Args),
    /// Recognise lists of recordings by SpeechIO's interface
    Sbi(sbi::Args),
    /// Print completions for a shell
    Completions(completions::Args),
    /// Write the man pages
    Man(man::Args),
}

/// A path of which no shell has expanded the beginning, as after `--store=` or in a unit's `Environment=`.
fn in_home() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| expand(&path).ok_or("no home folder: give the whole path"))
}

/// How a command ended that did not fail.
pub enum Outcome {
    /// All done.
    Done,
    /// Done, but some input had to be left out; it was named on stderr.
    Partial,
    /// What was asked was done, and its answer is a failure.
    Failed,
    /// Asked to stop by this signal, and what was done until then shown.
    Interrupted(u8),
}

/// Parses the command line, runs it, reports its error.
pub fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // The programs whose options `eval` shares call the folder of takes a configuration.
    let takes = match cli.command {
        Command::Eval(ref args)
            if args.config_is_takes() && matches.value_source("config") == Some(ValueSource::CommandLine) =>
        {
            std::mem::replace(&mut cli.config, std::env::var_os("WAKEWORD_CONFIG").map(PathBuf::from))
        }
        _ => None,
    };
    match run(cli, takes) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Partial) => ExitCode::from(3),
        Ok(Outcome::Failed) => ExitCode::FAILURE,
        Ok(Outcome::Interrupted(signal)) => ExitCode::from(128 + signal),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::warn(output::chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, takes: Option<PathBuf>) -> anyhow::Result<Outcome> {
    let context = || Context::new(cli.config.as_deref(), cli.store.clone());
    match cli.command {
        Command::Enroll(args) => enroll::run(&context()?, args),
        Command::Detect(args) => detect::run(&context()?, args),
        Command::Calibrate(args) => calibrate::run(&context()?, &args),
        Command::Profiles(args) => profiles::run(&context()?, args),
        Command::Speakers(args) => speakers::run(&context()?, args),
        Command::Models(args) => models::run(&context()?, args),
        Command::Batch(args) => batch::run(&context()?, args),
        Command::Eval(args) => eval::run(&context()?, &args, takes.as_deref()),
        Command::Sbi(args) => sbi::run(&context()?, args),
        Command::Wyoming(args) => wyoming::run(&context()?, args),
        Command::Run(args) => run::run(cli.config, cli.store, args),
        Command::Doctor(args) => doctor::run(cli.config.as_deref(), cli.store, args),
        Command::Devices(args) => devices::run(args),
        Command::Status(args) => status::run(cli.config.as_deref(), args),
        Command::Monitor(args) => monitor::run(cli.config.as_deref(), args),
        // These also help with a configuration that cannot be used.
        Command::Config(args) => config::run(cli.config.as_deref(), cli.store, args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(&args),
    }
}

/// `wakeword ... | head` is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let pipe = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(pipe))
}

/// What every command may need.
pub struct Context {
    config: Config,
    store: Option<Store>,
}

impl Context {
    fn new(config: Option<&Path>, store: Option<PathBuf>) -> anyhow::Result<Self> {
        let config = Config::load(config)?;
        let folder = store.or_else(|| config.store.path.clone()).or_else(default_store);
        Ok(Self { store: folder.map(Store::new), config })
    }

    /// The profiles' store. A command that needs none also runs for a user without a home.
    fn store(&self) -> anyhow::Result<&Store> {
        self.store.as_ref().context("no home folder: say where the profiles are with --store")
    }

    fn models(&self) -> anyhow::Result<Arc<Models>> {
        Ok(Arc::new(Models::load(self.config.models.path.as_deref())?))
    }

    fn rule(&self) -> Rule {
        self.config.detection.rule()
    }

    /// The named profiles, or all; one that was made with other models is an error.
    fn profiles(&self, models: &Models, names: &[String]) -> anyhow::Result<Vec<Arc<Profile>>> {
        Ok(load_all(self.store()?, models, names)?.into_iter().map(Arc::new).collect())
    }

    /// All enrolled voices, of which there may be none; one that was made with other models is an error.
    fn voices(&self, models: &Models) -> anyhow::Result<Arc<[Voice]>> {
        let store = self.store()?.voices();
        if store.names()?.is_empty() {
            return Ok(Arc::default());
        }
        Ok(load_all(&store, models, &[])?.into())
    }
}

/// What is stored under `names`, or all; something that was made with other models is an error.
fn load_all<T: Kind>(store: &Store<T>, models: &Models, names: &[String]) -> anyhow::Result<Vec<T>> {
    let names = if names.is_empty() { store.names()? } else { names.to_vec() };
    let folder = store.folder();
    anyhow::ensure!(!names.is_empty(), "no {}s in {folder:?}; enrol one: {}", T::NOUN, T::ENROL);
    let load = |name: &String| {
        let one = store.load(name)?;
        let same = one.models() == models.fingerprint;
        anyhow::ensure!(same, "{} {name:?} was made with other models; enrol it again", T::NOUN);
        Ok(one)
    };
    names.iter().map(load).collect()
}
