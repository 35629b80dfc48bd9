//! Every verdict of `wakeword eval trials` with its evidence, as CSV.

use serde_json::Value;
use wakeword::batch::autokws;
use wakeword::batch::eval::rates::Results;
use wakeword::digits;
use wakeword::engine::event::Event;

/// One line a verdict, and one without scores for each trial that came near nothing.
pub fn csv(results: &[Results<'_>]) -> anyhow::Result<String> {
    let all = || results.iter().flat_map(|one| one.decisions.iter().map(move |each| (&one.condition, each)));
    // What a verdict holds besides names, and a verdict's values in that order.
    let columns = all().find_map(|(_, one)| one.answer.verdicts.first()).map_or(Ok(Vec::new()), columns)?;
    let mut text = String::new();
    let titles = ["condition", "task", "owner", "kind", "clip", "accepted", "phrase_s"].map(str::to_owned);
    line(&mut text, titles.into_iter().chain(columns.iter().map(|(title, _)| title.clone())));
    for (condition, one) in all() {
        let file = autokws::file_name(&one.trial.path).to_string_lossy().into_owned();
        let accepted = u8::from(one.answer.accepted).to_string();
        let seconds = format!("{:.3}", one.seconds);
        let kind = one.trial.kind.name();
        let names =
            [condition, &one.task.name, &one.task.owner, kind, &file, &accepted, &seconds].map(str::to_owned);
        if one.answer.verdicts.is_empty() {
            line(&mut text, names.into_iter().chain(columns.iter().map(|_| String::new())));
            continue;
        }
        for verdict in &one.answer.verdicts {
            let values = self::columns(verdict)?.into_iter().map(|(_, value)| value);
            line(&mut text, names.iter().cloned().chain(values));
        }
    }
    Ok(text)
}

/// Titles and values of what a verdict measured.
fn columns(verdict: &Event) -> anyhow::Result<Vec<(String, String)>> {
    let Value::Object(fields) = digits::json(verdict) else { return Ok(Vec::new()) };
    let measured = fields.into_iter().filter(|(_, value)| !value.is_string());
    // An infinite score, where nothing could be aligned, is no number in JSON.
    let text = |value: Value| if value.is_null() { String::new() } else { value.to_string() };
    Ok(measured.map(|(title, value)| (title, text(value))).collect())
}

/// A line of CSV (RFC 4180).
fn line(text: &mut String, fields: impl Iterator<Item = String>) {
    let quoted = |field: String| {
        if field.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", field.replace('"', "\"\""))
        } else {
            field
        }
    };
    text.push_str(&fields.map(quoted).collect::<Vec<_>>().join(","));
    text.push_str("\r\n");
}
