//! Several stores, each with its own log, commit to one table: each commit is all or nothing, whoever comes late makes
//! its own again, and every span is there exactly once.

use super::fixture::*;
use crate::{Error, Service, Store};
use std::sync::atomic::Ordering::SeqCst;
use tempfile::TempDir;

/// Opens the store of a lab, and sees to it that its service has looked at the table.
async fn open(lab: &Lab) -> (Store, Service) {
    lab.open().await
}

async fn refresh(service: &mut Service) {
    service.keep_house(std::time::Instant::now()).await.expect("looks");
}

#[tokio::test]
async fn two_writers_each_see_what_both_committed() {
    let table = TempDir::new().expect("a folder");
    let (a, b) = (Lab::sharing(table.path()), Lab::sharing(table.path()));
    let (store_a, mut service_a) = open(&a).await;
    let (store_b, mut service_b) = open(&b).await;
    for round in 0..10 {
        append(&store_a, round * 20, 10).await.expect("appended");
        append(&store_b, round * 20 + 10, 10).await.expect("appended");
        // Neither knows of the other's commit when it makes its own.
        seal_all(&store_a, &mut service_a).await.expect("sealed");
        seal_all(&store_b, &mut service_b).await.expect("sealed");
    }
    assert!(store_b.inner.counters.rebases.get() > 0, "the second is always late");
    refresh(&mut service_a).await;
    let all: Vec<u64> = (0..200).collect();
    assert_eq!(numbers(&store_a).await, all);
    assert_eq!(numbers(&store_b).await, all);
    assert_eq!(store_a.services(), store_b.services());
    drop((store_a, service_a, store_b, service_b));
    for lab in [&a, &b] {
        let (store, _service) = open(lab).await;
        assert_eq!(numbers(&store).await, all, "nothing is replayed that is sealed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_commit_at_once_lose_and_double_nothing() {
    const WRITERS: u64 = 4;
    const ROUNDS: u64 = 12;
    let table = TempDir::new().expect("a folder");
    let mut running = Vec::new();
    for writer in 0..WRITERS {
        let lab = Lab::sharing(table.path());
        running.push(tokio::spawn(async move {
            let mut from = writer * 10_000;
            for round in 0..ROUNDS {
                let (store, mut service) = lab.open().await;
                for _ in 0..3 {
                    append(&store, from, 10).await.expect("appended");
                    seal_all(&store, &mut service).await.expect("sealed");
                    from += 10;
                }
                // What is in the log only comes back as well.
                append(&store, from, 1).await.expect("appended");
                from += 1;
                lab.faults.put_unheard.store(round % 3 == 0, SeqCst);
                let _ = seal_all(&store, &mut service).await;
                lab.faults.put_unheard.store(false, SeqCst);
            }
            let (store, mut service) = lab.open().await;
            seal_all(&store, &mut service).await.expect("sealed");
            (writer * 10_000..from).collect::<Vec<_>>()
        }));
    }
    let mut all = Vec::new();
    for writer in running {
        all.extend(writer.await.expect("ran"));
    }
    all.sort_unstable();
    let (store, _service) = Lab::sharing(table.path()).open().await;
    assert_eq!(numbers(&store).await, all);
}

#[tokio::test]
async fn a_copied_data_folder_is_found_out() {
    let table = TempDir::new().expect("a folder");
    let (a, b) = (Lab::sharing(table.path()), Lab::sharing(table.path()));
    let (store_a, mut service_a) = open(&a).await;
    std::fs::create_dir_all(b.dir.path().join("log")).expect("a folder");
    std::fs::copy(a.dir.path().join("log/writer"), b.dir.path().join("log/writer")).expect("a copy");
    append(&store_a, 0, 10).await.expect("appended");
    let (store_b, service_b) = open(&b).await;
    let refused = seal_all(&store_a, &mut service_a).await.expect_err("two of one name");
    assert!(matches!(refused, Error::Conflict { .. }), "{refused}");
    assert!(refused.to_string().contains("was the data folder copied?"), "{refused}");
    drop((store_a, service_a, store_b, service_b));
    let (store_a, mut service_a) = open(&a).await;
    assert_eq!(
        numbers(&store_a).await,
        (0..10).collect::<Vec<_>>(),
        "the log still has them"
    );
    seal_all(&store_a, &mut service_a)
        .await
        .expect("the one who came last goes on");
}

#[tokio::test]
async fn a_writer_that_slept_while_others_committed_and_cleaned_is_not_lost() {
    let table = TempDir::new().expect("a folder");
    let (a, b) = (Lab::sharing(table.path()), Lab::sharing(table.path()));
    let (store_a, mut service_a) = open(&a).await;
    let (store_b, mut service_b) = open(&b).await;
    append(&store_a, 1_000, 10).await.expect("appended");
    // So many commits that the number which the sleeper would take is free again.
    for round in 0..20 {
        append(&store_b, round * 10, 10).await.expect("appended");
        seal_all(&store_b, &mut service_b).await.expect("sealed");
    }
    seal_all(&store_a, &mut service_a).await.expect("sealed");
    let all: Vec<u64> = (0..200).chain(1_000..1_010).collect();
    assert_eq!(numbers(&store_a).await, all);
    refresh(&mut service_b).await;
    assert_eq!(numbers(&store_b).await, all);
    drop((store_a, service_a));
    let (store_a, _service) = open(&a).await;
    assert_eq!(numbers(&store_a).await, all);
}

#[tokio::test]
async fn what_another_writer_has_not_committed_yet_is_left_alone() {
    let table = TempDir::new().expect("a folder");
    let (a, b) = (Lab::sharing(table.path()), Lab::sharing(table.path()));
    let (store_a, mut service_a) = open(&a).await;
    append(&store_a, 0, 10).await.expect("appended");
    *a.faults.put.lock().expect("not poisoned") = Some("manifest");
    seal_all(&store_a, &mut service_a)
        .await
        .expect_err("the segment is there, the commit is not");
    let (store_b, _service_b) = open(&b).await;
    assert_eq!(numbers(&store_b).await, Vec::<u64>::new());
    *a.faults.put.lock().expect("not poisoned") = None;
    seal_all(&store_a, &mut service_a).await.expect("sealed");
    assert_eq!(numbers(&store_a).await, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_store_that_ignores_the_condition_is_refused() {
    let table = TempDir::new().expect("a folder");
    let lab = Lab::sharing(table.path());
    lab.faults.unconditional.store(true, SeqCst);
    let refused = lab.try_open().await.err().expect("refused");
    assert!(matches!(refused, Error::Unconditional { .. }), "{refused}");
    assert!(refused.to_string().contains("If-None-Match"), "{refused}");
    lab.faults.unconditional.store(false, SeqCst);
    lab.open().await;
}

/// Scenario: a writer that dropped another's segment died before it deleted the file, and never comes back.
/// Guarantees: the file goes once nothing in it is to be kept; younger ones, which somebody may be about to commit, stay.
#[tokio::test]
async fn what_nobody_lists_goes_when_it_is_too_old() {
    let table = TempDir::new().expect("a folder");
    let lab = Lab::sharing(table.path());
    let (store, mut service) = open(&lab).await;
    append(&store, 0, 10).await.expect("appended");
    seal_all(&store, &mut service).await.expect("sealed");
    let folder = table.path().join("segments");
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(lab.now.load(SeqCst) as u64);
    let file = |name: &str, age: std::time::Duration| {
        let path = folder.join(format!("{name}-0123456789abcdef-fedcba9876543210.parquet"));
        let file = std::fs::File::create(&path).expect("creates");
        file.set_modified(now - age).expect("sets the time");
        path
    };
    let retention = lab.config.retention;
    let old = file("00000000000000000001", retention + std::time::Duration::from_secs(60));
    let young = file("00000000000000000002", retention - std::time::Duration::from_secs(60));
    let look = std::time::Instant::now();
    service.keep_house(look).await.expect("looks");
    service.keep_house(look).await.expect("looks");
    assert!(old.exists(), "whoever reads it has an hour to finish");
    let next = look + std::time::Duration::from_secs(3_601);
    service.keep_house(next).await.expect("looks");
    assert!(!old.exists() && young.exists());
    assert_eq!(numbers(&store).await, (0..10).collect::<Vec<_>>());
}
