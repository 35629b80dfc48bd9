//! The subcommands of the program, as its help lists them.

use std::process::Command;

use assert_cmd::cargo::cargo_bin;

/// Every subcommand with those that it belongs to: `["profiles", "list"]`.
pub fn subcommands() -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut ahead = vec![Vec::new()];
    while let Some(path) = ahead.pop() {
        let help = Command::new(cargo_bin!("wakeword")).args(&path).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        for line in listed.take_while(|line| !line.is_empty()) {
            // The explanation of a long name may go on in a line of its own.
            let name = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '));
            let name = name.and_then(|rest| rest.split_whitespace().next());
            let below =
                name.filter(|name| *name != "help").map(|name| [&path[..], &[name.to_owned()]].concat());
            all.extend(below.clone());
            ahead.extend(below);
        }
    }
    assert!(all.len() > 20, "{all:?}");
    all
}
