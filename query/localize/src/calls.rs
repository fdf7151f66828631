//! How calls fare, by caller and callee: the pairs that are bad now, because calls fail or are late.
//!
//! Late is what takes longer than the 0.95 quantile at rest, beyond twice the share that always does, where the typical call
//! takes half as long again as usual. A pair is bad when the share of its calls that fail beyond the usual, or that are late,
//! is at least a tenth. Cost: one look at each edge of the window.

use crate::Scene;
use epicenter_graph::{Callee, Entity, NameId, Sketch};
use std::collections::{BTreeMap, BTreeSet};

/// Calls are late when they take longer than this quantile at rest, and the typical one so many times as long as usual.
const LATE_QUANTILE: f64 = 0.95;
const LATE_TIMES: f64 = 1.5;
/// Share of bad calls from which a pair is bad.
const BAD_MIN: f64 = 0.1;
/// Bad calls from which a pair is bad.
const BAD_CALLS_MIN: f64 = 2.0;
/// Calls at rest below which nothing is late.
const CALLS_AT_REST_MIN: u64 = 10;
/// Hops followed.
const HOPS_MAX: usize = 32;

/// Calls from one service to one callee.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    calls: f64,
    bad: f64,
}

/// The bad pairs.
#[derive(Debug, Default)]
pub(crate) struct BadCalls {
    callees: BTreeMap<Entity, BTreeMap<Entity, f64>>,
}

fn late(now: &Sketch, rest: &Sketch) -> f64 {
    if rest.count() < CALLS_AT_REST_MIN || now.typical() < LATE_TIMES * rest.typical() {
        return 0.0;
    }
    let usual = 2.0 * (1.0 - LATE_QUANTILE) * now.count() as f64;
    now.count_above(rest.quantile(LATE_QUANTILE)) as f64 - usual
}

impl BadCalls {
    pub(crate) fn of(scene: &Scene<'_>) -> Self {
        let rest = &scene.baseline.total().edges;
        let mut pairs: BTreeMap<(NameId, Callee), Pair> = BTreeMap::new();
        for (key, edge) in &scene.window.edges {
            let past = rest.get(key);
            let usual = past.map_or(0.0, |past| past.errors as f64 / past.count.max(1) as f64);
            let failed = edge.errors as f64 - usual * edge.count as f64;
            let late = past.map_or(0.0, |past| late(&edge.client, &past.client));
            let pair = pairs.entry((key.caller, key.callee)).or_default();
            pair.calls += edge.count as f64;
            pair.bad += failed.max(late).max(0.0);
        }
        let mut callees: BTreeMap<Entity, BTreeMap<Entity, f64>> = BTreeMap::new();
        for ((caller, callee), pair) in pairs {
            if pair.bad >= BAD_CALLS_MIN && pair.bad >= BAD_MIN * pair.calls {
                let of = callees.entry(scene.service(caller)).or_default();
                *of.entry(scene.callee(callee)).or_default() += pair.bad;
            }
        }
        Self { callees }
    }

    /// Caller, callee and how many calls were bad.
    #[cfg(test)]
    pub(crate) fn of_pairs(pairs: &[(&str, &str, f64)]) -> Self {
        let mut callees: BTreeMap<Entity, BTreeMap<Entity, f64>> = BTreeMap::new();
        for (caller, callee, bad) in pairs {
            let of = callees.entry(Entity::service(*caller)).or_default();
            of.insert(Entity::service(*callee), *bad);
        }
        Self { callees }
    }

    /// Whom an entity waits for in vain, over any number of hops. Itself only if it is called in a circle.
    pub(crate) fn below(&self, entity: &Entity) -> BTreeSet<&Entity> {
        let mut seen = BTreeSet::new();
        let mut edge = vec![entity];
        for _ in 0..HOPS_MAX {
            let mut next = Vec::new();
            for entity in edge {
                for callee in self.callees.get(entity).into_iter().flat_map(BTreeMap::keys) {
                    if seen.insert(callee) {
                        next.push(callee);
                    }
                }
            }
            if next.is_empty() {
                break;
            }
            edge = next;
        }
        seen
    }

    /// Bad calls to each callee, of all callers together.
    pub(crate) fn received(&self) -> BTreeMap<&Entity, f64> {
        let mut received = BTreeMap::new();
        for (callee, bad) in self.callees.values().flatten() {
            *received.entry(callee).or_default() += bad;
        }
        received
    }
}
