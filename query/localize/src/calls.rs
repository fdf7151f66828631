//! How calls fare, by caller and callee: the pairs that are bad now, because calls fail or are late.
//!
//! Late is what takes longer than the 0.95 quantile at rest, beyond twice the share that always does, where the typical call
//! takes half as long again as usual. A pair is bad when the share of its calls that fail beyond the usual, or that are late,
//! is at least a tenth.

use crate::Scene;
use crate::survey::Edges;
use epicenter_detect::UsualCalls;
use epicenter_graph::{Callee, EdgeKey, EdgeStats, Entity, NameId, Sketch};
use hashbrown::{HashMap, HashSet};
#[cfg(test)]
use std::collections::BTreeSet;

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
        // Of most edges the caller or the callee is in no such pair, which is cheaper to ask than for the pair.
        let (callers, callees): (HashSet<NameId>, HashSet<Callee>) = pairs.keys().copied().unzip();
        let asked = calls
            .iter()
            .filter(|(key, _)| callers.contains(&key.caller) && callees.contains(&key.callee));
        for (key, calls) in asked {
            if let Some(pair) = pairs.get_mut(&pair(key)) {
                pair.calls += calls;
            }
        }
        let is_bad = |pair: &Pair| pair.bad >= BAD_CALLS_MIN && pair.bad >= BAD_MIN * pair.calls as f64;
        let bad = pairs.into_iter().filter(|(_, pair)| is_bad(pair));
        let bad: Vec<(NameId, Callee, f64)> = bad.map(|((caller, callee), pair)| (caller, callee, pair.bad)).collect();
        Self::new(scene, &bad)
    }

    /// Services that call, that are called, and how many calls were bad.
    #[cfg(test)]
    pub(crate) fn of_pairs(pairs: &[(&str, &str, f64)]) -> Self {
        let service = |name: &str| Entity::service(name);
        let pairs = pairs
            .iter()
            .map(|(caller, callee, bad)| (service(caller), service(callee), *bad));
        Self::of_entities(&pairs.collect::<Vec<_>>())
    }

    #[cfg(test)]
    pub(crate) fn of_entities(pairs: &[(Entity, Entity, f64)]) -> Self {
        let ends: BTreeSet<&Entity> = pairs.iter().flat_map(|(caller, callee, _)| [caller, callee]).collect();
        let ends: Vec<Entity> = ends.into_iter().cloned().collect();
        let number = |end: &Entity| ends.binary_search(end).expect("it is one");
        let mut callees = vec![Vec::new(); ends.len()];
        for (caller, callee, bad) in pairs {
            callees[number(caller)].push((number(callee), *bad));
        }
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

    /// For each of some, in order, a set of those of them that it waits for in vain, over any number of hops; itself only if
    /// it is called in a circle. Cost: one pass over the bad pairs a hop, for 64 of them at a time.
    pub(crate) fn below(&self, some: &[Entity]) -> Vec<Places> {
        let ends: Vec<Option<usize>> = some.iter().map(|entity| self.ends.binary_search(entity).ok()).collect();
        let mut below = vec![Places::default(); some.len()];
        for targets in ends.chunks(Places::IN_ONE) {
            let reached = self.reached(targets.iter().copied());
            for (below, end) in below.iter_mut().zip(&ends) {
                below.0.push(end.map_or(0, |end| reached[end]));
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

    /// For each that is `waiting`, and each of some, bad calls to that one of callers that are not the waiting one and do not wait
    /// for it, over any number of hops. Cost: as [`BadCalls::below`], and for each bad call to one of some a step for each that waits.
    pub(crate) fn apart_from(&self, waiting: &[Entity], some: &[Entity]) -> Vec<Vec<f64>> {
        let end = |entity: &Entity| self.ends.binary_search(entity).ok();
        let mut place = vec![None; self.ends.len()];
        for (at, entity) in some.iter().enumerate() {
            if let Some(end) = end(entity) {
                place[end] = Some(at);
            }
        }
        let mut apart = vec![vec![0.0; some.len()]; waiting.len()];
        for (targets, apart) in waiting.chunks(Places::IN_ONE).zip(apart.chunks_mut(Places::IN_ONE)) {
            let targets: Vec<Option<usize>> = targets.iter().map(end).collect();
            let waits = self.reached(targets.iter().copied());
            for (caller, callees) in self.callees.iter().enumerate() {
                for (at, bad) in callees.iter().filter_map(|(callee, bad)| Some((place[*callee]?, bad))) {
                    for (bit, apart) in apart.iter_mut().enumerate() {
                        if waits[caller] >> bit & 1 == 0 && targets[bit] != Some(caller) {
                            apart[at] += bad;
                        }
                    }
                }
            }
        }
        apart
    }

    /// Bad calls to each of some, of all callers together.
    pub(crate) fn received(&self, some: &[Entity]) -> Vec<f64> {
        let mut received = vec![0.0; self.ends.len()];
        for (callee, bad) in self.callees.iter().flatten() {
            received[*callee] += bad;
        }
        let of = |entity: &Entity| self.ends.binary_search(entity).map_or(0.0, |end| received[end]);
        some.iter().map(of).collect()
    }
}

/// A set of places in a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Vec<u64>);

impl Places {
    /// Places in one number.
    const IN_ONE: usize = u64::BITS as usize;

    pub(crate) fn of(places: impl Iterator<Item = usize>) -> Self {
        let mut set = Self::default();
        for place in places {
            let number = place / Self::IN_ONE;
            if set.0.len() <= number {
                set.0.resize(number + 1, 0);
            }
            set.0[number] |= 1 << (place % Self::IN_ONE);
        }
        set
    }

    /// Adds the places of another set.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    pub(crate) fn has(&self, place: usize) -> bool {
        let number = self.0.get(place / Self::IN_ONE);
        number.is_some_and(|number| number >> (place % Self::IN_ONE) & 1 == 1)
    }

    /// Whether both have a place besides this one.
    pub(crate) fn share_more_than(&self, other: &Self, place: usize) -> bool {
        let both = self.0.iter().zip(&other.0).map(|(a, b)| a & b);
        let mut both = both.enumerate();
        both.any(|(number, both)| match number == place / Self::IN_ONE {
            true => both & !(1 << (place % Self::IN_ONE)) != 0,
            false => both != 0,
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_share_what_both_have_besides_one() {
        let (some, others) = (Places::of([3, 64, 200].into_iter()), Places::of([3, 200].into_iter()));
        assert!(some.has(3) && some.has(64) && some.has(200) && !some.has(4) && !some.has(1_000));
        assert!(some.share_more_than(&others, 3) && others.share_more_than(&some, 200));
        assert!(!some.share_more_than(&Places::of([64].into_iter()), 64));
        assert!(!some.share_more_than(&Places::of([4, 1_000].into_iter()), 3));
    }

    #[test]
    fn of_a_long_chain_each_waits_for_all_below() {
        let names: Vec<String> = (0..100).map(|number| format!("service-{number:03}")).collect();
        // No longer a chain than is followed, and the last in a circle with itself.
        let pairs: Vec<(&str, &str, f64)> = (68..99)
            .map(|at| (names[at].as_str(), names[at + 1].as_str(), 2.0))
            .collect();
        let calls = BadCalls::of_pairs(&[pairs, vec![("service-099", "service-099", 1.0)]].concat());
        let all: Vec<Entity> = names.iter().map(|name| Entity::service(name.as_str())).collect();
        let below = calls.below(&all);
        for (at, below) in below.iter().enumerate() {
            for other in 0..all.len() {
                let is_below = at >= 68 && other > at || at == 99 && other == 99;
                assert_eq!(below.has(other), is_below, "{at} waits for {other}");
            }
        }
        assert_eq!(calls.received(&all)[97..], [2.0, 2.0, 3.0]);
    }
}
