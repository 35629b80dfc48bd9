//! Takes from files.

use std::collections::BTreeMap;

use wakeword::enroll::Session;
use wakeword::enroll::takes::Recording;

use super::screen::{Screen, reasons, take_line};

/// Judges all recordings; one that cannot be learned from fails the enrolment, and all that cannot are named.
pub fn takes(session: &mut Session, recordings: &[Recording], screen: &Screen) -> anyhow::Result<()> {
    // By the number of the take, which is the recording's.
    let mut refused = BTreeMap::new();
    for recording in recordings {
        let path = recording.path.to_string_lossy();
        let report = session.take(&recording.clip.samples);
        let mut line = take_line(&report);
        line["file"] = path.into();
        screen.json(&line)?;
        for warning in &report.warnings {
            screen.warn(None, &format!("{:?}: {warning}", recording.path))?;
        }
        if !report.accepted {
            refused.insert(report.number, reasons(&report));
        }
        if let (Some(odd), Some(restored)) = (report.withdrawn, report.restored)
            && let Some(reasons) = refused.remove(&restored)
        {
            refused.insert(odd, reasons);
        }
    }
    let lines =
        refused.iter().map(|(number, reasons)| format!("{:?}: {reasons}", recordings[number - 1].path));
    let lines: Vec<String> = lines.collect();
    anyhow::ensure!(
        lines.is_empty(),
        "{}\n{} of {} takes cannot be learned from, and nothing was saved; record these again or leave them out",
        lines.join("\n"),
        lines.len(),
        recordings.len()
    );
    Ok(())
}
