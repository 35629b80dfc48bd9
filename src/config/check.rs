//! From text to settings, or to everything that is wrong with the text.

use std::ops::Range;

use serde::Deserialize as _;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Deserializer};

use super::{Config, Problem, keys};

/// Most tables of one name: each hook is a command to run.
const MOST_REPEATED: usize = 100;

/// The settings in `text` and the keys that it sets, or all its problems in the order of its lines.
pub fn parse(text: &str) -> Result<(Config, Vec<String>), Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut check = Check { text, known: keys::known(), set: Vec::new(), problems: Vec::new() };
    for error in &errors {
        check.problem(error.span().unwrap_or_default(), error.message().into());
    }
    // What follows a syntax error may have been misread.
    if errors.is_empty() {
        check.document(document.get_ref());
    }
    if check.problems.is_empty() {
        match Config::deserialize(Deserializer::from(document)) {
            Ok(config) => return Ok((config, check.set)),
            Err(error) => check.problem(error.span().unwrap_or_default(), error.message().into()),
        }
    }
    check.problems.sort_by_key(|problem| problem.line);
    Err(check.problems)
}

struct Check<'a> {
    text: &'a str,
    known: Value,
    set: Vec<String>,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    fn problem(&mut self, at: Range<usize>, text: String) {
        let before = self.text.bytes().take(at.start);
        self.problems.push(Problem { line: 1 + before.filter(|byte| *byte == b'\n').count(), text });
    }

    fn document(&mut self, document: &DeTable<'a>) {
        for (name, value) in document {
            let table = name.get_ref().as_ref();
            match (self.known.get(table), value.get_ref()) {
                (None, _) => {
                    let advice = keys::advice(&self.known, None, table);
                    self.problem(name.span(), format!("unknown key {table}; {advice}"));
                }
                (Some(Value::Object(_)), DeValue::Table(entries)) => self.table(name, entries, false),
                (Some(Value::Object(_)), _) => {
                    self.problem(name.span(), format!("{table} is a table: write [{table}]"));
                }
                (Some(_), DeValue::Array(tables)) if tables.len() > MOST_REPEATED => {
                    let found = tables.len();
                    self.problem(
                        name.span(),
                        format!("{found} times [[{table}]]: at most {MOST_REPEATED} are taken"),
                    );
                }
                (Some(_), DeValue::Array(tables)) if tables.iter().all(|one| one.get_ref().is_table()) => {
                    self.set.push(table.into());
                    for one in tables {
                        let entries = one.get_ref().as_table();
                        entries.into_iter().for_each(|entries| self.table(name, entries, true));
                        if !entries.is_some_and(|entries| entries.contains_key("command")) {
                            self.problem(one.span(), format!("[[{table}]] needs a command"));
                        }
                    }
                }
                (Some(_), _) => {
                    self.problem(
                        name.span(),
                        format!("{table} may be given several times: write [[{table}]]"),
                    );
                }
            }
        }
    }

    /// Checks each entry alone, so that one that is wrong hides no other.
    fn table(&mut self, name: &Spanned<DeString<'a>>, entries: &DeTable<'a>, repeated: bool) {
        let table = name.get_ref().as_ref();
        for (key, value) in entries {
            let path = format!("{table}.{}", key.get_ref());
            let keys = self.known.get(table).and_then(keys::of_table);
            if !keys.is_some_and(|keys| keys.contains_key(key.get_ref().as_ref())) {
                let advice = keys::advice(&self.known, Some(table), key.get_ref());
                self.problem(key.span(), format!("unknown key {path}; {advice}"));
                continue;
            }
            let mut alone = DeValue::Table(DeTable::from_iter([(key.clone(), value.clone())]));
            if repeated {
                alone = DeValue::Array([Spanned::new(value.span(), alone)].into_iter().collect());
            }
            let alone = DeTable::from_iter([(name.clone(), Spanned::new(value.span(), alone))]);
            match Config::deserialize(Deserializer::from(Spanned::new(value.span(), alone))) {
                Ok(_) => self.set.push(path),
                Err(error) => self.problem(value.span(), format!("{path}: {}", error.message())),
            }
        }
    }
}
