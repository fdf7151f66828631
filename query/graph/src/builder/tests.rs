//! Spans in, windows out: pairing, self time, skew, bounds, and the order of arrival.

use super::*;
use crate::window::{Callee, EdgeKey, OpKey};
use crate::{PeerKind, Sketch};
use epicenter_schema::{ResourceRow, SpanBatchBuilder, SpanKind, SpanRow};
use proptest::prelude::*;

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
    let mut builder = SpanBatchBuilder::with_capacity(spans.len());
    for S(trace, id, parent, service, name, kind, start, duration, error, peer) in spans {
        builder.set_resource(&ResourceRow {
            service_name: service.as_bytes(),
            json: b"{}",
            ..ResourceRow::default()
        });
        builder.commit(&SpanRow {
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
        });
    }
    builder.finish().expect("valid")
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
fn spans_after_their_window_are_counted_as_late() {
    let mut builder = Builder::new(DurationNs::from_secs(5));
    builder.observe(&batch(&TREE));
    assert_eq!(builder.advance(Timestamp(6_000 * MS)).len(), 1);
    builder.observe(&batch(&TREE));
    assert_eq!(builder.counters().late, 4);
    assert!(builder.finish().is_empty());
}

#[test]
fn a_service_has_a_bounded_number_of_operations() {
    let mut admitted = Admitted::default();
    let mut names = Names::default();
    let service = names.intern("web");
    for number in 0..NAMES_OF_A_SERVICE_MAX {
        let name = names.intern(&format!("GET /{number}"));
        assert_eq!(admitted.admit(service, name), name);
    }
    let beyond = names.intern("GET /one-more");
    assert_eq!(admitted.admit(service, beyond), Names::OVERFLOW);
}

fn spans() -> impl Strategy<Value = Vec<S>> {
    let span = (
        1u8..6,
        1u8..20,
        0u8..20,
        0usize..3,
        0usize..3,
        1i32..4,
        0i64..20_000,
        0i64..500,
        any::<bool>(),
    );
    let make = |(trace, id, parent, service, name, kind, start, duration, error)| {
        let parent = if parent == id { 0 } else { parent };
        let peer = (kind == 3).then_some("peer-db");
        S(
            trace,
            id,
            parent,
            ["a", "b", "c"][service],
            ["x", "y", "z"][name],
            kind,
            start,
            duration,
            error,
            peer,
        )
    };
    let unique = |mut spans: Vec<S>| {
        spans.sort_by_key(|span| (span.0, span.1));
        spans.dedup_by_key(|span| (span.0, span.1));
        spans
    };
    proptest::collection::vec(span.prop_map(make), 0..80).prop_map(unique)
}

/// Everything of the windows that is seen outside, with names for numbers.
fn seen(builder: &Builder, windows: &[(Timestamp, Window)]) -> String {
    let names = builder.names();
    let mut text = String::new();
    for (start, window) in windows {
        text.push_str(&format!("{start:?} {} {}\n", window.traces, window.spans));
        for (key, op) in window.ops_sorted(names) {
            let name = format!("{} {} {:?}", names.get(key.service), names.get(key.name), key.kind);
            text.push_str(&format!(
                "{name} {} {} {:?} {:?}\n",
                op.count, op.own_complaints, op.self_time, op.slowest
            ));
        }
        for (key, edge) in window.edges_sorted(names) {
            let name = format!("{} {}", names.get(key.caller), names.get(key.via));
            text.push_str(&format!("{name} {} {} {:?}\n", edge.count, edge.own_errors, edge.gap));
        }
    }
    text
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(spans in spans(), cut in 0usize..80, seed in any::<u64>()) {
        let mut shuffled = spans.clone();
        shuffled.sort_by_key(|span| (u64::from(span.0) * 31 + u64::from(span.1)).wrapping_mul(seed | 1));
        let cut = cut.min(shuffled.len());
        let (one, first) = run(&[batch(&spans)]);
        let (other, second) = run(&[batch(&shuffled[..cut]), batch(&shuffled[cut..])]);
        prop_assert_eq!(seen(&one, &first), seen(&other, &second));
    }

    #[test]
    fn merging_windows_is_associative_and_commutes(spans in spans()) {
        let (_, windows) = run(&[batch(&spans)]);
        let windows: Vec<Window> = windows.into_iter().map(|(_, window)| window).collect();
        let sum = |order: &mut dyn Iterator<Item = &Window>| {
            let mut sum = Window::default();
            order.for_each(|window| sum.merge(window));
            sum
        };
        let forward = sum(&mut windows.iter());
        let backward = sum(&mut windows.iter().rev());
        prop_assert_eq!(&forward, &backward);
        let (left, right) = windows.split_at(windows.len() / 2);
        let (left, right) = (sum(&mut left.iter()), sum(&mut right.iter()));
        prop_assert_eq!(forward, sum(&mut [left, right].iter()));
    }
}
