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
