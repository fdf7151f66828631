//! The disk fails and heals: what was refused is not there, what was acknowledged is, now and after a restart.

use super::fixture::*;
use crate::{AppendError, Config};
use bytesize::ByteSize;
use std::sync::atomic::Ordering::SeqCst;

/// Sets some faults, sees appends refused, heals, and looks.
async fn check(set: impl Fn(&Faults, bool)) {
    let lab = Lab::new();
    let (store, service) = lab.open().await;
    append(&store, 0, 10).await.expect("appended");
    for round in 0..3 {
        set(&lab.faults, true);
        for _ in 0..3 {
            let refused = append(&store, 1_000 + round, 10).await.expect_err("refused");
            assert!(matches!(refused, AppendError::Io(_)), "{refused}");
        }
        set(&lab.faults, false);
        append(&store, 10 + round * 10, 10).await.expect("healed");
    }
    assert_eq!(numbers(&store).await, (0..40).collect::<Vec<_>>());
    drop((store, service));
    let (store, _service) = lab.open().await;
    assert_eq!(numbers(&store).await, (0..40).collect::<Vec<_>>());
    assert!(
        lab.log_files().len() <= 4,
        "failed attempts leave no files behind: {:?}",
        lab.log_files()
    );
}

#[tokio::test]
async fn a_full_disk_heals() {
    check(|faults, on| faults.write.store(on, SeqCst)).await;
}

#[tokio::test]
async fn a_failed_sync_is_not_believed() {
    check(|faults, on| faults.sync.store(on, SeqCst)).await;
}

#[tokio::test]
async fn a_failed_sync_that_cannot_be_cut_off_is_outranked() {
    check(|faults, on| {
        faults.sync.store(on, SeqCst);
        faults.truncate.store(on, SeqCst);
    })
    .await;
}

#[tokio::test]
async fn a_disk_without_room_for_a_file_heals() {
    check(|faults, on| {
        faults.write.store(on, SeqCst);
        faults.create.store(on, SeqCst);
    })
    .await;
}

#[tokio::test]
async fn requests_that_wait_are_bounded_by_what_is_unsealed() {
    let mut lab = Lab::new();
    lab.config = Config {
        unsealed_bytes_max: ByteSize::mib(1),
        ..lab.config
    };
    let (store, mut service) = lab.open().await;
    let mut appended = 0;
    let refused = loop {
        match append(&store, appended, 100).await {
            Ok(()) => appended += 100,
            Err(error) => break error,
        }
        assert!(appended < 100_000, "there is a bound");
    };
    assert!(matches!(refused, AppendError::Overloaded { .. }), "{refused}");
    let (_, _, bytes) = store.inner.view.unsealed_size();
    assert!(bytes as u64 <= ByteSize::mib(1).as_u64());
    seal_all(&store, &mut service).await.expect("sealed");
    append(&store, appended, 100).await.expect("there is room again");
    assert_eq!(numbers(&store).await, (0..appended + 100).collect::<Vec<_>>());
    let mut text = String::new();
    store.metrics().write_prometheus(&mut text);
    assert!(text.contains("epicenter_storage_overloads_total 1\n"), "{text}");
}

#[tokio::test]
async fn a_table_that_cannot_be_written_loses_nothing() {
    let lab = Lab::new();
    let (store, mut service) = lab.open().await;
    append(&store, 0, 10).await.expect("appended");
    for prefix in ["segments", "catalog", "manifest"] {
        *lab.faults.put.lock().expect("not poisoned") = Some(prefix);
        seal_all(&store, &mut service).await.expect_err("refused");
        assert_eq!(numbers(&store).await, (0..10).collect::<Vec<_>>(), "{prefix}");
    }
    *lab.faults.put.lock().expect("not poisoned") = None;
    seal_all(&store, &mut service).await.expect("sealed");
    assert_eq!(numbers(&store).await, (0..10).collect::<Vec<_>>());
    assert_eq!(lab.table_files().len(), 1);
}
