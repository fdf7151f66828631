//! Spans in, windows out: pairing, self time, errors, weights. Beside it: what the order of arrival may change, clocks,
//! messages, raw paths, and senders.

mod bare;
mod clocks;
mod messages;
mod order;
mod paths;
mod senders;

use super::*;
use crate::window::{Callee, EdgeKey, EdgeStats, OpKey, OpStats, Tally, Words};
use crate::{GraphSnapshot, NameId, PeerKind, Sketch, Summary};
use epicenter_schema::{LinkRow, ResourceRow, SpanBatchBuilder, SpanKind, SpanRow};
use proptest::prelude::*;
use std::collections::BTreeMap;

const MS: i64 = 1_000_000;

/// One span: trace, id, parent (0 for none), service, name, kind, start and duration in ms, error, peer.
#[derive(Clone, Copy, Debug)]
struct S(
    u8,
    u8,
    u8,
    &'static str,
    &'static str,
    i32,
    i64,
    i64,
    bool,
    Option<&'static str>,
);

fn batch(spans: &[S]) -> SpanBatch {
    batch_with(spans, |_, _| {})
}

fn batch_with(spans: &[S], also: impl Fn(&S, &mut SpanRow<'_>)) -> SpanBatch {
    let mut builder = SpanBatchBuilder::with_capacity(spans.len());
    spans.iter().for_each(|span| add(&mut builder, span, &also));
    builder.finish().expect("valid")
}

fn add(builder: &mut SpanBatchBuilder, span: &S, also: &impl Fn(&S, &mut SpanRow<'_>)) {
    let S(trace, id, parent, service, name, kind, start, duration, error, peer) = span;
    builder.set_resource(&ResourceRow {
        service_name: service.as_bytes(),
        json: b"{}",
        ..ResourceRow::default()
    });
    let mut row = SpanRow {
        trace_id: [*trace; 16],
        span_id: [*id; 8],
        parent_span_id: (*parent != 0).then_some([*parent; 8]),
        name: name.as_bytes(),
        kind: *kind,
        start_time: start * MS,
        duration_ns: duration * MS,
        error: *error,
        peer: peer.map(str::as_bytes),
        peer_kind: peer.map(|peer| {
            if peer.ends_with("db") {
                &b"database"[..]
            } else {
                b"service"
            }
        }),
        ..SpanRow::default()
    };
    also(span, &mut row);
    builder.commit(&row);
}

fn run(batches: &[SpanBatch]) -> (Builder, Vec<(Timestamp, Window)>) {
    let mut builder = Builder::new(DurationNs::from_secs(5));
    batches.iter().for_each(|batch| builder.observe(batch));
    let windows = builder.finish();
    (builder, windows)
}

/// ```text
/// web    |====== GET / (server) =======|   0..100
///           |=== call (client) ===|       10..80
/// orders       |== GET /o ==|             20..60
///                |= db =|                 30..50
/// ```
const TREE: [S; 4] = [
    S(1, 1, 0, "web", "GET /", 2, 0, 100, false, None),
    S(1, 2, 1, "web", "call", 3, 10, 70, false, Some("orders-host")),
    S(1, 3, 2, "orders", "GET /o", 2, 20, 40, false, None),
    S(1, 4, 3, "orders", "SELECT", 3, 30, 20, false, Some("orders-db")),
];

fn ms(sketch: &Sketch) -> f64 {
    (sketch.quantile(0.5) / MS as f64).round()
}

#[test]
fn time_goes_to_self_and_to_edges() {
    let (builder, windows) = run(&[batch(&TREE)]);
    assert_eq!(windows.len(), 1);
    let (names, window) = (builder.names(), &windows[0].1);
    let id = |name: &str| names.find(name).expect("known");
    let op = |service, name| {
        &window.ops[&OpKey {
            service: id(service),
            name: id(name),
            kind: SpanKind::Server,
        }]
    };
    assert!((ms(&op("web", "GET /").self_time) - 30.0).abs() <= 1.0);
    assert!((ms(&op("orders", "GET /o").self_time) - 20.0).abs() <= 1.0);
    let edge = |caller, via, callee| {
        &window.edges[&EdgeKey {
            caller: id(caller),
            via: id(via),
            callee,
        }]
    };
    let call = edge("web", "call", Callee::Service(id("orders")));
    assert!((ms(&call.gap) - 30.0).abs() <= 1.0, "{}", ms(&call.gap));
    assert_eq!((call.count, call.unanswered), (1, 0));
    let query = edge("orders", "SELECT", Callee::Peer(PeerKind::Database, id("orders-db")));
    assert_eq!((query.count, query.unanswered), (1, 1));
    assert_eq!(op("web", "GET /").roots, 1);
}

/// Scenario: a generator of load is traced too.
/// Guarantees: requests enter the system where they are answered, for that is where people feel them.
#[test]
fn a_call_from_outside_enters_where_it_is_answered() {
    let traced = [
        S(1, 1, 0, "load", "GET", 3, 0, 100, false, Some("web-host")),
        S(1, 2, 1, "web", "GET /", 2, 10, 80, false, None),
        S(1, 3, 2, "web", "call", 3, 20, 50, false, Some("orders-host")),
        S(1, 4, 3, "orders", "GET /o", 2, 30, 30, false, None),
        // Nobody answers this one, and a poller asks a database.
        S(2, 1, 0, "load", "GET", 3, 0, 5, true, Some("web-host")),
        S(3, 1, 0, "orders", "SELECT", 3, 0, 5, false, Some("orders-db")),
    ];
    let (builder, windows) = run(&[batch(&traced)]);
    let mut roots: Vec<_> = windows[0].1.ops_sorted(builder.names());
    roots.retain(|(_, op)| op.roots > 0);
    let roots: Vec<_> = roots
        .iter()
        .map(|(key, op)| (&**builder.names().get(key.service), key.kind, op.roots, op.entries))
        .collect();
    let expected = [
        ("load", SpanKind::Client, 1, 0),
        ("orders", SpanKind::Client, 1, 0),
        ("web", SpanKind::Server, 1, 1),
    ];
    assert_eq!(roots, expected);
}

#[test]
fn clocks_of_hosts_need_not_agree() {
    let mut skewed = TREE;
    for span in &mut skewed[2..] {
        span.6 += 3_000;
    }
    let (_, straight) = run(&[batch(&TREE)]);
    let (_, windows) = run(&[batch(&skewed)]);
    let gaps = |windows: &[(Timestamp, Window)]| {
        let mut gaps: Vec<f64> = windows[0].1.edges.values().map(|edge| ms(&edge.gap)).collect();
        gaps.sort_by(f64::total_cmp);
        gaps
    };
    assert_eq!(gaps(&straight), gaps(&windows));
}

/// Scenario: the callee answered before; then its host refuses connections.
#[test]
fn a_peer_that_answered_once_is_that_service() {
    let refused = [
        S(2, 1, 0, "web", "GET /", 2, 200, 10, true, None),
        S(2, 2, 1, "web", "call", 3, 202, 5, true, Some("orders-host")),
        S(2, 3, 2, "web", "tcp.connect", 1, 203, 2, true, None),
    ];
    let (builder, windows) = run(&[batch(&TREE), batch(&refused)]);
    let id = |name: &str| builder.names().find(name).expect("known");
    let key = EdgeKey {
        caller: id("web"),
        via: id("call"),
        callee: Callee::Service(id("orders")),
    };
    let edge = &windows[0].1.edges[&key];
    assert_eq!(
        (edge.count, edge.errors, edge.own_errors, edge.unanswered_errors),
        (2, 1, 1, 1)
    );
    let own: u64 = windows[0].1.ops.values().map(|op| op.own_complaints).sum();
    assert_eq!(own, 0, "the call's own instrumentation and the caller only repeat it");
}

#[test]
fn an_error_belongs_to_the_deepest_span() {
    let mut failing = TREE;
    failing[0].8 = true;
    failing[1].8 = true;
    failing[2].8 = true;
    let (builder, windows) = run(&[batch(&failing)]);
    let names = builder.names();
    let own: Vec<(&str, u64)> = windows[0]
        .1
        .ops_sorted(names)
        .into_iter()
        .filter(|(_, op)| op.own_complaints > 0)
        .map(|(key, op)| (names.get(key.service).as_ref(), op.own_complaints))
        .collect();
    assert_eq!(own, [("orders", 1)]);
    assert!(windows[0].1.edges.values().all(|edge| edge.own_errors == 0));
}

#[test]
fn sampled_spans_stand_for_those_that_were_not_kept() {
    let sampled = batch_with(&TREE, |span, row| {
        row.trace_state = if span.3 == "web" { b"ot=th:c" } else { b"ot=th:e" };
    });
    let (builder, windows) = run(&[sampled]);
    let (names, window) = (builder.names(), &windows[0].1);
    assert_eq!((window.spans, window.accounts.sampled), (4, 4));
    let graph = GraphSnapshot::new(&Summary::new(window, names, DurationNs::from_secs(1)), Timestamp(0), []);
    let rates: Vec<(&str, f64, u64)> = graph
        .nodes
        .iter()
        .map(|node| (node.entity.name.as_str(), node.rate_per_s, node.count))
        .collect();
    assert_eq!(rates, [("orders", 8.0, 1), ("web", 4.0, 1), ("orders-db", 8.0, 1)]);
    let edges: Vec<f64> = graph.edges.iter().map(|edge| edge.rate_per_s).collect();
    assert_eq!(edges, [8.0, 4.0]);
}

#[test]
fn a_span_sent_twice_counts_once() {
    let (_, windows) = run(&[batch(&TREE), batch(&TREE[1..3])]);
    let window = &windows[0].1;
    assert_eq!((window.spans, window.accounts.repeated), (4, 2));
    assert!(window.edges.values().all(|edge| edge.count == 1));
}
