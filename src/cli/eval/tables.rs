//! Tables of results, for the terminal and for reports.

use wakeword::batch::eval::rates::{Estimate, Results};
use wakeword::batch::eval::streams::{EventRate, StreamsReport};
use wakeword::batch::eval::trials::Kind;

/// Titles and rows of the table of results, one row a condition.
pub fn summary(results: &[Results<'_>]) -> (Vec<String>, Vec<Vec<String>>) {
    let kinds: Vec<&Kind> = results.first().map_or(Vec::new(), |one| one.rates.by_kind.keys().collect());
    let titles = ["condition", "score", "miss", "false alarm"].map(str::to_owned).into_iter();
    let titles = titles.chain(kinds.iter().map(|kind| kind.name().replace('_', " ")));
    let titles = titles.chain(["EER", "phrase EER", "voice EER"].map(str::to_owned)).collect();
    let row = |one: &Results<'_>| {
        let (rates, score) = (&one.rates, one.rates.score);
        let mut row = vec![
            one.condition.clone(),
            format!("{:.3} ({:.3} to {:.3})", score.value, score.low, score.high),
        ];
        row.extend([rates.miss_rate, rates.false_alarm_rate].map(percent));
        row.extend(
            kinds.iter().map(|kind| rates.by_kind.get(kind).map_or("-".into(), |rate| percent(*rate))),
        );
        let equal = [rates.equal_error_rate, rates.phrase_equal_error_rate, rates.speaker_equal_error_rate];
        row.extend(equal.map(|rate| rate.map_or("-".into(), |rate| format!("{:.1} %", 100.0 * rate))));
        row
    };
    (titles, results.iter().map(row).collect())
}

/// Titles of what [`lengths`] says.
pub const LENGTHS: [&str; 6] = ["condition", "phrase", "tasks", "score", "miss", "false alarm"];

/// Rates of short and of long phrases in each condition.
pub fn lengths(results: &[Results<'_>]) -> Vec<Vec<String>> {
    let rows = results.iter().flat_map(|one| {
        one.rates.by_length.iter().map(|length| {
            let percent = |rate: f64| format!("{:.2} %", 100.0 * rate);
            vec![
                one.condition.clone(),
                length.below_s.map_or("longer".into(), |end| format!("below {end} s")),
                length.tasks.to_string(),
                format!("{:.3}", length.score),
                percent(length.miss_rate),
                percent(length.false_alarm_rate),
            ]
        })
    });
    rows.collect()
}

fn percent(rate: Estimate) -> String {
    let [value, low, high] = [rate.value, rate.low, rate.high].map(|rate| 100.0 * rate);
    format!("{value:.2} % ({low:.2} to {high:.2})")
}

/// Titles of what [`sources`] says.
pub const SOURCES: [&str; 8] = [
    "recording",
    "profile-hours",
    "false accepts",
    "per hour",
    "95 %",
    "at most",
    "with any voice",
    "per hour",
];

/// Counts and rates of each recording and of all.
pub fn sources(report: &StreamsReport) -> Vec<Vec<String>> {
    let row = |name: &str, [count, any]: [usize; 2], hours: f64| {
        let rates = [count, any].map(|count| EventRate::of(count, hours));
        let text = |rates: Option<EventRate>, part: fn(EventRate) -> String| rates.map_or("-".into(), part);
        let found = |rates: EventRate| format!("{:.3}", rates.found);
        vec![
            name.into(),
            format!("{hours:.2}"),
            count.to_string(),
            text(rates[0], found),
            text(rates[0], |rates| format!("{:.3} to {:.3}", rates.interval[0], rates.interval[1])),
            text(rates[0], |rates| format!("{:.3}", rates.most)),
            any.to_string(),
            text(rates[1], found),
        ]
    };
    let each = report.recordings.iter();
    let mut rows: Vec<_> = each
        .map(|one| row(&one.file, [one.false_accepts.len(), one.with_any_voice], one.profile_hours))
        .collect();
    rows.push(row("all", [report.false_accepts, report.with_any_voice], report.profile_hours));
    rows
}
