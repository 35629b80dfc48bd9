//! Hearing the room for a while.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use wakeword::calibrate::{Listener, Room};
use wakeword::engine::rule::Rule;
use wakeword::features::SAMPLE_RATE;
use wakeword::models::Models;
use wakeword::profile::Profile;
use wakeword::service::capture_options;

use crate::cli::Context;
use crate::cli::interrupt::Interrupt;
use crate::cli::source::{Ears, Source};

/// Longest wait for audio before signals are looked at.
const WAIT: Duration = Duration::from_millis(100);

/// Adds `duration` of what the microphone hears to `room`. Ended early, by a signal or a lost microphone, what was
/// heard counts, and the reason is the answer.
pub fn listen(
    context: &Context,
    (models, profile, rule): (&Arc<Models>, &Arc<Profile>, &Rule),
    duration: Duration,
    room: &mut Room,
) -> anyhow::Result<Option<String>> {
    let interrupt = Interrupt::listen(&Interrupt::USUAL)?;
    let options = capture_options(&context.config, None);
    let mut source = Source::open(&Ears { options, daemon: Some(context.config.bus.clone()) })?;
    eprintln!(
        "microphone: {}; listening, do not say the phrase (Ctrl-C: go on with what was heard)",
        source.name()
    );
    let wanted = (duration.as_secs_f64() * SAMPLE_RATE as f64) as usize;
    let progress = ProgressBar::new(duration.as_secs());
    progress.set_style(ProgressStyle::with_template("  {bar:40} {elapsed} of {msg}")?);
    progress.set_message(humantime::format_duration(duration).to_string());
    let mut listener = Listener::new(models, profile, rule);
    let (mut heard, mut block, mut ended) = (0, Vec::new(), None);
    while heard < wanted && ended.is_none() {
        block.clear();
        if interrupt.asked() {
            ended = Some("stopped".to_owned());
        } else if let Err(reason) = source.read(WAIT, &mut block) {
            ended = Some(format!("the microphone is lost: {reason}"));
        }
        heard += block.len();
        listener.push(&block);
        progress.set_position((heard / SAMPLE_RATE) as u64);
    }
    progress.finish_and_clear();
    listener.finish(room);
    Ok(ended)
}
