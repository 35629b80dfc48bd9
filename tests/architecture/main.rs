//! The rules between modules, read from the source: who may use whom, no cycles, no large files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use source::{Module, modules};

/// Longest file of the program, in lines.
const LONGEST: usize = 350;
/// Files that are longer until they are split; an entry that is no longer needed is an error.
const OPEN_FILES: [&str; 0] = [];
/// The engine: samples in, events out.
const ENGINE: [&str; 7] = ["features", "inference", "keyword", "speaker", "phrase", "profile", "engine"];
/// Devices, files and buses, and what drives the engine with them.
const OUTSIDE: [&str; 6] = ["audio", "store", "config", "service", "bus", "batch"];

/// The uses between the children of one module, by its path.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The uses between modules of which neither contains the other, each between the outermost parts that differ.
fn uses(modules: &[Module]) -> BTreeSet<(String, String)> {
    let mut uses = BTreeSet::new();
    for module in modules {
        for used in &module.uses {
            let common = module.path.iter().zip(used).take_while(|(a, b)| a == b).count();
            if common < module.path.len() && common < used.len() {
                uses.insert((module.path[..=common].join("::"), used[..=common].join("::")));
            }
        }
    }
    uses
}

/// The table in ARCHITECTURE.md: each module and those that it may use.
fn table() -> Graph {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| module |")).skip(2);
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            (names(cells[1]).concat(), names(cells[3]).into_iter().collect())
        })
        .collect()
}

/// A way from `from` back to itself.
fn cycle(graph: &Graph, from: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![from.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in graph.get(way.last().unwrap()).into_iter().flatten() {
            let longer = [&way[..], std::slice::from_ref(next)].concat();
            if next == from {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                ways.push(longer);
            }
        }
    }
    None
}

fn graph(uses: BTreeSet<(String, String)>) -> Graph {
    let mut graph = Graph::new();
    for (from, to) in uses {
        graph.entry(from).or_default().insert(to);
    }
    graph
}

#[test]
fn the_table_in_the_architecture_lists_what_modules_use() {
    let modules = modules();
    let mut found: Graph = modules.iter().map(|module| (module.path[0].clone(), BTreeSet::new())).collect();
    for (from, to) in uses(&modules).into_iter().filter(|(from, _)| !from.contains("::")) {
        found.entry(from).or_default().insert(to);
    }
    let stated = table();
    let mut wrong = Vec::new();
    for name in found.keys().chain(stated.keys()).collect::<BTreeSet<_>>() {
        match (found.get(name), stated.get(name)) {
            (Some(found), Some(stated)) => {
                wrong.extend(
                    found.difference(stated).map(|used| format!("{name} uses {used}: not in its row")),
                );
                wrong.extend(
                    stated.difference(found).map(|used| format!("{name} does not use {used}: in its row")),
                );
            }
            (Some(_), None) => wrong.push(format!("{name} has no row")),
            _ => wrong.push(format!("{name} has a row, and there is no such module")),
        }
    }
    assert!(wrong.is_empty(), "ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn a_cycle_is_found_and_a_chain_is_none() {
    let graph = |pairs: &[(&str, &str)]| {
        let owned = pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
        cycle(&graph(owned.collect()), "a")
    };
    assert_eq!(graph(&[("a", "b"), ("b", "c"), ("a", "c")]), None);
    assert_eq!(graph(&[("a", "b"), ("b", "c"), ("c", "a")]).unwrap().join(""), "abca");
}

#[test]
fn no_modules_use_each_other_in_a_cycle() {
    let graph = graph(uses(&modules()));
    let cycles: Vec<String> =
        graph.keys().filter_map(|from| cycle(&graph, from)).map(|way| way.join(" -> ")).collect();
    assert!(cycles.is_empty(), "{}", cycles.join("\n"));
}

#[test]
fn the_engine_reaches_no_device_file_or_bus() {
    let graph = graph(uses(&modules()));
    let mut reached: BTreeSet<&str> = ENGINE.into();
    let mut ahead: Vec<&str> = ENGINE.into();
    while let Some(from) = ahead.pop() {
        let used = graph.get(from).into_iter().flatten();
        ahead.extend(used.map(String::as_str).filter(|next| reached.insert(next)));
    }
    let outside: Vec<_> = OUTSIDE.into_iter().filter(|name| reached.contains(name)).collect();
    assert!(outside.is_empty(), "the engine reaches {outside:?}");
}

#[test]
fn no_file_of_the_program_is_too_long() {
    let mut long = Vec::new();
    for module in modules() {
        let lines = fs::read_to_string(&module.file).unwrap().lines().count();
        let name = module.file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_str().unwrap().to_owned();
        let open = OPEN_FILES.contains(&&*name);
        if (lines > LONGEST) != open {
            let remedy = if open { "strike it off the list" } else { "make two modules of it" };
            long.push(format!("{name}: {lines} lines, at most {LONGEST}: {remedy}"));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}
