//! Compaction: what is merged is what was there, for every way of reading it, also when a merge fails or is killed.

use super::fixture::*;
use super::reading::assert_same;
use super::searching::{SPANS, check};
use crate::{Service, Store};
use epicenter_schema::{SpanBatch, TraceId};
use std::sync::atomic::Ordering::SeqCst;

/// A store with one segment every ten spans.
async fn fill(lab: &Lab) -> (Store, Service) {
    let (store, mut service) = lab.open().await;
    for first in (0..SPANS).step_by(10) {
        append(&store, first, 10).await.expect("appended");
        seal_all(&store, &mut service).await.expect("sealed");
    }
    assert_eq!(store.inner.view.segments().len(), 40);
    (store, service)
}

async fn compact_all(service: &mut Service) {
    while service.compact().await.expect("merged") {}
}

async fn everything(store: &Store) -> SpanBatch {
    let sql = "select * from spans order by start_time";
    let batches = session(store)
        .sql(sql)
        .await
        .expect("plans")
        .collect()
        .await
        .expect("runs");
    let schema = batches[0].schema();
    let whole = arrow::compute::concat_batches(&schema, &batches).expect("one schema");
    SpanBatch::try_new(whole).expect("the schema of spans")
}

#[tokio::test]
async fn merged_segments_hold_exactly_what_was_in_them() {
    let lab = Lab::new();
    let (store, mut service) = fill(&lab).await;
    compact_all(&mut service).await;
    assert!(store.inner.view.segments().len() < 10);
    assert_eq!(store.inner.counters.compacted_spans.get(), SPANS);
    assert_same(&everything(&store).await, &spans(0, SPANS));
    check(&store).await;
    for number in (0..SPANS).step_by(TRACE_SPANS as usize) {
        let found = store.trace(TraceId(trace_id(number))).await.expect("found");
        assert_eq!(found[0].len(), TRACE_SPANS as usize);
    }
    drop((store, service));
    let (store, _service) = lab.open().await;
    assert_same(&everything(&store).await, &spans(0, SPANS));
}

#[tokio::test]
async fn a_scan_that_began_before_a_merge_ends_after_it() {
    let lab = Lab::new();
    let (store, mut service) = fill(&lab).await;
    let plan = session(&store).sql("select span_id from spans").await.expect("plans");
    let plan = plan.create_physical_plan().await.expect("plans");
    compact_all(&mut service).await;
    let later = std::time::Instant::now() + std::time::Duration::from_secs(3600);
    service.keep_house(later).await.expect("kept");
    let context = session(&store).task_ctx();
    let batches = datafusion::physical_plan::collect(plan.clone(), context)
        .await
        .expect("runs");
    assert_eq!(
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        SPANS as usize
    );
    drop((batches, plan));
    service.keep_house(later).await.expect("kept");
    assert_eq!(lab.table_files().len(), store.inner.view.segments().len());
}

#[tokio::test]
async fn a_merge_that_fails_or_dies_changes_nothing() {
    let lab = Lab::new();
    let (store, mut service) = fill(&lab).await;
    for prefix in ["segments", "manifest"] {
        *lab.faults.put.lock().expect("not poisoned") = Some(prefix);
        service.compact().await.expect_err("the object store refuses");
        assert_eq!(numbers(&store).await.len(), SPANS as usize, "{prefix}");
    }
    // Killed in between: the merged segment is there and no manifest lists it.
    drop((store, service));
    *lab.faults.put.lock().expect("not poisoned") = None;
    let (store, mut service) = lab.open().await;
    assert_eq!(lab.table_files().len(), 40);
    assert_eq!(numbers(&store).await, (0..SPANS).collect::<Vec<_>>());

    // The commit went through and the answer was lost.
    lab.faults.put_unheard.store(true, SeqCst);
    service.compact().await.expect_err("the answer was lost");
    assert_eq!(numbers(&store).await.len(), SPANS as usize);
    lab.faults.put_unheard.store(false, SeqCst);
    compact_all(&mut service).await;
    assert_eq!(numbers(&store).await, (0..SPANS).collect::<Vec<_>>());
    assert!(store.inner.view.segments().len() < 10);
}

/// A segment of one span with these attributes.
async fn segment(store: &Store, service: &mut Service, number: u64, texts: impl Iterator<Item = (String, usize)>) {
    append_texts(store, number, texts).await.expect("appended");
    seal_all(store, service).await.expect("sealed");
}

async fn attributes_of(store: &Store, number: u64) -> usize {
    let found = store.trace(TraceId(trace_id(number))).await.expect("found");
    let spans = found[0].spans();
    let span = spans
        .iter()
        .find(|span| span.start().0 == start_of(number))
        .expect("the span");
    span.attributes().count()
}

/// Scenario: every segment has attributes of its own, together more than a merged one may have columns.
/// Guarantees: as many are merged as have room, the rest stays, nothing is lost.
#[tokio::test]
async fn segments_with_too_many_columns_together_stay_apart() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    for number in 0..8 {
        let own = (0..200).map(|at| (format!("key-{number}-{at}"), 3));
        segment(&store, &mut service, number, own).await;
    }
    compact_all(&mut service).await;
    assert_eq!(store.inner.view.segments().len(), 4, "five of eight have 1,000 columns");
    assert_eq!(numbers(&store).await, (0..8).collect::<Vec<_>>());
    for number in 0..8 {
        assert_eq!(attributes_of(&store, number).await, 200);
    }
}

/// Scenario: one segment is larger in bytes than what a merge reads at once, its small neighbours are not.
/// Guarantees: it stays as it is and does not keep the others from being merged.
#[tokio::test]
async fn a_segment_too_large_to_merge_does_not_keep_others_from_it() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    segment(
        &store,
        &mut service,
        0,
        std::iter::once(("large".to_owned(), 100 << 20)),
    )
    .await;
    for number in 1..9 {
        segment(&store, &mut service, number, std::iter::once(("small".to_owned(), 9))).await;
    }
    compact_all(&mut service).await;
    assert_eq!(store.inner.view.segments().len(), 2);
    assert_eq!(numbers(&store).await, (0..9).collect::<Vec<_>>());
}
