//! One connection, from its first frame to its end.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::frame::{Frame, FrameError};
use super::lag::Lag;
use super::listening::Listening;
use super::message::{self, Chunk, Request};
use super::models::{Shared, chosen};

/// Speaks with a client until it leaves.
///
/// # Errors
/// The connection broke, or the client sent what is no frame.
pub fn serve(shared: &Shared, input: impl Read + AsFd, output: impl Write) -> Result<(), FrameError> {
    let mut input = BufReader::new(input);
    let mut session = Session { shared, output, stage: Stage::Idle, lag: Lag::default(), complained: false };
    loop {
        if !waits(&input)? {
            input.fill_buf()?;
            session.lag.caught_up();
        }
        let Some(frame) = Frame::read(&mut input)? else { return Ok(()) };
        match Request::parse(frame) {
            Ok(request) => session.obey(request)?,
            Err(text) => session.complain("invalid-message", &text)?,
        }
    }
}

/// Whether there is something to read already.
fn waits<R: Read + AsFd>(input: &BufReader<R>) -> io::Result<bool> {
    if !input.buffer().is_empty() {
        return Ok(true);
    }
    let mut ready = [PollFd::new(input.get_ref(), PollFlags::IN)];
    match poll(&mut ready, Some(&Timespec::default())) {
        Err(rustix::io::Errno::INTR) => Ok(false),
        ready => Ok(ready? > 0),
    }
}

struct Session<'a, W> {
    shared: &'a Shared,
    output: W,
    stage: Stage,
    lag: Lag,
    /// The client was told of audio that cannot be used, since it last began a stream.
    complained: bool,
}

enum Stage {
    /// Nothing was asked and nothing sent: there is no engine.
    Idle,
    /// Nothing that was asked for exists.
    Refused,
    Listening(Box<Listening>),
}

impl<W: Write> Session<'_, W> {
    fn obey(&mut self, request: Request) -> io::Result<()> {
        match request {
            Request::Describe => {
                let roster = self.shared.roster();
                self.say(message::info(roster.profiles.iter().map(|profile| &**profile)))
            }
            Request::Ping(text) => self.say(message::pong(text)),
            Request::Detect(names) => self.detect(&names),
            Request::Start => {
                self.complained = false;
                match &mut self.stage {
                    Stage::Listening(listening) => listening.restart(),
                    Stage::Idle => self.detect(&[])?,
                    Stage::Refused => {}
                }
                Ok(())
            }
            Request::Chunk(chunk) => self.hear(&chunk),
            Request::Stop => self.stop(),
            Request::Other => Ok(()),
        }
    }

    fn detect(&mut self, names: &[String]) -> io::Result<()> {
        self.complained = false;
        let roster = self.shared.roster();
        let (profiles, unknown) = chosen(&roster.profiles, names);
        self.stage = if profiles.is_empty() {
            Stage::Refused
        } else {
            Stage::Listening(Box::new(Listening::new(self.shared, &profiles, roster.voices.clone())))
        };
        let text = match unknown[..] {
            [] if profiles.is_empty() => self.shared.nothing(),
            [] => return Ok(()),
            _ => format!("no wake word {unknown:?}; `describe` tells those that there are"),
        };
        self.complain("unknown-model", &text)
    }

    fn hear(&mut self, chunk: &Chunk) -> io::Result<()> {
        if matches!(self.stage, Stage::Idle) {
            self.detect(&[])?;
        }
        let Stage::Listening(listening) = &mut self.stage else { return Ok(()) };
        let heard = chunk.format.clone().and_then(|format| {
            let length = listening.pass(chunk, format);
            if skips(&mut self.lag, length) {
                listening.forget();
                return Ok(Vec::new());
            }
            listening.hear(&chunk.audio, format)
        });
        match heard {
            Ok(detections) => detections.into_iter().try_for_each(|detection| self.say(detection)),
            Err(_) if self.complained => Ok(()),
            Err(text) => {
                self.complained = true;
                self.complain("invalid-audio", &text)
            }
        }
    }

    fn stop(&mut self) -> io::Result<()> {
        let detected = match &mut self.stage {
            Stage::Listening(listening) => match listening.finish() {
                Ok((detections, detected)) => {
                    detections.into_iter().try_for_each(|detection| self.say(detection))?;
                    detected
                }
                Err(text) => return self.complain("invalid-audio", &text),
            },
            Stage::Idle | Stage::Refused => false,
        };
        if detected { Ok(()) } else { self.say(message::not_detected()) }
    }

    fn complain(&mut self, code: &str, text: &str) -> io::Result<()> {
        tracing::warn!("told the client: {text}");
        self.say(message::error(code, text))
    }

    fn say(&mut self, frame: Frame) -> io::Result<()> {
        frame.write(&mut self.output)
    }
}

/// Whether a chunk is to be left out because the server is too slow for its client.
fn skips(lag: &mut Lag, length: Duration) -> bool {
    let (skips, first) = lag.skips(length, Instant::now());
    if first {
        tracing::warn!("more than 2 s behind the client: its audio is skipped up to the newest");
    }
    skips
}
