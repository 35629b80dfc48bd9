//! The report of `wakeword eval trials`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wakeword::batch::autokws::file_name;
use wakeword::batch::eval::decision::Decision;
use wakeword::batch::eval::det::Det;
use wakeword::batch::eval::rates::{Coverage, Results};
use wakeword::engine::rule::Rule;

use super::draw;
use super::page::{Figure, Page};
use super::{EVIDENCE, evidence};
use crate::cli::eval::tables::{LENGTHS, lengths, summary};

/// The report as one page of HTML.
pub fn html(
    dataset: &Path,
    rule: &Rule,
    coverage: &Coverage,
    results: &[Results<'_>],
) -> anyhow::Result<String> {
    let mut page = Page::new(&format!("Error rates: {}", dataset.display()));
    if coverage.partial() {
        let (finished, tasks) = (coverage.finished, coverage.tasks);
        page.warning(&format!("Partial: the run was ended after {finished} of {tasks} tasks."));
    }
    let first = results.first().map_or(&[][..], |one| &one.decisions);
    let owners: BTreeSet<&str> = first.iter().map(|one| &*one.task.owner).collect();
    page.text(&format!(
        "wakeword {}; tasks: {}, owners: {}, clips in each condition: {}, threshold: {:.2}.",
        env!("CARGO_PKG_VERSION"),
        coverage.finished,
        owners.len(),
        first.len(),
        rule.threshold
    ));
    let (titles, rows) = summary(results);
    page.table(
        &titles,
        &rows.iter().map(|row| row.iter().map(|cell| in_two(cell)).collect()).collect::<Vec<_>>(),
    );
    page.note(
        "Score = miss rate + 9 x false-alarm rate, these three as means over tasks; kinds of negatives over all \
         clips together. In brackets 95 % intervals, by bootstrap over the owners. EER: equal error rate of the \
         fused score; of the words' share, on the owner's other words; of the voice, on others with the phrase.",
    );
    page.folded("By length of the phrase", &LENGTHS, &lengths(results));
    if results.len() > 1 {
        page.figures(&[trade_offs(
            "All conditions, all negatives",
            results.iter().map(|one| (&*one.condition, one.det.all.as_ref())).collect(),
        )?]);
    }
    for one in results {
        condition(&mut page, rule, one)?;
    }
    Ok(page.finish())
}

/// A value with its interval, which may stand under it but breaks nowhere else.
fn in_two(cell: &str) -> String {
    cell.replace(' ', "\u{a0}").replace("\u{a0}(", " (")
}

/// The section of one condition.
fn condition(page: &mut Page, rule: &Rule, results: &Results<'_>) -> anyhow::Result<()> {
    page.section(&results.condition);
    let mut curves = vec![("all negatives", results.det.all.as_ref())];
    curves.extend(results.det.by_kind.iter().map(|(kind, det)| (kind.name(), det.as_ref())));
    page.figures(&[trade_offs("Error trade-off", curves)?, distributions(rule, results)?]);
    let decisions = &results.decisions;
    let missed = decisions.iter().filter(|one| one.positive() && !one.answer.accepted);
    let accepted = decisions.iter().filter(|one| !one.positive() && one.answer.accepted);
    let titles = ["clip", "task", "owner", "kind"].into_iter().chain(EVIDENCE);
    let titles: Vec<&str> = titles.collect();
    for (what, errors) in [("Misses", missed.collect::<Vec<_>>()), ("False alarms", accepted.collect())] {
        let rows: Vec<_> = errors.iter().map(|one| error(one)).collect();
        page.folded(&format!("{what}: {}", rows.len()), &titles, &rows);
    }
    for what in ["owner", "task"] {
        let name = |one: &Decision<'_>| {
            if what == "owner" { one.task.owner.clone() } else { one.task.name.clone() }
        };
        let titles = [what, "positives", "missed", "miss rate", "negatives", "accepted", "false-alarm rate"];
        page.folded(&format!("By {what}"), &titles, &tallies(decisions, name));
    }
    Ok(())
}

fn trade_offs(title: &str, curves: Vec<(&str, Option<&Det>)>) -> anyhow::Result<Figure> {
    let entry = |(name, det): &(&str, Option<&Det>)| match det.map(|det| det.operating_point) {
        Some(here) => {
            let [missed, accepted] = [here.miss_rate, here.false_alarm_rate].map(|rate| 100.0 * rate);
            format!("{}: {missed:.1} % missed, {accepted:.2} % false alarms", name.replace('_', " "))
        }
        None => format!("{name}: no positives, or no negatives"),
    };
    Ok(Figure {
        title: title.to_owned(),
        svg: draw::trade_offs(curves.iter().map(|(_, det)| *det))?,
        legend: curves.iter().map(entry).collect(),
        caption:
            "DET curve, over all clips together, on axes of normal deviates; rates below 0.05 % lie on the \
                  edge. The circle is the operating point. On the thin line both rates are equal."
                .to_owned(),
    })
}

fn distributions(rule: &Rule, results: &Results<'_>) -> anyhow::Result<Figure> {
    let mut groups: BTreeMap<(bool, &str), Vec<f32>> = BTreeMap::new();
    for one in &results.decisions {
        groups.entry((!one.positive(), one.trial.kind.name())).or_default().push(one.score());
    }
    let entry = |((negative, kind), scores): (&(bool, &str), &Vec<f32>)| {
        let name = if *negative { kind.replace('_', " ") } else { "positives".to_owned() };
        let none = scores.iter().filter(|score| !score.is_finite()).count();
        format!("{name}: {} clips, {none} without a score", scores.len())
    };
    let legend = groups.iter().map(entry).collect();
    let svg = draw::distributions(&groups.into_values().collect::<Vec<_>>(), rule.threshold)?;
    let caption = "Highest score of each clip, in steps of 0.1; the outermost hold what lies beyond them. The \
                   upright line is the threshold. In a clip without a score nothing came near the phrase.";
    Ok(Figure { title: "Scores".into(), svg, legend, caption: caption.into() })
}

/// A wrong decision and its evidence.
fn error(one: &Decision<'_>) -> Vec<String> {
    let clip = file_name(&one.trial.path).to_string_lossy().into_owned();
    let mut row = vec![clip, one.task.name.clone(), one.task.owner.clone(), one.trial.kind.to_string()];
    match one.best() {
        Some(best) => row.extend(evidence(best)),
        None => row.push("nothing near the phrase".into()),
    }
    row
}

/// A row of counts and rates for each group of `decisions`.
fn tallies(decisions: &[Decision<'_>], name: impl Fn(&Decision<'_>) -> String) -> Vec<Vec<String>> {
    // Number and errors of the positives, then of the negatives.
    let mut groups: BTreeMap<String, [(usize, usize); 2]> = BTreeMap::new();
    for one in decisions {
        let counts = &mut groups.entry(name(one)).or_default()[usize::from(!one.positive())];
        counts.0 += 1;
        counts.1 += usize::from(one.answer.accepted != one.positive());
    }
    let cells = |(all, wrong): (usize, usize)| {
        let rate = if all == 0 { "-".into() } else { format!("{:.1} %", 100.0 * wrong as f64 / all as f64) };
        [all.to_string(), wrong.to_string(), rate]
    };
    let row = |(name, counts): (String, [(usize, usize); 2])| {
        std::iter::once(name).chain(counts.into_iter().flat_map(cells)).collect()
    };
    groups.into_iter().map(row).collect()
}
