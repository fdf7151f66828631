//! The tail: in order, without gaps, however slow, across sealing, removal of files and restarts.

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
        assert_eq!((numbers_of(&item), item.replayed), ((at..at + 5).collect(), replayed));
        assert_eq!(item.received.0, lab.now.load(SeqCst));
    }
    let waiting = tokio::time::timeout(Duration::from_millis(20), tail.next()).await;
    assert!(waiting.is_err(), "it waits");
    append(&store, 15, 5).await.expect("appended");
    assert_eq!(numbers_of(&next(&mut tail).await), (15..20).collect::<Vec<_>>());
    store.close().await.expect("closes");
    assert!(tail.next().await.is_none());
}

#[tokio::test]
async fn it_begins_where_the_log_is_young_enough() {
    let lab = Lab::new();
    let mut old = Lab::new();
    old.log_segment_bytes = 1;
    old.now = lab.now.clone();
    let (store, _service) = old.open().await;
    append(&store, 0, 5).await.expect("appended");
    old.now.fetch_add(old.config.log_retain.as_nanos() as i64 + 1, SeqCst);
    append(&store, 5, 5).await.expect("appended");
    let mut tail = store.tail();
    assert_eq!(numbers_of(&next(&mut tail).await), (5..10).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_misses_nothing() {
    let mut lab = Lab::new();
    lab.config.seal_spans = 100;
    lab.config.log_retain = Duration::ZERO;
    lab.config.log_retain_bytes = ByteSize(0);
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
    lab.config.log_retain = Duration::ZERO;
    lab.config.log_retain_bytes = ByteSize(0);
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
