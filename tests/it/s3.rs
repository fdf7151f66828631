//! A table on S3, against a real one: restart, several servers on one table, and an S3 that dies and comes back.

use crate::api::Api;
use crate::machine::busy;
use crate::otlp::{self, Exporter};
use crate::seaweed::Seaweed;
use crate::server::Server;
use crate::waiting::until;
use std::path::Path;
use std::time::Duration;

/// Until what was sent is sealed, or what another server committed is seen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Spans of one request.
const SPANS: u64 = 50;

/// A server on a table of that name, with a data folder of its own.
async fn serve(seaweed: &Seaweed, folder: &Path, table: &str) -> Server {
    std::fs::create_dir_all(folder).expect("a folder");
    let config = seaweed.config(folder, table);
    let environment = seaweed.environment();
    let environment: Vec<_> = environment.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let flags = ["--config", config.to_str().expect("a plain path")];
    Server::start_with(folder, &flags, &environment).await
}

/// Sends that many requests, each of which is acknowledged.
async fn send(server: &Server, from: u64, requests: u64) {
    let mut exporter = Exporter::http(server.otlp_http);
    for number in from..from + requests {
        let spans = otlp::spans(number, "journey", SPANS as usize);
        assert!(
            exporter.export(&otlp::request("shop", spans)).await,
            "request {number} is acknowledged"
        );
    }
}

/// Spans that the server shows, after a look for doubles.
async fn count(api: &Api) -> u64 {
    // One question: between two of them another server may commit.
    let twice = api
        .count("SELECT count(*) - count(DISTINCT span_id) AS n FROM spans")
        .await;
    assert_eq!(twice, 0, "a span is there twice");
    api.count("SELECT count(*) AS n FROM spans").await
}

async fn everything_is_sealed(api: &Api) {
    until("end of sealing", PATIENCE, || async move {
        let left = api.metric("epicenter_storage_unsealed_spans", "").await;
        (left == 0.0).then_some(())
    })
    .await;
}

async fn shows(api: &Api, spans: u64) {
    until("span of every server", PATIENCE, || async move {
        (count(api).await == spans).then_some(())
    })
    .await;
}

/// Scenario: spans are sent to a server whose table lies on S3; it is stopped, killed, and started with an empty folder.
/// Guarantees: queries find every span once; nothing of the table lies on the local disk; a new machine sees the table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_on_s3_survives_its_server() {
    let _machine = busy().await;
    let folder = tempfile::tempdir().expect("a folder");
    let Some(seaweed) = Seaweed::start(folder.path()).await else {
        return;
    };
    let home = folder.path().join("one");
    let server = serve(&seaweed, &home, "survives").await;
    send(&server, 0, 40).await;
    let api = Api::new(&server);
    everything_is_sealed(&api).await;
    assert_eq!(count(&api).await, 40 * SPANS);
    let trace = api.get("/api/v1/traces/00000000000000010000000000000001").await;
    assert_eq!(trace["span_count"], 1, "{trace}");
    assert!(!home.join("data/table").exists(), "the table is not on the local disk");
    server.stop().await;

    let server = serve(&seaweed, &home, "survives").await;
    assert_eq!(count(&Api::new(&server)).await, 40 * SPANS);
    send(&server, 40, 10).await;
    server.kill().await;

    let server = serve(&seaweed, &home, "survives").await;
    let api = Api::new(&server);
    everything_is_sealed(&api).await;
    assert_eq!(count(&api).await, 50 * SPANS);
    server.kill().await;

    let server = serve(&seaweed, &folder.path().join("new"), "survives").await;
    assert_eq!(count(&Api::new(&server)).await, 50 * SPANS);
    server.stop().await;
}

/// Scenario: two servers with a log each seal into one table at the same time, every 100 ms.
/// Guarantees: no commit of one takes away a commit of the other; both show every span once, and the services of both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_share_a_table_on_s3() {
    let _machine = busy().await;
    const ROUNDS: u64 = 20;
    let folder = tempfile::tempdir().expect("a folder");
    let Some(seaweed) = Seaweed::start(folder.path()).await else {
        return;
    };
    let (home_a, home_b) = (folder.path().join("a"), folder.path().join("b"));
    let (a, b) = tokio::join!(serve(&seaweed, &home_a, "shared"), serve(&seaweed, &home_b, "shared"));
    for round in 0..ROUNDS {
        tokio::join!(send(&a, round * 10, 10), send(&b, 100_000 + round * 10, 10));
    }
    let (api_a, api_b) = (Api::new(&a), Api::new(&b));
    everything_is_sealed(&api_a).await;
    everything_is_sealed(&api_b).await;
    let all = 2 * ROUNDS * 10 * SPANS;
    shows(&api_a, all).await;
    shows(&api_b, all).await;
    let mut rebases = 0.0;
    for api in [&api_a, &api_b] {
        rebases += api.metric("epicenter_storage_commit_rebases_total", "").await;
    }
    assert!(rebases > 0.0, "the two never met, so half of this was not tested");
    a.stop().await;
    b.kill().await;
    let b = serve(&seaweed, &home_b, "shared").await;
    assert_eq!(count(&Api::new(&b)).await, all);
    b.stop().await;
}

/// Scenario: S3 is killed while a server ingests, senders go on, the server is killed meanwhile as well, S3 comes back.
/// Guarantees: every request is acknowledged while S3 is away; afterwards everything is sealed by itself, each span once;
/// the server stops in time with S3 away; with S3 away it does not start, and says why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_s3_that_dies_and_comes_back_costs_no_span() {
    let _machine = busy().await;
    let folder = tempfile::tempdir().expect("a folder");
    let Some(mut seaweed) = Seaweed::start(folder.path()).await else {
        return;
    };
    let home = folder.path().join("one");
    let server = serve(&seaweed, &home, "heals").await;
    send(&server, 0, 60).await;
    seaweed.kill().await;
    send(&server, 60, 60).await;
    let api = Api::new(&server);
    until("failure to seal", PATIENCE, || async {
        (api.metric("epicenter_storage_seal_failures_total", "").await > 0.0).then_some(())
    })
    .await;
    seaweed.restart().await;
    send(&server, 120, 10).await;
    everything_is_sealed(&api).await;
    assert_eq!(count(&api).await, 130 * SPANS);

    // Again, and this time the server dies with it, its log full of what S3 has not got.
    seaweed.kill().await;
    send(&server, 130, 30).await;
    server.kill().await;
    refuses_to_start(&seaweed, &home).await;
    seaweed.restart().await;
    let server = serve(&seaweed, &home, "heals").await;
    let api = Api::new(&server);
    everything_is_sealed(&api).await;
    assert_eq!(count(&api).await, 160 * SPANS);

    seaweed.kill().await;
    send(&server, 160, 10).await;
    server.stop().await;
    seaweed.restart().await;
    let server = serve(&seaweed, &home, "heals").await;
    assert_eq!(count(&Api::new(&server)).await, 170 * SPANS);
    server.stop().await;
}

async fn refuses_to_start(seaweed: &Seaweed, home: &Path) {
    let config = seaweed.config(home, "heals");
    let mut command = tokio::process::Command::new(crate::server::EPICENTER);
    command.args([
        "serve",
        "--otlp-grpc",
        "127.0.0.1:0",
        "--otlp-http",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
    ]);
    command
        .arg("--data-dir")
        .arg(home.join("data"))
        .arg("--config")
        .arg(config);
    let output = command.envs(seaweed.environment()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output)
        .await
        .expect("it ends")
        .expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("object store"), "{said}");
    assert!(!said.contains("journey-secret"), "{said}");
}
