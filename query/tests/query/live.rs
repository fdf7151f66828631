//! The live loop from the log to the page.

use crate::receiver::{Receiver, SECRET};
use crate::server::{Server, wait_for};
use crate::spans::{START, second};
use epicenter_query::Config;
use epicenter_query::alert::Webhook;
use serde_json::Value;
use std::sync::atomic::Ordering::SeqCst;

/// Lets the shop run, a second at a time.
async fn run(server: &Server, seconds: std::ops::Range<i64>, payment_is_dead: bool) {
    for number in seconds {
        // Spans arrive in the second after they were made.
        server.now.store(START + (number + 1) * 1_000_000_000, SeqCst);
        server.append(&second(number, payment_is_dead)).await;
    }
}

async fn incidents(server: &Server) -> Vec<Value> {
    server.get("/api/v1/incidents").await["incidents"]
        .as_array()
        .expect("a list")
        .clone()
}

fn paging(url: String) -> Config {
    let mut config = Config::default();
    config.alert.webhooks = vec![Webhook::new(url, SECRET)];
    config
}

/// Scenario: a shop runs, its payment service dies, is mended; the server is restarted in the middle and at the end.
/// Guarantees: one incident that names payment; one page when it opens, though the receiver fails at first, and one when
/// it resolves; no page is repeated by a restart; the incident keeps its id; graph and SQL agree.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_service_is_paged_once_and_resolved_once() {
    let receiver = Receiver::default();
    receiver.failures.store(2, SeqCst);
    let address = receiver.start().await;
    let server = Server::start(paging(format!("http://{address}/page"))).await;
    run(&server, 0..90, false).await;
    run(&server, 90..120, true).await;
    let opened = wait_for("a page", async || receiver.of("incident.opened").first().cloned()).await;
    let incident = incidents(&server).await.pop().expect("an incident");
    assert_eq!(incident["suspects"][0]["entity"]["name"], "payment", "{incident:#}");
    assert_eq!(incident["state"], "open");
    assert_eq!(opened.body["incident"]["id"], incident["id"]);
    assert_eq!(
        opened.event_id,
        format!("{}:incident.opened", incident["id"].as_str().expect("text"))
    );
    assert!(opened.timestamp * 1_000_000_000 >= START);
    assert!(server.metric("epicenter_pages_retried_total").await >= 2.0);

    let server = server.restart().await;
    wait_for("the end of the replay", async || {
        (server.metric("epicenter_live_replaying").await == 0.0).then_some(())
    })
    .await;
    assert_eq!(incidents(&server).await.len(), 1);
    run(&server, 120..130, true).await;
    let rows = server.sql("SELECT id, culprit, state FROM incidents").await["rows"].clone();
    assert_eq!(rows[0]["culprit"], "payment", "{rows}");
    run(&server, 130..190, false).await;
    let resolved = wait_for("a page", async || receiver.of("incident.resolved").first().cloned()).await;
    assert_eq!(resolved.body["incident"]["id"], incident["id"]);
    assert_eq!(resolved.body["incident"]["state"], "resolved");

    let server = server.restart().await;
    wait_for("the end of the replay", async || {
        (server.metric("epicenter_live_replaying").await == 0.0).then_some(())
    })
    .await;
    let after = incidents(&server).await;
    assert_eq!(after.len(), 1, "{after:#?}");
    assert_eq!(
        (&after[0]["id"], &after[0]["state"]),
        (&incident["id"], &Value::from("resolved"))
    );
    let path = format!("/api/v1/incidents/{}", incident["id"].as_str().expect("text"));
    assert_eq!(server.get(&path).await, after[0]);
    assert_eq!(server.metric("epicenter_pages_waiting").await, 0.0);
    assert_eq!(
        (
            receiver.of("incident.opened").len(),
            receiver.of("incident.resolved").len()
        ),
        (1, 1)
    );
    assert!(
        server.get("/api/v1/incidents?state=open").await["incidents"]
            .as_array()
            .expect("a list")
            .is_empty()
    );
}

/// Scenario: the receiver fails for as long as the server runs, and is mended while the server is restarted.
/// Guarantees: a page that was not delivered survives a restart, and arrives once.
#[tokio::test(flavor = "multi_thread")]
async fn an_undelivered_page_survives_a_restart() {
    let receiver = Receiver::default();
    receiver.failures.store(usize::MAX, SeqCst);
    let address = receiver.start().await;
    let server = Server::start(paging(format!("http://{address}/page"))).await;
    run(&server, 0..90, false).await;
    run(&server, 90..120, true).await;
    wait_for("a waiting page", async || {
        (server.metric("epicenter_pages_waiting").await == 1.0).then_some(())
    })
    .await;
    let server = server.restart().await;
    receiver.failures.store(0, SeqCst);
    wait_for("a page", async || receiver.of("incident.opened").first().cloned()).await;
    wait_for("an empty outbox", async || {
        (server.metric("epicenter_pages_waiting").await == 0.0).then_some(())
    })
    .await;
    assert_eq!(receiver.of("incident.opened").len(), 1);
}

/// Scenario: the shop runs.
/// Guarantees: the graph shows who calls whom with the rates at which they do; a past that is not remembered is empty,
/// and the edges are a table.
#[tokio::test(flavor = "multi_thread")]
async fn the_graph_shows_who_calls_whom() {
    let server = Server::start(Config::default()).await;
    run(&server, 0..60, false).await;
    let graph = wait_for("a graph", async || {
        let graph = server.get("/api/v1/graph").await;
        let edge = graph["edges"]
            .as_array()?
            .iter()
            .find(|edge| edge["target"] == "service:payment")?
            .clone();
        (edge["rate"].as_f64()? > 15.0).then_some(graph)
    })
    .await;
    let edges: Vec<String> = graph["edges"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|edge| format!("{} {} {}", edge["source"], edge["protocol"], edge["target"]))
        .collect();
    assert_eq!(
        edges,
        [
            r#""service:cart" "http" "service:payment""#,
            r#""service:gateway" "http" "service:cart""#
        ]
    );
    let node = &graph["nodes"][0];
    assert_eq!(
        (&node["id"], &node["instances"]),
        (&Value::from("service:cart"), &Value::from(1))
    );
    let p50: i64 = node["latency_ns"]["p50"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a number");
    assert!((19_000_000..26_000_000).contains(&p50), "{p50}");
    let trace = node["exemplar_trace_ids"][0].as_str().expect("an exemplar");
    assert_eq!(server.get(&format!("/api/v1/traces/{trace}")).await["span_count"], 5);

    let past = server.get("/api/v1/graph?at=2001-01-01T00:00:00Z&window=1m").await;
    assert_eq!(past["nodes"], Value::Array(Vec::new()));
    assert_eq!(
        (&past["at_unix_nano"], &past["window_ns"]),
        (&"978307200000000000".into(), &"60000000000".into())
    );
    let rows = server
        .sql("SELECT caller, callee, rate FROM edges ORDER BY caller")
        .await["rows"]
        .clone();
    assert_eq!(
        (&rows[0]["caller"], &rows[0]["callee"]),
        (&"cart".into(), &"payment".into()),
        "{rows}"
    );
}

/// Scenario: the shop runs for some minutes, is quiet for two hours, runs again; the server is restarted.
/// Guarantees: the graph of the first minutes is still there, with its rates and exemplars, through `at` and through SQL,
/// each half minute once.
#[tokio::test(flavor = "multi_thread")]
async fn the_graph_of_the_past_outlives_memory_and_restarts() {
    let server = Server::start(Config::default()).await;
    run(&server, 0..400, false).await;
    wait_for("files of the past", async || {
        (server.metric("epicenter_graph_past_files").await >= 2.0).then_some(())
    })
    .await;
    run(&server, 7_200..7_230, false).await;
    let server = server.restart().await;
    wait_for("the end of the replay", async || {
        (server.metric("epicenter_live_replaying").await == 0.0).then_some(())
    })
    .await;

    let at = START + 160 * 1_000_000_000;
    let graph = server.get(&format!("/api/v1/graph?at={at}&window=1m")).await;
    let edges = graph["edges"].as_array().expect("a list");
    let edge = edges
        .iter()
        .find(|edge| edge["target"] == "service:payment")
        .expect("an edge");
    let rate = edge["rate"].as_f64().expect("a number");
    assert!((18.0..22.0).contains(&rate), "{graph:#}");
    let trace = edge["exemplar_trace_ids"][0].as_str().expect("an exemplar");
    assert_eq!(server.get(&format!("/api/v1/traces/{trace}")).await["span_count"], 5);
    assert_eq!(graph["nodes"][0]["dimensions"][0]["dimension"], "instance");
    assert!(graph["spans"]["counted"].as_u64().expect("a number") > 5_000);

    let rows = server
        .sql(&format!(
            "SELECT count(*) AS slots, count(DISTINCT at) AS times, min(rate) AS low, max(rate) AS high FROM edges \
             WHERE callee = 'payment' AND at BETWEEN to_timestamp_nanos({START}) + INTERVAL '40 seconds' \
             AND to_timestamp_nanos({START}) + INTERVAL '240 seconds'"
        ))
        .await["rows"][0]
        .clone();
    assert_eq!((&rows["slots"], &rows["times"]), (&7.into(), &7.into()), "{rows}");
    assert!(
        (18.0..22.0).contains(&rows["low"].as_f64().expect("a number")),
        "{rows}"
    );
    let nodes = server.sql("SELECT DISTINCT name, kind FROM nodes ORDER BY name").await["rows"].clone();
    assert_eq!(nodes[0]["name"], "cart", "{nodes}");
}
