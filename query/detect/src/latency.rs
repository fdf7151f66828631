//! Slower than usual, on every entry of a service and on every callee that sends no spans of its own.
//!
//! Two conditions, both needed. The typical duration is out of the range of the periods at rest (three units of drift
//! and twice the median); and so many single values lie above what is high at rest that chance does not explain it.

use crate::renewal::callers_of_new;
use crate::stats::excess_of_share;
use crate::{Baseline, Place, Range, Signal, Symptom};
use epicenter_graph::{Callee, Names, Sketch, Window};

/// The single values are compared with this quantile at rest.
const TAIL: f64 = 0.95;
/// Share that may lie above it: twice what lies there at rest, because slow moments come together.
const TAIL_SHARE: f64 = 2.0 * (1.0 - TAIL);
/// A typical value must be this many times the median, and this much longer.
const TIMES_MIN: f64 = 2.0;
const LONGER_MIN_NS: f64 = 3_000_000.0;
/// A request is felt to be slow when it takes so many times what this quantile is at rest; this share of them is many.
const FELT_TIMES: f64 = 1.5;
const FELT_QUANTILE: f64 = 0.99;
const FELT_SHARE: f64 = 0.1;
/// Values that the range at rest must rest on.
const VALUES_MIN: u64 = 20;

pub(crate) fn detect(window: &Window, baseline: &Baseline, names: &Names, found: &mut Vec<Symptom>) {
    let changed = callers_of_new(window, baseline.total());
    for (key, op) in window.ops_sorted(names) {
        if op.entries == 0 {
            continue;
        }
        let past = baseline.total().ops.get(&key).map(|op| &op.duration);
        // What changed is slower by what it does more, until that is felt.
        if (changed.contains(&key.service) || baseline.is_unsettled(key.service))
            && !(op.roots > 0 && past.is_some_and(|past| is_felt(&op.duration, past)))
        {
            continue;
        }
        let range = || baseline.op_range(&key, |op| &op.duration, op.entries);
        push(Place::Operation(key), &op.duration, past, range, op.roots > 0, found);
    }
    for (key, edge) in window.edges_sorted(names) {
        if matches!(key.callee, Callee::Service(_)) {
            continue;
        }
        let past = baseline.total().edges.get(&key).map(|edge| &edge.client);
        let range = || baseline.edge_range(&key, |edge| &edge.client, edge.count);
        push(Place::Edge(key), &edge.client, past, range, false, found);
    }
}

/// Whether many requests take far longer than hardly any did at rest.
fn is_felt(now: &Sketch, past: &Sketch) -> bool {
    now.share_above(FELT_TIMES * past.quantile(FELT_QUANTILE)) >= FELT_SHARE
}

fn push(
    place: Place,
    now: &Sketch,
    past: Option<&Sketch>,
    range: impl FnOnce() -> Option<Range>,
    at_entry: bool,
    found: &mut Vec<Symptom>,
) {
    let Some(past) = past.filter(|past| past.count() >= VALUES_MIN) else {
        return;
    };
    // Nearly every place ends here, before the periods are asked.
    let tail = past.quantile(TAIL);
    if excess_of_share(now.count_above(tail), now.count(), TAIL_SHARE) == 0.0 {
        return;
    }
    let Some(range) = range() else { return };
    let value = now.typical();
    if !range.is_exceeded_by(value) || value < TIMES_MIN * range.median || value < range.median + LONGER_MIN_NS {
        return;
    }
    let nats = excess_of_share(now.count_above(tail.max(range.high)), now.count(), TAIL_SHARE);
    if nats > 0.0 {
        found.push(Symptom {
            signal: Signal::Latency,
            place,
            nats,
            value,
            usual: range.median,
            at_entry,
        });
    }
}
