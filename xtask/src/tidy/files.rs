//! Size, name and first line of every source file.

use super::Finding;
use super::tree::Tree;

/// Past this a file should be split by responsibility.
const LINES_WARN: usize = 500;
/// Past this it must be.
const LINES_MAX: usize = 800;
/// Files of tests only may be longer.
const TEST_LINES_MAX: usize = 1500;
/// Languages that are written by hand.
const SOURCES: [&str; 7] = [".rs", ".ts", ".tsx", ".js", ".mjs", ".py", ".css"];
/// Names that say nothing about a responsibility.
const BANNED: [&str; 8] = ["util", "utils", "common", "core", "helper", "helpers", "types", "misc"];

pub(super) fn sizes(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(&SOURCES) {
        let lines = text.lines().count();
        let most = if is_test(path) { TEST_LINES_MAX } else { LINES_MAX };
        if lines > most {
            findings.push(Finding::error(format!("{path}: {lines} lines; at most {most}")));
        } else if lines > LINES_WARN && !is_test(path) {
            findings.push(Finding::warning(format!(
                "{path}: {lines} lines; split it by responsibility past {LINES_WARN}"
            )));
        }
    }
    findings
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/it/")
        || path.ends_with("/tests.rs")
        || path.contains("/tests/") && path.ends_with(".rs")
        || path.contains("/e2e/")
        || path.contains(".test.")
}

pub(super) fn no_mod_rs(tree: &Tree) -> Vec<Finding> {
    tree.ending(&["/mod.rs"])
        .map(|(path, _)| Finding::error(format!("{path}: name the file after the module, not mod.rs")))
        .collect()
}

pub(super) fn names(tree: &Tree) -> Vec<Finding> {
    let files = tree.ending(&SOURCES).map(|(path, _)| path);
    let mut findings = Vec::new();
    for path in files.chain(tree.folders.iter().map(String::as_str)) {
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = name.split('.').next().unwrap_or(name);
        if BANNED.contains(&stem) {
            findings.push(Finding::error(format!(
                "{path}: name it for its responsibility; {stem} says none"
            )));
        }
    }
    findings
}

pub(super) fn opening(tree: &Tree) -> Vec<Finding> {
    tree.ending(&[".rs"])
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| Finding::error(format!("{path}: begin with //! and say what the file is for")))
        .collect()
}
