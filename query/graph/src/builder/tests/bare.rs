//! Telemetry that says less: spans of no kind, and calls that have no spans of their own.

use super::*;

fn edge<'a>(builder: &Builder, window: &'a Window, caller: &str, callee: &str) -> Option<&'a EdgeStats> {
    let names = builder.names();
    let of = |key: &EdgeKey| {
        names.get(key.caller).as_ref() == caller && crate::callee_entity(key.callee, names).name == callee
    };
    let mut found = window.edges.iter().filter(|(key, _)| of(key));
    found.next().map(|(_, edge)| edge)
}

/// Guarantees: the graph is the one of the same spans with their kinds.
#[test]
fn spans_of_no_kind_are_told_by_what_is_around_them() {
    let mut bare = TREE;
    bare.iter_mut().for_each(|span| span.5 = 0);
    let (known, silent) = (run(&[batch(&TREE)]), run(&[batch(&bare)]));
    for (caller, callee) in [("web", "orders"), ("orders", "orders-db")] {
        let of = |(builder, windows): &(Builder, Vec<(Timestamp, Window)>)| {
            edge(builder, &windows[0].1, caller, callee).map(|edge| (edge.count, ms(&edge.client), ms(&edge.gap)))
        };
        assert!(of(&known).is_some(), "{caller} -> {callee}");
        assert_eq!(of(&known), of(&silent), "{caller} -> {callee}");
    }
    let ops = |(builder, windows): &(Builder, Vec<(Timestamp, Window)>)| {
        let name = |key: &OpKey| builder.names().get(key.service).to_string();
        let entered = windows[0].1.ops.iter().filter(|(_, op)| op.entries > 0);
        let told = entered.map(|(key, op)| (name(key), key.kind, op.entries, op.roots, ms(&op.self_time)));
        let mut told: Vec<_> = told.collect();
        told.sort_by(|a, b| a.0.cmp(&b.0));
        format!("{told:?}")
    };
    assert_eq!(ops(&known), ops(&silent));
}

/// Scenario: web asks orders and stock, and only the answers have spans; one of them fails.
#[test]
fn calls_without_spans_are_told_by_their_answers() {
    let spans = [
        S(1, 1, 0, "web", "GET /", 2, 0, 100, false, None),
        S(1, 2, 1, "orders", "GET /o", 2, 20, 40, false, None),
        S(1, 3, 1, "stock", "GET /s", 2, 60, 20, true, None),
        S(1, 4, 3, "shelf", "GET /x", 2, 65, 10, false, None),
        S(1, 5, 1, "web", "render", 1, 82, 10, false, Some("somebody")),
    ];
    let (builder, windows) = run(&[batch(&spans)]);
    let window = &windows[0].1;
    for (caller, callee, errors, took) in [
        ("web", "orders", 0, 40.0),
        ("web", "stock", 1, 20.0),
        ("stock", "shelf", 0, 10.0),
    ] {
        let edge = edge(&builder, window, caller, callee).expect("an edge");
        assert_eq!(
            (edge.count, edge.errors, edge.gap.count()),
            (1, errors, 0),
            "{caller} -> {callee}"
        );
        assert!((ms(&edge.client) - took).abs() <= 1.0);
    }
    assert!(
        edge(&builder, window, "web", "somebody").is_none(),
        "it is internal, and says so"
    );
    let stock = window
        .ops
        .iter()
        .find(|(key, _)| builder.names().get(key.service).as_ref() == "stock");
    let (_, stock) = stock.expect("known");
    assert!(
        (ms(&stock.self_time) - 10.0).abs() <= 1.0,
        "what is not the answer's is its own"
    );
}

/// Scenario: a call of no kind is answered, and then another one is not; and one whose caller is lost.
/// Guarantees: both count on the same edge and operation, so that what is usual is known.
#[test]
fn calls_of_no_kind_are_the_same_answered_or_not() {
    let mut bare = TREE.to_vec();
    bare.iter_mut().for_each(|span| span.5 = 0);
    let mut dead = bare[..2].to_vec();
    dead.iter_mut().for_each(|span| (span.0, span.6) = (2, span.6 + 10_000));
    let orphan = S(3, 2, 1, "web", "call", 0, 10_010, 70, true, Some("orders-host"));
    let (builder, windows) = run(&[batch(&bare), batch(&dead), batch(&[orphan])]);
    let call = builder.names().find("call").expect("known");
    let counted = windows.iter().map(|(_, window)| {
        let calls = edge(&builder, window, "web", "orders").expect("an edge");
        (calls.count, calls.unanswered, calls.unanswered_errors)
    });
    assert_eq!(counted.collect::<Vec<_>>(), [(1, 0, 0), (2, 2, 1)]);
    let ops = windows.iter().flat_map(|(_, window)| window.ops.keys());
    let kinds: Vec<SpanKind> = ops.filter(|key| key.name == call).map(|key| key.kind).collect();
    assert_eq!(kinds, [SpanKind::Client; 2]);
}

/// Scenario: a library makes the spans of its calls in a service's name of its own.
#[test]
fn a_call_in_another_services_name_is_on_an_edge() {
    let spans = [
        S(1, 1, 0, "web", "GET /", 2, 0, 100, false, None),
        S(1, 2, 1, "web-store", "SELECT", 3, 20, 40, false, Some("orders-db")),
    ];
    let (builder, windows) = run(&[batch(&spans)]);
    assert_eq!(
        edge(&builder, &windows[0].1, "web", "web-store").map(|edge| edge.count),
        Some(1)
    );
    assert_eq!(
        edge(&builder, &windows[0].1, "web-store", "orders-db").map(|edge| edge.count),
        Some(1)
    );
}
