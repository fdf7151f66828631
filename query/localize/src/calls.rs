//! How calls fare, by caller and callee: the pairs that are bad now, because calls fail or are late.
//!
//! Late is what takes longer than the 0.95 quantile at rest, beyond twice the share that always does, where the typical call
//! takes half as long again as usual. A pair is bad when the share of its calls that fail beyond the usual, or that are late,
//! is at least a tenth.

use crate::Scene;
use crate::survey::Edges;
use epicenter_detect::UsualCalls;
use epicenter_graph::{Callee, EdgeKey, EdgeStats, Entity, NameId, Sketch};
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};

/// Twice the share of calls that are late at rest; they are where the typical one takes so many times as long as usual.
const LATE_SHARE: f64 = 2.0 * (1.0 - 0.95);
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
    calls: u64,
    bad: f64,
}

/// The bad pairs.
#[derive(Debug, Default)]
pub(crate) struct BadCalls {
    /// Who calls or is called, in order; from here on a number is a place in it.
    ends: Vec<Entity>,
    /// Callees of each with the bad calls to them, in order.
    callees: Vec<Vec<(usize, f64)>>,
}

impl BadCalls {
    pub(crate) fn of(scene: &Scene<'_>, Edges { calls, bad, .. }: &Edges<'_>) -> Self {
        let pair = |key: &EdgeKey| (key.caller, key.callee);
        let mut edges: Vec<(f64, (NameId, Callee))> = bad.iter().map(|(key, bad)| (*bad, pair(key))).collect();
        // A sum of fractions depends on their order.
        edges.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut pairs: HashMap<(NameId, Callee), Pair> = HashMap::with_capacity(edges.len());
        for (bad, pair) in edges {
            pairs.entry(pair).or_default().bad += bad;
        }
        let is_any = !pairs.is_empty();
        for (key, calls) in calls.iter().filter(|_| is_any) {
            if let Some(pair) = pairs.get_mut(&pair(key)) {
                pair.calls += calls;
            }
        }
        let is_bad = |pair: &Pair| pair.bad >= BAD_CALLS_MIN && pair.bad >= BAD_MIN * pair.calls as f64;
        let bad = pairs.into_iter().filter(|(_, pair)| is_bad(pair));
        let bad: Vec<(NameId, Callee, f64)> = bad.map(|((caller, callee), pair)| (caller, callee, pair.bad)).collect();
        Self::new(scene, &bad)
    }

    /// Caller, callee and how many calls were bad.
    #[cfg(test)]
    pub(crate) fn of_pairs(pairs: &[(&str, &str, f64)]) -> Self {
        let names: BTreeSet<&str> = pairs
            .iter()
            .flat_map(|(caller, callee, _)| [*caller, *callee])
            .collect();
        let number = |name: &str| names.iter().position(|other| *other == name).expect("it is one");
        let mut callees = vec![Vec::new(); names.len()];
        for (caller, callee, bad) in pairs {
            callees[number(caller)].push((number(callee), *bad));
        }
        let ends = names.iter().map(|name| Entity::service(*name)).collect();
        Self { ends, callees }
    }

    fn new(scene: &Scene<'_>, bad: &[(NameId, Callee, f64)]) -> Self {
        let mut ends: HashMap<Callee, Entity> = HashMap::new();
        for (caller, callee, _) in bad {
            for end in [Callee::Service(*caller), *callee] {
                ends.entry(end).or_insert_with(|| scene.callee(end));
            }
        }
        let mut known: Vec<(Entity, Callee)> = ends.into_iter().map(|(end, entity)| (entity, end)).collect();
        known.sort_unstable();
        let mut numbers: HashMap<Callee, usize> = HashMap::new();
        let mut ends: Vec<Entity> = Vec::new();
        for (entity, end) in known {
            if ends.last() != Some(&entity) {
                ends.push(entity);
            }
            numbers.insert(end, ends.len() - 1);
        }
        let mut callees: Vec<Vec<(usize, f64)>> = vec![Vec::new(); ends.len()];
        for (caller, callee, bad) in bad {
            callees[numbers[&Callee::Service(*caller)]].push((numbers[callee], *bad));
        }
        for of in &mut callees {
            of.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        }
        Self { ends, callees }
    }

    /// Which of the `others` each of them waits for in vain, over any number of hops; itself only if it is called in a
    /// circle. Cost: one pass over the bad pairs a hop, for 64 of the others at a time.
    pub(crate) fn below<'a>(&self, others: &'a BTreeSet<Entity>) -> BTreeMap<&'a Entity, BTreeSet<&'a Entity>> {
        let others: Vec<(&Entity, Option<usize>)> = others
            .iter()
            .map(|entity| (entity, self.ends.binary_search(entity).ok()))
            .collect();
        let mut below: BTreeMap<&Entity, BTreeSet<&Entity>> =
            others.iter().map(|(entity, _)| (*entity, BTreeSet::new())).collect();
        for some in others.chunks(64) {
            let reached = self.reached(some.iter().map(|(_, place)| *place));
            for (entity, place) in &others {
                let mask = place.map_or(0, |place| reached[place]);
                let found = some.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
                let found = found.map(|(_, (other, _))| *other);
                below.entry(*entity).or_default().extend(found);
            }
        }
        below
    }

    /// For each end a bit for each of the targets that it reaches.
    fn reached(&self, targets: impl Iterator<Item = Option<usize>>) -> Vec<u64> {
        let mut own = vec![0u64; self.ends.len()];
        for (bit, target) in targets.enumerate() {
            if let Some(target) = target {
                own[target] |= 1 << bit;
            }
        }
        let mut reached = vec![0u64; self.ends.len()];
        for _ in 0..HOPS_MAX {
            let hop = |of: &Vec<(usize, f64)>| {
                of.iter()
                    .fold(0, |mask, (callee, _)| mask | own[*callee] | reached[*callee])
            };
            let next: Vec<u64> = self.callees.iter().map(hop).collect();
            if next == reached {
                break;
            }
            reached = next;
        }
        reached
    }

    /// Bad calls to each callee, of all callers together.
    pub(crate) fn received(&self) -> BTreeMap<&Entity, f64> {
        let mut received = vec![0.0; self.ends.len()];
        for (callee, bad) in self.callees.iter().flatten() {
            received[*callee] += bad;
        }
        self.ends.iter().zip(received).filter(|(_, bad)| *bad > 0.0).collect()
    }
}

/// Calls of an edge that fail beyond the usual or are late.
pub(crate) fn bad(edge: &EdgeStats, rest: Option<&UsualCalls>) -> f64 {
    let usual = rest.map_or(0.0, |rest| rest.errors as f64 / rest.count.max(1) as f64);
    let failed = edge.errors as f64 - usual * edge.count as f64;
    let late = rest.map_or(0.0, |rest| late(&edge.client, rest));
    failed.max(late).max(0.0)
}

/// Failed calls of an edge that nobody answers, beyond the usual.
pub(crate) fn unanswered(edge: &EdgeStats, rest: Option<&UsualCalls>) -> u64 {
    let usual = rest.map_or(0.0, |rest| rest.unanswered_errors as f64 / rest.count.max(1) as f64);
    edge.unanswered_errors
        .saturating_sub((usual * edge.count as f64).round() as u64)
}

fn late(now: &Sketch, rest: &UsualCalls) -> f64 {
    if rest.count < CALLS_AT_REST_MIN || now.typical() < LATE_TIMES * rest.typical_ns {
        return 0.0;
    }
    let usual = LATE_SHARE * now.count() as f64;
    now.count_above(rest.late_ns) as f64 - usual
}
