//! The process ends without a goodbye: a store that is dropped and opened again has exactly what was acknowledged.

use super::fixture::*;
use crate::Error;
use std::sync::atomic::Ordering::SeqCst;

#[tokio::test]
async fn before_sealing_everything_comes_back_from_the_log() {
    let lab = Lab::new();
    let (store, service) = lab.open().await;
    for first in (0..100).step_by(10) {
        append(&store, first, 10).await.expect("appended");
    }
    let before = store.services();
    drop((store, service));
    let (store, _service) = lab.open().await;
    assert_eq!(numbers(&store).await, (0..100).collect::<Vec<_>>());
    assert_eq!(store.services(), before);
    append(&store, 100, 5).await.expect("appended");
    assert_eq!(numbers(&store).await, (0..105).collect::<Vec<_>>());
}

#[tokio::test]
async fn after_sealing_nothing_is_replayed_twice() {
    let lab = Lab::new();
    for round in 0..3 {
        let (store, mut service) = lab.open().await;
        append(&store, round * 20, 10).await.expect("appended");
        seal_all(&store, &mut service).await.expect("sealed");
        append(&store, round * 20 + 10, 10).await.expect("appended");
        drop((store, service));
        let (store, _service) = lab.open().await;
        assert_eq!(numbers(&store).await, (0..(round + 1) * 20).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn between_the_segment_and_the_commit_nothing_is_lost_or_doubled() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    append(&store, 0, 50).await.expect("appended");
    *lab.faults.put.lock().expect("not poisoned") = Some("manifest");
    seal_all(&store, &mut service).await.expect_err("the commit fails");
    assert_eq!(lab.table_files().len(), 1, "the segment was written");
    assert_eq!(numbers(&store).await, (0..50).collect::<Vec<_>>());
    drop((store, service));
    let (store, mut service) = lab.open().await;
    assert_eq!(lab.table_files().len(), 0, "what was not committed is deleted");
    assert_eq!(numbers(&store).await, (0..50).collect::<Vec<_>>());
    *lab.faults.put.lock().expect("not poisoned") = None;
    seal_all(&store, &mut service).await.expect("sealed");
    assert_eq!(numbers(&store).await, (0..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_commit_that_went_through_unheard_counts() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    append(&store, 0, 50).await.expect("appended");
    lab.faults.put_unheard.store(true, SeqCst);
    seal_all(&store, &mut service).await.expect_err("nobody hears of it");
    append(&store, 50, 50).await.expect("appended");
    assert_eq!(numbers(&store).await, (0..100).collect::<Vec<_>>());
    // Trying again finds out, in the same process...
    seal_all(&store, &mut service)
        .await
        .expect_err("the next commit is unheard as well");
    assert_eq!(numbers(&store).await, (0..100).collect::<Vec<_>>());
    drop((store, service));
    // ...and so does the next one.
    lab.faults.put_unheard.store(false, SeqCst);
    let (store, mut service) = lab.open().await;
    assert_eq!(numbers(&store).await, (0..100).collect::<Vec<_>>());
    seal_all(&store, &mut service).await.expect("sealed");
    assert_eq!(numbers(&store).await, (0..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_torn_manifest_falls_back_to_the_one_before() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    for first in [0, 10, 20] {
        append(&store, first, 10).await.expect("appended");
        seal_all(&store, &mut service).await.expect("sealed");
    }
    drop((store, service));
    let newest = lab.dir.path().join("table/manifest/00000000000000000003.json");
    let bytes = std::fs::read(&newest).expect("reads");
    for cut in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&newest, &bytes[..cut]).expect("writes");
        let (store, service) = lab.open().await;
        assert_eq!(numbers(&store).await, (0..30).collect::<Vec<_>>(), "cut at {cut}");
        drop((store, service));
    }
    let (store, mut service) = lab.open().await;
    seal_all(&store, &mut service).await.expect("the next number is free");
    append(&store, 30, 10).await.expect("appended");
    drop((store, service));
    let (store, _service) = lab.open().await;
    assert_eq!(numbers(&store).await, (0..40).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_process_a_folder() {
    let lab = Lab::new();
    let (store, service) = lab.open().await;
    let second = lab.try_open().await.err().expect("refused");
    assert!(matches!(second, Error::Locked { .. }), "{second}");
    assert!(second.to_string().contains("in use by another process"), "{second}");
    drop((store, service));
    lab.open().await;
}

#[tokio::test]
async fn stopping_seals_and_closes() {
    let lab = Lab::new();
    let (store, service) = lab.open().await;
    append(&store, 0, 10).await.expect("appended");
    let shutdown = tokio_util::sync::CancellationToken::new();
    shutdown.cancel();
    service.run(shutdown).await.expect("stops");
    assert_eq!(store.metrics().sealed_spans(), 10);
    let refused = append(&store, 10, 10).await.expect_err("closed");
    assert!(matches!(refused, crate::AppendError::Closed), "{refused}");
    assert_eq!(numbers(&store).await, (0..10).collect::<Vec<_>>());
}

/// Scenario: a later release has committed; this one is started on its table.
/// Guarantees: it refuses and says why, rather than to commit on top of what came before.
#[tokio::test]
async fn a_later_format_is_refused() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    for first in [0, 10] {
        append(&store, first, 10).await.expect("appended");
        seal_all(&store, &mut service).await.expect("sealed");
    }
    drop((store, service));
    let newest = lab.dir.path().join("table/manifest/00000000000000000002.json");
    let text = std::fs::read_to_string(&newest).expect("reads");
    let (body, _) = text.split_once('\n').expect("two lines");
    let body = body.replace("\"format_version\":2", "\"format_version\":99") + "\n";
    let checksum = crc32c::crc32c(body.as_bytes());
    std::fs::write(&newest, format!("{body}crc32c {checksum:08x}\n")).expect("writes");
    let refused = lab.try_open().await.err().expect("not opened").to_string();
    assert!(refused.contains("99") && refused.contains("later"), "{refused}");
}
