//! One trace, and searches for many.

use crate::server::{SEAL_SPANS, Server, wait_for};
use crate::spans::{MS, START, Span};
use epicenter_query::Config;
use expect_test::expect;
use reqwest::StatusCode;
use serde_json::Value;

/// Traces of the search tests.
const TRACES: i64 = 60;

/// Trace `n` of the search tests: two spans, a millisecond later and longer than the one before; every third fails, and
/// each five in a row start at the same time and last equally long.
fn trace(n: i64) -> Vec<Span> {
    let step = n - n % 5;
    let root = Span {
        // Spread, so that the order of ids is not that of time.
        trace: (n as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835),
        id: n as u64 * 2 + 1,
        service: format!("service-{}", n % 2),
        name: "GET /".to_owned(),
        kind: 2,
        start: START + step * MS,
        duration: 100 * MS + step * MS,
        ..Span::default()
    };
    let child = Span {
        id: root.id + 1,
        parent: Some(root.id),
        service: "store".to_owned(),
        name: "query".to_owned(),
        kind: 2,
        start: root.start + MS,
        duration: 10 * MS,
        error: n % 3 == 0,
        rich: n % 4 == 0,
        ..root.clone()
    };
    vec![child, root]
}

/// A server with the traces, part of them sealed.
async fn server() -> Server {
    let server = Server::start(Config::default()).await;
    for n in 0..TRACES {
        server.append(&trace(n)).await;
        if (n + 1) * 2 == SEAL_SPANS as i64 {
            wait_for("a segment", async || {
                (server.metric("epicenter_storage_segments").await > 0.0).then_some(())
            })
            .await;
        }
    }
    server
}

/// Follows the cursors to the end: trace ids, page after page.
async fn ids(server: &Server, parameters: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server
            .get(&format!("/api/v1/traces?{parameters}&cursor={cursor}"))
            .await;
        let traces = page["traces"].as_array().expect("a list");
        ids.extend(
            traces
                .iter()
                .map(|trace| trace["trace_id"].as_str().expect("text").to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return ids,
        }
    }
}

/// The ids of those traces that are chosen, in the order of a key, greatest first, ties by id.
fn expected(chosen: impl Fn(i64) -> bool, key: impl Fn(i64) -> i64) -> Vec<String> {
    let mut all: Vec<(i64, String)> = (0..TRACES)
        .filter(|n| chosen(*n))
        .map(|n| (-key(n), trace(n)[0].trace_id()))
        .collect();
    all.sort();
    all.into_iter().map(|(_, id)| id).collect()
}

/// Guarantees: pages of any size, in both orders, over what is sealed and what is not, hold every trace exactly once, in
/// an order that is total.
#[tokio::test(flavor = "multi_thread")]
async fn pages_cover_everything_exactly_once() {
    let server = server().await;
    let by_start = expected(|_| true, |n| n - n % 5);
    for limit in [1, 7, 200] {
        assert_eq!(ids(&server, &format!("limit={limit}")).await, by_start, "limit {limit}");
    }
    let service = expected(|n| n % 2 == 1, |n| n - n % 5);
    assert_eq!(ids(&server, "order=longest&limit=4&service=service-1").await, service);
}

/// Guarantees: every condition finds what it says, alone and with others, on spans that are sealed and that are not.
#[tokio::test(flavor = "multi_thread")]
async fn every_condition_finds_what_it_says() {
    let server = server().await;
    let rich = |n: i64| n % 4 == 0;
    let millis = |n: i64| n - n % 5;
    let check = async |parameters: &str, chosen: &dyn Fn(i64) -> bool| {
        let found = ids(&server, &format!("limit=50&{parameters}")).await;
        assert_eq!(found, expected(chosen, millis), "{parameters}");
    };
    check("service=service-0", &|n| n % 2 == 0).await;
    check("service=service-0&operation=query", &|_| false).await;
    check("service=store&status=error", &|n| n % 3 == 0).await;
    check("operation=query&status=ok", &|n| n % 3 != 0).await;
    check("min_duration=120ms&max_duration=0.13s", &|n| {
        (20..=30).contains(&millis(n))
    })
    .await;
    let start = START + 11 * MS;
    check(
        &format!("operation=query&start={start}&end=2023-11-14T22:13:20.031Z"),
        &|n| (10..30).contains(&millis(n)),
    )
    .await;
    check("attribute=yes%3Dtrue&attribute=half%3D0.5", &rich).await;
    check("attribute=text%3D%C3%BC%20%22quoted%22", &rich).await;
    check("attribute=large=9223372036854775807", &rich).await;
    check("attribute=raw=00ff", &rich).await;
    check("attribute=yes=false", &|_| false).await;
    check("attribute=number=1", &|n| n == 0).await;
    check("attribute=shard=7&operation=query", &|_| true).await;
    check("attribute=service.name=service-1", &|n| n % 2 == 1).await;
}

/// Guarantees: a list says of each trace what it is as a whole, though only one of its spans was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_tells_of_whole_traces() {
    let server = server().await;
    let page = server
        .get("/api/v1/traces?operation=query&status=error&limit=1&order=longest")
        .await;
    let found = &page["traces"][0];
    let n = (0..TRACES)
        .find(|n| found["trace_id"] == trace(*n)[0].trace_id())
        .expect("one of ours");
    let root = &trace(n)[1];
    let expected = serde_json::json!({
        "trace_id": root.trace_id(),
        "root_service": root.service,
        "root_operation": "GET /",
        "start_unix_nano": root.start.to_string(),
        "duration_ns": root.duration.to_string(),
        "span_count": 2,
        "error_count": 1,
        "services": [root.service, "store"],
    });
    assert_eq!(*found, expected);
    assert_eq!(page["limit"], 1);
    assert_eq!(
        server.get("/api/v1/services").await,
        serde_json::json!({ "services": [{ "name": "service-0" }, { "name": "service-1" }, { "name": "store" }] })
    );
    assert_eq!(
        server.get("/api/v1/services/store/operations").await,
        serde_json::json!({ "operations": [{ "name": "query", "kind": "server" }] })
    );
}

/// Guarantees: what comes back of a span is what went in, types included, by either way of keeping it.
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_comes_back_exactly() {
    let server = server().await;
    let path = |n: i64| format!("/api/v1/traces/{}", trace(n)[0].trace_id());
    let sealed = server.get(&path(0)).await;
    expect![[r#"
        {
          "attributes": [
            {
              "key": "number",
              "value": {
                "intValue": "2"
              }
            },
            {
              "key": "text",
              "value": {
                "stringValue": "ü \"quoted\""
              }
            },
            {
              "key": "large",
              "value": {
                "intValue": "9223372036854775807"
              }
            },
            {
              "key": "half",
              "value": {
                "doubleValue": 0.5
              }
            },
            {
              "key": "nan",
              "value": {
                "doubleValue": "NaN"
              }
            },
            {
              "key": "least",
              "value": {
                "doubleValue": "-Infinity"
              }
            },
            {
              "key": "yes",
              "value": {
                "boolValue": true
              }
            },
            {
              "key": "raw",
              "value": {
                "bytesValue": "AP8="
              }
            },
            {
              "key": "list",
              "value": {
                "arrayValue": {
                  "values": [
                    {
                      "intValue": "1"
                    }
                  ]
                }
              }
            },
            {
              "key": "nothing",
              "value": {}
            }
          ],
          "dropped_attributes_count": 1,
          "dropped_events_count": 2,
          "dropped_links_count": 3,
          "duration_ns": "10000000",
          "error": true,
          "events": [
            {
              "attributes": [
                {
                  "key": "exception.type",
                  "value": {
                    "stringValue": "Timeout"
                  }
                }
              ],
              "dropped_attributes_count": 2,
              "name": "exception",
              "time_unix_nano": "1700000000000000001"
            }
          ],
          "flags": 0,
          "instance": "pod-1",
          "kind": "server",
          "links": [
            {
              "attributes": [
                {
                  "key": "why",
                  "value": {
                    "stringValue": "batch"
                  }
                }
              ],
              "dropped_attributes_count": 1,
              "flags": 1,
              "span_id": "efefefefefefefef",
              "trace_id": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
              "trace_state": "a=b"
            }
          ],
          "name": "query",
          "parent_span_id": "0000000000000001",
          "resource": {
            "attributes": [
              {
                "key": "service.name",
                "value": {
                  "stringValue": "store"
                }
              },
              {
                "key": "shard",
                "value": {
                  "intValue": "7"
                }
              }
            ],
            "schemaUrl": "https://schema"
          },
          "scope": {
            "name": "lib",
            "version": "2"
          },
          "service": "store",
          "span_id": "0000000000000002",
          "start_unix_nano": "1700000000001000000",
          "status": {
            "code": "error",
            "message": "it failed"
          },
          "trace_state": "",
          "version": "1.0"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&sealed["spans"][1]).expect("JSON"));
    let unsealed = server.get(&path(TRACES - 4)).await;
    let attributes = |body: &Value| body["spans"][1]["attributes"].as_array().expect("a list")[1..].to_vec();
    assert_eq!(attributes(&sealed), attributes(&unsealed));
    assert_eq!(sealed["spans"][0]["parent_span_id"], Value::Null);
    assert_eq!(
        (&sealed["span_count"], &sealed["truncated"]),
        (&2.into(), &false.into())
    );
    let upper = path(0).to_uppercase().replace("/API/V1/TRACES/", "/api/v1/traces/");
    assert_eq!(server.get(&upper).await, sealed);
}

/// Guarantees: a trace that is not kept is not found, and what is no trace id is refused.
#[tokio::test(flavor = "multi_thread")]
async fn an_absent_trace_is_not_found() {
    let server = Server::start(Config::default()).await;
    for (id, status) in [
        ("0123456789abcdef0123456789abcdef", StatusCode::NOT_FOUND),
        ("00000000000000000000000000000000", StatusCode::BAD_REQUEST),
        ("xyz", StatusCode::BAD_REQUEST),
        ("%ff", StatusCode::BAD_REQUEST),
    ] {
        let (found, body) = server.try_get(&format!("/api/v1/traces/{id}")).await;
        assert_eq!(found, status, "{id}: {body}");
    }
    let empty = server.get("/api/v1/traces").await;
    assert_eq!(
        empty,
        serde_json::json!({ "traces": [], "next_cursor": null, "limit": 20 })
    );
}
