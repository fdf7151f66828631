//! Services that name their spans by raw paths.

use super::*;

/// Scenario: web calls orders 5,000 times, each time for another order, and both name their spans by its path. Once the
/// call is not answered.
/// Guarantees: each has one operation, with one edge between them, whatever the callee is called by.
#[test]
fn raw_paths_are_one_operation_and_one_edge() {
    const CALLS: u64 = 5_000;
    let mut builder = SpanBatchBuilder::with_capacity(2 * CALLS as usize);
    for number in 0..CALLS {
        let mut trace_id = [1; 16];
        trace_id[..8].copy_from_slice(&number.to_be_bytes());
        let name = format!("GET /orders/{}?page={number}", number * 7919);
        for (service, id, kind) in [("web", 1u64, 3), ("orders", 2, 2)] {
            if (number, id) == (CALLS - 1, 2) {
                continue;
            }
            builder.set_resource(&ResourceRow {
                service_name: service.as_bytes(),
                json: b"{}",
                ..ResourceRow::default()
            });
            builder.commit(&SpanRow {
                trace_id,
                span_id: (number << 2 | id).to_be_bytes(),
                parent_span_id: (id == 2).then(|| (number << 2 | 1).to_be_bytes()),
                name: name.as_bytes(),
                kind,
                duration_ns: 10 * MS,
                peer: (kind == 3).then_some(&b"10.0.0.1/8"[..]),
                peer_kind: (kind == 3).then_some(&b"service"[..]),
                ..SpanRow::default()
            });
        }
    }
    let (builder, windows) = run(&[builder.finish().expect("valid")]);
    let (names, window) = (builder.names(), &windows[0].1);
    let id = |name: &str| names.find(name).expect("known");
    let via = id("GET /orders/{id}");
    let ops = window.ops_sorted(names).into_iter();
    let ops: Vec<_> = ops.map(|(key, op)| (key.service, key.name, op.count)).collect();
    assert_eq!(ops, [(id("orders"), via, CALLS - 1), (id("web"), via, CALLS)]);
    let edges: Vec<_> = window
        .edges
        .iter()
        .map(|(key, edge)| (*key, edge.count, edge.unanswered))
        .collect();
    let key = EdgeKey {
        caller: id("web"),
        via,
        callee: Callee::Service(id("orders")),
    };
    assert_eq!(edges, [(key, CALLS, 1)]);
    assert!(
        names.find("10.0.0.1/8").is_some(),
        "the names of peers are as they were sent"
    );
    assert!(names.find("GET /orders/7919?page=1").is_none());
}
