//! One number for what a window holds: equal before and after a change that only makes it faster.

use epicenter_graph::{Exemplars, Names, Window};

/// FNV-1a (Fowler, Noll, Vo) of the operations, edges and dimensions of a window, names for numbers, in an order that no hash map decides; messages
/// are not sent here.
pub(crate) fn fingerprint(mut hash: u64, window: &Window, names: &Names) -> u64 {
    let mut add = |text: std::fmt::Arguments<'_>| {
        for byte in text.to_string().bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    let traces = |shown: &Exemplars| shown.traces().collect::<Vec<_>>();
    add(format_args!("{} {} {:?}", window.traces, window.spans, window.accounts));
    for (key, op) in window.ops_sorted(names) {
        let (service, name) = (names.get(key.service), names.get(key.name));
        add(format_args!(
            "{service} {name} {:?} {} {}",
            key.kind, op.count, op.entries
        ));
        add(format_args!(
            "{} {} {} {}",
            op.errors, op.entry_errors, op.roots, op.own_complaints
        ));
        add(format_args!(
            "{:?} {:?} {:?}",
            op.weighed,
            op.self_time.to_bytes(),
            op.duration.to_bytes()
        ));
        add(format_args!(
            "{:?} {:?} {:?}",
            traces(&op.slowest),
            traces(&op.failed),
            op.good
        ));
        let child = |((service, name), count): (&(_, _), &u64)| (names.get(*service), names.get(*name), *count);
        let mut children: Vec<_> = op.children.iter().map(child).collect();
        children.sort_unstable();
        let mut last: Vec<_> = op
            .last_child
            .iter()
            .map(|(service, count)| (names.get(*service), count))
            .collect();
        last.sort_unstable();
        add(format_args!("{children:?} {last:?}"));
    }
    for (key, edge) in window.edges_sorted(names) {
        let callee = epicenter_graph::callee_entity(key.callee, names);
        add(format_args!(
            "{} {} {callee:?} {}",
            names.get(key.caller),
            names.get(key.via),
            edge.count
        ));
        add(format_args!(
            "{} {} {} {}",
            edge.errors, edge.own_errors, edge.unanswered, edge.unanswered_errors
        ));
        add(format_args!("{} {} {:?}", edge.loose, edge.queued, edge.weighed));
        add(format_args!("{:?} {:?}", edge.client.to_bytes(), edge.gap.to_bytes()));
        add(format_args!("{:?} {:?}", traces(&edge.slowest), traces(&edge.failed)));
        add(format_args!(
            "{:?} {:?}",
            edge.protocol.most(names),
            edge.system.most(names)
        ));
    }
    for (key, stats) in window.dimensions_sorted(names) {
        let (service, value) = (names.get(key.service), names.get(key.value));
        add(format_args!(
            "{service} {} {value} {stats:?}",
            key.dimension.name(names)
        ));
    }
    hash
}
