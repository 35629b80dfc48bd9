//! What an enrolment shows: a level meter and colours on a terminal, plain lines elsewhere, JSON for programs.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use console::style;
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::{Value, json};
use wakeword::digits;
use wakeword::enroll::TakeReport;

use super::super::output;

/// The quietest level that moves the meter, in dBFS; at 0 it is full.
const QUIETEST: f32 = -60.0;
/// Times a second that the meter is drawn.
const DRAWN: u8 = 10;

/// Where the steps of an enrolment go.
pub struct Screen {
    json: bool,
    /// Hidden where there is no terminal.
    meter: ProgressBar,
}

impl Screen {
    /// On stderr for people; with `json`, on stdout for programs.
    pub fn new(json: bool) -> Self {
        let capable =
            std::io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        let target = if json || !capable {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(DRAWN)
        };
        Self { json, meter: ProgressBar::with_draw_target(Some(-QUIETEST as u64), target) }
    }

    /// A step for programs alone.
    pub fn json(&self, step: &Value) -> std::io::Result<()> {
        if !self.json {
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "{step}")?;
        // A program on the other end of a pipe waits for it.
        out.flush()
    }

    /// A step that is `text` for people.
    pub fn step(&self, step: &Value, text: &str) -> std::io::Result<()> {
        if self.json {
            return self.json(step);
        }
        self.meter.suspend(|| eprintln!("{text}"));
        Ok(())
    }

    /// Something to look at; for programs only where it is a step of its own.
    pub fn warn(&self, step: Option<&Value>, text: &str) -> std::io::Result<()> {
        if self.json {
            return step.map_or(Ok(()), |step| self.json(step));
        }
        self.step(&Value::Null, &format!("{} {text}", style("note:").yellow().for_stderr()))
    }

    /// The end of it, on stdout.
    pub fn result(&self, step: &Value, text: &str) -> std::io::Result<()> {
        self.close();
        if self.json { self.json(step) } else { writeln!(std::io::stdout(), "{text}") }
    }

    /// Shows the meter from now on.
    pub fn open(&self) {
        // The template is right: a test looks at the bar.
        if let Ok(meter) = output::bar("  {bar:40.green} {msg}") {
            self.meter.set_style(meter);
        }
        self.meter.enable_steady_tick(Duration::from_millis(500));
    }

    /// Takes the meter away.
    pub fn close(&self) {
        self.meter.finish_and_clear();
    }

    /// How loud it is now, and whether that is speech.
    pub fn level(&self, dbfs: f32, speech: bool) -> std::io::Result<()> {
        self.meter.set_position((dbfs.clamp(QUIETEST, 0.0) - QUIETEST) as u64);
        let heard = if speech { "I hear you" } else { "listening" };
        self.meter.set_message(format!("{dbfs:4.0} dBFS, {heard}"));
        self.json(&json!({ "event": "level", "level_dbfs": digits::widen(dbfs), "speech": speech }))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

/// The step that says what became of a take.
pub fn take_line(report: &TakeReport) -> Value {
    let mut line = digits::json(report);
    line["event"] = "take".into();
    line
}

/// Why a take was refused.
pub fn reasons(report: &TakeReport) -> String {
    let reasons: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    reasons.join("; ")
}

/// What became of a take, in words.
pub fn take_text(report: &TakeReport) -> String {
    if !report.accepted {
        return format!("  {} {}", style("again:").red().for_stderr(), reasons(report));
    }
    let measures = report.measures.unwrap_or_default();
    let mut text = format!(
        "  {} {:.1} s of speech, {:.0} dBFS, {:.0} dB above the noise",
        style("good:").green().for_stderr(),
        measures.signal.speech_s,
        measures.signal.level_dbfs,
        measures.signal.snr_db
    );
    for warning in &report.warnings {
        text += &format!("\n  {} {warning}", style("note:").yellow().for_stderr());
    }
    if report.withdrawn.is_some() {
        text += "\n  the last two agree with each other: the one before them is given up";
    }
    text
}
