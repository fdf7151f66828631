//! Formats on disk: what an earlier build wrote is read by this one.
//!
//! `fixtures/<formats>` is a data folder as a build of those formats left it: two segments and some of the log. A build that
//! changes a format adds a folder (`cargo test -p epicenter-storage --lib write_the_fixture -- --ignored`) and keeps the old
//! ones, unless the changelog says that data of that format cannot be read any more.

use super::fixture::*;
use super::reading::assert_same;
use crate::table::FORMAT_VERSION;
use epicenter_schema::{SCHEMA_VERSION, SpanBatch};
use std::path::{Path, PathBuf};

/// Spans in the folder: sealed, and in the log.
const SEALED: u64 = 24;
const SPANS: u64 = 32;

fn fixtures() -> PathBuf {
    // Asked when the test runs: a target folder may be shared by several clones.
    let crate_dir = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    Path::new(&crate_dir).join("src/tests/fixtures")
}

fn current() -> PathBuf {
    fixtures().join(format!("log-2-manifest-{FORMAT_VERSION}-schema-{SCHEMA_VERSION}"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("copies");
        }
    }
}

#[tokio::test]
async fn data_of_earlier_builds_is_read() {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(fixtures()).expect("fixtures") {
        let folder = entry.expect("an entry").path();
        let lab = Lab::new();
        copy(&folder, lab.dir.path());
        let (store, mut service) = lab.open().await;
        assert_eq!(numbers(&store).await, (0..SPANS).collect::<Vec<_>>(), "{folder:?}");
        let sql = "select * from spans order by start_time";
        let batches = session(&store).sql(sql).await.expect("plans").collect().await;
        let batches = batches.expect("runs");
        let whole = datafusion::arrow::compute::concat_batches(&batches[0].schema(), &batches);
        let read = SpanBatch::try_new(whole.expect("one schema")).expect("the schema of spans");
        assert_same(&read, &spans(0, SPANS));
        // And it goes on from there.
        append(&store, SPANS, 8).await.expect("appended");
        seal_all(&store, &mut service).await.expect("sealed");
        assert_eq!(numbers(&store).await, (0..SPANS + 8).collect::<Vec<_>>(), "{folder:?}");
        found.push(folder);
    }
    assert!(
        found.contains(&current()),
        "no fixture of the current formats: {found:?}"
    );
}

#[tokio::test]
#[ignore = "writes into the source tree, once for each new format"]
async fn write_the_fixture() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    for first in (0..SEALED).step_by(12) {
        append(&store, first, 12).await.expect("appended");
        seal_all(&store, &mut service).await.expect("sealed");
    }
    append(&store, SEALED, SPANS - SEALED).await.expect("appended");
    drop((store, service));
    assert!(!current().exists(), "{:?} is there already", current());
    copy(lab.dir.path(), &current());
}
