//! More failures than usual, on every entry of a service and on every edge.
//!
//! The surprise is a Chernoff bound against the high end of the usual share, so a steady noise of errors is no symptom
//! and three failures of five requests are not yet one either.

use crate::stats::excess_of_share;
use crate::strongest::{Candidate, strongest};
use crate::{Baseline, Place, Signal, Symptom};
use epicenter_graph::Window;

/// Fewer percent points above the usual are nobody's emergency.
const RISE_MIN: f64 = 0.05;
/// Share of failures taken for usual where nothing is known of the past.
const UNKNOWN_SHARE: f64 = 0.10;
/// Least usual share: one failure in two hundred surprises nobody.
const SHARE_MIN: f64 = 0.005;

/// A place with so many failures.
struct Failing {
    place: Place,
    errors: u64,
    count: u64,
    at_entry: bool,
}

impl Failing {
    fn share(&self) -> f64 {
        self.errors as f64 / self.count.max(1) as f64
    }

    fn nats(&self, usual: f64) -> f64 {
        excess_of_share(self.errors, self.count, usual.max(SHARE_MIN))
    }

    /// What the sum of the periods says is the least that can be usual.
    fn candidate(self, baseline: &Baseline) -> Option<Candidate<Self>> {
        let least = baseline.mean_share(|w| match &self.place {
            Place::Operation(key) => w.ops.get(key).map(|op| (op.entry_errors, op.entries)),
            Place::Edge(key) => w.edges.get(key).map(|edge| (edge.errors, edge.count)),
            Place::Service(_) => None,
        });
        let least = least.unwrap_or(UNKNOWN_SHARE);
        (self.share() >= least + RISE_MIN).then(|| Candidate {
            bound: self.nats(least),
            of: self,
        })
    }

    fn judge(&self, baseline: &Baseline) -> Option<Symptom> {
        let usual = match &self.place {
            Place::Operation(key) => baseline.op_share(key, |op| (op.entry_errors, op.entries), self.count),
            Place::Edge(key) => baseline.edge_share(key, |edge| (edge.errors, edge.count), self.count),
            Place::Service(_) => None,
        };
        let usual = usual.map_or(UNKNOWN_SHARE, |share| share.high);
        (self.share() >= usual + RISE_MIN).then(|| Symptom {
            signal: Signal::Errors,
            place: self.place,
            nats: self.nats(usual),
            value: self.share(),
            usual,
            at_entry: self.at_entry,
        })
    }
}

pub(crate) fn detect(window: &Window, baseline: &Baseline, found: &mut Vec<Symptom>) {
    let candidates = candidates(window, baseline).collect();
    found.extend(strongest(candidates, |failing| failing.judge(baseline)));
}

/// Places that may have a symptom, and how strong it may be.
pub(crate) fn stirred<'a>(window: &'a Window, baseline: &'a Baseline) -> impl Iterator<Item = (Place, f64)> + use<'a> {
    candidates(window, baseline).map(|candidate| (candidate.of.place, candidate.bound))
}

fn candidates<'a>(window: &'a Window, baseline: &'a Baseline) -> impl Iterator<Item = Candidate<Failing>> + use<'a> {
    let ops = window.ops.iter().map(|(key, op)| Failing {
        place: Place::Operation(*key),
        errors: op.entry_errors,
        count: op.entries,
        at_entry: op.is_entry_point(),
    });
    let edges = window.edges.iter().map(|(key, edge)| Failing {
        place: Place::Edge(*key),
        errors: edge.errors,
        count: edge.count,
        at_entry: false,
    });
    let failing = ops
        .chain(edges)
        .filter(|failing| !is_rare(failing.errors, failing.count));
    failing.filter_map(|failing| failing.candidate(baseline))
}

/// Too few to be a symptom whatever is usual: most places, and the past need not be asked.
fn is_rare(errors: u64, count: u64) -> bool {
    errors == 0 || (errors as f64) < RISE_MIN * count as f64
}
