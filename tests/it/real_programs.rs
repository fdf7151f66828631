//! Real instrumented programs: an Express gateway, a FastAPI service, Redis, and people who ask.

use crate::api::{Api, culprit};
use crate::machine::quiet;
use crate::otlp::now_unix_nano;
use crate::programs::{Installed, redis};
use crate::server::Server;
use crate::waiting::until;
use crate::webhook::Receiver;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const SECRET: &str = "a secret of the pager";
/// Time between two requests of the people: about 15 a second.
const ASK_EVERY: Duration = Duration::from_millis(66);
/// Traffic at rest before anything breaks: what the engine needs to know the system.
const REST: Duration = Duration::from_secs(75);
/// The promise: an outage is named within 30 s.
const NAMED_WITHIN: Duration = Duration::from_secs(30);
/// From the first request to spans that can be queried: SDKs export every 5 s.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
/// From the recovery to the end of the incident.
const RESOLVED_WITHIN: Duration = Duration::from_secs(90);

/// Scenario: a gateway (Node) calls orders (Python), which calls Redis. Orders is stopped, and later started again.
/// Guarantees: one trace crosses all three; the graph shows gateway -> orders -> Redis; within 30 s one incident names
/// orders; one signed page opens it and one resolves it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_that_stopped_is_named_and_paged_once() {
    let _machine = quiet().await;
    let folder = tempfile::tempdir().expect("a folder");
    let installed = Installed::ensure().await;
    let pager = Receiver::start(SECRET).await;
    let server = Server::start(
        folder.path(),
        &["--webhook-url", &pager.url(), "--webhook-secret", SECRET],
    )
    .await;
    let api = Api::new(&server);

    let (redis, redis_port) = redis(folder.path()).await;
    let log = folder.path().join("programs.log");
    let (orders, orders_at) = installed.orders(server.otlp_http, redis_port, 0, &log).await;
    let (gateway, gateway_at) = installed.gateway(server.otlp_grpc, orders_at, &log).await;
    let people = tokio::spawn(ask(gateway_at));
    let rest = Instant::now();

    until("trace that crosses gateway, orders and Redis", SEEN_WITHIN, || {
        crossing_trace(&api)
    })
    .await;
    until("graph of gateway -> orders -> Redis", SEEN_WITHIN, || {
        graph_is_a_chain(&api)
    })
    .await;
    tokio::time::sleep(REST.saturating_sub(rest.elapsed())).await;
    assert_eq!(
        api.incidents().await,
        Vec::<Value>::new(),
        "an incident while all was well"
    );

    orders.stop().await;
    let stopped_s = now_unix_nano() / 1_000_000_000;
    let incident = until("incident that names orders", NAMED_WITHIN, || {
        incident_of(&api, "orders", "open")
    })
    .await;
    let id = incident["id"].as_str().expect("an id").to_owned();
    until("page", Duration::from_secs(5), || async {
        pager.of("incident.opened").into_iter().next()
    })
    .await;
    let opened = pager.of("incident.opened");
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert!(
        opened[0].signature_is_valid && !opened[0].event_id.is_empty(),
        "{opened:?}"
    );
    assert_eq!(opened[0].incident["id"], id.as_str());
    assert_eq!(culprit(&opened[0].incident), "orders");
    assert!(opened[0].timestamp >= stopped_s, "{opened:?}");

    let (orders, back_at) = installed
        .orders(server.otlp_http, redis_port, orders_at.port(), &log)
        .await;
    assert_eq!(back_at, orders_at);
    until("end of the incident", RESOLVED_WITHIN, || {
        incident_of(&api, "orders", "resolved")
    })
    .await;
    until("page of the end", Duration::from_secs(5), || async {
        pager.of("incident.resolved").into_iter().next()
    })
    .await;
    let resolved = pager.of("incident.resolved");
    assert_eq!(resolved.len(), 1, "{resolved:?}");
    assert!(
        resolved[0].signature_is_valid && resolved[0].incident["id"] == id.as_str(),
        "{resolved:?}"
    );
    assert_eq!(pager.of("incident.opened").len(), 1, "paged twice");
    let incidents = api.incidents().await;
    assert_eq!(incidents.len(), 1, "{incidents:#?}");

    people.abort();
    gateway.stop().await;
    orders.stop().await;
    redis.stop().await;
    server.stop().await;
}

/// Asks the gateway for one order after the other, until aborted. What it answers is its own affair.
async fn ask(gateway: SocketAddr) {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(5))
        .build()
        .expect("a client");
    let mut pace = tokio::time::interval(ASK_EVERY);
    for order in (0_u64..100).cycle() {
        pace.tick().await;
        let request = client.get(format!("http://{gateway}/orders/{order}"));
        tokio::spawn(async move { request.send().await.map(|answer| answer.status()) });
    }
}

/// A trace with spans of both services and a call to Redis, checked span by span.
async fn crossing_trace(api: &Api) -> Option<()> {
    let found = api.get("/api/v1/traces?service=orders&limit=5").await;
    for trace in found["traces"].as_array().expect("traces") {
        let id = trace["trace_id"].as_str().expect("an id");
        let whole = api.get(&format!("/api/v1/traces/{id}")).await;
        let spans = whole["spans"].as_array().expect("spans");
        let services: BTreeSet<&str> = spans.iter().filter_map(|span| span["service"].as_str()).collect();
        let calls_redis = spans
            .iter()
            .any(|span| span["kind"] == "client" && span["protocol"] == "cache" && span["service"] == "orders");
        if services == BTreeSet::from(["gateway", "orders"]) && calls_redis {
            let roots = spans.iter().filter(|span| span["parent_span_id"].is_null()).count();
            assert_eq!(roots, 1, "one root: {whole:#}");
            return Some(());
        }
    }
    None
}

/// Whether there is an edge gateway -> orders, and one from orders to something that is Redis.
async fn graph_is_a_chain(api: &Api) -> Option<()> {
    let graph = api.get("/api/v1/graph").await;
    let nodes = graph["nodes"].as_array().expect("nodes");
    let node = |name: &str| {
        nodes
            .iter()
            .find(|node| node["entity"]["name"] == name)
            .map(|node| &node["id"])
    };
    let (gateway, orders) = (node("gateway")?, node("orders")?);
    let redis = &nodes
        .iter()
        .find(|node| node["entity"]["kind"] == "cache" && node["system"] == "redis")?["id"];
    let edges = graph["edges"].as_array().expect("edges");
    let has = |from: &Value, to: &Value| {
        edges
            .iter()
            .any(|edge| edge["source"] == *from && edge["target"] == *to)
    };
    (has(gateway, orders) && has(orders, redis)).then_some(())
}

/// The incident in this state whose first suspect has this name.
pub(crate) async fn incident_of(api: &Api, name: &str, state: &str) -> Option<Value> {
    api.incidents()
        .await
        .into_iter()
        .find(|incident| incident["state"] == state && culprit(incident) == name)
}
