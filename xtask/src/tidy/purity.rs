//! Pure crates: same input, same bytes out. They may not even name what reads a clock, a file, a socket, the
//! environment or chance, and depend on nothing outside of a short list.

use super::Finding;
use super::arrows;
use super::tree::Tree;

/// The pure crates and where their sources are.
pub(super) const PURE: [(&str, &str); 5] = [
    ("epicenter-schema", "storage/schema/"),
    ("epicenter-graph", "query/graph/"),
    ("epicenter-detect", "query/detect/"),
    ("epicenter-localize", "query/localize/"),
    ("epicenter-incident", "query/incident/"),
];

/// What a pure crate may use from outside of the workspace.
const ALLOWED: [&str; 13] = [
    "arrow",
    "bytes",
    "hashbrown",
    "base64",
    "hex",
    "humantime-serde",
    "petgraph",
    "rayon",
    "serde",
    "serde_json",
    "sketches-ddsketch",
    "thiserror",
    "smallvec",
];

/// Modules of the standard library with effects.
const EFFECTS: [&str; 5] = ["fs", "net", "thread", "env", "process"];
/// Names that stand for a clock, a runtime, chance or a terminal wherever they appear.
const NAMES: [&str; 11] = [
    "tokio",
    "SystemTime",
    "Instant",
    "rand",
    "getrandom",
    "println",
    "eprintln",
    "print",
    "eprint",
    "dbg",
    "stdout",
];

/// Finds dependencies of pure crates that are neither pure crates nor on the list; those of tests are free.
pub(super) fn dependencies(tree: &Tree) -> Vec<Finding> {
    let manifests = match arrows::manifests(tree) {
        Ok(manifests) => manifests,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    for manifest in manifests
        .iter()
        .filter(|manifest| PURE.iter().any(|(name, _)| *name == manifest.name))
    {
        for (dependency, tests_only) in &manifest.dependencies {
            let pure = PURE.iter().any(|(name, _)| name == dependency);
            if !tests_only && !pure && !ALLOWED.contains(&dependency.as_str()) {
                findings.push(Finding::error(format!(
                    "{}: the pure crate {} may not depend on {dependency}",
                    manifest.path, manifest.name
                )));
            }
        }
    }
    findings
}

/// Finds words in the sources of pure crates that stand for effects. Comments and strings do not count.
pub(super) fn sources(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(&[".rs"]) {
        let is_pure = PURE
            .iter()
            .any(|(_, folder)| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with("src/")));
        if is_pure {
            for effect in effects(&code_only(text)) {
                findings.push(Finding::error(format!("{path}: a pure crate names {effect}")));
            }
        }
    }
    findings
}

fn effects(code: &str) -> Vec<String> {
    let words: Vec<&str> = words(code).collect();
    let mut found: Vec<String> = NAMES
        .iter()
        .filter(|name| words.contains(name))
        .map(|name| (*name).to_owned())
        .collect();
    for window in words.windows(3) {
        if let ["std", "::", module] = window
            && EFFECTS.contains(module)
        {
            found.push(format!("std::{module}"));
        }
    }
    // `use std::{fs, ..}`: the items at the first level of the braces.
    for group in code.split("std::{").skip(1) {
        let (mut depth, mut start) = (0_usize, true);
        for word in self::words(group) {
            match word {
                "{" => depth += 1,
                "}" if depth == 0 => break,
                "}" => depth -= 1,
                "," => {
                    start = true;
                    continue;
                }
                module if depth == 0 && start && EFFECTS.contains(&module) => found.push(format!("std::{module}")),
                _ => {}
            }
            start = false;
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Splits into identifiers, `::` and single other characters; space is dropped.
fn words(code: &str) -> impl Iterator<Item = &str> {
    let mut rest = code;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(length);
        rest = after;
        Some(word)
    })
}

/// The text without line comments and without what is between double quotes. Block comments and raw strings are
/// taken as code, which can only find too much.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '/' if characters.peek() == Some(&'/') => {
                characters.by_ref().find(|c| *c == '\n');
                code.push('\n');
            }
            // A character literal of a quote, or of an escape, is not the start of a string.
            '\'' if characters.peek() == Some(&'"') => {
                characters.next();
            }
            '"' => {
                code.push('"');
                while let Some(inside) = characters.next() {
                    match inside {
                        '\\' => {
                            characters.next();
                        }
                        '"' => break,
                        _ => {}
                    }
                }
                code.push('"');
            }
            other => code.push(other),
        }
    }
    code
}
