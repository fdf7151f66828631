//! The tail: in order, without gaps, however slow, across sealing, merging, removal of files and restarts.

use super::fixture::*;
use crate::{Tail, TailItem};
use bytesize::ByteSize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

async fn next(tail: &mut Tail) -> TailItem {
    let item = tokio::time::timeout(Duration::from_secs(20), tail.next()).await;
    item.expect("an item in time").expect("the log is open")
}

fn numbers_of(item: &TailItem) -> Vec<u64> {
    let spans = item.batch.spans();
    (0..spans.len())
        .map(|row| u64::from_be_bytes(spans.get(row).span_id().0) - 1)
        .collect()
}

#[tokio::test]
async fn it_replays_then_follows() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    append(&store, 0, 5).await.expect("appended");
    seal_all(&store, &mut service).await.expect("sealed");
    append(&store, 5, 5).await.expect("appended");
    drop((store, service));
    let (store, _service) = lab.open().await;
    let mut tail = store.tail();
    append(&store, 10, 5).await.expect("appended");
    for (at, replayed) in [(0, true), (5, true), (10, false)] {
        let item = next(&mut tail).await;
        assert_eq!(
            (sorted(numbers_of(&item)), item.replayed),
            ((at..at + 5).collect(), replayed)
        );
        assert_eq!(item.received.0, lab.now.load(SeqCst));
    }
    let waiting = tokio::time::timeout(Duration::from_millis(20), tail.next()).await;
    assert!(waiting.is_err(), "it waits");
    append(&store, 15, 5).await.expect("appended");
    assert_eq!(numbers_of(&next(&mut tail).await), (15..20).collect::<Vec<_>>());
    store.close().await.expect("closes");
    assert!(tail.next().await.is_none());
}

/// Scenario: spans are sealed in three segments, one of them long ago; then a tail begins.
/// Guarantees: what is young enough and not too much is shown, the log that it came in is gone.
#[tokio::test]
async fn it_begins_where_the_table_is_young_enough() {
    let mut lab = Lab::new();
    lab.config.replay_spans_max = 9;
    let (store, mut service) = lab.open().await;
    let mut seal = async |first: u64, count: u64| {
        append(&store, first, count).await.expect("appended");
        seal_all(&store, &mut service).await.expect("sealed");
    };
    seal(0, 5).await;
    lab.now.fetch_add(lab.config.replay.as_nanos() as i64 + 1, SeqCst);
    seal(5, 5).await;
    seal(10, 4).await;
    let (mut tail, mut found) = (store.tail(), Vec::new());
    while tail.is_replaying() {
        let Ok(item) = tokio::time::timeout(Duration::from_millis(50), tail.next()).await else {
            break;
        };
        found.push(item.expect("open"));
    }
    let found: Vec<_> = found
        .iter()
        .map(|item| (sorted(numbers_of(item)), item.replayed))
        .collect();
    assert_eq!(found, [((5..10).collect(), true), ((10..14).collect(), true)]);
    assert!(!tail.is_replaying());

    seal(14, 1).await;
    let mut tail = store.tail();
    assert_eq!(
        sorted(numbers_of(&next(&mut tail).await)),
        (10..14).collect::<Vec<_>>(),
        "ten would be too many"
    );
}

fn sorted(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.sort_unstable();
    numbers
}

/// Scenario: everything is sealed and nothing arrives any more.
/// Guarantees: the log is empty soon, and goes on when something arrives, across a restart too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_log_is_given_back() {
    let mut lab = Lab::new();
    lab.config.seal_after = Duration::from_millis(100);
    for round in 0..2 {
        let (store, service) = lab.open().await;
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(service.run(shutdown.clone()));
        for part in 0..3 {
            append(&store, round * 60_000 + part * 20_000, 20_000)
                .await
                .expect("appended");
            let begun = std::time::Instant::now();
            while !lab.log_files().is_empty() {
                assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", lab.log_files());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        assert_eq!(numbers(&store).await.len() as u64, (round + 1) * 60_000);
        shutdown.cancel();
        running.await.expect("runs").expect("stops");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_misses_nothing() {
    let mut lab = Lab::new();
    lab.config.seal_spans = 100;
    lab.log_segment_bytes = 2_000;
    let (store, service) = lab.open().await;
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(service.run(shutdown.clone()));
    let (mut slow, mut quick) = (store.tail(), store.tail());
    let appending = tokio::spawn({
        let store = store.clone();
        async move {
            for first in (0..2_000).step_by(10) {
                append(&store, first, 10).await.expect("appended");
            }
        }
    });
    let mut seen = Vec::new();
    while seen.len() < 2_000 {
        seen.extend(numbers_of(&next(&mut quick).await));
    }
    assert_eq!(seen, (0..2_000).collect::<Vec<_>>());
    appending.await.expect("appends");
    shutdown.cancel();
    running.await.expect("runs").expect("stops");
    assert!(
        lab.log_files().len() > 10,
        "the slow tail holds {} files",
        lab.log_files().len()
    );

    let (mut seen, mut last) = (Vec::new(), 0);
    while let Some(item) = slow.next().await {
        assert!(item.sequence == last + 1 && !item.replayed, "{item:?}");
        last = item.sequence;
        seen.extend(numbers_of(&item));
    }
    assert_eq!(seen, (0..2_000).collect::<Vec<_>>());
    drop((slow, quick, store));
    let (store, mut service) = lab.open().await;
    append(&store, 2_000, 10).await.expect("appended");
    seal_all(&store, &mut service).await.expect("sealed");
    assert_eq!(lab.log_files().len(), 1, "nobody needs the others any more");
    assert_eq!(numbers(&store).await.len(), 2_010);
}

#[tokio::test]
async fn a_reader_too_slow_by_far_is_told_what_it_lost() {
    let mut lab = Lab::new();
    lab.config.log_lag_bytes_max = ByteSize(3_000);
    lab.log_segment_bytes = 1_000;
    let (store, mut service) = lab.open().await;
    let mut tail = store.tail();
    for first in (0..1_000).step_by(10) {
        append(&store, first, 10).await.expect("appended");
    }
    seal_all(&store, &mut service).await.expect("sealed");
    let item = next(&mut tail).await;
    assert!(item.sequence > 50, "{item:?}");
    let mut text = String::new();
    store.metrics().write_prometheus(&mut text);
    let lost = format!("epicenter_storage_tail_lost_records_total {}\n", item.sequence - 1);
    assert!(text.contains(&lost), "{text}");
}
