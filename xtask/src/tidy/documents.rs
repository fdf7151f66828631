//! Paths that documents name must exist: links to files, and words in backticks that begin with a folder of the
//! repository.

use super::Finding;
use super::tree::Tree;

pub(super) fn paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (document, text) in tree.ending(&[".md"]) {
        for (number, line) in text.lines().enumerate() {
            let missing = links(line)
                .filter(|link| !exists(tree, &resolve(document, link)))
                .chain(quoted(line).filter(|path| names_a_folder_of(tree, path) && !exists(tree, path)));
            for path in missing {
                findings.push(Finding::error(format!(
                    "{document}:{}: {path} does not exist",
                    number + 1
                )));
            }
        }
    }
    findings
}

fn exists(tree: &Tree, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    path.is_empty() || tree.has(path)
}

/// Targets of links that are files: `[text](path)`, without `#anchor`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', ' ']).next()?;
        let path = target.split('#').next()?;
        let elsewhere = target.contains("://") || target.starts_with("mailto:") || path.is_empty();
        (!elsewhere).then_some(path)
    })
}

/// Words between backticks that could be paths: no space, no placeholder, a slash inside.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter(|word| {
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c));
        plain && word.contains('/') && !word.starts_with('/') && !word.starts_with('.')
    })
}

/// Whether the path begins with a folder at the root, so that `text/html` or `target/release` is no finding.
fn names_a_folder_of(tree: &Tree, path: &str) -> bool {
    path.split('/').next().is_some_and(|first| tree.folders.contains(first))
}

/// The path from the root of what `document` calls `link`.
fn resolve(document: &str, link: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}
