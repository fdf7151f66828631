//! Power cuts in the middle of ingest: kill -9, start again, count.

use crate::api::{Api, number};
use crate::machine::busy;
use crate::otlp::{self, Exporter};
use crate::server::Server;
use crate::waiting::until;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often the server is killed.
const CRASHES: u64 = 4;
/// Senders of each transport.
const SENDERS: u64 = 2;
/// Spans of one request.
const SPANS: u64 = 40;
/// Acknowledged requests after which it is killed, while more are under way.
const ACKNOWLEDGED_BEFORE: usize = 60;
/// Seals so early and so often that a kill falls into it.
const SEALING: &str = "[storage]\nseal_after = \"100ms\"\nseal_spans = 500\n";
/// Most requests of one sender in one round.
const REQUESTS_MAX: u64 = 2_000;
/// For the requests that lead to a crash.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether a request, named by its spans' name, was acknowledged.
type Fates = Arc<Mutex<BTreeMap<String, bool>>>;

/// Scenario: four senders export over gRPC and HTTP; the server is killed with requests under way and started again on
/// the same folder, several times, every other time while it seals segments without pause; once it stops cleanly between.
/// Guarantees: every acknowledged span is there exactly once, every other one at most once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_spans_survive_kill_9_exactly_once() {
    let _machine = busy().await;
    let folder = tempfile::tempdir().expect("a folder");
    let fates = Fates::default();
    let config = folder.path().join("sealing.toml");
    std::fs::write(&config, SEALING).expect("a file");
    let sealing = ["--config", config.to_str().expect("a plain path")];
    for crash in 0..CRASHES {
        let flags = if crash % 2 == 1 { &sealing[..] } else { &[] };
        let server = Server::start(folder.path(), flags).await;
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut senders = Vec::new();
        for sender in 0..SENDERS {
            let (grpc, http) = (Exporter::grpc(server.otlp_grpc).await, Exporter::http(server.otlp_http));
            for (exporter, number) in [(grpc, 2 * sender), (http, 2 * sender + 1)] {
                senders.push(tokio::spawn(send(
                    exporter,
                    crash,
                    number,
                    Arc::clone(&fates),
                    Arc::clone(&acknowledged),
                )));
            }
        }
        until("acknowledgements", PATIENCE, || async {
            (acknowledged.load(Ordering::SeqCst) >= ACKNOWLEDGED_BEFORE).then_some(())
        })
        .await;
        server.kill().await;
        for sender in senders {
            sender.await.expect("a sender that ends");
        }
        let server = Server::start(folder.path(), &[]).await;
        every_span_is_there_once(&Api::new(&server), &fates).await;
        if crash == 1 {
            server.stop().await;
            let server = Server::start(folder.path(), &[]).await;
            every_span_is_there_once(&Api::new(&server), &fates).await;
            server.kill().await;
        } else {
            server.kill().await;
        }
    }
    assert!(
        has_segment(folder.path()),
        "nothing was ever sealed, so half of this was not tested"
    );
}

/// Sends until the first request that is not acknowledged.
async fn send(mut exporter: Exporter, crash: u64, sender: u64, fates: Fates, acknowledged: Arc<AtomicUsize>) {
    for number in 0..REQUESTS_MAX {
        let name = format!("crash-{crash}-sender-{sender}-request-{number}");
        let seed = (crash * 2 * SENDERS + sender) * REQUESTS_MAX + number;
        let request = otlp::request("survivor", otlp::spans(seed, &name, SPANS as usize));
        // Unknown until the answer is here: the crash may come after the write and before the answer.
        fates.lock().expect("not poisoned").insert(name.clone(), false);
        if !exporter.export(&request).await {
            return;
        }
        fates.lock().expect("not poisoned").insert(name, true);
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
    panic!("{REQUESTS_MAX} requests were acknowledged by a server that should have been killed");
}

async fn every_span_is_there_once(api: &Api, fates: &Fates) {
    let all = api
        .sql("SELECT count(*) AS n, count(DISTINCT span_id) AS d FROM spans WHERE service_name = 'survivor'")
        .await;
    assert_eq!(number(&all[0], "n"), number(&all[0], "d"), "a span is there twice");
    let fates = fates.lock().expect("not poisoned").clone();
    let mut kept = BTreeMap::new();
    for crash in 0..CRASHES {
        for sender in 0..2 * SENDERS {
            let rows = api
                .sql(&format!(
                    "SELECT name, count(*) AS n FROM spans WHERE name LIKE 'crash-{crash}-sender-{sender}-%' GROUP BY name"
                ))
                .await;
            kept.extend(
                rows.iter()
                    .map(|row| (row["name"].as_str().expect("a name").to_owned(), number(row, "n"))),
            );
        }
    }
    for (name, acknowledged) in &fates {
        match kept.remove(name).unwrap_or(0) {
            SPANS => {}
            0 if !acknowledged => {}
            found => panic!("{name}: {found} of {SPANS} spans, acknowledged: {acknowledged}"),
        }
    }
    assert!(kept.is_empty(), "spans that nobody sent: {kept:?}");
}

/// Whether there is a Parquet file anywhere below.
fn has_segment(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .any(|path| path.extension().is_some_and(|ending| ending == "parquet") || path.is_dir() && has_segment(&path))
}
