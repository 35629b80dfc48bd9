//! The documents name what there is, and what they name is there.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::PathBuf;

use common::commands::subcommands;
use common::repository;

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap()
}

/// README.md, ARCHITECTURE.md and those in docs/.
fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(repository("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    docs.chain(["README.md", "ARCHITECTURE.md"].map(repository)).collect()
}

#[test]
fn the_readme_has_at_most_900_words() {
    let words = read("README.md").split_whitespace().count();
    assert!(words <= 900, "{words} words");
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let documents = documents();
    assert!(documents.len() > 8, "{documents:?}");
    let mut links = 0;
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            assert!(path.exists(), "{}: {target}", document.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&path).unwrap();
                assert!(
                    text.lines().any(|line| anchor(line) == Some(heading.into())),
                    "{}: {target}",
                    document.display()
                );
            }
            links += 1;
        }
    }
    assert!(links > 20, "{links}");
}

/// How a link names the heading in `line`.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|one| one.is_alphanumeric() || [' ', '-', '_'].contains(one));
    Some(kept.collect::<String>().replace(' ', "-"))
}

#[test]
fn the_document_of_commands_names_every_subcommand() {
    let text = read("docs/commands.md");
    for path in subcommands() {
        let (name, before) = path.split_last().unwrap();
        let before: String = before.iter().map(|part| format!("{part} ")).collect();
        // In a row of the first of its kind, the others stand by their own names.
        let whole = format!("`wakeword {before}{name}");
        let rows = text.lines().filter(|line| line.starts_with(&format!("| `wakeword {before}")));
        let named = text.contains(&whole) || rows.clone().any(|row| row.contains(&format!("`{name}`")));
        assert!(named, "{path:?} is not in docs/commands.md");
    }
}

#[test]
fn the_document_of_the_bus_names_everything_on_it() {
    let text = read("docs/dbus.md");
    let mut names = 0;
    for interface in ["Daemon", "Enrollment", "Profile"] {
        let description = read(&format!("systemd/org.wakeword.Wakeword1.{interface}.xml"));
        let section = format!("## `org.wakeword.Wakeword1.{interface}`\n");
        let section = text.split(&section).nth(1).unwrap().split("\n## ").next().unwrap();
        for part in description.split(" name=\"").skip(1) {
            let name = part.split('"').next().unwrap();
            let known = name.contains('.') || section.contains(&format!("`{name}`"));
            assert!(known, "{interface}: {name} is not in docs/dbus.md");
            names += 1;
        }
        // In the comments, fields stand as `name (type`.
        for part in description.split(" (").map(|part| part.rsplit([' ', '\n', '(']).next().unwrap()) {
            let field = part.contains('_') && part.chars().all(|one| one.is_ascii_lowercase() || one == '_');
            assert!(
                !field || section.contains(&format!("`{part}`")),
                "{interface}: {part} is not in docs/dbus.md"
            );
        }
    }
    assert!(names > 40, "{names}");
}
