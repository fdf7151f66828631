//! Reading: the columns come back as they went in, look-ups agree with scans, pruning leaves nothing out.

use super::fixture::*;
use epicenter_schema::{SpanBatch, TraceId};

#[tokio::test]
async fn every_column_survives_the_log_and_parquet() {
    let lab = Lab::new();
    let (store, service) = lab.open().await;
    append(&store, 0, 64).await.expect("appended");
    drop((store, service));
    let (store, mut service) = lab.open().await;
    let sql = "select * from spans order by start_time";
    let replayed = session(&store)
        .sql(sql)
        .await
        .expect("plans")
        .collect()
        .await
        .expect("runs");
    seal_all(&store, &mut service).await.expect("sealed");
    let sealed = session(&store)
        .sql(sql)
        .await
        .expect("plans")
        .collect()
        .await
        .expect("runs");
    let expected = spans(0, 64);
    for batches in [replayed, sealed] {
        let schema = batches[0].schema();
        let whole = datafusion::arrow::compute::concat_batches(&schema, &batches).expect("one schema");
        let found = SpanBatch::try_new(whole).expect("the schema of spans");
        assert_same(&found, &expected);
    }
}

/// Equal by value: dictionaries may number their values differently.
pub(super) fn assert_same(found: &SpanBatch, expected: &SpanBatch) {
    assert_eq!(found.len(), expected.len());
    let schema = expected.record_batch().schema();
    for (index, field) in schema.fields().iter().enumerate() {
        let plain = |batch: &SpanBatch| {
            let column = batch.record_batch().column(index);
            match field.data_type() {
                arrow::datatypes::DataType::Dictionary(_, value) => arrow::compute::cast(column, value).expect("casts"),
                _ => column.clone(),
            }
        };
        assert_eq!(&plain(found), &plain(expected), "{}", field.name());
    }
}

#[tokio::test]
async fn a_trace_is_the_same_by_look_up_and_by_scan() {
    let mut lab = Lab::new();
    lab.config.seal_spans = 64;
    let (store, mut service) = lab.open().await;
    // Requests of 6 spans cut traces of 4 apart, and so do segments.
    for first in (0..300).step_by(6) {
        append(&store, first, 6).await.expect("appended");
        if first % 120 == 0 {
            seal_all(&store, &mut service).await.expect("sealed");
        }
    }
    assert!(lab.table_files().len() >= 3);
    for number in (0..300).step_by(TRACE_SPANS as usize) {
        let id = TraceId(trace_id(number));
        let found = store.trace(id).await.expect("found");
        let by_look_up: Vec<u64> = found
            .iter()
            .flat_map(|batch| {
                let spans = batch.spans();
                (0..spans.len()).map(move |row| u64::from_be_bytes(spans.get(row).span_id().0) - 1)
            })
            .collect();
        let sql = format!("select span_id from spans where trace_id = x'{id}' order by start_time, span_id");
        assert_eq!(by_look_up, query(&store, &sql).await);
        assert_eq!(by_look_up, (number..number + TRACE_SPANS).collect::<Vec<_>>());
    }
    assert!(store.trace(TraceId([7; 16])).await.expect("looked").is_empty());
}

#[tokio::test]
async fn segments_are_ruled_out_by_time_service_and_trace() {
    let mut lab = Lab::new();
    lab.config.seal_spans = 30;
    let (store, mut service) = lab.open().await;
    for first in (0..300).step_by(30) {
        append(&store, first, 30).await.expect("appended");
        seal_all(&store, &mut service).await.expect("sealed");
    }
    assert_eq!(lab.table_files().len(), 10);
    let at = |number: u64| format!("to_timestamp_nanos({})", start_of(number));
    let id = TraceId(trace_id(100));
    for (filter, files, rows) in [
        (format!("start_time >= {}", at(270)), 1, 30),
        (format!("start_time >= {} and start_time < {}", at(60), at(120)), 2, 60),
        (format!("trace_id = x'{id}'"), 1, 4),
        ("service_name = 'service-1'".to_owned(), 10, 100),
        ("service_name = 'service-9'".to_owned(), 0, 0),
        (
            "service_name in ('service-9', 'service-0') and duration_ns > 0".to_owned(),
            10,
            98,
        ),
        (format!("trace_id = x'{}'", TraceId([9; 16])), 0, 0),
    ] {
        let sql = format!("select span_id from spans where {filter}");
        let read = store.inner.counters.segments_read.get();
        assert_eq!(query(&store, &sql).await.len(), rows, "{filter}");
        assert_eq!(store.inner.counters.segments_read.get() - read, files, "{filter}");
    }
}

#[tokio::test]
async fn services_and_operations_are_listed_before_and_after_sealing() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    append(&store, 0, 24).await.expect("appended");
    let listed = store.services();
    let names: Vec<_> = listed.iter().map(|listed| listed.service.as_str()).collect();
    assert_eq!(names, ["service-0", "service-1", "service-2"]);
    assert_eq!(listed[0].operations.len(), 2, "{:?}", listed[0]);
    seal_all(&store, &mut service).await.expect("sealed");
    std::fs::remove_dir_all(lab.dir.path().join("log")).expect("removed");
    drop((store, service));
    let (store, _service) = lab.open().await;
    assert_eq!(store.services(), listed);
}
