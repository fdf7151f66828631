//! Spans in, windows out: pairing, self time, skew, bounds, and the order of arrival.

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

/// Spans of a few traces that start within so many milliseconds.
fn spans(within_ms: i64) -> impl Strategy<Value = Vec<S>> {
    let span = (
        1u8..6,
        1u8..20,
        0u8..20,
        0usize..3,
        0usize..3,
        1i32..4,
        0i64..within_ms,
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

/// Everything of the windows, with names for numbers.
fn seen(builder: &Builder, windows: &[(Timestamp, Window)]) -> String {
    let names = builder.names();
    let name = |id: &NameId| names.get(*id).to_string();
    let mut text = String::new();
    for (start, window) in windows {
        let Window { accounts, .. } = window;
        text.push_str(&format!("{start:?} {} {} {accounts:?}\n", window.traces, window.spans));
        for (key, op) in window.ops_sorted(names) {
            let mut children: Vec<(String, String, u64)> = op
                .children
                .iter()
                .map(|((service, child), count)| (name(service), name(child), *count))
                .collect();
            children.sort();
            let mut last: Vec<(String, u64)> = op.last_child.iter().map(|(id, count)| (name(id), *count)).collect();
            last.sort();
            let bare = OpStats {
                children: Tally::default(),
                last_child: Tally::default(),
                ..op.clone()
            };
            let of = (name(&key.service), name(&key.name), key.kind);
            text.push_str(&format!("{of:?} {bare:?} {children:?} {last:?}\n"));
        }
        for (key, edge) in window.edges_sorted(names) {
            let words = (edge.protocol.most(names), edge.system.most(names));
            let bare = EdgeStats {
                protocol: Words::default(),
                system: Words::default(),
                ..edge.clone()
            };
            let of = (
                name(&key.caller),
                name(&key.via),
                crate::callee_entity(key.callee, names),
            );
            text.push_str(&format!("{of:?} {bare:?} {words:?}\n"));
        }
        text.push_str(&format!("{:?}\n", Summary::new(window, names, DurationNs(1))));
    }
    text
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(spans in spans(20_000), cut in 0usize..80, seed in any::<u64>()) {
        let mut shuffled = spans.clone();
        shuffled.sort_by_key(|span| (u64::from(span.0) * 31 + u64::from(span.1)).wrapping_mul(seed | 1));
        let cut = cut.min(shuffled.len());
        let (one, first) = run(&[batch(&spans)]);
        let (other, second) = run(&[batch(&shuffled[..cut]), batch(&shuffled[cut..])]);
        prop_assert_eq!(seen(&one, &first), seen(&other, &second));
    }

    /// Guarantees: whatever comes within a minute after it ended is counted, and settled windows are the same, byte for
    /// byte, in whatever order and in however many batches spans came. Traces here last up to three minutes.
    #[test]
    fn settled_windows_do_not_depend_on_the_order_of_arrival(
        spans in spans(180_000),
        delays in proptest::collection::vec((0i64..60_000, 0i64..60_000), 80),
    ) {
        let delayed = |pick: fn(&(i64, i64)) -> i64| -> Vec<(i64, S)> {
            spans.iter().zip(&delays).map(|(span, delays)| (span.6 + span.7 + pick(delays), *span)).collect()
        };
        let prompt = arrive(spans.iter().map(|span| (span.6 + span.7, *span)).collect());
        let one = arrive(delayed(|delays| delays.0));
        let other = arrive(delayed(|delays| delays.1));
        prop_assert_eq!(&prompt, &one);
        prop_assert_eq!(&one, &other);
        let (builder, windows) = at_once(&spans);
        prop_assert_eq!(prompt, seen(&builder, &windows));
    }

    #[test]
    fn merging_windows_is_associative_and_commutes(spans in spans(20_000)) {
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

/// All windows as they are once they have settled.
fn settled(builder: &mut Builder, judged: Vec<(Timestamp, Window)>) -> Vec<(Timestamp, Window)> {
    let mut judged: BTreeMap<Timestamp, Window> = judged.into_iter().collect();
    let settled = builder.take_settled().into_iter().map(|settled| {
        let mut window = match settled.window {
            Some(window) => window,
            None => judged.remove(&settled.start).expect("a window that was judged"),
        };
        window.accounts.late = 0;
        (settled.start, window)
    });
    settled.filter(|(_, window)| window.spans > 0).collect()
}

fn at_once(spans: &[S]) -> (Builder, Vec<(Timestamp, Window)>) {
    let (mut builder, judged) = run(&[batch(spans)]);
    let windows = settled(&mut builder, judged);
    (builder, windows)
}

/// Each span comes alone at its time, in ms; windows are judged seven seconds after their end.
fn arrive(mut spans: Vec<(i64, S)>) -> String {
    spans.sort_by_key(|(at, span)| (*at, span.0, span.1));
    let mut builder = Builder::new(DurationNs::from_secs(5));
    let mut judged = Vec::new();
    for (at, span) in spans {
        let received = Timestamp(at * MS);
        builder.observe_received(&batch(&[span]), received);
        judged.extend(builder.advance(received - DurationNs::from_secs(7)));
    }
    judged.extend(builder.finish());
    assert_eq!((builder.counters().late, builder.open_spans), (0, 0));
    let windows = settled(&mut builder, judged);
    seen(&builder, &windows)
}

#[test]
fn a_late_span_joins_its_trace_and_a_later_one_is_counted_as_lost() {
    let mut builder = Builder::new(DurationNs::from_secs(5));
    let at = |seconds: i64| Timestamp(seconds * 1000 * MS);
    builder.observe_received(&batch(&TREE[..2]), at(1));
    let judged = builder.advance(at(6));
    assert_eq!(judged.len(), 1);
    let unanswered = |window: &Window| window.edges.values().map(|edge| edge.unanswered).sum::<u64>();
    assert_eq!(unanswered(&judged[0].1), 1);
    builder.observe_received(&batch(&TREE[2..]), at(50));
    assert!(builder.advance(at(70)).is_empty(), "late spans open no window");
    builder.advance(at(200));
    assert_eq!(builder.counters().late_counted, 2);
    let settled = builder.take_settled();
    let window = settled[0].window.as_ref().expect("it changed");
    assert_eq!(
        (settled[0].start, window.accounts.late, window.spans),
        (Timestamp(0), 2, 4)
    );
    assert!(window.edges.keys().any(|key| matches!(key.callee, Callee::Service(_))));
    builder.observe_received(&batch(&TREE), at(59));
    builder.advance(at(240));
    assert_eq!(builder.counters().late, 4);
    builder.observe_received(
        &batch(&[S(9, 1, 0, "web", "GET /", 2, 241_000, 1, false, None)]),
        at(242),
    );
    let judged = builder.advance(at(260));
    assert_eq!(judged[0].1.accounts.dropped, 4, "what is lost is told");
}

/// The trace of `TREE` each second, with the clock of orders' host off by so much; spans come half a second after they
/// ended. What is judged, by the start of the window in seconds.
fn watch(off_ms: i64, seconds: i64) -> (Builder, Vec<(i64, Window)>) {
    let mut builder = Builder::new(DurationNs::from_secs(5));
    let mut judged = Vec::new();
    for second in 0..seconds {
        let received = Timestamp((1_000_000 + second * 1000 + 600) * MS);
        for side in [&TREE[2..], &TREE[..2]] {
            let spans = side.iter().map(|span| {
                let mut span = *span;
                span.0 = second as u8 + 1;
                span.6 += 1_000_000 + second * 1000 + if span.3 == "orders" { off_ms } else { 0 };
                span
            });
            builder.observe_received(&batch(&spans.collect::<Vec<S>>()), received);
        }
        let windows = builder.advance(received - DurationNs::from_secs(7));
        judged.extend(windows.into_iter().map(|(start, window)| (start.0 / MS / 1000, window)));
    }
    (builder, judged)
}

#[test]
fn clocks_minutes_ahead_or_behind_move_no_trace_and_lose_no_span() {
    let (straight, expected) = watch(0, 60);
    for off_ms in [
        -3_600_000, -300_000, -45_000, -10_000, 3_000, 40_000, 300_000, 3_600_000,
    ] {
        let (builder, judged) = watch(off_ms, 60);
        assert_eq!(builder.counters().late, 0, "{off_ms}");
        let shape = |builder: &Builder, windows: &[(i64, Window)]| -> Vec<String> {
            let names = builder.names();
            let of = |(start, window): &(i64, Window)| {
                let edges = window.edges_sorted(names);
                let edges = edges.into_iter().map(|(key, edge)| {
                    let callee = crate::callee_entity(key.callee, names).name;
                    (
                        names.get(key.caller).to_string(),
                        callee,
                        edge.count,
                        edge.unanswered,
                        ms(&edge.gap),
                    )
                });
                format!("{start} {} {:?}", window.traces, edges.collect::<Vec<_>>())
            };
            windows.iter().map(of).collect()
        };
        assert_eq!(shape(&builder, &judged), shape(&straight, &expected), "{off_ms} ms");
    }
}

/// Scenario: a host whose clock is minutes off sends traces of its own, with nobody else in them.
#[test]
fn a_host_alone_with_a_wrong_clock_is_heard_in_time() {
    for off_ms in [-600_000, 600_000] {
        let mut builder = Builder::new(DurationNs::from_secs(5));
        let (mut spans, mut last) = (0, 0);
        for second in 0..60 {
            let now = 1_000_000 + second * 1000;
            let span = S(
                second as u8 + 1,
                1,
                0,
                "cron",
                "job",
                1,
                now + off_ms - 500,
                100,
                false,
                None,
            );
            builder.observe_received(&batch(&[span]), Timestamp(now * MS));
            for (start, window) in builder.advance(Timestamp((now - 7_000) * MS)) {
                spans += window.spans;
                last = start.0 / MS;
            }
        }
        assert!(spans >= 35, "{spans} spans with a clock off by {off_ms} ms");
        assert_eq!(last, 1_045_000, "off by {off_ms} ms");
    }
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

#[test]
fn resources_give_dimensions() {
    let resource = br#"{"resource":{"attributes":[{"key":"k8s.pod.label.track","value":{"stringValue":"canary"}},
        {"key":"container.image.name","value":{"stringValue":"shop/web"}}]}}"#;
    let mut builder = SpanBatchBuilder::with_capacity(1);
    builder.set_resource(&ResourceRow {
        service_name: b"web",
        service_version: Some(b"2"),
        instance: Some(b"web-0"),
        json: resource,
        ..ResourceRow::default()
    });
    for id in 1..4 {
        builder.commit(&SpanRow {
            trace_id: [id; 16],
            span_id: [id; 8],
            name: b"GET /",
            kind: 2,
            duration_ns: MS,
            error: id == 1,
            ..SpanRow::default()
        });
    }
    let (builder, windows) = run(&[builder.finish().expect("valid")]);
    let names = builder.names();
    let found: Vec<String> = windows[0]
        .1
        .dimensions_sorted(names)
        .into_iter()
        .map(|(key, stats)| {
            let value = names.get(key.value);
            format!(
                "{} = {value}: {} of {}",
                key.dimension.name(names),
                stats.entry_errors,
                stats.entries
            )
        })
        .collect();
    let expected = [
        "image = shop/web",
        "instance = web-0",
        "label.track = canary",
        "version = 2",
    ];
    assert_eq!(found, expected.map(|dimension| format!("{dimension}: 1 of 3")));
}

/// Edges of the drawn graph as `caller -> callee`, with the calls counted.
fn drawn(batches: &[SpanBatch]) -> Vec<String> {
    let (builder, windows) = run(batches);
    let mut sum = Window::default();
    windows.iter().for_each(|(_, window)| sum.merge(window));
    let summary = Summary::new(&sum, builder.names(), DurationNs::from_secs(1));
    let graph = GraphSnapshot::new(&summary, Timestamp(0), []);
    assert_eq!(
        graph.to_petgraph().edge_count(),
        graph.edges.len(),
        "edges have both ends"
    );
    let edge = |edge: &crate::Edge| format!("{} -> {} {}", edge.caller.name, edge.callee.name, edge.count);
    graph.edges.iter().map(edge).collect()
}

/// A span that links to another one.
fn queue_linked(span: &S, (trace_id, span_id): ([u8; 16], [u8; 8])) -> SpanBatch {
    let mut builder = SpanBatchBuilder::with_capacity(1);
    builder.link(&LinkRow {
        trace_id,
        span_id,
        ..LinkRow::default()
    });
    add(&mut builder, span, &|_, _| {});
    builder.finish().expect("valid")
}

fn queue(spans: &[S]) -> SpanBatch {
    batch_with(spans, |_, row| row.peer_kind = row.peer.map(|_| &b"queue"[..]))
}

/// ```text
/// shop   |= PUT order (producer, queue orders) =|
/// mail      (child or linked)        |== take (consumer) ==|
/// ```
#[test]
fn messages_go_through_their_queue() {
    let send = S(1, 2, 1, "shop", "PUT order", 4, 10, 2, false, Some("orders"));
    let shop = [S(1, 1, 0, "shop", "POST /", 2, 0, 20, false, None), send];
    let by_parent = S(1, 3, 2, "mail", "take", 5, 900, 40, false, None);
    let by_name = S(2, 3, 0, "mail", "take", 5, 900, 40, false, Some("orders"));
    let by_link = S(2, 3, 0, "mail", "take", 5, 900, 40, false, None);
    let expected = ["shop -> orders 1", "orders -> mail 1"];
    assert_eq!(drawn(&[queue(&shop), queue(&[by_parent])]), expected);
    assert_eq!(drawn(&[queue(&[by_name]), queue(&shop)]), expected);
    let linked = queue_linked(&by_link, ([1; 16], [2; 8]));
    assert_eq!(drawn(&[linked.clone(), queue(&shop)]), expected);
    assert_eq!(drawn(&[queue(&shop), linked]), expected);
    assert_eq!(
        drawn(&[queue(&shop), queue(&[by_link])]),
        ["shop -> orders 1"],
        "nothing tells"
    );
}

/// The middle hop, whose address the caller names, sends no spans.
#[test]
fn a_hop_without_spans_does_not_break_the_chain() {
    let spans = [
        S(1, 1, 0, "web", "GET /", 2, 0, 100, false, None),
        S(1, 2, 1, "web", "call", 3, 10, 80, false, Some("proxy")),
        S(1, 3, 2, "orders", "GET /o", 2, 20, 40, false, None),
    ];
    assert_eq!(drawn(&[batch(&spans)]), ["web -> orders 1"]);
}
