//! The keys there are, and the one that was meant.

use serde_json::Value;

use super::{Config, HookConfig};

/// Less alike than this, a known key is not what was meant.
const ALIKE: f64 = 0.75;
/// A key of the same table is the likelier one.
const SAME_TABLE: f64 = 0.1;

/// The tables with their keys, as the defaults have them.
pub fn known() -> Value {
    let all = Config { hooks: vec![HookConfig::default()], ..Config::default() };
    // Nothing in it can fail to become JSON; without tables, every key would be unknown.
    serde_json::to_value(all).unwrap_or_default()
}

/// The keys of one table; those of the first for an array of tables. None if it is no table.
pub fn of_table(value: &Value) -> Option<&serde_json::Map<String, Value>> {
    match value {
        Value::Object(keys) => Some(keys),
        Value::Array(tables) => tables.first().and_then(Value::as_object),
        _ => None,
    }
}

/// Says what to write in place of `key`, which `table` (none: the top) does not have.
pub fn advice(known: &Value, table: Option<&str>, key: &str) -> String {
    let alike = |candidate: &(Option<&str>, &str)| {
        // The one knows beginnings, the other swapped letters.
        let begins = strsim::jaro_winkler(candidate.1, key);
        begins.max(strsim::normalized_damerau_levenshtein(candidate.1, key))
            + if candidate.0 == table { SAME_TABLE } else { 0.0 }
    };
    let tables = known.as_object().into_iter().flatten();
    let nearest = tables
        .clone()
        .flat_map(|(name, value)| {
            let keys = of_table(value).into_iter().flat_map(serde_json::Map::keys);
            let inner = keys.map(move |key| (Some(name.as_str()), key.as_str()));
            inner.chain([(None, name.as_str())])
        })
        .max_by(|a, b| alike(a).total_cmp(&alike(b)))
        .filter(|candidate| alike(candidate) >= ALIKE);
    match nearest {
        Some((Some(table), key)) => format!("did you mean {table}.{key}?"),
        Some((None, table)) => format!("did you mean [{table}]?"),
        None => {
            let here = table.map_or(Some(known), |table| known.get(table)).and_then(of_table);
            let keys: Vec<&str> = here.into_iter().flat_map(|keys| keys.keys().map(String::as_str)).collect();
            format!("there are {}", keys.join(", "))
        }
    }
}
