//! The configuration as the program finds it, checks it and shows it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;
use tempfile::TempDir;

/// A home of its own.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &Path)]) -> Output {
        let mut command = Command::new(cargo_bin!("wakeword"));
        command.args(arguments).env_clear().env("HOME", self.0.path()).current_dir(self.0.path());
        command.envs(variables.iter().copied()).output().unwrap()
    }

    /// The value of `key` and where it is from, as shown.
    #[track_caller]
    fn shown(&self, key: &str, variables: &[(&str, &Path)]) -> (Value, String) {
        let output = self.run(&["config", "show", "--json"], variables);
        assert!(output.status.success(), "{}", stderr(&output));
        let lines = String::from_utf8(output.stdout).unwrap();
        let mut lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let line = lines.find(|line| line["key"] == key).unwrap();
        (line["value"].clone(), line["from"].as_str().unwrap().into())
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn config_show_prints_the_values_in_force() {
    let home = Home::new();
    assert_eq!(home.shown("detection.threshold", &[]), (1.56.into(), "default".into()));
    assert_eq!(home.shown("audio.device", &[]), (Value::Null, "default".into()));
    let store = home.path(".local/share/wakeword/profiles");
    assert_eq!(home.shown("store.path", &[]), (store.to_str().into(), "default".into()));
    let option = ("WAKEWORD_STORE", Path::new("/elsewhere"));
    assert_eq!(home.shown("store.path", &[option]), ("/elsewhere".into(), "option".into()));

    let text = "[audio]\nchannel = 2\n[detection]\nthreshold = 1.7\n[[hook]]\ncommand = [\"a\"]\n";
    let file = home.file(".config/wakeword/config.toml", text);
    let from_file = || String::from(file.to_str().unwrap());
    assert_eq!(home.shown("detection.threshold", &[]), (1.7.into(), from_file()));
    assert_eq!(home.shown("audio.channel", &[]), (2.into(), from_file()));
    let (hooks, from) = home.shown("hook", &[]);
    assert_eq!(
        (&hooks[0]["command"][0], &hooks[0]["timeout_s"], from),
        (&"a".into(), &10.into(), from_file())
    );

    let output = home.run(&["config", "show"], &[]);
    let table = String::from_utf8(output.stdout).unwrap();
    let row = table.lines().find(|line| line.starts_with(" detection.threshold")).unwrap();
    assert!(row.contains("1.7") && row.contains("config.toml"), "{table}");
    assert!(table.contains("(the system's default)"), "{table}");
}

#[test]
fn the_machine_service_uses_the_places_of_the_machine() {
    let home = Home::new();
    home.file(".config/wakeword/config.toml", "[detection]\nthreshold = 3.0\n");
    let (state, configuration) = (home.path("state"), home.path("etc"));
    // systemd separates several folders by colons.
    let variables = [
        ("STATE_DIRECTORY", state.as_path()),
        (
            "CONFIGURATION_DIRECTORY",
            Path::new(&format!("{}:/other", configuration.display())).to_owned().leak(),
        ),
    ];
    let file = home.file("etc/config.toml", "[detection]\nthreshold = 2.0\n");
    let from_file = || String::from(file.to_str().unwrap());
    assert_eq!(home.shown("detection.threshold", &variables), (2.0.into(), from_file()));
    let store = state.join("profiles");
    assert_eq!(home.shown("store.path", &variables), (store.to_str().into(), "default".into()));
    assert_eq!(home.shown("bus.kind", &variables), ("system".into(), "default".into()));
    assert_eq!(home.shown("bus.kind", &[]), ("session".into(), "default".into()));
    home.file("etc/config.toml", "[bus]\nkind = \"off\"\n");
    assert_eq!(home.shown("bus.kind", &variables), ("off".into(), from_file()));
}

#[test]
fn config_check_names_every_mistake() {
    let home = Home::new();
    let output = home.run(&["config", "check"], &[]);
    assert!(output.status.success() && output.stdout.starts_with(b"no configuration file"));

    let good = home.file("good.toml", "[log]\nlevel = \"debug\"\n");
    let bad = home.file("bad file.toml", "[log]\nlevel = 3\n\n[bsu]\n");
    // A broken configuration in use must not be in the way of checking another.
    home.file(".config/wakeword/config.toml", "nonsense");
    let output = home.run(&["config", "check", good.to_str().unwrap()], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}: ok\n", good.display()));

    for output in [
        home.run(&["config", "check", bad.to_str().unwrap()], &[]),
        home.run(&["config", "check"], &[("WAKEWORD_CONFIG", &bad)]),
        home.run(&["config", "show"], &[("WAKEWORD_CONFIG", &bad)]),
    ] {
        assert_eq!(output.status.code(), Some(1));
        let errors = stderr(&output);
        for part in ["bad file.toml", "line 2: log.level", "line 4: unknown key bsu; did you mean [bus]?"] {
            assert!(errors.contains(part), "no {part:?} in {errors}");
        }
    }
    let output = home.run(&["config", "check"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(".config/wakeword/config.toml\", line 1"), "{}", stderr(&output));
}

#[test]
fn an_unreadable_configuration_is_an_error() {
    let home = Home::new();
    // In the way of the folder.
    home.file("not-a-folder", "");
    let output = home.run(&["config", "check"], &[("XDG_CONFIG_HOME", &home.path("not-a-folder"))]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}
