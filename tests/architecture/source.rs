//! The modules of the program and what they use, as their files say it. Tests do not count.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module with a file of its own.
pub struct Module {
    /// From the crate's root: `["engine", "rule"]`. The program's own part is `cli`.
    pub path: Vec<String>,
    pub file: PathBuf,
    /// Paths of other modules, as far as they are modules.
    pub uses: Vec<Vec<String>>,
}

/// All modules below `src/lib.rs` and `src/main.rs`.
pub fn modules() -> Vec<Module> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for root in ["lib.rs", "main.rs"] {
        add_children(&source, &[], &read(&source.join(root)), &mut found);
    }
    let known: Vec<Vec<String>> = found.iter().map(|(module, _)| module.path.clone()).collect();
    for (module, tokens) in &mut found {
        let mut paths = Vec::new();
        collect_paths(std::mem::take(tokens), &[], &mut paths);
        module.uses = paths.iter().filter_map(|path| resolve(&module.path, path, &known)).collect();
    }
    found.into_iter().map(|(module, _)| module).collect()
}

/// The tokens of a file without its tests.
fn read(file: &Path) -> Vec<TokenTree> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    without_tests(text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

/// Leaves out what stands behind `#[cfg(test)]`, up to the end of a block or a statement.
fn without_tests(tokens: TokenStream) -> Vec<TokenTree> {
    let mut kept: Vec<TokenTree> = Vec::new();
    let mut skipping = false;
    for token in tokens {
        if skipping {
            let block = matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
            skipping = !block && !is_punct(&token, ';');
        } else if matches!(&token, TokenTree::Group(group) if squeezed(&group.stream()) == "cfg(test)") {
            kept.pop();
            skipping = true;
        } else {
            kept.push(token);
        }
    }
    kept
}

fn squeezed(tokens: &TokenStream) -> String {
    tokens.to_string().replace(' ', "")
}

fn is_punct(token: &TokenTree, character: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == character)
}

/// Adds the modules that the file of the module `path` declares, whose own files are in `folder`.
fn add_children(
    folder: &Path,
    path: &[String],
    tokens: &[TokenTree],
    found: &mut Vec<(Module, Vec<TokenTree>)>,
) {
    for three in tokens.windows(3) {
        let (TokenTree::Ident(word), TokenTree::Ident(name)) = (&three[0], &three[1]) else { continue };
        if word != "mod" || !is_punct(&three[2], ';') {
            continue;
        }
        let (name, below) = (name.to_string(), folder.join(name.to_string()));
        let files = [folder.join(format!("{name}.rs")), below.join("mod.rs")];
        let file = files.into_iter().find(|file| file.is_file());
        let file = file.unwrap_or_else(|| panic!("no file of the module {name} in {}", folder.display()));
        let path = [path, &[name]].concat();
        let tokens = read(&file);
        add_children(&below, &path, &tokens, found);
        found.push((Module { path, file, uses: Vec::new() }, tokens));
    }
}

/// All paths in `tokens`, those in braces (`a::{b, c}`) behind what stands before the braces.
fn collect_paths(tokens: Vec<TokenTree>, prefix: &[String], found: &mut Vec<Vec<String>>) {
    let mut path = prefix.to_vec();
    let mut colons = 2;
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                colons += 1;
                continue;
            }
            TokenTree::Ident(name) if colons == 2 => path.push(name.to_string()),
            TokenTree::Ident(name) => {
                found.push(std::mem::replace(&mut path, [prefix, &[name.to_string()]].concat()));
            }
            TokenTree::Group(group) => {
                let before = if colons == 2 { &path[..] } else { &[] };
                collect_paths(group.stream().into_iter().collect(), before, found);
            }
            _ => {
                found.push(std::mem::replace(&mut path, prefix.to_vec()));
                colons = 2;
                continue;
            }
        }
        colons = 0;
    }
    found.push(path);
}

/// The module that `path`, written in the module `here`, leads to; `None` for other crates, and for names that
/// an import explains.
fn resolve(here: &[String], path: &[String], known: &[Vec<String>]) -> Option<Vec<String>> {
    let mut whole = match path.first()?.as_str() {
        "crate" | "wakeword" => Vec::new(),
        "self" => here.to_vec(),
        "super" => here[..here.len() - 1].to_vec(),
        _ => return None,
    };
    for part in &path[1..] {
        if part == "super" {
            whole.pop();
        } else {
            whole.push(part.clone());
        }
    }
    while !whole.is_empty() && !known.contains(&whole) {
        whole.pop();
    }
    Some(whole)
}
