//! Hearing the room for a while.

use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use wakeword::calibrate::{Room, RoomMonitor};
use wakeword::engine::rule::Rule;
use wakeword::features::SAMPLE_RATE;
use wakeword::models::Models;
use wakeword::profile::Profile;
use wakeword::service::capture_options;

use crate::cli::interrupt::Interrupt;
use crate::cli::source::{Ears, Source};
use crate::cli::{Context, output};

/// Longest wait for audio before signals are looked at.
const WAIT: Duration = Duration::from_millis(100);

/// How a room was heard.
pub enum End {
    /// For as long as asked for.
    Whole,
    /// Until a signal came.
    Stopped,
    /// Until the microphone was lost, for this reason.
    Lost(String),
}

impl End {
    /// Why it ended early, if it did.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Whole => None,
            Self::Stopped => Some("stopped".into()),
            Self::Lost(reason) => Some(format!("the microphone is lost: {reason}")),
        }
    }
}

/// Adds `duration` of what the microphone hears to `room`. What was heard counts however it ends.
pub fn listen(
    context: &Context,
    (models, profile, rule): (&Arc<Models>, &Arc<Profile>, &Rule),
    duration: Duration,
    room: &mut Room,
) -> anyhow::Result<End> {
    let interrupt = Interrupt::listen(&Interrupt::USUAL)?;
    let options = capture_options(&context.config, None);
    let mut source = Source::open(&Ears { options, daemon: Some(context.config.bus.clone()) })?;
    eprintln!(
        "microphone: {}; listening, do not say the phrase (Ctrl-C: go on with what was heard)",
        source.name()
    );
    let wanted = (duration.as_secs_f64() * SAMPLE_RATE as f64) as usize;
    let progress = ProgressBar::new(duration.as_secs());
    progress.set_style(output::bar("  {bar:40} {elapsed} of {msg}")?);
    progress.set_message(humantime::format_duration(duration).to_string());
    let mut monitor = RoomMonitor::new(models, profile, rule);
    let (mut heard, mut block, mut end) = (0, Vec::new(), End::Whole);
    while heard < wanted && matches!(end, End::Whole) {
        block.clear();
        if interrupt.asked() {
            end = End::Stopped;
        } else if let Err(reason) = source.read(WAIT, &mut block) {
            end = End::Lost(reason);
        }
        heard += block.len();
        monitor.push(&block);
        progress.set_position((heard / SAMPLE_RATE) as u64);
    }
    progress.finish_and_clear();
    monitor.finish(room);
    Ok(end)
}
