//! What is enrolled, and what becomes of it.

use super::*;

#[test]
fn renaming_keeps_every_profile() {
    let place = Place::enrolled();
    let before = place.run(["profiles", "show", "demo", "--json"]).json();
    place.run(["profiles", "rename", "demo", "anna"]).ends_with(0);
    assert_eq!(place.names("store"), ["anna.wakeword"]);
    let after = place.run(["profiles", "show", "anna", "--json"]).json();
    assert_eq!((&after[0]["name"], &after[0]["user"]), (&"anna".into(), &before[0]["user"]));
    assert_eq!(after[0]["scales"], before[0]["scales"]);
    place.run(["profiles", "rename", "demo", "bert"]).fails_saying(&["no profile named \"demo\""]);
    for taken in ["anna", "../anna", ""] {
        place.run(["profiles", "rename", "anna", taken]).ends_with(1);
    }
    assert_eq!(place.names("store"), ["anna.wakeword"]);
    assert_eq!(place.detect([place.wav("phrase.wav", phrase())]).woken().len(), 1);
}

#[test]
fn simultaneous_enrolments_do_not_overwrite_each_other() {
    let place = Place::new();
    place.takes("takes");
    let start = |phrase: &str| {
        let mut command = place.command(["enroll", "demo", "--from", "takes", "--phrase", phrase]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both = ["one", "two"].map(|phrase| (phrase, start(phrase)));
    let ends = both.map(|(phrase, child)| (phrase, child.wait_with_output().unwrap()));
    let won: Vec<&str> =
        ends.iter().filter(|(_, end)| end.status.success()).map(|(phrase, _)| *phrase).collect();
    for (_, end) in ends.iter().filter(|(_, end)| !end.status.success()) {
        assert!(String::from_utf8_lossy(&end.stderr).contains("exists"), "{end:?}");
    }
    assert_eq!(won.len(), 1);
    assert_eq!(place.run(["profiles", "show", "demo", "--json"]).json()[0]["phrase"], won[0]);
    assert_eq!(place.names("store"), ["demo.wakeword"]);
}

#[test]
fn an_unwritable_store_keeps_no_part_of_a_profile() {
    let place = Place::new();
    let folder = place.takes("takes");
    let file = place.file("file", b"in the way");
    for store in [file.join("inside"), PathBuf::from("/proc/wakeword")] {
        let mut command = place.command(["enroll", "demo", "--phrase", PHRASE, "--from", "takes", "--store"]);
        Ran(command.arg(&store).output().unwrap()).fails_saying(&[store.to_str().unwrap()]);
    }
    assert_eq!(fs::read(&file).unwrap(), b"in the way");
    // A folder where the profile should be.
    place.run(["enroll", "first", "--phrase", PHRASE, "--from", "takes"]).ends_with(0);
    place.run(["profiles", "remove", "first"]).ends_with(0);
    fs::create_dir_all(place.store().join("demo.wakeword/in the way")).unwrap();
    place.enroll([&folder]).fails_saying(&["demo", "exists"]);
    let ran = place.run(["enroll", "demo", "--phrase", "x", "--replace", "--from", "takes"]);
    ran.fails_saying(&["demo.wakeword"]);
    assert_eq!(place.names("store"), ["demo.wakeword"]);
}

#[test]
fn a_full_disk_leaves_the_old_profile() {
    let place = Place::enrolled();
    place.takes("takes");
    let before = fs::read(place.store().join("demo.wakeword")).unwrap();
    // No file may grow beyond 512 bytes; the signal that says so is ignored, so that writing fails.
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let program = place.command(["enroll", "demo", "--replace", "--phrase", PHRASE, "--from", "takes"]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script, "sh"]).arg(program.get_program()).args(program.get_args());
    shell
        .current_dir(place.path(""))
        .env("WAKEWORD_STORE", place.store())
        .env("WAKEWORD_CONFIG", "/dev/null");
    Ran(shell.output().unwrap()).fails_saying(&["demo.wakeword", "File too large"]);
    assert_eq!(fs::read(place.store().join("demo.wakeword")).unwrap(), before);
    assert_eq!(place.names("store"), ["demo.wakeword"]);
}

#[test]
fn profiles_are_overwritten_only_on_request() {
    let place = Place::enrolled();
    let folder = place.takes("takes");
    let file = place.store().join("demo.wakeword");
    let before = fs::read(&file).unwrap();
    place.enroll([folder]).fails_saying(&["demo", "exists", "profiles remove demo"]);
    assert_eq!(fs::read(&file).unwrap(), before);
    let long = "x".repeat(300);
    for name in
        ["../demo", "a/b", "/etc/passwd", ".hidden", "..", "", "a\tb", "a b", "\u{1b}[2J", "\u{1f33b}", &long]
    {
        place
            .run(["enroll", "--phrase", PHRASE, "--from", "takes", "--", name])
            .fails_saying(&["cannot name a profile"]);
        place.run(["profiles", "show", "--", name]).fails_saying(&["cannot name a profile"]);
        place.run(["profiles", "remove", "--", name]).fails_saying(&["cannot name a profile"]);
    }
    assert_eq!(place.names("store"), ["demo.wakeword"]);
    place.run(["enroll", "demo", "--phrase", "other words", "--replace", "--from", "takes"]).ends_with(0);
    assert_eq!(place.run(["profiles", "show", "demo", "--json"]).json()[0]["phrase"], "other words");
    assert_eq!(place.names("store"), ["demo.wakeword"]);
}

#[test]
fn a_damaged_profile_is_named_and_the_others_listed() {
    let place = Place::enrolled();
    let whole = fs::read(place.store().join("demo.wakeword")).unwrap();
    let half = place.file("store/half.wakeword", &whole[..whole.len() / 2]);
    fs::set_permissions(half, fs::Permissions::from_mode(0o600)).unwrap();
    place.file("store/notes.txt", b"no profile");
    fs::create_dir(place.store().join("folder.wakeword")).unwrap();
    let ran = place.run(["profiles", "list", "--json"]).ends_with(3);
    assert_eq!(ran.json().len(), 1);
    assert_eq!(ran.json()[0]["name"], "demo");
    let text = ran.stderr();
    assert!(
        text.lines().count() == 2 && text.contains("half.wakeword") && text.contains("folder.wakeword"),
        "{text}"
    );
    assert!(place.run(["profiles", "list"]).ends_with(3).stdout().contains(PHRASE));
    // A detector that listens for less than it was asked to is worse than none.
    let recording = place.wav("phrase.wav", phrase());
    place.detect([&recording]).fails_saying(&["wakeword"]);
    let ran = place.run(["detect", "--json", "--profile=demo", "phrase.wav"]);
    assert_eq!(ran.ends_with(0).woken().len(), 1);

    for name in ["half", "demo"] {
        place.run(["profiles", "remove", name]).ends_with(0);
        place.run(["profiles", "remove", name]).fails_saying(&["no profile named", name]);
    }
    assert_eq!(place.names("store"), ["folder.wakeword", "notes.txt"]);
}

#[test]
fn a_profile_of_other_models_is_refused() {
    let place = Place::new();
    let mut foreign = demo_profile().as_ref().clone();
    foreign.models = "0123456789abcdef".into();
    Store::new(place.store()).save(&foreign).unwrap();
    place.detect([place.wav("phrase.wav", phrase())]).fails_saying(&[
        "demo",
        "other models",
        "enrol it again",
    ]);
}

#[test]
fn a_store_readable_by_others_is_refused() {
    let place = Place::enrolled();
    let recording = place.wav("phrase.wav", phrase());
    let mode =
        |name: &str, mode| fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap();
    for (name, open, closed) in [("store", 0o755, 0o700), ("store.key", 0o640, 0o600)] {
        mode(name, open);
        let chmod = format!("chmod {closed:o} {:?}", place.path(name));
        place.detect([&recording]).fails_saying(&["open to others", &chmod]);
        place.run(["profiles", "show", "demo"]).fails_saying(&[&chmod]);
        let doctor = place.run(["doctor", "--json"]);
        let told = |line: &Value| line["finding"].as_str().is_some_and(|finding| finding.contains(&chmod));
        assert!(doctor.json().iter().any(told), "{}", doctor.stdout());
        mode(name, closed);
    }
    assert_eq!(place.detect([&recording]).woken().len(), 1);
}

#[test]
fn a_key_from_systemd_is_not_written_to_disk() {
    let place = Place::new();
    place.takes("takes");
    let key = place.file("credentials/wakeword.key", [9; 32]);
    // Its folder is readable for the service alone; the file has the mode that systemd gives it.
    fs::set_permissions(key, fs::Permissions::from_mode(0o440)).unwrap();
    let run = |given: &str, arguments: &[&str]| {
        let mut command = place.command(arguments);
        Ran(command.env("CREDENTIALS_DIRECTORY", place.path(given)).output().unwrap())
    };
    run("credentials", &["enroll", "demo", "--phrase", PHRASE, "--from", "takes"]).ends_with(0);
    assert!(!place.path("store.key").exists());
    run("credentials", &["profiles", "show", "demo"]).ends_with(0);
    place.file("other/wakeword.key", [8; 32]);
    run("other", &["profiles", "show", "demo"]).fails_saying(&["another key", "other/wakeword.key"]);
    // A service with other credentials was to have this one too: no key is made on the disk.
    place.file("others/password", "x");
    for given in ["others", "nowhere"] {
        run(given, &["profiles", "show", "demo"]).fails_saying(&["wakeword.key", "LoadCredentialEncrypted"]);
        let words = ["enroll", "other", "--store", "fresh", "--phrase", PHRASE, "--from", "takes"];
        run(given, &words).fails_saying(&["wakeword.key", "LoadCredentialEncrypted"]);
    }
    assert!(!place.path("fresh").exists() && !place.path("fresh.key").exists());
    // One that is there already, made before there were credentials, still opens its store.
    place.file("store.key", [9; 32]);
    fs::set_permissions(place.path("store.key"), fs::Permissions::from_mode(0o600)).unwrap();
    run("others", &["profiles", "show", "demo"]).ends_with(0);
}

#[test]
fn an_imported_profile_equals_the_exported_one() {
    let (here, there) = (Place::enrolled(), Place::new());
    let words = here.file("words", "five words or even more\nand a second line\n");
    let wrong = here.file("wrong", "five words or even less\n");
    let case = here.path("demo.wakecase");
    let at = |place: &Place, command: &str, file: &Path, more: &[&str]| {
        let file_option = [OsStr::new("--passphrase-file"), file.as_os_str()];
        let words = ["profiles", command].into_iter().chain(more.iter().copied()).map(OsStr::new);
        place.run(words.chain(file_option))
    };
    at(&here, "export", &words, &["demo"]).ends_with(0);
    assert_eq!(fs::metadata(&case).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = fs::read(&case).unwrap();
    at(&here, "export", &wrong, &["demo"]).fails_saying(&["demo.wakecase\" exists", "--out"]);
    at(&here, "export", &words, &["nobody"]).fails_saying(&["no profile named"]);
    at(&here, "export", &here.file("short", "1234567"), &["demo", "--out", "x"])
        .fails_saying(&["fewer than 8"]);
    at(&here, "export", &here.file("empty", "\n"), &["demo", "--out", "x"]).fails_saying(&["empty"]);
    assert!(!here.path("x").exists() && fs::read(&case).unwrap() == bytes);

    let case = case.to_str().unwrap();
    at(&there, "import", &wrong, &[case]).fails_saying(&["demo.wakecase", "passphrase is wrong"]);
    at(&there, "import", &words, &["words.wav"]).fails_saying(&["words.wav"]);
    let foreign = here.wav("foreign.wakecase", phrase());
    at(&there, "import", &words, &[foreign.to_str().unwrap()]).fails_saying(&["not an exported profile"]);
    at(&there, "import", &words, &[case, "--name", "../anna"]).fails_saying(&["cannot name a profile"]);
    assert!(!there.store().exists() && !there.path("store.key").exists());

    at(&there, "import", &words, &[case]).ends_with(0);
    at(&there, "import", &words, &[case]).fails_saying(&["\"demo\" exists", "--name"]);
    at(&there, "import", &words, &[case, "--name", "demo"]).fails_saying(&["exists"]);
    // Without a terminal the passphrase may come by the standard input.
    let mut command = there.command(["profiles", "import", case, "--name", "anna"]);
    let ran = command.stdin(fs::File::open(&words).unwrap()).output().unwrap();
    Ran(ran).ends_with(0);
    assert_eq!(there.names("store"), ["anna.wakeword", "demo.wakeword"]);
    let shown = |place: &Place, name: &str| place.run(["profiles", "show", name, "--json"]).json().remove(0);
    assert_eq!(shown(&here, "demo"), shown(&there, "demo"));
    assert_eq!(shown(&there, "anna")["scales"], shown(&here, "demo")["scales"]);
}

#[test]
fn an_export_of_other_models_is_refused() {
    let (here, there) = (Place::new(), Place::new());
    let mut foreign = demo_profile().as_ref().clone();
    foreign.models = "0123456789abcdef".into();
    Store::new(here.store()).save(&foreign).unwrap();
    let words = here.file("words", "five words or even more");
    let words = words.to_str().unwrap();
    here.run(["profiles", "export", "demo", "--passphrase-file", words]).ends_with(0);
    let case = here.path("demo.wakecase");
    there.run(["profiles", "import", case.to_str().unwrap(), "--passphrase-file", words]).fails_saying(&[
        "demo.wakecase",
        "other models",
        "enrol it on this machine",
    ]);
    assert!(!there.store().exists());
}

#[test]
fn a_calibration_changes_the_threshold_alone_and_only_with_save() {
    let place = Place::enrolled();
    let file = place.store().join("demo.wakeword");
    let before = fs::read(&file).unwrap();
    let show = || place.run(["profiles", "show", "demo", "--json"]).json().remove(0);
    let shown = show();
    let calibrate = |more: &[&str]| place.run(["calibrate", "demo"].iter().chain(more));

    let dry = calibrate(&["--json", "--svg", "demo.svg"]).ends_with(0).json().remove(0);
    assert_eq!((&dry["saved"], &dry["before"]), (&false.into(), &Value::from(1.56)));
    let svg = fs::read_to_string(place.path("demo.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("calls missed") && svg.trim_end().ends_with("</svg>"));
    let text = calibrate(&[]).ends_with(0).stdout();
    for part in
        ["strict", "balanced", "relaxed", "<- chosen", "false wake", "calls missed", "nothing was changed"]
    {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    for (options, reason) in [
        (&["--save", "--target", "0.000001/h"][..], "least that can be claimed"),
        (&["--save", "--room", "missing.wav"], "nothing of the room could be heard"),
        (&["--save", "--svg", "words.txt/demo.svg"], "words.txt"),
    ] {
        place.file("words.txt", "no folder");
        let ran = calibrate(options).ends_with(1);
        assert!(ran.stderr().contains(reason), "{}", ran.stderr());
    }
    for wrong in [["--target", "0"], ["--target", "often"], ["--point", "usual"], ["--listen", "soon"]] {
        calibrate(&wrong).ends_with(2);
    }
    place.run(["calibrate", "nobody"]).fails_saying(&["no profile named"]);
    assert_eq!(fs::read(&file).unwrap(), before, "something was saved");

    for point in ["strict", "balanced", "relaxed"] {
        let line = calibrate(&["--point", point, "--save", "--json"]).ends_with(0).json().remove(0);
        let expected = line["points"].as_array().unwrap().iter().find(|one| one["point"] == point).unwrap();
        assert_eq!(line["chosen"], expected["expected"]);
        let mut wanted = shown.clone();
        wanted["settings"]["threshold"] = line["chosen"]["threshold"].clone();
        assert_eq!(show(), wanted);
    }
    // A room of which a part cannot be heard still counts as far as it can.
    place.wav("room.wav", &noise(1, 3 * 16_000));
    let line = calibrate(&["--json", "--room", "room.wav", "missing.wav"]).ends_with(3).json().remove(0);
    assert!((line["room_hours"].as_f64().unwrap() - 3.0 / 3600.0).abs() < 1e-6, "{line}");
}
