//! `wakeword devices`

use std::io::Write as _;
use std::ops::RangeInclusive;

use serde_json::json;
use wakeword::audio::capture::{Microphone, microphones};

use super::{Outcome, output};

/// Arguments of `devices`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword devices
  wakeword devices --json

The name, or a part of the description that no other has, goes into the configuration.")]
pub struct Args {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    let microphones = microphones()?;
    let usable = microphones.iter().any(|microphone| microphone.offer.is_ok());
    if args.json {
        for microphone in &microphones {
            writeln!(out, "{}", summary(microphone))?;
        }
    } else {
        let mut table = output::table(&["name", "description", "rates in Hz", "channels", "usable"]);
        for microphone in &microphones {
            let (rates, channels, usable) = match &microphone.offer {
                Ok(offer) => (span(&offer.rates), span(&offer.channels), output::verdict("yes", true)),
                Err(reason) => (String::new(), String::new(), output::verdict(reason, false)),
            };
            let name =
                format!("{}{}", microphone.name, if microphone.is_default { " (default)" } else { "" });
            table.add_row([
                output::cell(&name),
                output::cell(&microphone.description),
                rates.into(),
                channels.into(),
                usable,
            ]);
        }
        writeln!(out, "{table}")?;
    }
    if !usable {
        eprintln!(
            "no microphone can be used now; plug one in, or start the sound server \
             (systemctl --user start pipewire wireplumber)"
        );
    }
    Ok(Outcome::Done)
}

fn span<T: PartialEq + std::fmt::Display>(range: &RangeInclusive<T>) -> String {
    if range.start() == range.end() {
        range.start().to_string()
    } else {
        format!("{}-{}", range.start(), range.end())
    }
}

fn summary(microphone: &Microphone) -> serde_json::Value {
    let offer = microphone.offer.as_ref();
    json!({
        "name": microphone.name,
        "description": microphone.description,
        "default": microphone.is_default,
        "usable": offer.is_ok(),
        "reason": offer.err(),
        "rates": offer.ok().map(|offer| [offer.rates.start(), offer.rates.end()]),
        "channels": offer.ok().map(|offer| [offer.channels.start(), offer.channels.end()]),
        "used": offer.ok().map(|offer| json!({
            "rate": offer.used.rate,
            "channels": offer.used.channels,
            "format": offer.used.samples.to_string(),
        })),
    })
}
