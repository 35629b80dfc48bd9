//! Takes from the microphone, one after the other.

use std::io::BufRead as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use wakeword::digits;
use wakeword::engine::event::{Event, Reason};
use wakeword::engine::rule::Rule;
use wakeword::enroll::{Ear, Heard, Quality, Session, State, test};
use wakeword::models::Models;
use wakeword::profile::Profile;
use wakeword::service::capture_options;

use super::cue::Cue;
use super::screen::{Screen, take_line, take_text};
use super::{Args, Context};
use crate::cli::interrupt::Interrupt;
use crate::cli::source::{Ears, Source};

/// Longest wait for audio before keys and signals are looked at.
const WAIT: Duration = Duration::from_millis(50);
/// How long a lost microphone is waited for, and how often it is tried.
const LOST: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(500);

/// A dialogue at a microphone.
pub struct Live<'a> {
    screen: &'a Screen,
    ears: Ears,
    source: Option<Source>,
    /// Since when there is no sound from it.
    lost: Option<Instant>,
    /// Whether sounds say when to speak.
    cues: bool,
    limits: Quality,
    ear: Ear,
    interrupt: Interrupt,
    /// Presses of the Enter key, where takes begin and end with them.
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
        let limits = Quality::built_in()?;
        Ok(Self {
            screen,
            ears,
            source: Some(source),
            lost: None,
            cues: !args.no_cues && !args.json,
            ear: Ear::new(&limits),
            limits,
            interrupt,
            keys: args.manual.then(keys),
            block: Vec::new(),
        })
    }

    /// Asks for takes until all are there.
    pub fn takes(&mut self, session: &mut Session, phrase: &str) -> anyhow::Result<()> {
        self.screen.open();
        loop {
            let (take, of) = match session.state() {
                State::Complete => return Ok(()),
                State::GivenUp => bail!(
                    "{} takes in a row could not be learned from; nothing was saved. \
                     `wakeword doctor` checks the microphone",
                    self.limits.dialogue.attempts
                ),
                State::Asking { take, of } => (take, of),
            };
            let step = json!({ "event": "ask", "take": take, "of": of, "phrase": phrase });
            let samples = self.phrase(&step, &format!("take {take} of {of}: say {phrase:?}"))?;
            let report = session.take(&samples);
            if !report.accepted {
                self.cue(Cue::Again);
            }
            self.screen.step(&take_line(&report), &take_text(&report))?;
        }
    }

    /// Asks for the phrase once more, and says what the daemon would make of it.
    pub fn test(&mut self, models: &Arc<Models>, rule: &Rule, profile: &Arc<Profile>) -> anyhow::Result<()> {
        let profiles = std::slice::from_ref(profile);
        for _ in 0..self.limits.dialogue.attempts {
            let step = json!({ "event": "ask-test", "phrase": profile.phrase });
            let samples = self.phrase(&step, &format!("test: say {:?} once more", profile.phrase))?;
            let heard = test(models, profiles, rule, &samples);
            let step = json!({ "event": "test", "heard": digits::json(&heard) });
            match heard {
                Some(event) if event.is_detected() => {
                    let evidence = &event.evidence;
                    let text = format!(
                        "  accepted: {}; words {:.2}, voice {:.2} (1 is usual)",
                        score(&event),
                        rule.words(evidence),
                        evidence.speaker_score.unwrap_or_default()
                    );
                    self.screen.step(&step, &text)?;
                    return self.test_other(models, rule, profiles);
                }
                Some(event) => self.screen.step(&step, &format!("  not accepted {}", refusal(&event)))?,
                None => self.screen.step(&step, "  not accepted: nothing like the phrase was heard")?,
            }
        }
        let text = "the test was not passed: it may often miss you. Enrol again in a quieter place, \
                    or with a longer phrase";
        Ok(self.screen.warn(Some(&json!({ "event": "test-failed" })), text)?)
    }

    /// Asks for anything but the phrase, and says whether the daemon would wake for it.
    fn test_other(
        &mut self,
        models: &Arc<Models>,
        rule: &Rule,
        profiles: &[Arc<Profile>],
    ) -> anyhow::Result<()> {
        let step = json!({ "event": "ask-other" });
        let samples = self.phrase(&step, "test: now say a sentence without it")?;
        let heard = test(models, profiles, rule, &samples);
        let step = json!({ "event": "other", "heard": digits::json(&heard) });
        match heard {
            _ if samples.is_empty() => self.screen.step(&step, "  nothing was said: left out")?,
            Some(event) if event.is_detected() => {
                let text = format!(
                    "it would have woken: {}. If that was not the phrase, \
                     `wakeword calibrate {} --point strict` makes it more careful",
                    score(&event),
                    profiles[0].name
                );
                self.screen.warn(Some(&step), &text)?;
            }
            Some(event) => self.screen.step(&step, &format!("  refused {}", refusal(&event)))?,
            None => self.screen.step(&step, "  refused: nothing like the phrase was heard")?,
        }
        self.cue(Cue::Done);
        Ok(())
    }

    /// What is said next; nothing if nobody speaks.
    fn phrase(&mut self, step: &serde_json::Value, prompt: &str) -> anyhow::Result<Vec<f32>> {
        self.cue(Cue::Ready);
        let by_key = if self.keys.is_some() { "; press Enter before and after it" } else { "" };
        self.screen.step(step, &format!("{prompt}{by_key}"))?;
        self.ear.reset();
        // What was heard before the prompt is no answer to it.
        self.hear()?;
        let mut recording: Option<Vec<f32>> = None;
        loop {
            if self.pressed()? {
                match recording.take() {
                    Some(take) => return Ok(take),
                    None => recording = Some(Vec::new()),
                }
            }
            if !self.hear()? {
                // The rest of what was being said never came.
                self.ear.reset();
                recording = recording.map(|_| Vec::new());
                continue;
            }
            if let Some(take) = &mut recording {
                take.extend_from_slice(&self.block);
            }
            let mut heard = Vec::new();
            self.ear.push(&self.block, |event| heard.push(event));
            for event in heard {
                match event {
                    Heard::Level(dbfs, speech) => self.screen.level(dbfs, speech)?,
                    Heard::Phrase(_) | Heard::Nothing if self.keys.is_some() => {}
                    Heard::Phrase(take) => return Ok(take),
                    Heard::Nothing => return Ok(Vec::new()),
                }
            }
        }
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
            Some(Err(TryRecvError::Disconnected)) => bail!("the input ended; nothing was saved"),
            Some(Err(TryRecvError::Empty)) | None => Ok(false),
        }
    }

    /// Reads what came in; false where the stream broke, so that it does not continue what was before.
    fn hear(&mut self) -> anyhow::Result<bool> {
        self.block.clear();
        if self.interrupt.asked() {
            bail!("stopped; nothing was saved");
        }
        if let Some(since) = self.lost
            && since.elapsed() > LOST
        {
            bail!("no sound from the microphone for {} s; nothing was saved", LOST.as_secs());
        }
        let Some(source) = &mut self.source else {
            std::thread::sleep(RETRY);
            match Source::open(&self.ears) {
                Ok(source) => self.source = Some(source),
                Err(error) if error.is_final() => return Err(error.into()),
                Err(_) => {}
            }
            return Ok(false);
        };
        let read = source.read(WAIT, &mut self.block);
        if self.block.iter().any(|sample| *sample != 0.0) && self.lost.take().is_some() {
            self.screen
                .step(&json!({ "event": "microphone-back" }), "the microphone is back: say it again")?;
        }
        match read {
            Ok(()) => Ok(true),
            Err(reason) => self.lose(&reason),
        }
    }

    fn lose(&mut self, reason: &str) -> anyhow::Result<bool> {
        self.source = None;
        self.block.clear();
        if self.lost.is_none() {
            self.lost = Some(Instant::now());
            let text = format!("the microphone is lost: {reason}\n  waiting for it to come back");
            self.screen.step(&json!({ "event": "microphone-lost", "reason": reason }), &text)?;
        }
        Ok(false)
    }
}

fn score(event: &Event) -> String {
    format!("score {:.2} of {:.2} needed", event.score, event.threshold)
}

fn refusal(event: &Event) -> String {
    format!("({}): {}", event.reason().map_or("", Reason::describe), score(event))
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
