//! More arrivals at an entry than at rest. Growth alone is no incident; it explains one.
//!
//! A consumer of a queue is no entry even if its traces begin with it: what it gets somebody in the system sent.

use crate::Baseline;
use crate::sampling::{arrivals, weight};
use crate::stats::excess_of_count;
use epicenter_graph::{Names, OpKey, Window};
use epicenter_schema::{DurationNs, SpanKind};

/// Arrivals must be this many times the most ever seen in a period at rest.
const TIMES_MIN: f64 = 1.7;
const NATS_MIN: f64 = 15.0;

/// Arrivals at an entry far beyond those at rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Surge {
    /// The entry.
    pub op: OpKey,
    /// Arrivals a second now.
    pub rate_per_s: f64,
    /// Mean arrivals a second at rest.
    pub usual_per_s: f64,
    /// Surprise in nats.
    pub nats: f64,
}

/// The entries where more arrives than at rest, the largest growth first.
pub fn surges(window: &Window, length: DurationNs, baseline: &Baseline, names: &Names) -> Vec<Surge> {
    let seconds = length.as_secs_f64().max(1e-9);
    let mut found = Vec::new();
    // A consumer of a queue gets what somebody in the system sent, and calls from outside that nobody answers have arrived
    // nowhere.
    let entries = window
        .ops
        .iter()
        .filter(|(key, op)| op.roots.min(op.entries) > 0 && key.kind != SpanKind::Consumer);
    for (key, op) in entries {
        let rate = arrivals(op) / seconds;
        let mean = baseline.mean_rate(key, arrivals);
        // Nearly every entry ends here, before the periods are asked.
        if rate < TIMES_MIN * mean * (1.0 - 1e-9) {
            continue;
        }
        let high = baseline.high_rate(key, arrivals);
        let nats = excess_of_count(op.roots, high * seconds / weight(op));
        if mean > 0.0 && rate >= TIMES_MIN * high && nats >= NATS_MIN {
            found.push(Surge {
                op: *key,
                rate_per_s: rate,
                usual_per_s: mean,
                nats,
            });
        }
    }
    found.sort_unstable_by_key(|surge| (names.get(surge.op.service), names.get(surge.op.name), surge.op.kind));
    found.sort_by(|a, b| (b.rate_per_s - b.usual_per_s).total_cmp(&(a.rate_per_s - a.usual_per_s)));
    found
}
