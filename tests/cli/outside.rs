//! What comes from outside: files that cannot be heard, names that move a cursor, terminals and pipes.

use std::os::unix::process::CommandExt as _;

use super::*;

#[test]
fn a_file_that_was_not_heard_never_gets_a_verdict() {
    let place = Place::enrolled();
    let bad = bad_files(&place);
    let cut = place.path("cut.flac");
    for (path, reason) in bad.iter().filter(|(path, _)| !path.ends_with("cut.wav") && *path != cut) {
        let ran = Ran(place.command(["detect"]).arg(path).output().unwrap()).ends_with(3);
        let partly = path.ends_with("nan.wav");
        assert!(ran.stdout().is_empty() != partly, "{path:?}: {}", ran.stdout());
        let lines = place.detect([path]).ends_with(3).json();
        let [error, end] = &lines[..] else { panic!("{path:?}: {lines:?}") };
        assert_eq!((&error["event"], &end["event"]), (&"error".into(), &"end".into()));
        assert!(error["error"].as_str().unwrap().contains(reason), "{error}");
        assert_eq!((&end["complete"], end["samples"] == 0), (&false.into(), !partly), "{end}");
    }
    // What was heard before a file broke off is told as that.
    let text = Ran(place.command(["detect", "cut.wav"]).output().unwrap()).ends_with(3).stdout();
    assert!(text.contains("nothing like an enrolled phrase up to 0:00.12, where it breaks off"), "{text}");
    let text = Ran(place.command(["detect", "cut.flac"]).output().unwrap()).ends_with(3).stdout();
    assert!(text.contains("where it breaks off\n") && text.contains("detected"), "{text}");

    let good = place.wav("good.wav", phrase());
    let lines = place.detect([&good]).ends_with(0).json();
    let end = lines.last().unwrap();
    assert_eq!((&end["event"], &end["complete"]), (&"end".into(), &true.into()));
    assert_eq!(end["samples"], phrase().len());
    place.wav("hiss.wav", &noise(1, 16_000));
    let text = place.run(["detect", "--detected-only", "hiss.wav"]).ends_with(0).stdout();
    assert_eq!(text, "hiss.wav: nothing detected\n");
}

#[test]
fn recordings_of_a_telephone_are_never_passed_over() {
    let place = Place::new();
    let folder = place.takes("takes");
    let mpeg4 = b"\0\0\0\x1cftypM4A \0\0\0\0";
    place.file("takes/1.m4a", mpeg4);
    // The one of which there is a copy that can be read is no longer needed.
    place.enroll([&folder]).ends_with(0);
    place.file("takes/Recording (6).M4A", mpeg4);
    let ran = Ran(place.command(["enroll", "other", "--phrase", "x", "--from", "takes"]).output().unwrap());
    ran.fails_saying(&["Recording (6).M4A", "M4A", "ffmpeg -i"]);
    place.file("voices/1.opus", b"OggS\0\x02\0\0\0\0\0\0");
    place.run(["enroll", "other", "--phrase", "x", "--from", "voices"]).fails_saying(&["1.opus", "ffmpeg"]);
}

#[test]
fn text_from_outside_never_reaches_the_terminal_raw() {
    let place = Place::new();
    let mut hostile = demo_profile().as_ref().clone();
    hostile.phrase = "hi \u{1b}[2J\u{1b}]0;pwned\u{7}".into();
    hostile.user = "a\nname       forged".into();
    Store::new(place.store()).save(&hostile).unwrap();
    let name = "esc\u{1b}[31mred\nline\u{9b}.wav";
    place.file(name, fs::read(place.wav("plain.wav", phrase())).unwrap());
    place.file(format!("bad {name}"), "no audio");
    place.file("config\u{1b}[1m.toml", "[log]\nlevel = 3\n");
    let bad = format!("bad {name}");
    let missing = format!("missing {name}");
    let commands: [&[&str]; 10] = [
        &["detect", name],
        &["detect", &bad, &missing],
        &["profiles", "list"],
        &["profiles", "show", "demo"],
        &["profiles", "import", &missing],
        &["speakers", "enroll", "x", "--from", &missing],
        &["enroll", "x", "--phrase", "y", "--from", &missing],
        &["--config", "config\u{1b}[1m.toml", "config", "check"],
        &["--store", &missing, "profiles", "list"],
        &["batch", "autokws", &missing, "--out", "out"],
    ];
    for command in commands {
        let ran = place.run(command);
        for text in [ran.stdout(), ran.stderr()] {
            let raw = text.chars().any(|c| c.is_control() && c != '\n');
            assert!(
                !raw && !text
                    .lines()
                    .any(|line| line.starts_with("line") || line.starts_with("name       forged")),
                "{text:?}"
            );
        }
    }
    let text = place.run(["detect", name]).stdout();
    assert!(text.contains(r"esc\u{1b}[31mred\nline\u{9b}.wav"), "{text}");
    let text = place.run(["profiles", "show", "demo"]).stdout();
    assert!(text.contains(r"hi \u{1b}[2J"), "{text}");
}

#[test]
fn a_reader_that_goes_away_never_causes_a_panic() {
    let place = Place::enrolled();
    for command in
        [&["completions", "bash"][..], &["completions", "zsh"], &["profiles", "list"], &["config", "show"]]
    {
        let mut child = place.command(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && !text.contains("panicked"), "{command:?}: {text}");
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let ended = place.command(command).stdout(full).output().unwrap();
        let text = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.code() == Some(1) && text.contains("No space left"), "{command:?}: {text}");
    }
}

#[test]
fn a_reason_is_never_said_twice_or_contradicted() {
    let place = Place::enrolled();
    for command in [
        &["--config", "nope.toml", "config", "check"][..],
        &["profiles", "import", "nope.wakecase"],
        &["enroll", "x", "--phrase", "y", "--from", "nope.wav"],
        &["batch", "autokws", "nope", "--out", "out"],
        &["batch", "merge", "nope.json"],
        &["sbi", "run", "nope.scp", "out"],
    ] {
        let text = place.run(command).ends_with(1).stderr();
        let said = text.matches("os error 2").count() + text.matches("no such file").count();
        assert!(said == 1 && text.contains("nope"), "{command:?}: {text}");
    }
    fs::remove_file(place.path("store.key")).unwrap();
    let text = place.run(["profiles", "list"]).ends_with(3).stderr();
    assert!(text.contains("missing") && !text.contains("no profiles"), "{text}");
}

#[test]
fn a_store_behind_a_closed_folder_is_never_without_its_owner() {
    let place = Place::enrolled();
    let root = rustix::process::geteuid().is_root();
    let mut command = place.command(["profiles", "list"]);
    if root {
        // Enrolled once with sudo, in the home of somebody else.
        let open =
            |name: &str| fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        open("");
        fs::create_dir(place.path("closed")).unwrap();
        fs::set_permissions(place.path("closed"), fs::Permissions::from_mode(0o700)).unwrap();
        command.uid(4242).gid(4242).env("WAKEWORD_STORE", place.path("closed/store"));
    } else {
        command.env("WAKEWORD_STORE", "/root/wakeword/profiles");
    }
    let ran = Ran(command.output().unwrap());
    ran.fails_saying(&["belongs to user 0", if root { "sudo chown -R 4242" } else { "sudo -u '#0'" }]);
}

#[test]
fn lists_and_checks_are_never_for_programs_or_people_alone() {
    let place = Place::enrolled();
    place.takes("anna");
    assert!(place.run(["speakers", "list"]).ends_with(0).stderr().contains("enrol one"));
    place.run(["speakers", "enroll", "anna", "--from", "anna"]).ends_with(0);
    let lines = place.run(["speakers", "list", "--json"]).ends_with(0).json();
    assert_eq!((&lines[0]["name"], &lines[0]["recordings"]), (&"anna".into(), &5.into()));
    let table = place.run(["speakers", "list"]).ends_with(0).stdout();
    assert!(table.contains("name") && table.contains("anna") && !table.contains('{'), "{table}");
    let lines = place.run(["speakers", "identify", "--json", "nope.wav"]).ends_with(3).json();
    assert!(lines[0]["error"].as_str().unwrap().contains("no such file"), "{lines:?}");
    let lines = place.run(["speakers", "embed", "nope.wav"]).ends_with(3).json();
    assert!(lines[0]["embedding"].is_null() && lines[0]["error"].is_string(), "{lines:?}");

    place.file("good.toml", "[log]\nlevel = \"debug\"\n");
    place.file("bad.toml", "[log]\nlevel = 3\n\n[bsu]\n");
    let check =
        |file: &str, code| place.run(["config", "check", "--json", file]).ends_with(code).json().remove(0);
    assert_eq!((&check("good.toml", 0)["ok"], &check("nope.toml", 1)["ok"]), (&true.into(), &false.into()));
    let bad = check("bad.toml", 1);
    assert_eq!((&bad["file"], &bad["problems"][1]["line"]), (&"bad.toml".into(), &4.into()), "{bad}");

    // As wide as the terminal says.
    let mut command = place.command(["detect", "phrase.wav"]);
    place.wav("phrase.wav", phrase());
    let table = Ran(command.env("COLUMNS", "80").output().unwrap()).ends_with(0).stdout();
    assert!(table.contains("detected") && table.lines().all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
fn a_profile_is_never_removed_without_a_word_on_a_terminal() {
    let place = Place::enrolled();
    let program = cargo_bin!("wakeword");
    let answer = |words: &str, answer: &str| {
        let mut command = place.command([""; 0]);
        let inner = format!("'{}' {words}", program.display());
        let mut script = Command::new("script");
        script
            .args(["-qec", &inner, "/dev/null"])
            .env_clear()
            .envs(command.get_envs().filter_map(|(k, v)| Some((k, v?))));
        script.env("PATH", "/usr/bin:/bin").stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env_clear();
        let mut child = script.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), answer.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    for no in ["n\n", "\n"] {
        let said = answer("profiles remove demo", no);
        assert!(
            said.contains("delete the profile \"demo\"") && said.contains("nothing was deleted"),
            "{said}"
        );
    }
    assert_eq!(place.names("store"), ["demo.wakeword"]);
    let said = answer("profiles remove demo", "y\n");
    assert!(said.contains("removed demo"), "{said}");
    assert!(place.names("store").is_empty());
}
