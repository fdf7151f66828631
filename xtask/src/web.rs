//! The web page's own tool chain (npm), run only when what it reads has changed: a hash of the sources is kept in
//! cargo's target folder.

use crate::{process, workspace};
use anyhow::{Context, Result, ensure};
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders of the web app that its build writes or does not read.
const NOT_SOURCES: [&str; 5] = ["node_modules", "dist", "e2e", "mock", "test-results"];

/// Where the web app is.
pub(crate) fn folder() -> PathBuf {
    workspace::root().join("ui/web")
}

/// Installs the locked packages, unless exactly these are installed already.
pub(crate) fn install() -> Result<()> {
    let folder = folder();
    let stamp = Stamp::new("npm-ci", hash(&[folder.join("package-lock.json")])?)?;
    if stamp.holds() && folder.join("node_modules").is_dir() {
        return Ok(());
    }
    eprintln!("ui: installing its packages (npm ci)");
    npm(&["ci", "--no-audit", "--no-fund", "--loglevel=error"])?;
    stamp.write()
}

/// Builds the page into `ui/web/dist`, unless this very source was built before.
pub(crate) fn build() -> Result<()> {
    let folder = folder();
    let mut sources = Vec::new();
    collect(&folder, &mut sources)?;
    let stamp = Stamp::new("npm-build", hash(&sources)?)?;
    if stamp.holds() && folder.join("dist/index.html").is_file() {
        eprintln!("ui: the page is built already");
        return Ok(());
    }
    eprintln!("ui: building the page");
    npm(&["run", "--silent", "build"])?;
    stamp.write()
}

/// Runs npm in the web app's folder.
pub(crate) fn npm(args: &[&str]) -> Result<String> {
    let finished = process::run(
        Command::new("npm")
            .args(args)
            .current_dir(folder())
            .env("NO_COLOR", "1")
            .env("CI", "1"),
    )?;
    ensure!(finished.success, "npm {} failed in ui/web", args.join(" "));
    Ok(finished.output)
}

/// A file that says which state of some sources a step was last done for.
struct Stamp {
    file: PathBuf,
    hash: String,
}

impl Stamp {
    fn new(step: &str, hash: u64) -> Result<Self> {
        // The folder of the repository is part of the name: two clones may share one target folder.
        let mut clone = DefaultHasher::new();
        clone.write(workspace::root().as_os_str().as_encoded_bytes());
        let file = workspace::target()?
            .join("xtask")
            .join(format!("{step}-{:016x}.stamp", clone.finish()));
        Ok(Self {
            file,
            hash: format!("{hash:016x}"),
        })
    }

    fn holds(&self) -> bool {
        std::fs::read_to_string(&self.file).is_ok_and(|kept| kept == self.hash)
    }

    fn write(&self) -> Result<()> {
        let folder = self.file.parent().context("a stamp lies in a folder")?;
        std::fs::create_dir_all(folder)?;
        std::fs::write(&self.file, &self.hash).with_context(|| format!("could not write {}", self.file.display()))
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        if !entry.file_type()?.is_dir() {
            found.push(path);
        } else if !NOT_SOURCES.iter().any(|name| entry.file_name() == *name) {
            collect(&path, found)?;
        }
    }
    Ok(())
}

/// One number for the names and contents of `files`, whatever their order.
fn hash(files: &[PathBuf]) -> Result<u64> {
    let mut files: Vec<_> = files.iter().collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        let content = std::fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
        hasher.write(file.as_os_str().as_encoded_bytes());
        hasher.write_u64(content.len() as u64);
        hasher.write(&content);
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_follows_content_and_not_order() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, "1").unwrap();
        std::fs::write(&b, "2").unwrap();
        let before = hash(&[a.clone(), b.clone()]).unwrap();
        assert_eq!(before, hash(&[b.clone(), a.clone()]).unwrap());
        std::fs::write(&b, "3").unwrap();
        assert_ne!(before, hash(&[a, b]).unwrap());
    }

    #[test]
    fn what_the_build_writes_is_no_source() {
        let folder = tempfile::tempdir().unwrap();
        for inside in ["src", "dist", "node_modules"] {
            std::fs::create_dir(folder.path().join(inside)).unwrap();
            std::fs::write(folder.path().join(inside).join("file"), "x").unwrap();
        }
        let mut found = Vec::new();
        collect(folder.path(), &mut found).unwrap();
        assert_eq!(found, [folder.path().join("src/file")]);
    }
}
