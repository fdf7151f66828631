//! Text that would be true on one machine only.

use super::Finding;
use super::tree::Tree;

/// Beginnings of paths of one machine; put together here so that this file does not hold them.
const MACHINE_PATHS: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/tmp/ba", "sh_jobs"),
    concat!("/ro", "ot/"),
    concat!("/opt/wh", "eels"),
];

pub(super) fn machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in &tree.files {
        for (number, line) in text.lines().enumerate() {
            if let Some(found) = MACHINE_PATHS.iter().find(|machine| begins_a_path(line, machine)) {
                findings.push(Finding::error(format!(
                    "{path}:{}: names {found}, a path of one machine",
                    number + 1
                )));
            }
        }
    }
    findings
}

/// Whether the pattern stands where a path begins: `a/root/b` is a path below something else.
fn begins_a_path(line: &str, pattern: &str) -> bool {
    line.match_indices(pattern).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || "._-)}>".contains(c))
    })
}
