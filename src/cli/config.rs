//! `wakeword config`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wakeword::config::{self, Config, ConfigError};
use wakeword::text::printable;

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
        /// One JSON object: the file, whether it is ok, and its problems
        #[arg(long)]
        json: bool,
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
        Command::Check { file: named, json } => check(named.as_deref().or(file), json),
        Command::Show { json } => show(file, store, json),
    }
}

fn check(file: Option<&Path>, json: bool) -> anyhow::Result<Outcome> {
    let loaded = Config::load_with_origin(file);
    let mut out = std::io::stdout().lock();
    if json {
        let problems = match &loaded {
            Err(ConfigError::Invalid { problems, .. }) => problems.clone(),
            _ => Vec::new(),
        };
        let used = loaded.as_ref().map_or(file, |(_, origin)| origin.file.as_deref());
        let error = loaded.as_ref().err().map(ToString::to_string);
        let line = json!({ "file": used, "ok": error.is_none(), "error": error, "problems": problems });
        writeln!(out, "{line}")?;
        return Ok(if error.is_none() { Outcome::Done } else { Outcome::Failed });
    }
    let (_, origin) = loaded?;
    match origin.file {
        Some(file) => writeln!(out, "{}: ok", printable(&file.to_string_lossy()))?,
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
        Some(file) if origin.keys.iter().any(|set| set == key) => file.to_string_lossy().into_owned(),
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
        table.add_row([key, &printable(&value), &printable(&from)]);
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
