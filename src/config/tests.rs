use std::fs;

use tempfile::TempDir;

use super::*;

const EXAMPLE: &str = include_str!("../../config.example.toml");

/// What reading a file of these bytes gives, an error as its message.
fn read(bytes: impl AsRef<[u8]>) -> Result<Config, String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("my config.toml");
    fs::write(&path, bytes).unwrap();
    Config::load(Some(&path)).map_err(|error| error.to_string())
}

#[track_caller]
fn assert_refused(bytes: impl AsRef<[u8]>, parts: &[&str]) {
    let message = read(bytes).unwrap_err();
    for part in ["my config.toml"].iter().chain(parts) {
        assert!(message.contains(part), "no {part:?} in {message}");
    }
}

#[test]
fn the_example_never_differs_from_the_defaults() {
    assert_eq!(read(EXAMPLE).unwrap(), Config::default());
    assert_eq!(read("").unwrap(), Config::default());
}

#[test]
fn no_setting_of_the_example_is_unknown_or_missing() {
    let setting = |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).map(String::from);
    let lines = EXAMPLE.lines().map(|line| setting(line).unwrap_or(line.into()));
    let config = read(lines.collect::<Vec<_>>().join("\n")).unwrap();
    // Nothing may be left at its default: whoever adds a setting adds it to the example.
    let all = serde_json::to_value(&config).unwrap();
    let tables = all.as_object().unwrap().values().flat_map(|table| table.as_object().unwrap());
    assert!(tables.clone().count() >= 3);
    for (key, value) in tables {
        assert!(!value.is_null(), "{key} is not in the example");
    }
}

#[test]
fn an_unknown_or_misplaced_key_never_passes() {
    assert_refused("[detection]\n\nthreshold_db = 1.0\n", &["line 3", "threshold_db", "threshold"]);
    assert_refused("threshold = 1.0\n", &["line 1", "threshold"]);
    assert_refused("[detecton]\n", &["line 1", "detecton"]);
    assert_refused("[models]\npath = 1\n", &["line 2"]);
    assert_refused("[detection]\nthreshold = \"high\"\n", &["line 2"]);
    assert_refused("[detection]\nthreshold = 1.0\nthreshold = 2.0\n", &["line 3"]);
    assert_refused("{\"detection\": {}}", &["line 1"]);
}

#[test]
fn a_value_out_of_range_never_passes() {
    for value in ["-0.1", "5.1", "nan", "inf", "-inf", "1e300"] {
        assert_refused(
            format!("[detection]\nthreshold = {value}\n"),
            &["detection.threshold", "between 0 and 5"],
        );
    }
    for value in ["0", "0.0", "5", "1.45"] {
        assert!(read(format!("[detection]\nthreshold = {value}\n")).unwrap().detection.threshold.is_some());
    }
}

#[test]
fn what_is_no_text_file_never_passes() {
    assert_refused(b"[store]\npath = \"\xff\xfe\"\n", &["UTF-8"]);
    assert_refused(vec![b'#'; 10 << 20], &["too large"]);
    assert_refused(b"\0\0\0\0", &["line 1"]);
    let folder = TempDir::new().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("absent.toml")] {
        let message = Config::load(Some(&path)).unwrap_err().to_string();
        assert!(message.starts_with(path.to_str().unwrap()), "{message}");
    }
}
