//! `wakeword eval streams`

use std::cell::Cell;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use indicatif::ProgressBar;
use rayon::prelude::*;
use wakeword::audio::AudioError;
use wakeword::batch::eval::streams::{Recording, StreamsReport};
use wakeword::batch::shard::Shard;
use wakeword::batch::{check_writable, hear_until, write_whole};
use wakeword::engine::Engine;
use wakeword::engine::event::Event;
use wakeword::engine::rule::Rule;
use wakeword::features::SAMPLE_RATE;
use wakeword::models::Models;
use wakeword::profile::Profile;

use super::report;
use super::tables::{SOURCES, sources};
use crate::cli::interrupt::Interrupt;
use crate::cli::{Context, Outcome, output};

/// Arguments of `eval streams`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  wakeword eval streams television.flac music.wav --store profiles/
  wakeword eval streams *.flac --report report.html

Listens for all enrolled phrases in each recording, as the daemon would. Every acceptance is a false accept. The \
rate is per hour and profile; the bound is the highest rate that would still show so few in 5 % of such \
measurements (Poisson): 3.0 divided by the hours if there are none. With any voice: how many there would be if \
everybody had the owner's, so what the words alone let in. `wakeword batch merge` puts the JSON results \
of several shards together.

Ctrl-C ends the run and shows what it has heard until then, marked as partial; the exit status is 130.")]
pub struct Args {
    /// WAV and FLAC files in which nobody says an enrolled phrase
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only for this profile; may be repeated [default: all]
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
    /// Write a report with the offending moments to this file
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    jobs: usize,
    /// Only every N-th recording, beginning with the I-th
    #[arg(long, value_name = "I/N", default_value_t = Shard::ALL, hide_default_value = true)]
    shard: Shard,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    if let Some(path) = &args.report {
        check_writable(path).with_context(|| path.display().to_string())?;
    }
    let models = context.models()?;
    let profiles = context.profiles(&models, &args.profiles)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.jobs).build()?;
    // Hidden by the library where stderr is no terminal.
    let files = args.shard.of(args.files.iter().collect());
    let progress = ProgressBar::new(files.len() as u64)
        .with_style(output::bar("{bar:30} {pos}/{len} recordings, {eta} left")?);
    let interrupt = Interrupt::listen(&Interrupt::USUAL)?;
    let all = files.par_iter().with_max_len(1).map(|file| {
        let heard = listen(context, &models, &profiles, file, &interrupt);
        if let Some(error) = &heard.error {
            progress.suspend(|| eprintln!("wakeword: {error}; only what comes before counts"));
        }
        progress.inc(1);
        heard
    });
    let heard: Vec<Heard> = pool.install(|| all.collect());
    progress.finish_and_clear();
    let interrupted = if heard.iter().any(|one| one.cut) { interrupt.signal() } else { None };
    let broken = heard.iter().any(|one| one.error.is_some());
    let recordings = heard.into_iter().map(|one| one.recording).collect();
    let report = StreamsReport::new(args.shard, interrupted.is_some(), recordings, profiles.len());
    if let Some(path) = &args.report {
        let text = report::streams::html(&context.rule(), &report);
        write_whole(path, text.as_bytes()).with_context(|| path.display().to_string())?;
    }
    print(&report, args.json)?;
    Ok(match interrupted {
        Some(signal) => {
            eprintln!("wakeword: interrupted; only what was heard until then counts");
            Outcome::Interrupted(signal)
        }
        None if broken => Outcome::Partial,
        None => Outcome::Done,
    })
}

/// One recording, as far as it was heard.
struct Heard {
    recording: Recording,
    /// Where it broke off.
    error: Option<AudioError>,
    /// Whether there was no time to hear all of it.
    cut: bool,
}

/// A recording that breaks off or is cut counts as far as it was heard.
fn listen(
    context: &Context,
    models: &Arc<Models>,
    profiles: &[Arc<Profile>],
    file: &Path,
    interrupt: &Interrupt,
) -> Heard {
    let mut engine = Engine::new(models.clone(), profiles, context.rule());
    let mut false_accepts = Vec::new();
    let mut by_words = WordsAlone { rule: context.rule(), profiles, ends: vec![0; profiles.len()], count: 0 };
    let cut = Cell::new(false);
    let stop = || {
        cut.set(interrupt.asked());
        cut.get()
    };
    let (samples, end) = hear_until(&mut engine, file, stop, |event| {
        by_words.hear(&event);
        false_accepts.extend(Some(event).filter(Event::is_detected));
    });
    let profile_hours = samples as f64 / SAMPLE_RATE as f64 / 3600.0 * profiles.len() as f64;
    let recording = Recording {
        file: file.to_string_lossy().into_owned(),
        profile_hours,
        false_accepts,
        with_any_voice: by_words.count,
    };
    Heard { recording, error: end.err(), cut: cut.get() }
}

/// Counts what the words alone would let in.
struct WordsAlone<'a> {
    rule: Rule,
    profiles: &'a [Arc<Profile>],
    /// Where the last counted phrase of each profile ended: a candidate that grows is judged more than once.
    ends: Vec<u64>,
    count: usize,
}

impl WordsAlone<'_> {
    fn hear(&mut self, heard: &Event) {
        if !heard.is_verdict() {
            return;
        }
        for (profile, end) in self.profiles.iter().zip(&mut self.ends) {
            let rule = self.rule.of_profile(profile);
            if profile.name == heard.profile
                && heard.start >= *end
                && rule.accepts_words(&heard.evidence, profile.scales.voice)
            {
                *end = heard.end;
                self.count += 1;
            }
        }
    }
}

pub fn print(report: &StreamsReport, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(report)?)?;
        return Ok(());
    }
    let mut moments = output::table(&["recording", "from", "to", "as", "score", "needed", "voice", "SNR"]);
    for one in &report.recordings {
        for found in &one.false_accepts {
            moments.add_row([
                one.file.clone(),
                output::time(found.start),
                output::time(found.end),
                found.profile.clone(),
                format!("{:.2}", found.score),
                format!("{:.2}", found.threshold),
                found.evidence.speaker_cosine.map_or("-".into(), |cosine| format!("{cosine:.2}")),
                format!("{:.0} dB", found.evidence.snr_db),
            ]);
        }
    }
    if !moments.is_empty() {
        writeln!(out, "{moments}\n")?;
    }
    let mut table = output::table(&SOURCES);
    table.add_rows(sources(report));
    writeln!(out, "{table}")?;
    if report.partial {
        writeln!(out, "partial: the run was ended before all was heard")?;
    }
    Ok(())
}
