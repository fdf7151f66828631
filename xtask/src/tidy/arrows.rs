//! Which crate may depend on which. This table is the law: an arrow that is not in it fails the build.

use super::Finding;
use super::tree::Tree;
use std::collections::BTreeMap;

/// Crate, and those of the workspace that it may name.
pub(super) const ARROWS: [(&str, &[&str]); 13] = [
    ("epicenter-proto", &[]),
    ("epicenter-schema", &[]),
    ("epicenter-ui", &[]),
    ("epicenter-graph", &["epicenter-schema"]),
    ("epicenter-detect", &["epicenter-graph", "epicenter-schema"]),
    (
        "epicenter-localize",
        &["epicenter-detect", "epicenter-graph", "epicenter-schema"],
    ),
    (
        "epicenter-incident",
        &[
            "epicenter-detect",
            "epicenter-graph",
            "epicenter-localize",
            "epicenter-schema",
        ],
    ),
    ("epicenter-storage", &["epicenter-proto", "epicenter-schema"]),
    (
        "epicenter-collector",
        &["epicenter-proto", "epicenter-schema", "epicenter-storage"],
    ),
    (
        "epicenter-query",
        &[
            "epicenter-detect",
            "epicenter-graph",
            "epicenter-incident",
            "epicenter-localize",
            "epicenter-proto",
            "epicenter-schema",
            "epicenter-storage",
        ],
    ),
    ("epicenter-fuzz", &["epicenter-collector", "epicenter-proto"]),
    ("epicenter-lab", &["epicenter-proto"]),
    ("xtask", &[]),
];

/// The composition root: the one crate that may name every other.
const ROOT: &str = "epicenter";

/// One crate as its manifest tells: its name, and what it depends on (for use, tests and build scripts alike).
pub(super) struct Manifest {
    pub(super) path: String,
    pub(super) name: String,
    /// Dependency, and whether it is for tests only.
    pub(super) dependencies: BTreeMap<String, bool>,
}

/// Reads every `Cargo.toml`; those that are not manifests of a package are left out.
pub(super) fn manifests(tree: &Tree) -> Result<Vec<Manifest>, Finding> {
    let mut found = Vec::new();
    for (path, text) in tree.ending(&["Cargo.toml"]) {
        let manifest: toml::Table = text
            .parse()
            .map_err(|error| Finding::error(format!("{path}: {error}")))?;
        let Some(name) = manifest
            .get("package")
            .and_then(|package| package.get("name"))
            .and_then(toml::Value::as_str)
        else {
            continue;
        };
        let mut dependencies = BTreeMap::new();
        gather(&manifest, &mut dependencies);
        for target in manifest
            .get("target")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flat_map(toml::Table::values)
        {
            if let Some(target) = target.as_table() {
                gather(target, &mut dependencies);
            }
        }
        found.push(Manifest {
            path: path.to_owned(),
            name: name.to_owned(),
            dependencies,
        });
    }
    Ok(found)
}

fn gather(table: &toml::Table, into: &mut BTreeMap<String, bool>) {
    for (section, tests_only) in [
        ("dev-dependencies", true),
        ("dependencies", false),
        ("build-dependencies", false),
    ] {
        for (key, value) in table.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
            let name = value.get("package").and_then(toml::Value::as_str).unwrap_or(key);
            into.insert(name.to_owned(), tests_only);
        }
    }
}

/// Finds arrows that the table does not have, and crates that it does not know.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests = match manifests(tree) {
        Ok(manifests) => manifests,
        Err(finding) => return vec![finding],
    };
    let ours: Vec<&str> = manifests.iter().map(|manifest| manifest.name.as_str()).collect();
    let mut findings = Vec::new();
    for manifest in manifests.iter().filter(|manifest| manifest.name != ROOT) {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == manifest.name) else {
            findings.push(Finding::error(format!(
                "{}: the crate {} is not in the table of arrows",
                manifest.path, manifest.name
            )));
            continue;
        };
        for dependency in manifest
            .dependencies
            .keys()
            .filter(|name| ours.contains(&name.as_str()))
        {
            if !allowed.contains(&dependency.as_str()) {
                findings.push(Finding::error(format!(
                    "{}: {} may not depend on {dependency}",
                    manifest.path, manifest.name
                )));
            }
        }
    }
    findings
}
