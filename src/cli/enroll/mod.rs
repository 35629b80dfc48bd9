//! `wakeword enroll`

mod cue;
mod files;
pub mod gates;
mod keep;
mod live;
mod near;
mod screen;
mod steps;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;
use wakeword::calibrate::{Expectation, Outlook, Room};
use wakeword::digits;
use wakeword::enroll::dialogue::{Dialogue, Enrolment, Segmentation};
use wakeword::enroll::{Quality, TAKES, takes, text};
use wakeword::models::Models;
use wakeword::profile::Profile;
use wakeword::store::{Store, now};
use wakeword::text::printable;

use self::live::{Live, Stopped};
use self::screen::Screen;
use super::calibrate::plain;
use super::{Context, Outcome};

/// Arguments of `enroll`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword enroll anna --phrase \"hello sunflower\"
  wakeword enroll anna --phrase \"hello sunflower\" --from takes/
  wakeword enroll anna-lights --user anna --phrase \"lights on please\" --from 1.wav 2.wav 3.wav 4.wav 5.wav
  wakeword enroll anna --add
  wakeword enroll anna --add --near hello-sunshine-1.wav hello-sunshine-2.wav

Without --from it asks for five takes at the microphone, then for one more to see that it is accepted, for \
something else to see that it is not, and twice for something that sounds nearly like it, which must not wake; say \
nothing to leave that out. \
Where a daemon runs, it listens through that, and what is said meanwhile wakes nobody. \
Each take is said with a moment of quiet before and after. A phrase of a second or more, of three syllables \
or more, keeps other people and chance out best. Nothing is saved before the end; Ctrl-C leaves nothing.

A voice is not the same in the morning, with a cold, or from across the room: --add learns takes of another \
day beside those of the profile, which keeps the latest fifteen.

Words that sound nearly like the phrase may wake in the owner's voice. Two recordings of such words, given with \
--near, make that rarer; other words than those are kept out as before.")]
pub struct Args {
    /// Name of the profile
    name: String,
    /// The phrase as text, to show with events
    #[arg(long, value_name = "TEXT", value_parser = text, required_unless_present = "add")]
    phrase: Option<String>,
    /// Who says it, to show with events [default: the profile's name]
    #[arg(long, value_name = "NAME", value_parser = text)]
    user: Option<String>,
    /// Recordings of the phrase, or a folder of them (WAV or FLAC), in place of the microphone
    #[arg(long, num_args = 1.., value_name = "DIR|FILE")]
    from: Vec<PathBuf>,
    /// Recordings of something that sounds nearly like the phrase, said by its owner: it must not wake. With --add
    /// and without --from, only these are learned
    #[arg(long, num_args = 1.., value_name = "DIR|FILE")]
    near: Vec<PathBuf>,
    /// Microphone, in place of the configured one; see `wakeword devices`
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    device: Option<String>,
    /// Begin and end each take with the Enter key
    #[arg(long, conflicts_with = "from")]
    manual: bool,
    /// Keep the takes in this folder, as WAV files; else no audio is kept
    #[arg(long, value_name = "DIR", conflicts_with = "from")]
    keep_audio: Option<PathBuf>,
    /// Play no sounds; there are none with --json either
    #[arg(long, conflicts_with = "from")]
    no_cues: bool,
    /// Leave out the test at the end
    #[arg(long, conflicts_with = "from")]
    no_test: bool,
    /// Replace a profile of this name
    #[arg(long)]
    replace: bool,
    /// Add takes to the profile of this name
    #[arg(long, conflicts_with_all = ["phrase", "user", "replace"])]
    add: bool,
    /// One JSON object a step and line
    #[arg(long)]
    json: bool,
}

pub fn run(context: &Context, args: Args) -> anyhow::Result<Outcome> {
    match enrol(context, &args) {
        Ok(()) => Ok(Outcome::Done),
        Err(error) => match error.downcast_ref::<Stopped>() {
            Some(Stopped(signal)) => {
                eprintln!("wakeword: {error}");
                Ok(Outcome::Interrupted(*signal))
            }
            None => Err(error),
        },
    }
}

fn enrol(context: &Context, args: &Args) -> anyhow::Result<()> {
    let store = context.store()?;
    // One to add to is looked for before anybody speaks.
    let before = if args.add { Some(store.load(&args.name)?) } else { None };
    if before.is_none() {
        store.check_free(&args.name, args.replace)?;
    }
    let screen = Screen::new(args.json);
    if let (Some(profile), true, false) = (&before, args.from.is_empty(), args.near.is_empty()) {
        return near::teach(context, args, profile, &screen);
    }
    let (enrolment, profile) = if args.from.is_empty() {
        if let Some(folder) = &args.keep_audio {
            keep::folder(folder)?;
        }
        let mut live = Live::open(context, args, &screen)?;
        let enrolment = enrolment(context, args, before.clone(), TAKES)?;
        let segmentation = if args.manual { Segmentation::Manual } else { Segmentation::Automatic };
        let mut dialogue = Dialogue::new(enrolment, Quality::built_in()?, segmentation, !args.no_test);
        let profile = live.follow(&mut dialogue, &context.rule())?;
        (dialogue.into_enrolment(), profile)
    } else {
        let recordings = takes::read(&args.from)?;
        let mut enrolment = enrolment(context, args, before.clone(), recordings.len())?;
        files::takes(enrolment.session_mut(), &recordings, &screen)?;
        let learned = enrolment.learn()?;
        steps::show_learned(&screen, &learned)?;
        (enrolment, learned.profile)
    };
    let mut profile = match before {
        Some(before) => added(store, &before, &profile)?,
        None => Profile { created: now(), ..Arc::unwrap_or_clone(profile) },
    };
    near::learn(enrolment.models(), &mut profile, &args.near)?;
    let path = store.put(&profile, args.replace || args.add)?;
    if let Some(folder) = &args.keep_audio {
        keep::takes(folder, &args.name, enrolment.session().audio())?;
    }
    let rule = context.rule();
    let threshold = profile.settings.threshold.unwrap_or(rule.threshold);
    let expected = Outlook::new(enrolment.models(), &profile, &rule, Room::default()).at(threshold);
    report(&profile, &path, &expected, &screen)
}

/// What is to become the profile of `args`, which has the takes of `before`.
fn enrolment(
    context: &Context,
    args: &Args,
    before: Option<Profile>,
    wanted: usize,
) -> anyhow::Result<Enrolment> {
    let models = context.models()?;
    let draft = match before {
        Some(profile) => {
            anyhow::ensure!(
                profile.models == models.fingerprint,
                "profile {:?} was made with other models; enrol again with --replace",
                profile.name
            );
            profile
        }
        None => {
            let phrase = args.phrase.as_ref().context("no phrase")?;
            let user = args.user.clone().unwrap_or_else(|| args.name.clone());
            Profile { user, ..Profile::draft(&args.name, phrase, &models.fingerprint) }
        }
    };
    let others = others(context, &models, &args.name)?;
    Ok(Enrolment::new((models, context.rule()), Quality::built_in()?, draft, wanted, others))
}

/// The stored profile with the takes of `learned` in place of those of `before`. Its settings may have been changed
/// while somebody spoke, even its takes by another enrolment.
fn added(store: &Store, before: &Profile, learned: &Profile) -> anyhow::Result<Profile> {
    let now = store.load(&before.name)?;
    anyhow::ensure!(
        now.takes == before.takes && now.near_words == before.near_words,
        "profile {:?} got other takes meanwhile; nothing was saved",
        before.name
    );
    let Profile { takes, scales, near_words, .. } = learned.clone();
    Ok(Profile { takes, scales, near_words, ..now })
}

/// The profiles beside the one that is being made. What cannot be read does not hinder a new one.
fn others(context: &Context, models: &Models, name: &str) -> anyhow::Result<Vec<Arc<Profile>>> {
    let store = context.store()?;
    let names = store.names()?.into_iter().filter(|other| other != name);
    let readable = names.filter_map(|other| store.load(&other).ok());
    Ok(readable.filter(|profile| profile.models == models.fingerprint).map(Arc::new).collect())
}

fn report(profile: &Profile, path: &Path, expected: &Expectation, screen: &Screen) -> anyhow::Result<()> {
    let seconds = profile.takes.iter().map(|take| take.seconds).sum::<f32>() / profile.takes.len() as f32;
    let line = json!({
        "event": "enrolled",
        "name": profile.name,
        "phrase": profile.phrase,
        "takes": profile.takes.len(),
        "mean_seconds": digits::widen(seconds),
        "scales": digits::json(&profile.scales),
        "file": path.to_string_lossy(),
        "expected": digits::json(expected),
    });
    let text = format!(
        "enrolled {:?} as {}: {} takes of {seconds:.1} s\nprofile: {}\nto be expected: {}; see `wakeword calibrate {}`",
        profile.phrase,
        profile.name,
        profile.takes.len(),
        printable(&path.to_string_lossy()),
        plain(expected),
        profile.name
    );
    screen.result(&line, &text).context("standard output")
}
