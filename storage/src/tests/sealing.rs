//! Sealing under way is not seen by queries, what is old goes, and what is being read stays.

use super::fixture::*;
use bytesize::ByteSize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_never_moves_but_up_while_sealing() {
    let mut lab = Lab::new();
    lab.config.seal_spans = 200;
    let (store, service) = lab.open().await;
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(service.run(shutdown.clone()));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writer = tokio::spawn({
        let (store, acknowledged) = (store.clone(), Arc::clone(&acknowledged));
        async move {
            for first in (0..3_000).step_by(20) {
                append(&store, first, 20).await.expect("appended");
                acknowledged.store(first + 20, SeqCst);
            }
        }
    });
    let mut last = 0;
    while last < 3_000 {
        let at_least = acknowledged.load(SeqCst);
        let counted = numbers(&store).await;
        assert_eq!(counted, (0..counted.len() as u64).collect::<Vec<_>>(), "each once");
        assert!(
            counted.len() as u64 >= at_least.max(last),
            "{} of {at_least}",
            counted.len()
        );
        last = counted.len() as u64;
    }
    writer.await.expect("writes");
    shutdown.cancel();
    running.await.expect("runs").expect("stops");
    assert_eq!(store.metrics().sealed_spans(), 3_000);
    assert!(store.inner.view.segments().len() >= 3_000 / 200);
    assert_eq!(numbers(&store).await.len(), 3_000);
}

#[tokio::test]
async fn age_alone_is_enough() {
    let lab = Lab::new();
    let (store, service) = lab.open().await;
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(service.run(shutdown.clone()));
    append(&store, 0, 1).await.expect("appended");
    let sealed = async {
        while store.metrics().sealed_spans() < 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), sealed)
        .await
        .expect("sealed in time");
    shutdown.cancel();
    running.await.expect("runs").expect("stops");
}

#[tokio::test]
async fn what_is_older_than_the_retention_goes_once_nobody_reads_it() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    append(&store, 0, 10).await.expect("appended");
    seal_all(&store, &mut service).await.expect("sealed");
    lab.now.fetch_add(lab.config.retention.as_nanos() as i64, SeqCst);
    append(&store, 10, 10).await.expect("appended");
    seal_all(&store, &mut service).await.expect("sealed");
    lab.now.fetch_add(1_000_000_000, SeqCst);

    let session = session(&store);
    let reading = session
        .sql("select span_id from spans")
        .await
        .expect("plans")
        .create_physical_plan()
        .await
        .expect("plans");
    let later = Instant::now() + Duration::from_secs(3600);
    service.keep_house(later).await.expect("kept");
    assert_eq!(numbers(&store).await, (10..20).collect::<Vec<_>>());
    service.keep_house(later).await.expect("kept");
    assert_eq!(lab.table_files().len(), 2, "a plan holds the dropped segment");
    let context = session.task_ctx();
    let batches = datafusion::physical_plan::collect(Arc::clone(&reading), context)
        .await
        .expect("still reads");
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 20);
    drop((reading, batches));
    service.keep_house(later).await.expect("kept");
    assert_eq!(lab.table_files().len(), 1);
    drop((store, service));
    let (store, _service) = lab.open().await;
    assert_eq!(numbers(&store).await, (10..20).collect::<Vec<_>>());
}

/// Scenario: spans of three services, one of which is kept for longer and one for less; then the table gets too large.
/// Guarantees: at each age exactly the spans of the services that are too old are gone, each once, across a restart.
#[tokio::test]
async fn services_are_kept_for_times_of_their_own() {
    let mut lab = Lab::new();
    let hour = Duration::from_secs(3600);
    lab.config.retention = 10 * hour;
    let own = [("service-0", hour), ("service-2", 100 * hour)];
    lab.config.retention_by_service = own.map(|(name, age)| (name.to_owned(), crate::Age(age))).into();
    let (store, mut service) = lab.open().await;
    append(&store, 0, 30).await.expect("appended");
    seal_all(&store, &mut service).await.expect("sealed");
    let kept = |gone: &[u64]| {
        (0..30)
            .filter(|number| !gone.contains(&(number % 3)))
            .collect::<Vec<_>>()
    };
    for (hours, gone) in [(0, &[][..]), (2, &[0]), (9, &[0, 1])] {
        lab.now.fetch_add((hours * hour).as_nanos() as i64, SeqCst);
        service.keep_house(Instant::now()).await.expect("kept");
        assert_eq!(numbers(&store).await, kept(gone), "{hours} hours later");
    }
    drop((store, service));
    let (store, mut service) = lab.open().await;
    assert_eq!(numbers(&store).await, kept(&[0, 1]));
    lab.now.fetch_add((100 * hour).as_nanos() as i64, SeqCst);
    service.keep_house(Instant::now()).await.expect("kept");
    assert_eq!(numbers(&store).await, Vec::<u64>::new());

    for first in [30, 40, 50] {
        append(&store, first, 10).await.expect("appended");
        seal_all(&store, &mut service).await.expect("sealed");
        lab.now.fetch_add(1_000_000_000, SeqCst);
    }
    drop((store, service));
    lab.config.retention_bytes = ByteSize(1);
    let (store, mut service) = lab.open().await;
    service.keep_house(Instant::now()).await.expect("kept");
    assert_eq!(numbers(&store).await, Vec::<u64>::new());
}
