//! `make demo`: enrols the demo voice, listens to a minute of its living room with the daemon's
//! engine, and compares what happened with what should.
//!
//! usage: demo [FOLDER]    (default: enroll/demo of this repository)

#![expect(clippy::print_stdout, reason = "the table is the point")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use wakeword::batch::hear;
use wakeword::engine::Engine;
use wakeword::engine::event::{Event, Reason};
use wakeword::engine::rule::Rule;
use wakeword::enroll::takes;
use wakeword::features::SAMPLE_RATE;
use wakeword::models::Models;
use wakeword::profile::Profile;
use wakeword::store::Store;

const NAME: &str = "demo";
const PHRASE: &str = "hello sunflower";

/// Something said in the recording; times are in samples.
struct Row {
    start: u64,
    end: u64,
    who: String,
    said: String,
    wake: bool,
    heard: Vec<Heard>,
}

/// What the engine decided, and why if it refused.
struct Heard {
    start: u64,
    end: u64,
    score: f32,
    refused: Option<&'static str>,
}

fn main() -> ExitCode {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("enroll/demo"), PathBuf::from);
    match demo(&folder) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything was as expected.
fn demo(folder: &Path) -> Result<bool, Box<dyn Error>> {
    let models = Arc::new(Models::load(None)?);
    let temporary = tempfile::tempdir()?;
    let store = Store::new(temporary.path().join("profiles"));
    let takes = enrol(&models, &store, &folder.join("enroll"))?;
    println!(
        "Enrolled {PHRASE:?} from {takes} takes of the voice {NAME:?}. Now listening to the living room.\n"
    );

    let mut rows = truth(&folder.join("living-room.tsv"))?;
    let started = Instant::now();
    let (heard, samples) = listen(&models, &store, &folder.join("living-room.flac"))?;
    let seconds = started.elapsed().as_secs_f64();
    heard.into_iter().for_each(|heard| assign(&mut rows, heard));
    rows.sort_by_key(|row| row.start);

    println!("{}\n", table(&rows));
    let right = rows.iter().filter(|row| row.right()).count();
    println!("{right} of {} as expected; {:.0} s of sound took {seconds:.1} s.", rows.len(), time(samples));
    Ok(right == rows.len())
}

fn enrol(models: &Models, store: &Store, folder: &Path) -> Result<usize, Box<dyn Error>> {
    let recordings = takes::read(&[folder.into()])?;
    let mut profile = Profile::new(NAME, PHRASE, &models.fingerprint, takes::learn(models, &recordings)?);
    profile.created = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    store.save(&profile)?;
    Ok(profile.takes.len())
}

fn listen(models: &Arc<Models>, store: &Store, file: &Path) -> Result<(Vec<Heard>, u64), Box<dyn Error>> {
    let profile = Arc::new(store.load(NAME)?);
    let mut engine = Engine::new(models.clone(), &[profile], Rule::default());
    let mut heard = Vec::new();
    let (samples, end) = hear(&mut engine, file, |event| heard.extend(verdict(event)));
    end?;
    Ok((heard, samples))
}

fn verdict(event: Event) -> Option<Heard> {
    let Event { start, end, score, .. } = event;
    let refused = event.reason().map(Reason::describe);
    event.is_verdict().then_some(Heard { start, end, score, refused })
}

/// Rows of `start_s end_s voice text expected kind`, under a heading.
fn truth(path: &Path) -> Result<Vec<Row>, Box<dyn Error>> {
    let row = |line: &str| {
        let [start, end, who, said, expected, _] = line.split('\t').collect::<Vec<_>>()[..] else {
            return None;
        };
        let sample = |seconds: &str| Some((seconds.parse::<f64>().ok()? * SAMPLE_RATE as f64) as u64);
        let wake = match expected {
            "accept" => true,
            "refuse" => false,
            _ => return None,
        };
        let (who, said) = (who.into(), said.into());
        Some(Row { start: sample(start)?, end: sample(end)?, who, said, wake, heard: Vec::new() })
    };
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = text.lines().enumerate().skip(1);
    lines
        .map(|(index, line)| {
            row(line)
                .ok_or_else(|| format!("{}:{}: not a row of the table", path.display(), index + 1).into())
        })
        .collect()
}

/// Gives what was heard to what was said meanwhile, or to a row of its own.
fn assign(rows: &mut Vec<Row>, heard: Heard) {
    let shared = |row: &Row| row.end.min(heard.end).saturating_sub(row.start.max(heard.start));
    match rows.iter_mut().max_by_key(|row| shared(row)) {
        Some(row) if shared(row) > 0 => row.heard.push(heard),
        _ => rows.push(Row {
            start: heard.start,
            end: heard.end,
            who: "-".into(),
            said: "background".into(),
            wake: false,
            heard: vec![heard],
        }),
    }
}

impl Row {
    /// The phrase wakes once, anything else never.
    fn right(&self) -> bool {
        self.accepted() == usize::from(self.wake)
    }

    fn accepted(&self) -> usize {
        self.heard.iter().filter(|heard| heard.refused.is_none()).count()
    }

    fn outcome(&self) -> String {
        match self.accepted() {
            0 => {
                let nearest = self.heard.iter().max_by(|a, b| a.score.total_cmp(&b.score));
                nearest
                    .and_then(|heard| heard.refused)
                    .map_or("nothing heard".into(), |why| format!("refused: {why}"))
            }
            1 => "accepted".into(),
            times => format!("accepted {times} times"),
        }
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    let bold = |title: &str| Cell::new(title).add_attribute(Attribute::Bold);
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["time", "who", "what was said", "expected", "what happened", ""].map(bold));
    for row in rows {
        let (mark, colour) = if row.right() { ("ok", Color::Green) } else { ("WRONG", Color::Red) };
        let expected = if row.wake { "accept" } else { "refuse" };
        let seconds = time(row.start);
        table.add_row([
            Cell::new(format!("{}:{:04.1}", (seconds / 60.0) as u64, seconds % 60.0)),
            Cell::new(&row.who),
            Cell::new(&row.said),
            Cell::new(expected),
            Cell::new(row.outcome()),
            Cell::new(mark).fg(colour),
        ]);
    }
    table
}

fn time(sample: u64) -> f64 {
    sample as f64 / SAMPLE_RATE as f64
}
