//! Every rule is fed a tree that it accepts and trees that break it.

use super::*;

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.files.insert((*path).to_owned(), (*text).to_owned());
        for (at, _) in path.match_indices('/') {
            tree.folders.insert(path[..at].to_owned());
        }
    }
    tree
}

#[track_caller]
fn check(rule: Rule, files: &[(&str, &str)], expected: &[&str]) {
    let findings = rule(&tree(files));
    assert_eq!(findings.len(), expected.len(), "{findings:#?}");
    for (finding, expected) in findings.iter().zip(expected) {
        assert!(
            !finding.warning && finding.text.contains(expected),
            "{finding:?} has no {expected:?}"
        );
    }
}

fn manifest(name: &str, sections: &str) -> String {
    format!("[package]\nname = \"{name}\"\n{sections}")
}

#[test]
fn arrows_not_in_the_table() {
    let storage = manifest(
        "epicenter-storage",
        "[dependencies]\nepicenter-schema.workspace = true\n",
    );
    let schema = manifest("epicenter-schema", "[dependencies]\n");
    let good = manifest(
        "epicenter-collector",
        "[dependencies]\nepicenter-storage.workspace = true\ntokio.workspace = true\n",
    );
    let query = manifest("epicenter-query", "[dependencies]\n");
    let three = [
        ("storage/Cargo.toml", storage.as_str()),
        ("schema/Cargo.toml", &schema),
        ("query/Cargo.toml", &query),
    ];
    let with = |collector: &str, expected: &[&str]| {
        check(
            arrows::check,
            &[&three[..], &[("collector/Cargo.toml", collector)]].concat(),
            expected,
        );
    };
    with(&good, &[]);
    let wrong = "epicenter-collector may not depend on epicenter-query";
    for section in [
        "dependencies",
        "dev-dependencies",
        "build-dependencies",
        "target.'cfg(unix)'.dependencies",
    ] {
        with(
            &manifest(
                "epicenter-collector",
                &format!("[{section}]\nepicenter-query = {{ path = \"../query\" }}\n"),
            ),
            &[wrong],
        );
    }
    let renamed = "[dependencies]\nq = { package = \"epicenter-query\", path = \"../query\" }\n";
    with(&manifest("epicenter-collector", renamed), &[wrong]);
    with(
        &manifest("epicenter-stranger", ""),
        &["epicenter-stranger is not in the table"],
    );
}

#[test]
fn the_table_has_no_arrow_back() {
    for (name, allowed) in arrows::ARROWS {
        for dependency in allowed {
            let (_, theirs) = arrows::ARROWS
                .iter()
                .find(|(other, _)| other == dependency)
                .expect("a crate of the table");
            assert!(!theirs.contains(&name), "{name} and {dependency} name each other");
        }
    }
}

#[test]
fn impure_dependencies() {
    let good = manifest(
        "epicenter-graph",
        "[dependencies]\nserde.workspace = true\n[dev-dependencies]\ntokio.workspace = true\n",
    );
    check(purity::dependencies, &[("query/graph/Cargo.toml", &good)], &[]);
    let bad = manifest("epicenter-graph", "[dependencies]\ntokio.workspace = true\n");
    check(
        purity::dependencies,
        &[("query/graph/Cargo.toml", &bad)],
        &["may not depend on tokio"],
    );
    let shell = manifest("epicenter-query", "[dependencies]\ntokio.workspace = true\n");
    check(purity::dependencies, &[("query/Cargo.toml", &shell)], &[]);
}

#[test]
fn impure_sources() {
    let pure = "//! reads no tokio, Instant\nuse std::{fmt, collections::BTreeMap};\nfn f(instance: u8) -> &'static str { \"std::fs println!\" }\n";
    check(purity::sources, &[("query/graph/src/lib.rs", pure)], &[]);
    for (code, expected) in [
        ("use std::fs;", "std::fs"),
        ("use std :: net::TcpStream;", "std::net"),
        ("use std::{collections::{BTreeMap, btree_map}, thread};", "std::thread"),
        ("fn f() { std::env::var(\"x\"); }", "std::env"),
        ("use std::time::{Duration, Instant};", "Instant"),
        ("fn f() { std::time::SystemTime::now(); }", "SystemTime"),
        ("fn f() { let q = '\"'; println!(\"x\"); }", "println"),
        ("async fn f() { tokio::spawn(async {}); }", "tokio"),
        ("fn f() { rand::random(); }", "rand"),
    ] {
        check(purity::sources, &[("query/detect/src/slow.rs", code)], &[expected]);
        check(purity::sources, &[("query/src/live.rs", code)], &[]);
    }
}

#[test]
fn long_files() {
    let lines = |count: usize| "x\n".repeat(count);
    check(files::sizes, &[("src/a.rs", &lines(800)[..1000])], &[]);
    check(files::sizes, &[("src/a.rs", &lines(801))], &["801 lines"]);
    check(files::sizes, &[("ui/web/src/a.tsx", &lines(801))], &["801 lines"]);
    check(
        files::sizes,
        &[("src/a/tests.rs", &lines(1500)), ("README.md", &lines(5000))],
        &[],
    );
    check(files::sizes, &[("src/a/tests.rs", &lines(1501))], &["1501 lines"]);
    let warned = files::sizes(&tree(&[("src/a.rs", &lines(501))]));
    assert!(warned.len() == 1 && warned[0].warning, "{warned:?}");
}

#[test]
fn names_and_openings() {
    check(
        files::no_mod_rs,
        &[("src/log/mod.rs", ""), ("src/mod.rs.md", "")],
        &["src/log/mod.rs"],
    );
    check(files::names, &[("src/log.rs", ""), ("src/commons.rs", "")], &[]);
    check(files::names, &[("src/utils.rs", "")], &["utils says none"]);
    check(
        files::names,
        &[("ui/web/src/helpers.test.ts", "")],
        &["helpers says none"],
    );
    check(files::names, &[("storage/core/log.rs", "")], &["storage/core"]);
    check(files::opening, &[("src/a.rs", "//! why\n"), ("b.py", "x")], &[]);
    check(files::opening, &[("src/a.rs", "use x;\n//! why\n")], &["src/a.rs"]);
}

#[test]
fn documents_that_name_what_is_not_there() {
    let good = "see [it](../src/main.rs#L3) and `src/main.rs`, `application/json`, `src/<name>`, [web](https://a.b/c), [here](#x)";
    check(documents::paths, &[("docs/a.md", good), ("src/main.rs", "")], &[]);
    check(
        documents::paths,
        &[("docs/a.md", "one\n[it](b.md)"), ("src/main.rs", "")],
        &["docs/a.md:2: b.md"],
    );
    check(
        documents::paths,
        &[("README.md", "in `src/gone.rs`"), ("src/main.rs", "")],
        &["README.md:1: src/gone.rs"],
    );
    check(
        documents::paths,
        &[("README.md", "in [src](src/) and `src/`"), ("src/main.rs", "")],
        &[],
    );
}

#[test]
fn paths_of_one_machine() {
    let inside = concat!("cd /wo", "rk/main");
    check(
        words::machine_paths,
        &[("docs/a.md", "fine\n"), ("b.sh", "ls ./wo\nhttps://a.b/wo rk/")],
        &[],
    );
    check(words::machine_paths, &[("docs/a.md", inside)], &["docs/a.md:1"]);
    check(
        words::machine_paths,
        &[("a.toml", concat!("log = \"/tmp/ba", "sh_jobs.0/x\""))],
        &["a.toml:1"],
    );
    check(words::machine_paths, &[("a.rs", concat!("a/ro", "ot/b"))], &[]);
}

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn locked(packages: &[(&str, &str, &str)]) -> String {
    let mut lock = String::from("version = 4\n[[package]]\nname = \"epicenter\"\nversion = \"0.1.0\"\n");
    for (name, version, source) in packages {
        lock += &format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{source}\"\n");
    }
    lock
}

#[test]
fn cargo_lock() {
    let good = locked(&[
        ("arrow", "59.0.0", REGISTRY),
        ("syn", "1.0.0", REGISTRY),
        ("syn", "2.0.0", REGISTRY),
    ]);
    check(locks::one_version, &[("Cargo.lock", &good)], &[]);
    check(locks::cargo_sources, &[("Cargo.lock", &good)], &[]);
    let two = locked(&[("arrow", "58.0.0", REGISTRY), ("arrow", "59.0.0", REGISTRY)]);
    check(
        locks::one_version,
        &[("Cargo.lock", &two)],
        &["arrow in versions 58.0.0, 59.0.0"],
    );
    let elsewhere = locked(&[("arrow", "59.0.0", "git+https://example.org/arrow#1")]);
    check(
        locks::cargo_sources,
        &[("Cargo.lock", &elsewhere)],
        &["arrow comes from git"],
    );
    check(locks::cargo_sources, &[], &["no Cargo.lock"]);
}

#[test]
fn npm_lock() {
    let lock =
        |from: &str| format!("{{\"packages\": {{\"\": {{}}, \"node_modules/a\": {{\"resolved\": \"{from}\"}}}}}}");
    let path = "ui/web/package-lock.json";
    check(
        locks::npm_sources,
        &[(path, &lock("https://registry.npmjs.org/a/-/a-1.tgz"))],
        &[],
    );
    check(
        locks::npm_sources,
        &[(path, &lock("https://mirror.example/a-1.tgz"))],
        &["node_modules/a comes from https://mirror"],
    );
    check(locks::npm_sources, &[(path, "not json")], &[path]);
}
