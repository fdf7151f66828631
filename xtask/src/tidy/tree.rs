//! The text files of the repository in memory: path to content, sorted.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Folders that hold nothing written by hand.
const SKIPPED: [&str; 9] = [
    ".git",
    "target",
    "node_modules",
    "dist",
    "epicenter-data",
    "__pycache__",
    "test-results",
    "playwright-report",
    ".venv",
];
/// Larger files are data, not text: their names are known, their content is not read.
const TEXT_BYTES_MAX: u64 = 4 << 20;

/// Every file by its path from the root, with `/`, and every folder.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) folders: BTreeSet<String>,
}

impl Tree {
    /// Reads all text below `root`; files that are not UTF-8 are known by name, with empty content.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut tree = Self::default();
        tree.walk(root, "")?;
        Ok(tree)
    }

    /// Whether a file or a folder has this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.folders.contains(path)
    }

    /// Path and content of every file whose name ends so.
    pub(crate) fn ending<'a>(&'a self, ends: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(|(path, _)| ends.iter().any(|end| path.ends_with(end)))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> Result<()> {
        for entry in std::fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    self.walk(&entry.path(), &format!("{path}/"))?;
                    self.folders.insert(path);
                }
            } else if kind.is_file() {
                let small = entry.metadata()?.len() <= TEXT_BYTES_MAX;
                let text = if small {
                    std::fs::read(entry.path())
                        .ok()
                        .and_then(|bytes| String::from_utf8(bytes).ok())
                } else {
                    None
                };
                self.files.insert(path, text.unwrap_or_default());
            }
        }
        Ok(())
    }
}
