//! More failures than usual, on every entry of a service and on every edge.
//!
//! The surprise is a Chernoff bound against the high end of the usual share, so a steady noise of errors is no symptom
//! and three failures of five requests are not yet one either.

use crate::stats::excess_of_share;
use crate::{Baseline, Place, Signal, Symptom};
use epicenter_graph::{Names, Window};

/// Fewer percent points above the usual are nobody's emergency.
const RISE_MIN: f64 = 0.05;
/// Share of failures taken for usual where nothing is known of the past.
const UNKNOWN_SHARE: f64 = 0.10;
/// Least usual share: one failure in two hundred surprises nobody.
const SHARE_MIN: f64 = 0.005;

pub(crate) fn detect(window: &Window, baseline: &Baseline, names: &Names, found: &mut Vec<Symptom>) {
    for (key, op) in window.ops_sorted(names) {
        if is_rare(op.entry_errors, op.entries) {
            continue;
        }
        let usual = baseline
            .op_share(&key, |op| (op.entry_errors, op.entries), op.entries)
            .map_or(UNKNOWN_SHARE, |share| share.high);
        push(
            Place::Operation(key),
            (op.entry_errors, op.entries),
            usual,
            op.roots > 0,
            found,
        );
    }
    for (key, edge) in window.edges_sorted(names) {
        if is_rare(edge.errors, edge.count) {
            continue;
        }
        let usual = baseline
            .edge_share(&key, |edge| (edge.errors, edge.count), edge.count)
            .map_or(UNKNOWN_SHARE, |share| share.high);
        push(Place::Edge(key), (edge.errors, edge.count), usual, false, found);
    }
}

/// Too few to be a symptom whatever is usual: most places, and the past need not be asked.
fn is_rare(errors: u64, count: u64) -> bool {
    errors == 0 || (errors as f64) < RISE_MIN * count as f64
}

fn push(place: Place, (errors, count): (u64, u64), usual: f64, at_entry: bool, found: &mut Vec<Symptom>) {
    let value = errors as f64 / count.max(1) as f64;
    if value < usual + RISE_MIN {
        return;
    }
    let nats = excess_of_share(errors, count, usual.max(SHARE_MIN));
    found.push(Symptom {
        signal: Signal::Errors,
        place,
        nats,
        value,
        usual,
        at_entry,
    });
}
