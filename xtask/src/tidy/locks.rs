//! What the lock files hold: one version of every engine, and nothing that does not come from the default registries.

use super::Finding;
use super::tree::Tree;
use std::collections::BTreeMap;

/// Crates whose types cross our own interfaces: two versions of one would not fit together.
const ONE_VERSION: [&str; 6] = ["arrow", "datafusion", "parquet", "object_store", "tonic", "prost"];
const CARGO_REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
const NPM_REGISTRY: &str = "https://registry.npmjs.org/";

pub(super) fn one_version(tree: &Tree) -> Vec<Finding> {
    let packages = match packages(tree) {
        Ok(packages) => packages,
        Err(finding) => return vec![finding],
    };
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &packages {
        if let Some(name) = ONE_VERSION.iter().find(|name| **name == package.name) {
            versions.entry(name).or_default().push(&package.version);
        }
    }
    let several = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
    several
        .map(|(name, versions)| Finding::error(format!("Cargo.lock: {name} in versions {}", versions.join(", "))))
        .collect()
}

pub(super) fn cargo_sources(tree: &Tree) -> Vec<Finding> {
    let packages = match packages(tree) {
        Ok(packages) => packages,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    for package in packages {
        match package.source {
            Some(source) if source != CARGO_REGISTRY => {
                findings.push(Finding::error(format!(
                    "Cargo.lock: {} comes from {source}",
                    package.name
                )));
            }
            _ => {}
        }
    }
    findings
}

pub(super) fn npm_sources(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(&["package-lock.json"]) {
        let lock: serde_json::Value = match serde_json::from_str(text) {
            Ok(lock) => lock,
            Err(error) => {
                findings.push(Finding::error(format!("{path}: {error}")));
                continue;
            }
        };
        for (name, package) in lock["packages"].as_object().into_iter().flatten() {
            if let Some(from) = package["resolved"].as_str()
                && !from.starts_with(NPM_REGISTRY)
            {
                findings.push(Finding::error(format!("{path}: {name} comes from {from}")));
            }
        }
    }
    findings
}

struct Package {
    name: String,
    version: String,
    source: Option<String>,
}

fn packages(tree: &Tree) -> Result<Vec<Package>, Finding> {
    let text = tree
        .files
        .get("Cargo.lock")
        .ok_or_else(|| Finding::error("there is no Cargo.lock"))?;
    let lock: toml::Table = text
        .parse()
        .map_err(|error| Finding::error(format!("Cargo.lock: {error}")))?;
    let word = |package: &toml::Value, key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let listed = lock
        .get("package")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten();
    Ok(listed
        .map(|package| Package {
            name: word(package, "name").unwrap_or_default(),
            version: word(package, "version").unwrap_or_default(),
            source: word(package, "source"),
        })
        .collect())
}
