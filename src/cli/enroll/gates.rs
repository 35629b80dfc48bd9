//! `wakeword batch enroll`

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::json;
use wakeword::batch::autokws::{self, Speaker};
use wakeword::digits;
use wakeword::enroll::{Measures, Quality, Session, TakeReport, takes};
use wakeword::models::Models;

use super::super::{Context, Outcome, output};
use super::screen::reasons;

/// Arguments of `batch enroll`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder with one folder a speaker
    dataset: PathBuf,
    /// One JSON object a speaker and line
    #[arg(long)]
    json: bool,
}

/// How the takes of one speaker fared.
struct Tried {
    name: String,
    reports: Vec<TakeReport>,
    /// Why there would be no profile.
    failure: Option<String>,
    warnings: Vec<String>,
}

pub fn run(context: &Context, args: &Args) -> anyhow::Result<Outcome> {
    let speakers = autokws::speakers(&args.dataset, None)?;
    let models = context.models()?;
    let tried: Vec<Tried> =
        speakers.par_iter().map(|speaker| try_one(&models, speaker)).collect::<anyhow::Result<_>>()?;
    let mut out = std::io::stdout().lock();
    if args.json {
        for Tried { name, reports, failure, warnings } in &tried {
            let line = json!({ "speaker": name, "takes": digits::json(reports), "failure": failure, "warnings": warnings });
            writeln!(out, "{line}")?;
        }
        return Ok(Outcome::Done);
    }
    let mut table = output::table(&[
        "speaker", "takes", "speech", "level", "clipped", "SNR", "words", "voice", "verdict",
    ]);
    for one in &tried {
        let lowest = |of: fn(&Measures) -> Option<f32>| {
            let values = one.reports.iter().filter_map(|report| of(report.measures.as_ref()?));
            values.min_by(f32::total_cmp).map_or("-".into(), |value| format!("{value:.2}"))
        };
        let clipped = one.reports.iter().filter_map(|report| Some(report.measures?.signal.clipped));
        let verdict = match (&one.failure, &one.warnings[..]) {
            (Some(reason), _) => output::verdict(reason, false),
            (None, []) => output::verdict("good", true),
            (None, warnings) => output::verdict(&warnings.join("; "), true),
        };
        table.add_row([
            one.name.as_str().into(),
            one.reports.len().into(),
            lowest(|measures| Some(measures.signal.speech_s)).into(),
            lowest(|measures| Some(measures.signal.level_dbfs)).into(),
            format!("{:.4}", clipped.fold(0.0, f32::max)).into(),
            lowest(|measures| Some(measures.signal.snr_db)).into(),
            lowest(|measures| measures.words).into(),
            lowest(|measures| measures.voice).into(),
            verdict,
        ]);
    }
    writeln!(out, "{table}")?;
    let failures = tried.iter().filter(|one| one.failure.is_some()).count();
    let refused = tried.iter().flat_map(|one| &one.reports).filter(|report| !report.accepted).count();
    let takes: usize = tried.iter().map(|one| one.reports.len()).sum();
    writeln!(
        out,
        "failure to enrol: {failures} of {} speakers, {:.1} %; {refused} of {takes} takes refused",
        tried.len(),
        100.0 * failures as f64 / tried.len().max(1) as f64
    )?;
    Ok(Outcome::Done)
}

fn try_one(models: &Arc<Models>, speaker: &Speaker) -> anyhow::Result<Tried> {
    let name = speaker.name.to_string_lossy().into_owned();
    let mut tried = Tried { name, reports: Vec::new(), failure: None, warnings: Vec::new() };
    let recordings = match takes::read(&speaker.enroll) {
        Ok(recordings) => recordings,
        Err(error) => {
            tried.failure = Some(error.to_string());
            return Ok(tried);
        }
    };
    let mut session = Session::new(models.clone(), Quality::built_in()?, recordings.len(), &[]);
    for recording in &recordings {
        tried.reports.push(session.take(&recording.clip.samples));
    }
    let refused: Vec<String> = tried
        .reports
        .iter()
        .filter(|report| !report.accepted)
        .map(|report| format!("take {}: {}", report.number, reasons(report)))
        .collect();
    tried.failure = (!refused.is_empty()).then(|| refused.join("; "));
    tried.warnings = session.warnings().iter().map(ToString::to_string).collect();
    Ok(tried)
}
