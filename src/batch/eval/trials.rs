//! Trials: short clips, each against one enrolled phrase, of which is known what they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::condition::Condition;
use super::det::Det;
use super::table::{Table, TableError};
use super::{measures, verdict};
use crate::audio::{AudioError, read_clip};
use crate::batch::autokws::{self, file_name};
use crate::batch::score::Score;
use crate::engine::Engine;
use crate::engine::event::{Detection, Event};
use crate::engine::rule::Rule;
use crate::models::Models;
use crate::profile::Profile;

/// Kind of a positive: the owner with the phrase.
pub const POSITIVE: &str = "pos";
/// Kind of a negative: the owner with other words.
pub const OTHER_WORD: &str = "same_speaker";
/// Kind of a negative: somebody else with the phrase.
pub const OTHER_VOICE: &str = "same_word";
/// Kind of a negative of which no more is known.
const NEGATIVE: &str = "negative";

/// One enrolment and its trials.
#[derive(Debug)]
pub struct Task {
    /// Name of its folder.
    pub name: String,
    /// Whose voice it is: several tasks may share it.
    pub speaker: String,
    /// Enrolment recordings.
    pub enroll: Vec<PathBuf>,
    /// Sorted by file.
    pub trials: Vec<Trial>,
}

/// One clip to decide on.
#[derive(Debug)]
pub struct Trial {
    /// Recording.
    pub path: PathBuf,
    /// [`POSITIVE`] or a kind of negative.
    pub kind: String,
}

/// Trials that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrialsError {
    /// The folders.
    #[error(transparent)]
    Dataset(#[from] autokws::DatasetError),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A clip without a label.
    #[error("{path}: nothing says what it is: {hint}")]
    Unlabelled {
        /// The clip.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },
    /// A label without a clip.
    #[error("{path}:{line}: task {task} has no test clip {name}")]
    NoClip {
        /// The table.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// Its task.
        task: String,
        /// Its file.
        name: String,
    },
    /// Two labels for one clip.
    #[error("{path}:{line}: clip {name} of task {task} is in the table before")]
    Twice {
        /// The table.
        path: PathBuf,
        /// Counted from one.
        line: usize,
        /// Its task.
        task: String,
        /// Its file.
        name: String,
    },
}

/// The tasks of `dataset`, in a layout of the Auto-KWS challenge. What the clips are says `table`, tab-separated
/// with the columns task, speaker, kind and name (of the file; kind `enroll` is passed over), or else
/// `solution` with a file of labels a task.
pub fn tasks(
    dataset: &Path,
    solution: Option<&Path>,
    table: Option<&Path>,
) -> Result<Vec<Task>, TrialsError> {
    let mut kinds = table.map(read_kinds).transpose()?;
    let mut tasks = Vec::new();
    for found in autokws::speakers(dataset, solution)? {
        let name = found.name.to_string_lossy().into_owned();
        let mut speaker = name.clone();
        let mut trials = Vec::new();
        for path in found.test {
            let file = file_name(&path);
            let kind = match &mut kinds {
                Some(kinds) => kinds.remove(&(found.name.clone(), file)).map(|row| {
                    speaker = row.speaker;
                    row.kind
                }),
                None => found
                    .labels
                    .as_ref()
                    .and_then(|labels| labels.get(&file))
                    .map(|positive| if *positive { POSITIVE } else { NEGATIVE }.to_owned()),
            };
            let hint = if table.is_some() { "it is not in the table" } else { "give --table or --solution" };
            let kind = kind.ok_or_else(|| TrialsError::Unlabelled { path: path.clone(), hint })?;
            trials.push(Trial { path, kind });
        }
        tasks.push(Task { name, speaker, enroll: found.enroll, trials });
    }
    let rest = kinds.into_iter().flatten().min_by_key(|(_, row)| row.line);
    if let (Some(((task, name), row)), Some(path)) = (rest, table) {
        let (task, name) = (task.to_string_lossy().into(), name.to_string_lossy().into());
        return Err(TrialsError::NoClip { path: path.into(), line: row.line, task, name });
    }
    Ok(tasks)
}

struct Row {
    line: usize,
    speaker: String,
    kind: String,
}

fn read_kinds(path: &Path) -> Result<HashMap<(OsString, OsString), Row>, TrialsError> {
    let table = Table::read(path, ["task", "speaker", "kind", "name"])?;
    let mut kinds = HashMap::new();
    for (line, [task, speaker, kind, name]) in table.rows {
        if kind == "enroll" {
            continue;
        }
        let key = (OsString::from(&task), OsString::from(&name));
        if kinds.insert(key, Row { line, speaker, kind }).is_some() {
            return Err(TrialsError::Twice { path: path.into(), line, task, name });
        }
    }
    Ok(kinds)
}

/// What the engine said of one trial.
pub struct Answer {
    /// Its verdicts, in order; none if nothing came near the phrase. Those of a clip that woke it are of the whole clip.
    pub verdicts: Vec<Detection>,
    /// Whether it woke.
    pub accepted: bool,
}

/// Listens to the trials of a task.
pub struct Listener {
    engine: Engine,
    /// Accepts nothing. An engine that wakes listens no further: its score is the first that sufficed, not the highest.
    patient: Engine,
    rule: Rule,
}

impl Listener {
    /// Listens for `profiles` by `rule`.
    pub fn new(models: Arc<Models>, profiles: &[Arc<Profile>], rule: &Rule) -> Self {
        let patient = Rule { threshold: f32::INFINITY, ..rule.clone() };
        Self {
            engine: Engine::new(models.clone(), profiles, rule.clone()),
            patient: Engine::new(models, profiles, patient),
            rule: rule.clone(),
        }
    }

    /// Listens to the clip at `path` of `task` in `condition`, as the beginning of a stream.
    pub fn answer(&mut self, task: &Task, path: &Path, condition: &Condition) -> Result<Answer, AudioError> {
        let mut samples = read_clip(path)?.samples;
        condition.apply(&format!("{}/{}", task.name, file_name(path).to_string_lossy()), &mut samples);
        let answer = listen(&mut self.engine, &samples);
        if !answer.accepted {
            return Ok(answer);
        }
        let mut verdicts = listen(&mut self.patient, &samples).verdicts;
        for verdict in &mut verdicts {
            verdict.score = self.rule.fuse(&verdict.evidence);
            verdict.threshold = self.rule.threshold;
            verdict.margin = verdict.score - verdict.threshold;
        }
        Ok(Answer { verdicts, ..answer })
    }
}

/// The answer of an engine at the beginning of a stream.
fn listen(engine: &mut Engine, samples: &[f32]) -> Answer {
    let mut answer = Answer { verdicts: Vec::new(), accepted: false };
    let mut take = |event: Event| {
        answer.accepted |= matches!(event, Event::Accepted(_));
        answer.verdicts.extend(verdict(&event).cloned());
    };
    engine.push(samples, &mut take);
    engine.finish(take);
    answer
}

/// One trial and what became of it.
pub struct Decision<'a> {
    /// Whose enrolment.
    pub task: &'a Task,
    /// Length of the phrase in its takes in seconds, their median; 0 without a profile.
    pub seconds: f32,
    /// The clip.
    pub trial: &'a Trial,
    /// What the engine said.
    pub answer: Answer,
}

impl Decision<'_> {
    /// Whether it should be accepted.
    pub fn positive(&self) -> bool {
        self.trial.kind == POSITIVE
    }

    /// The verdict with the highest fused score; `None` if nothing came near the phrase.
    pub fn best(&self) -> Option<&Detection> {
        self.answer.verdicts.iter().max_by(|a, b| a.score.total_cmp(&b.score))
    }

    /// The highest fused score; negative infinity if nothing came near the phrase.
    pub fn score(&self) -> f32 {
        self.best().map_or(f32::NEG_INFINITY, |best| best.score)
    }
}

/// The trade-off between misses and false alarms, over all clips together.
#[derive(Debug, serde::Serialize)]
pub struct Curves {
    /// With all negatives.
    pub all: Option<Det>,
    /// With one kind of negative.
    pub by_kind: BTreeMap<String, Option<Det>>,
}

impl Curves {
    /// Those of `decisions` by `rule`.
    pub fn of(decisions: &[Decision<'_>], rule: &Rule) -> Self {
        let scores = |wanted: &dyn Fn(&Decision<'_>) -> bool| {
            decisions.iter().filter(|one| wanted(one)).map(Decision::score).collect::<Vec<_>>()
        };
        let against = |wanted: &dyn Fn(&Decision<'_>) -> bool| {
            Det::of(
                scores(&|one| one.positive()),
                scores(&|one| !one.positive() && wanted(one)),
                rule.threshold,
            )
        };
        let kinds = decisions.iter().filter(|one| !one.positive()).map(|one| &one.trial.kind);
        let kinds: BTreeSet<&String> = kinds.collect();
        let by_kind = |kind: &String| (kind.clone(), against(&|one| one.trial.kind == *kind));
        Self { all: against(&|_| true), by_kind: kinds.into_iter().map(by_kind).collect() }
    }
}

/// What came of the trials in one condition.
#[derive(serde::Serialize)]
pub struct Results<'a> {
    /// Its name.
    pub condition: String,
    /// Error rates.
    pub rates: Rates,
    /// Error rates at other thresholds.
    pub det: Curves,
    /// Those of a task lie together.
    #[serde(skip)]
    pub decisions: Vec<Decision<'a>>,
}

impl<'a> Results<'a> {
    /// Sums up `decisions` by `rule`.
    pub fn new(condition: String, decisions: Vec<Decision<'a>>, rule: &Rule) -> Self {
        let (rates, det) = (Rates::of(&decisions, rule), Curves::of(&decisions, rule));
        Self { condition, rates, det, decisions }
    }
}

/// A rate with its 95 % interval by bootstrap over speakers.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Estimate {
    /// Its value.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Estimate {
    /// The mean of `values`, each with its speaker.
    fn mean(values: &[(&str, f64)]) -> Self {
        let value = values.iter().map(|(_, value)| value).sum::<f64>() / values.len().max(1) as f64;
        let (low, high) = measures::interval(values);
        Self { value, low, high }
    }
}

/// Where groups of phrases by length end, in seconds.
const LENGTHS: [f32; 4] = [0.65, 0.85, 1.2, f32::INFINITY];

/// Tasks whose phrases are about as long.
#[derive(Debug, serde::Serialize)]
pub struct Length {
    /// The phrase is shorter, in seconds; `None` for the longest.
    pub below_s: Option<f32>,
    /// Tasks.
    pub tasks: usize,
    /// Mean over these tasks, as are the others.
    pub score: f64,
    /// Share of the positives that were refused.
    pub miss_rate: f64,
    /// Share of the negatives that were accepted.
    pub false_alarm_rate: f64,
}

/// Rates over many decisions.
#[derive(Debug, serde::Serialize)]
pub struct Rates {
    /// Trials.
    pub trials: usize,
    /// Miss rate + 9 x false-alarm rate, mean over tasks.
    pub score: Estimate,
    /// Mean over tasks.
    pub miss_rate: Estimate,
    /// Mean over tasks.
    pub false_alarm_rate: Estimate,
    /// Share accepted of each kind of negative, over all tasks together.
    pub by_kind: BTreeMap<String, Estimate>,
    /// The rates of short and of long phrases, where there are any.
    pub by_length: Vec<Length>,
    /// Equal error rate of the fused score.
    pub equal_error_rate: Option<f64>,
    /// Equal error rate of the words' share of the score, on negatives of the owner's.
    pub phrase_equal_error_rate: Option<f64>,
    /// Equal error rate of the voice's cosine, on negatives with the phrase.
    pub speaker_equal_error_rate: Option<f64>,
}

impl Rates {
    /// Rates of `decisions` by `rule`; those of a task lie together.
    pub fn of(decisions: &[Decision<'_>], rule: &Rule) -> Self {
        let by_task = decisions.chunk_by(|a, b| a.task.name == b.task.name);
        let scores: Vec<(&Decision<'_>, Score)> = by_task
            .map(|task| {
                let pairs = task.iter().map(|one| (one.positive(), one.answer.accepted));
                (&task[0], Score::of(pairs))
            })
            .collect();
        let mut by_kind: BTreeMap<String, Vec<(&str, f64)>> = BTreeMap::new();
        for one in decisions.iter().filter(|one| !one.positive()) {
            let value = (&*one.task.speaker, f64::from(u8::from(one.answer.accepted)));
            by_kind.entry(one.trial.kind.clone()).or_default().push(value);
        }
        let mean = |part: fn(&Score) -> f64| {
            let values: Vec<_> =
                scores.iter().map(|(one, score)| (&*one.task.speaker, part(score))).collect();
            Estimate::mean(&values)
        };
        let equal = |negatives: Option<&str>, part: &dyn Fn(&Detection) -> f32| {
            let best =
                |one: &Decision<'_>| one.answer.verdicts.iter().map(part).fold(f32::NEG_INFINITY, f32::max);
            let chosen = |one: &&Decision<'_>| negatives.is_none_or(|kind| one.trial.kind == kind);
            let genuine: Vec<f32> = decisions.iter().filter(|one| one.positive()).map(best).collect();
            let impostors: Vec<f32> =
                decisions.iter().filter(|one| !one.positive()).filter(chosen).map(best).collect();
            measures::equal_error_rate(&genuine, &impostors)
        };
        Self {
            trials: decisions.len(),
            score: mean(|score| score.score),
            miss_rate: mean(|score| score.miss_rate),
            false_alarm_rate: mean(|score| score.false_alarm_rate),
            by_length: lengths(&scores),
            by_kind: by_kind.into_iter().map(|(kind, values)| (kind, Estimate::mean(&values))).collect(),
            equal_error_rate: equal(None, &|heard| heard.score),
            phrase_equal_error_rate: equal(Some(OTHER_WORD), &|heard| rule.words(&heard.evidence)),
            speaker_equal_error_rate: equal(Some(OTHER_VOICE), &|heard| {
                heard.evidence.speaker_cosine.unwrap_or(f32::NEG_INFINITY)
            }),
        }
    }
}

/// The `scores` of tasks, each with one of its decisions, by the length of the phrase.
fn lengths(scores: &[(&Decision<'_>, Score)]) -> Vec<Length> {
    let group = |end: &f32| {
        let shorter = LENGTHS.iter().filter(|other| *other < end).fold(0.0f32, |a, b| a.max(*b));
        let chosen = scores.iter().filter(|(one, _)| (shorter..*end).contains(&one.seconds));
        let chosen: Vec<&Score> = chosen.map(|(_, score)| score).collect();
        let mean = |part: fn(&Score) -> f64| {
            chosen.iter().map(|score| part(score)).sum::<f64>() / chosen.len().max(1) as f64
        };
        Length {
            below_s: end.is_finite().then_some(*end),
            tasks: chosen.len(),
            score: mean(|score| score.score),
            miss_rate: mean(|score| score.miss_rate),
            false_alarm_rate: mean(|score| score.false_alarm_rate),
        }
    };
    LENGTHS.iter().map(group).filter(|group| group.tasks > 0).collect()
}
