//! The report of `wakeword eval streams`.

use wakeword::batch::eval::streams::StreamsReport;
use wakeword::engine::rule::Rule;

use super::page::Page;
use super::{EVIDENCE, evidence};
use crate::cli::eval::tables::{SOURCES, sources};
use crate::cli::output;

/// The report as one page of HTML.
pub fn html(rule: &Rule, report: &StreamsReport) -> String {
    let mut page = Page::new("False accepts in long recordings");
    if report.partial {
        page.warning("Partial: the run was ended before all was heard.");
    }
    page.text(&format!(
        "wakeword {}; profile-hours: {:.2}, recordings: {}, profiles: {}, threshold: {:.2} unless a profile has its own.",
        env!("CARGO_PKG_VERSION"),
        report.profile_hours,
        report.recordings.len(),
        report.profiles,
        rule.threshold
    ));
    page.table(&SOURCES, &sources(report));
    page.note(
        "Rates are per hour and profile. At most: the highest rate that would still show so few in 5 % of such \
         measurements (exact Poisson). With any voice: how many there would be if everybody had the owner's.",
    );
    page.section(&format!("False accepts: {}", report.false_accepts));
    if report.false_accepts == 0 {
        page.text("None.");
        return page.finish();
    }
    let titles: Vec<&str> = ["recording", "from", "to", "as"].into_iter().chain(EVIDENCE).collect();
    let moments = report.recordings.iter().flat_map(|one| {
        one.false_accepts.iter().map(|found| {
            let place = [one.file.clone(), output::time(found.start), output::time(found.end)];
            place.into_iter().chain([found.profile.clone()]).chain(evidence(found)).collect()
        })
    });
    page.table(&titles, &moments.collect::<Vec<_>>());
    page.finish()
}
