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

/// The example with every setting in force.
fn uncommented() -> String {
    let setting = |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).map(String::from);
    EXAMPLE.lines().map(|line| setting(line).unwrap_or(line.into()) + "\n").collect()
}

#[test]
fn the_example_equals_the_defaults() {
    assert_eq!(read(EXAMPLE).unwrap(), Config::default());
    let mut config = read(uncommented()).unwrap();
    // These have no value that stands for their default, so the example shows another.
    for shown in [
        config.models.path.take().map(|_| ()),
        config.store.path.take().map(|_| ()),
        config.audio.device.take().map(|_| ()),
        config.bus.address.take().map(|_| ()),
    ] {
        assert!(shown.is_some());
    }
    let hook = config.hooks.pop().unwrap();
    assert!(!hook.command.is_empty());
    assert_eq!(hook, HookConfig { command: hook.command.clone(), ..HookConfig::default() });
    assert_eq!(config, Config::default());
}

#[test]
fn no_setting_is_missing_from_the_example() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, uncommented()).unwrap();
    let (_, origin) = Config::load_with_origin(Some(&path)).unwrap();
    assert_eq!(origin.file, Some(path));
    let known = keys::known();
    let mut tables = 0;
    for (table, keys) in known.as_object().unwrap() {
        tables += 1;
        let Some(keys) = keys.as_object() else {
            assert!(origin.keys.contains(table), "{table}");
            continue;
        };
        for key in keys.keys() {
            assert!(origin.keys.contains(&format!("{table}.{key}")), "{table}.{key}");
        }
    }
    assert_eq!(tables, 8);
    for key in keys::of_table(&known["hook"]).unwrap().keys() {
        assert!(EXAMPLE.contains(&format!("\n#{key} = ")), "{key}");
    }
}

#[test]
fn an_empty_file_equals_no_file() {
    assert_eq!(read("").unwrap(), Config::default());
    assert_eq!(read("# nothing\n\n").unwrap(), Config::default());
    assert!(read("\u{feff}[detection]\nhousehold = true\n").unwrap().detection.household);
}

#[test]
fn unknown_and_misplaced_keys_are_refused() {
    assert_refused(
        "[detection]\n\nthreshold_db = 1.0\n",
        &["line 3", "detection.threshold_db", "detection.threshold?"],
    );
    assert_refused("threshold = 1.0\n", &["line 1", "unknown key threshold", "detection.threshold?"]);
    assert_refused("[detecton]\n", &["line 1", "detecton", "[detection]?"]);
    assert_refused("[hooks]\n", &["line 1", "[hook]?"]);
    assert_refused("\n[bus]\nadress = \"x\"\n", &["line 3", "bus.adress", "bus.address?"]);
    assert_refused("[audio]\npreroll = 3\n", &["line 2", "audio.preroll", "service.preroll_s?"]);
    assert_refused("[audio]\nzzz = 3\n", &["line 2", "there are channel, device"]);
    assert_refused("zzz = 3\n", &["line 1", "there are audio, bus, detection"]);
    assert_refused(
        "[[hook]]\ncommand = [\"a\"]\ntimeout = 3\n",
        &["line 3", "hook.timeout", "hook.timeout_s?"],
    );
}

#[test]
fn a_relative_path_never_passes_and_a_tilde_is_the_home() {
    let home = std::env::home_dir().unwrap();
    let config = read("[store]\npath = \"~/profiles\"\n[models]\npath = \"/opt/models\"\n").unwrap();
    assert_eq!(config.store.path, Some(home.join("profiles")));
    assert_eq!(config.models.path, Some("/opt/models".into()));
    for path in ["profiles", "./profiles", "../x", "", "~anna/profiles", "$HOME/profiles", " /x"] {
        for table in ["store", "models"] {
            let text = format!("[{table}]\npath = {path:?}\n");
            assert_refused(text, &["line 2", &format!("{table}.path"), "a whole path", "~/"]);
        }
    }
    let command =
        |text: &str| Ok::<_, String>(read(format!("[[hook]]\ncommand = {text}\n"))?.hooks.remove(0).command);
    assert_eq!(command("[\"~/bin/x\", \"~/y\"]").unwrap(), [home.join("bin/x").to_str().unwrap(), "~/y"]);
    assert_eq!(command("[\"notify-send\", \"a/b\"]").unwrap(), ["notify-send", "a/b"]);
    for program in ["bin/x", "./x", "~anna/x"] {
        assert!(command(&format!("[{program:?}]")).unwrap_err().contains("a whole path"), "{program}");
    }
}

#[test]
fn hooks_without_number_never_pass() {
    let hooks = |count| "[[hook]]\ncommand = [\"a\"]\n".repeat(count);
    assert_eq!(read(hooks(100)).unwrap().hooks.len(), 100);
    assert_refused(hooks(101), &["101 times [[hook]]", "at most 100"]);
    let started = std::time::Instant::now();
    assert_refused(hooks(40_000), &["at most 100"]);
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn values_of_the_wrong_kind_are_refused() {
    assert_refused("[models]\npath = 1\n", &["line 2", "models.path"]);
    assert_refused(
        "[detection]\nthreshold = \"high\"\n",
        &["line 2", "detection.threshold", "between 0 and 5"],
    );
    assert_refused("[detection]\nthreshold = 1.0\nthreshold = 2.0\n", &["line 3", "duplicate"]);
    assert_refused("{\"detection\": {}}", &["line 1"]);
    assert_refused("detection = 3\n", &["line 1", "write [detection]"]);
    assert_refused("[hook]\ncommand = [\"a\"]\n", &["line 1", "write [[hook]]"]);
    assert_refused("[[detection]]\nthreshold = 1.0\n", &["line 1", "write [detection]"]);
    assert_refused("hook = [3]\n", &["line 1", "write [[hook]]"]);
    assert_refused("[bus]\nkind = \"sesion\"\n", &["line 2", "bus.kind", "session", "system", "off"]);
    assert_refused("[log]\nlevel = \"loud\"\n", &["line 2", "log.level", "debug"]);
    for channel in ["0", "-1", "65536", "1.5", "\"left\"", "true"] {
        assert_refused(format!("[audio]\nchannel = {channel}\n"), &["line 2", "audio.channel", "\"mix\" or"]);
    }
    assert_refused("[[hook]]\n\n[[hook]]\ncommand = [\"a\"]\n", &["line 1", "hook", "command"]);
    for command in ["[]", "[\"\"]", "\"ls -l\"", "[\"a\", 3]", "[\"a\\u0000b\"]"] {
        assert_refused(
            format!("[[hook]]\ncommand = {command}\n"),
            &["line 2", "a program and its arguments"],
        );
    }
    for on in ["[]", "\"detected\"", "[\"heard\"]"] {
        assert_refused(format!("[[hook]]\ncommand = [\"a\"]\non = {on}\n"), &["line 3", "\"rejected\""]);
    }
}

#[test]
fn values_out_of_range_are_refused() {
    for value in ["-0.1", "5.1", "nan", "inf", "-inf", "1e300"] {
        for (table, key) in [("detection", "threshold"), ("service", "playback_margin")] {
            assert_refused(
                format!("[{table}]\n{key} = {value}\n"),
                &[&format!("{table}.{key}"), "between 0 and 5"],
            );
        }
    }
    for value in ["0", "0.0", "5", "1.45"] {
        let number: f32 = value.parse().unwrap();
        assert_eq!(read(format!("[detection]\nthreshold = {value}\n")).unwrap().detection.threshold, number);
    }
    for value in ["0", "61", "-1", "8.5", "99999999999999"] {
        assert_refused(
            format!("[service]\npreroll_s = {value}\n"),
            &["service.preroll_s", "between 1 and 60"],
        );
    }
    for value in ["0", "3601"] {
        assert_refused(
            format!("[[hook]]\ncommand = [\"a\"]\ntimeout_s = {value}\n"),
            &["line 3", "between 1 and 3600"],
        );
    }
}

#[test]
fn all_mistakes_are_named() {
    let text = "[bus]\nkind = 3\nrejectd = true\n[service]\npreroll_s = 0\n[[hook]]\ncommand = []\n[lag]\n";
    assert_refused(text, &["line 2", "line 3", "line 5", "line 7", "line 8", "bus.rejected?", "[log]?"]);
    assert_refused("[bus]\nkind =\n\nrejected = maybe\n", &["line 2", "line 4"]);
}

#[test]
fn every_setting_is_kept() {
    let text = "[audio]\ndevice = \"front\"\nchannel = 2\n[bus]\nkind = \"off\"\naddress = \"unix:path=/x\"\nrejected = true\n\
                [service]\npreroll_s = 60\nplayback_margin = 0\n[log]\nlevel = \"trace\"\n\
                [[hook]]\ncommand = [\"a\", \"b\"]\n[[hook]]\ncommand = [\"c\"]\non = [\"state\", \"rejected\"]\ntimeout_s = 1\n";
    let config = read(text).unwrap();
    assert_eq!(config.audio.device.as_deref(), Some("front"));
    assert_eq!(config.audio.channel, Channel::Only(2.try_into().unwrap()));
    assert_eq!(
        config.bus,
        BusConfig { kind: BusKind::Off, address: Some("unix:path=/x".into()), rejected: true }
    );
    assert_eq!(config.service, ServiceConfig { preroll_s: 60, playback_margin: 0.0 });
    assert_eq!(config.log.level, LogLevel::Trace);
    assert_eq!(
        config.hooks[0],
        HookConfig { command: vec!["a".into(), "b".into()], ..HookConfig::default() }
    );
    assert_eq!(config.hooks[1].on, [HookEvent::State, HookEvent::Rejected]);
    assert_eq!(config.hooks[1].timeout_s, 1);
}

#[test]
fn files_that_are_no_text_are_refused() {
    assert_refused(b"\n[store]\npath = \"\xff\xfe\"\n", &["line 3", "UTF-8"]);
    assert_refused(vec![b'#'; 10 << 20], &["too large"]);
    assert_refused(b"\0\0\0\0", &["line 1"]);
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (path, reason) in [
        (folder.path(), "not a regular file"),
        (&pipe, "not a regular file"),
        (Path::new("/dev/zero"), "too large"),
        (&folder.path().join("absent.toml"), "No such file"),
    ] {
        let message = Config::load(Some(path)).unwrap_err().to_string();
        assert!(message.starts_with(&format!("{path:?}")) && message.contains(reason), "{message}");
    }
}
