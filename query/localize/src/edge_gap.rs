//! Edge gap: what a caller waits beyond what the callee says it worked, and whose fault that is.
//!
//! The excess of an edge is (typical gap now - what is high at rest) times calls, as for self time. A slow edge may be
//! the caller's way out or the callee's way in: the fewest ends that explain all anomalous edges are blamed, see
//! [`culprits`] (incidence). Source: DESIGN 6.2.

use crate::Scene;
use crate::blame::Ledger;
use crate::self_time::{GREW_MIN, VALUES_AT_REST_MIN, VALUES_NOW_MIN};
use crate::verdict::Evidence;
use crate::words::duration;
use epicenter_detect::UsualCalls;
use epicenter_graph::{Callee, EdgeKey, EdgeStats, Entity};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// An edge counts for the incidence when its excess is at least this share of the largest.
pub(crate) const BIG: f64 = 0.1;

/// Ends blamed one after the other; what is left then is the callees'.
const ENDS_MAX: usize = 50;

/// The excess of one pair of caller and callee.
pub(crate) struct Excess {
    pub(crate) weight: f64,
    pub(crate) evidence: Evidence,
}

/// Whose fault each anomalous edge is: the fewest ends that explain them all.
///
/// An end explains the excess of all its anomalous edges, as far as its edges are anomalous: weight(end) = sum of the
/// excess of its edges x share of its edges that are anomalous. The end with the largest weight takes all its edges;
/// then the rest is looked at again. Between equal ends it is the callee.
pub(crate) fn culprits(
    pairs: &BTreeSet<(Entity, Entity)>,
    excess: &BTreeMap<(Entity, Entity), Excess>,
) -> BTreeMap<(Entity, Entity), Entity> {
    let largest = excess.values().map(|e| e.weight).fold(0.0, f64::max);
    let (mut all, mut big): (BTreeMap<&Entity, f64>, BTreeMap<&Entity, f64>) = Default::default();
    for (caller, callee) in pairs {
        *all.entry(caller).or_default() += 1.0;
        *all.entry(callee).or_default() += 1.0;
    }
    for ((caller, callee), e) in excess {
        if e.weight >= BIG * largest {
            *big.entry(caller).or_default() += 1.0;
            *big.entry(callee).or_default() += 1.0;
        }
    }
    let share = |end: &Entity| big.get(end).copied().unwrap_or(0.0) / all.get(end).copied().unwrap_or(1.0);
    let mut left: Vec<(&(Entity, Entity), f64)> = excess.iter().map(|(pair, e)| (pair, e.weight)).collect();
    let mut culprits = BTreeMap::new();
    for _ in 0..ENDS_MAX {
        let mut weights: BTreeMap<(&Entity, bool), f64> = BTreeMap::new();
        for ((caller, callee), weight) in &left {
            *weights.entry((caller, false)).or_default() += weight;
            *weights.entry((callee, true)).or_default() += weight;
        }
        let several = |end: &Entity| big.get(end).copied().unwrap_or(0.0) > 1.0;
        let mut ends: BTreeMap<&Entity, (f64, bool)> = BTreeMap::new();
        for ((end, is_called), weight) in weights {
            let sum = ends.entry(end).or_default();
            sum.0 += weight * share(end);
            sum.1 |= is_called || several(end);
        }
        let best = ends.into_iter().filter(|(_, (_, may))| *may);
        let Some((end, _)) = best.max_by(|a, b| a.1.0.total_cmp(&b.1.0).then(b.0.cmp(a.0))) else {
            break;
        };
        let end = end.clone();
        left.retain(|(pair, _)| {
            let is_its = pair.0 == end || pair.1 == end;
            if is_its {
                culprits.insert((*pair).clone(), end.clone());
            }
            !is_its
        });
    }
    culprits.extend(left.into_iter().map(|(pair, _)| (pair.clone(), pair.1.clone())));
    culprits
}

/// What is lost against everything at rest together, in nanoseconds, where the gap grew.
pub(crate) fn lost(edge: &EdgeStats, rest: Option<&UsualCalls>) -> Option<f64> {
    let rest = rest.filter(|_| edge.gap.count() >= VALUES_NOW_MIN)?;
    let now = edge.gap.typical();
    (now >= GREW_MIN * rest.gap_ns).then(|| (now - rest.gap_ns) * edge.gap.count() as f64)
}

pub(crate) fn blame(scene: &Scene<'_>, longer: &[(EdgeKey, &EdgeStats, f64)], ledger: &mut Ledger) {
    // With what the calls lose of which the evidence tells: those that lose most.
    let mut found: BTreeMap<(Entity, Entity), (Excess, f64)> = BTreeMap::new();
    let mut ends = BTreeSet::new();
    for (key, edge) in scene.edges_by_name(longer.iter().map(|(key, edge, _)| (*key, *edge))) {
        let pair = (scene.service(key.caller), scene.callee(key.callee));
        let count = edge.gap.count();
        let Some(range) = scene.baseline.edge_range(&key, |edge| &edge.gap, count) else {
            continue;
        };
        let now = edge.gap.typical();
        if range.count < VALUES_AT_REST_MIN || !range.is_exceeded_by(now) {
            continue;
        }
        let weight = (now - range.high) * count as f64;
        let text = format!(
            "calls {} -> {} take {} beyond the work of the callee, usually {}",
            pair.0.name,
            pair.1.name,
            duration(now),
            duration(range.median)
        );
        ends.extend([Callee::Service(key.caller), key.callee]);
        let evidence = Evidence {
            kind: "edge_gap".to_owned(),
            text,
            value: now,
            baseline: range.median,
            trace_ids: edge.slowest.traces().collect(),
        };
        match found.entry(pair) {
            Entry::Vacant(new) => {
                new.insert((Excess { weight, evidence }, weight));
            }
            Entry::Occupied(mut known) => {
                let (excess, most) = known.get_mut();
                excess.weight += weight;
                if weight > *most {
                    (excess.evidence, *most) = (evidence, weight);
                }
            }
        }
    }
    let excess = found.into_iter().map(|(pair, (excess, _))| (pair, excess)).collect();
    // Only edges that touch an anomalous one matter for its ends.
    let touched = scene.window.edges.keys();
    let touched = touched.filter(|key| ends.contains(&Callee::Service(key.caller)) || ends.contains(&key.callee));
    let pairs = touched
        .map(|key| (scene.service(key.caller), scene.callee(key.callee)))
        .collect();
    let mut culprits = culprits(&pairs, &excess);
    for (pair, e) in excess {
        let culprit = culprits.remove(&pair).unwrap_or(pair.1);
        ledger.add(culprit, e.weight, e.evidence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stage;
    use crate::survey::Survey;

    #[test]
    fn the_calls_that_lose_most_are_told() {
        let mut stage = Stage::default();
        for ms in [(5, 5), (9, 900)] {
            if !stage.window.edges.is_empty() {
                stage.rest();
            }
            stage.calls(("web", "GET /a", "cart"), 100, 10 + ms.0, ms.0);
            stage.calls(("web", "GET /b", "cart"), 100, 10 + ms.1, ms.1);
        }
        let scene = stage.scene();
        let mut ledger = Ledger::default();
        blame(&scene, &Survey::of(&scene).edges.longer, &mut ledger);
        let reasons: Vec<_> = ledger.cases.values().flat_map(|case| &case.reasons).collect();
        assert_eq!(reasons.len(), 1);
        let evidence = &reasons[0].evidence;
        assert!(evidence.value > 100.0 * evidence.baseline, "{evidence:?}");
    }
}
