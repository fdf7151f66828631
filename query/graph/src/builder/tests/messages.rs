//! The graph as it is drawn: messages through their queue, and hops that send no spans.

use super::*;

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
