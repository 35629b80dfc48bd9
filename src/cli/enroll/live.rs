//! A dialogue at the microphone.

use std::io::{BufRead as _, IsTerminal as _};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use wakeword::engine::rule::Rule;
use wakeword::enroll::dialogue::{Dialogue, Failure, Input, Step};
use wakeword::profile::Profile;
use wakeword::service::capture_options;

use super::cue::Cue;
use super::screen::Screen;
use super::{Args, Context, steps};
use crate::cli::interrupt::Interrupt;
use crate::cli::source::{Ears, Source};

/// Longest wait for audio before keys and signals are looked at.
const WAIT: Duration = Duration::from_millis(50);
/// How often a lost microphone is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// A signal asked the dialogue to stop.
#[derive(Debug, thiserror::Error)]
#[error("stopped; nothing was saved")]
pub struct Stopped(pub u8);

/// The microphone and the keys of a dialogue.
pub struct Live<'a> {
    screen: &'a Screen,
    ears: Ears,
    /// Absent while the microphone is lost.
    source: Option<Source>,
    /// Whether sounds say when to speak.
    cues: bool,
    interrupt: Interrupt,
    /// Whether takes begin and end with the Enter key. Else it leaves out what need not be said.
    manual: bool,
    /// Presses of the Enter key, once they mean something.
    keys: Option<Receiver<()>>,
    block: Vec<f32>,
}

impl<'a> Live<'a> {
    /// Opens the microphone, or what a running daemon hears by it.
    pub fn open(context: &Context, args: &Args, screen: &'a Screen) -> anyhow::Result<Self> {
        let interrupt = Interrupt::listen(&[SIGINT, SIGTERM, SIGHUP])?;
        let ears = Ears {
            options: capture_options(&context.config, args.device.as_deref()),
            // A microphone of one's own choice is not the daemon's.
            daemon: args.device.is_none().then(|| context.config.bus.clone()),
        };
        let source = Source::open(&ears)?;
        let step = json!({ "event": "microphone", "device": source.name() });
        screen.step(&step, &format!("microphone: {}", source.name()))?;
        Ok(Self {
            screen,
            ears,
            source: Some(source),
            cues: !args.no_cues && !args.json,
            interrupt,
            manual: args.manual,
            keys: args.manual.then(keys),
            block: Vec::new(),
        })
    }

    /// Goes through the dialogue to its profile, which is not stored yet.
    pub fn follow(&mut self, dialogue: &mut Dialogue, rule: &Rule) -> anyhow::Result<Arc<Profile>> {
        self.screen.open();
        let phrase = dialogue.enrolment().phrase().to_owned();
        let mut steps = Vec::new();
        dialogue.begin(&mut |step| steps.push(step));
        loop {
            let mut asked = false;
            for step in steps.drain(..) {
                asked |= matches!(step, Step::Ask(_));
                let hint = self.key_hint(dialogue.can_skip());
                if let Some(profile) = self.show(step, (&phrase, hint), rule)? {
                    return Ok(profile);
                }
            }
            if asked {
                self.discard();
                dialogue.feed(Input::Restart, &mut |step| steps.push(step));
            }
            if self.pressed()? {
                let input = if self.manual { Input::Mark } else { Input::Skip };
                dialogue.feed(input, &mut |step| steps.push(step));
            }
            let input = self.listen()?;
            dialogue.feed(input, &mut |step| steps.push(step));
        }
    }

    /// What the Enter key does, to show with a prompt.
    fn key_hint(&mut self, can_skip: bool) -> &'static str {
        if self.manual {
            return "; press Enter before and after it";
        }
        // A program in the background that reads its terminal is stopped, so nothing is read before it has to be.
        if !can_skip || !std::io::stdin().is_terminal() {
            return "";
        }
        self.keys.get_or_insert_with(keys);
        "; press Enter to leave it out"
    }

    /// Shows a step, a prompt with `hint`; the profile if it is the last.
    fn show(
        &self,
        step: Step,
        (phrase, hint): (&str, &str),
        rule: &Rule,
    ) -> anyhow::Result<Option<Arc<Profile>>> {
        match &step {
            Step::Ask(_) => self.cue(Cue::Ready),
            Step::Take { report, .. } if !report.accepted => self.cue(Cue::Again),
            Step::Done(_) => self.cue(Cue::Done),
            _ => {}
        }
        match step {
            Step::Done(profile) => return Ok(Some(profile)),
            Step::Failed(Failure::GivenUp(attempts)) => bail!(
                "{}; nothing was saved. `wakeword doctor` checks the microphone",
                Failure::GivenUp(attempts)
            ),
            Step::Failed(failure) => bail!("{failure}; nothing was saved"),
            step => steps::show(self.screen, &step, (phrase, hint), rule)?,
        }
        Ok(None)
    }

    fn cue(&self, cue: Cue) {
        if self.cues {
            cue.play();
        }
    }

    /// Whether Enter was pressed.
    fn pressed(&self) -> anyhow::Result<bool> {
        match self.keys.as_ref().map(Receiver::try_recv) {
            Some(Ok(())) => Ok(true),
            Some(Err(TryRecvError::Disconnected)) if self.manual => {
                bail!("the input ended; nothing was saved")
            }
            Some(Err(_)) | None => Ok(false),
        }
    }

    /// Drops what was heard before the prompt: it is no answer to it.
    fn discard(&mut self) {
        while let Some(source) = &mut self.source {
            self.block.clear();
            // An error comes again at the next read.
            if source.read(Duration::ZERO, &mut self.block).is_err() || self.block.is_empty() {
                return;
            }
        }
    }

    /// What comes from the microphone next.
    fn listen(&mut self) -> anyhow::Result<Input<'_>> {
        if let Some(signal) = self.interrupt.signal() {
            return Err(Stopped(signal).into());
        }
        let begun = Instant::now();
        self.block.clear();
        let Some(source) = &mut self.source else {
            std::thread::sleep(RETRY);
            match Source::open(&self.ears) {
                Ok(source) => self.source = Some(source),
                Err(error) if error.is_final() => return Err(error.into()),
                Err(_) => {}
            }
            return Ok(Input::NoAudio(begun.elapsed().as_secs_f32()));
        };
        match source.read(WAIT, &mut self.block) {
            Ok(()) if self.block.is_empty() => Ok(Input::NoAudio(begun.elapsed().as_secs_f32())),
            Ok(()) => Ok(Input::Audio(&self.block)),
            Err(reason) => {
                self.source = None;
                Ok(Input::Lost(reason))
            }
        }
    }
}

/// Tells of every Enter; ends with the input.
fn keys() -> Receiver<()> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines();
        for _ in lines.map_while(Result::ok) {
            if sender.send(()).is_err() {
                return;
            }
        }
    });
    receiver
}
