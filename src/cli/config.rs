//! `wakeword config`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wakeword::config::{self, Config};

use super::{Outcome, output};

/// Arguments of `config`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword config check my.toml
  wakeword config show")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Say all that is wrong with a configuration
    #[command(after_help = "Example:\n  wakeword config check my.toml && systemctl --user reload wakeword")]
    Check {
        /// The file [default: the one that would be used]
        file: Option<PathBuf>,
    },
    /// Every setting, its value and where that comes from
    #[command(after_help = "\
Example:
  wakeword config show --json | jq 'select(.from != \"default\")'

In JSON, each line has the setting's key, its value (null: none) and from, which is \"default\", \"option\" \
or the path of a file.")]
    Show {
        /// One JSON object a setting and line
        #[arg(long)]
        json: bool,
    },
}

/// `file` and `store` are the options for all commands.
pub fn run(file: Option<&Path>, store: Option<PathBuf>, args: Args) -> anyhow::Result<Outcome> {
    match args.command {
        Command::Check { file: named } => check(named.as_deref().or(file)),
        Command::Show { json } => show(file, store, json),
    }
}

fn check(file: Option<&Path>) -> anyhow::Result<Outcome> {
    let (_, origin) = Config::load_with_origin(file)?;
    let mut out = std::io::stdout().lock();
    match origin.file {
        Some(file) => writeln!(out, "{}: ok", file.display())?,
        None => writeln!(out, "no configuration file: the defaults are used")?,
    }
    Ok(Outcome::Done)
}

fn show(file: Option<&Path>, store: Option<PathBuf>, json: bool) -> anyhow::Result<Outcome> {
    let (mut config, origin) = Config::load_with_origin(file)?;
    let from_option = store.is_some();
    config.store.path = store.or(config.store.path).or_else(config::default_store);
    let from = |key: &str| match &origin.file {
        _ if key == "store.path" && from_option => "option".into(),
        Some(file) if origin.keys.iter().any(|set| set == key) => file.display().to_string(),
        _ => "default".into(),
    };
    // Through text, in which numbers keep the digits that were set.
    let tables: Value = serde_json::from_str(&serde_json::to_string(&config)?)?;
    let mut out = std::io::stdout().lock();
    let mut table = output::table(&["setting", "value", "from"]);
    let mut row = |key: &str, value: &Value| -> std::io::Result<()> {
        let from = from(key);
        if json {
            return writeln!(out, "{}", json!({ "key": key, "value": value, "from": from }));
        }
        let value = if value.is_null() { unset(key).into() } else { value.to_string() };
        table.add_row([key, &value, &from]);
        Ok(())
    };
    for (table, value) in tables.as_object().into_iter().flatten() {
        match value {
            Value::Object(keys) => {
                for (key, value) in keys {
                    row(&format!("{table}.{key}"), value)?;
                }
            }
            _ => row(table, value)?,
        }
    }
    if !json {
        writeln!(out, "{table}")?;
    }
    Ok(Outcome::Done)
}

/// What a setting without a value means.
fn unset(key: &str) -> &'static str {
    match key {
        "models.path" => "(built in)",
        "audio.device" => "(the system's default)",
        "bus.address" => "(from the environment)",
        _ => "-",
    }
}
