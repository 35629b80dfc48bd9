//! What people see: tables, and colours only on a terminal.

use comfy_table::{Attribute, Cell, Color, Table, presets};

/// A table with `header`, as wide as the terminal allows.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(header.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    table
}

/// A cell for a good or a bad outcome.
pub fn verdict(text: &str, good: bool) -> Cell {
    Cell::new(text).fg(if good { Color::Green } else { Color::Red })
}

/// Seconds at 16 kHz, as `m:ss.ss`.
pub fn time(sample: u64) -> String {
    let seconds = sample as f64 / wakeword::features::SAMPLE_RATE as f64;
    format!("{}:{:05.2}", (seconds / 60.0) as u64, seconds % 60.0)
}
