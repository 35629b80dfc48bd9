//! What people see: tables, errors, and colours only on a terminal.

use std::fmt::Display;
use std::io::IsTerminal as _;
use std::time::{Duration, UNIX_EPOCH};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use indicatif::ProgressStyle;
use indicatif::style::TemplateError;
use wakeword::text::printable;

/// A table with `header`, as wide as the terminal, or COLUMNS, allows; as wide as it is for another program.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    if !std::io::stdout().is_terminal()
        && let Some(width) = std::env::var("COLUMNS").ok().and_then(|width| width.parse().ok())
    {
        table.set_width(width);
    }
    table
}

/// A cell with text that comes from outside.
pub fn cell(text: &str) -> Cell {
    Cell::new(printable(text))
}

/// A cell for a good or a bad outcome.
pub fn verdict(text: &str, good: bool) -> Cell {
    cell(text).fg(if good { Color::Green } else { Color::Red })
}

/// Seconds at 16 kHz, as `m:ss.ss`.
pub fn time(sample: u64) -> String {
    let seconds = sample as f64 / wakeword::features::SAMPLE_RATE as f64;
    format!("{}:{:05.2}", (seconds / 60.0) as u64, seconds % 60.0)
}

/// Date and time in UTC of seconds since 1970.
pub fn date(seconds: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

/// A progress bar by an `indicatif` template, in characters that every terminal has.
pub fn bar(template: &str) -> Result<ProgressStyle, TemplateError> {
    Ok(ProgressStyle::with_template(template)?.progress_chars("=> "))
}

/// Says on stderr what is wrong, or was left out.
pub fn warn(text: impl Display) {
    let text = text.to_string();
    let lines: Vec<_> = text.lines().map(printable).collect();
    eprintln!("wakeword: {}", lines.join("\n"));
}

/// An error and its causes. Where an error names its cause itself, that is not said again.
pub fn chain(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}
