//! Slower than usual, on every entry of a service and on every callee that sends no spans of its own.
//!
//! Two conditions, both needed. The typical duration is out of the range of the periods at rest (three units of drift
//! and twice the median); and so many single values lie above what is high at rest that chance does not explain it.

use crate::renewal::callers_of_new;
use crate::stats::excess_of_share;
use crate::strongest::{Candidate, strongest};
use crate::usual::LATE_QUANTILE;
use crate::{Baseline, Place, Signal, Symptom};
use epicenter_graph::{Callee, Sketch, Window};

/// The single values are compared with this quantile at rest.
const TAIL: f64 = LATE_QUANTILE;
/// Share that may lie above it: twice what lies there at rest, because slow moments come together.
const TAIL_SHARE: f64 = 2.0 * (1.0 - TAIL);
/// A typical value must be this many times the median, and this much longer.
const TIMES_MIN: f64 = 2.0;
const LONGER_MIN_NS: f64 = 3_000_000.0;
/// A request is felt to be slow when it takes so many times what this quantile is at rest; this share of them is many.
const FELT_TIMES: f64 = 1.5;
const FELT_QUANTILE: f64 = 0.99;
const FELT_SHARE: f64 = 0.1;
/// Nats from which so many are no chance, where half of that share would be.
const FELT_NATS: f64 = 6.0;
/// Values that the range at rest must rest on.
const VALUES_MIN: u64 = 20;

/// A place with its durations now and at rest.
struct Timed<'a> {
    place: Place,
    now: &'a Sketch,
    /// What [`TAIL`] of the durations at rest do not exceed.
    tail: f64,
    at_entry: bool,
}

pub(crate) fn detect(window: &Window, baseline: &Baseline, found: &mut Vec<Symptom>) {
    let candidates = candidates(window, baseline).collect();
    found.extend(strongest(candidates, |timed| judge(timed, baseline)));
}

/// Places that may have a symptom, and how strong it may be.
pub(crate) fn stirred<'a>(window: &'a Window, baseline: &'a Baseline) -> impl Iterator<Item = (Place, f64)> + use<'a> {
    candidates(window, baseline).map(|candidate| (candidate.of.place, candidate.bound))
}

fn candidates<'a>(window: &'a Window, baseline: &'a Baseline) -> impl Iterator<Item = Candidate<Timed<'a>>> {
    let rest = baseline.total();
    let is_usual = |key: &_| baseline.usual_calls(key).is_some();
    let changed = callers_of_new(window, rest, is_usual, |service| baseline.is_unsettled(service));
    let ops = window.ops.iter().filter(|(_, op)| op.entries > 0);
    let ops = ops.filter_map(move |(key, op)| {
        let past = baseline.usual_requests(key)?;
        // What changed is slower by what it does more, until that is felt.
        let is_changed = changed.contains(&key.service) || baseline.is_unsettled(key.service);
        if is_changed && !(op.is_entry_point() && is_felt(&op.duration, &rest.ops.get(key)?.duration)) {
            return None;
        }
        candidate(
            Place::Operation(*key),
            &op.duration,
            (past.entries, past.late_ns),
            op.is_entry_point(),
        )
    });
    let edges = window
        .edges
        .iter()
        .filter(|(key, _)| !matches!(key.callee, Callee::Service(_)));
    let edges = edges.filter_map(move |(key, edge)| {
        let past = baseline.usual_calls(key)?;
        candidate(Place::Edge(*key), &edge.client, (past.count, past.late_ns), false)
    });
    ops.chain(edges)
}

/// Whether many requests take far longer than hardly any did at rest.
fn is_felt(now: &Sketch, past: &Sketch) -> bool {
    let felt = now.count_above(FELT_TIMES * past.quantile(FELT_QUANTILE));
    felt as f64 >= FELT_SHARE * now.count() as f64 && excess_of_share(felt, now.count(), FELT_SHARE / 2.0) >= FELT_NATS
}

/// Nearly no place is one: the single values alone decide that, before the periods are asked. `past` is how many values
/// there are at rest, and the quantile [`TAIL`] of them.
fn candidate(place: Place, now: &Sketch, (count, tail): (u64, f64), at_entry: bool) -> Option<Candidate<Timed<'_>>> {
    if count < VALUES_MIN {
        return None;
    }
    let bound = excess_of_share(now.count_above(tail), now.count(), TAIL_SHARE);
    (bound > 0.0).then_some(Candidate {
        bound,
        of: Timed {
            place,
            now,
            tail,
            at_entry,
        },
    })
}

fn judge(timed: &Timed<'_>, baseline: &Baseline) -> Option<Symptom> {
    let now = timed.now;
    let range = match &timed.place {
        Place::Operation(key) => baseline.op_range(key, |op| &op.duration, now.count()),
        Place::Edge(key) => baseline.edge_range(key, |edge| &edge.client, now.count()),
        Place::Service(_) => None,
    }?;
    let value = now.typical();
    if !range.is_exceeded_by(value) || value < TIMES_MIN * range.median || value < range.median + LONGER_MIN_NS {
        return None;
    }
    let nats = excess_of_share(now.count_above(timed.tail.max(range.high)), now.count(), TAIL_SHARE);
    (nats > 0.0).then_some(Symptom {
        signal: Signal::Latency,
        place: timed.place,
        nats,
        value,
        usual: range.median,
        at_entry: timed.at_entry,
    })
}
