//! Edge gap: what a caller waits beyond what the callee says it worked, and whose fault that is.
//!
//! The excess of an edge is (typical gap now - what is high at rest) times calls, as for self time. A slow edge may be
//! the caller's way out or the callee's way in: the callee is blamed, unless the caller has several anomalous edges and
//! a larger share of its edges is anomalous than of the callee's (incidence). Source: DESIGN 6.2.

use crate::Scene;
use crate::blame::Ledger;
use crate::self_time::{VALUES_AT_REST_MIN, VALUES_NOW_MIN};
use crate::verdict::Evidence;
use crate::words::duration;
use epicenter_graph::Entity;
use std::collections::{BTreeMap, BTreeSet};

/// An edge counts for the incidence when its excess is at least this share of the largest.
pub(crate) const BIG: f64 = 0.1;

/// The excess of one pair of caller and callee.
pub(crate) struct Excess {
    pub(crate) weight: f64,
    pub(crate) evidence: Evidence,
}

/// Whose fault anomalous edges are.
pub(crate) struct Incidence {
    big: BTreeMap<Entity, usize>,
    all: BTreeMap<Entity, usize>,
}

impl Incidence {
    /// Of the pairs that exist and the excess of those that are anomalous.
    pub(crate) fn new(pairs: &BTreeSet<(Entity, Entity)>, excess: &BTreeMap<(Entity, Entity), Excess>) -> Self {
        let largest = excess.values().map(|e| e.weight).fold(0.0, f64::max);
        let (mut big, mut all) = (BTreeMap::new(), BTreeMap::new());
        for (caller, callee) in pairs {
            *all.entry(caller.clone()).or_default() += 1;
            *all.entry(callee.clone()).or_default() += 1;
        }
        for ((caller, callee), e) in excess {
            if e.weight >= BIG * largest {
                *big.entry(caller.clone()).or_default() += 1;
                *big.entry(callee.clone()).or_default() += 1;
            }
        }
        Self { big, all }
    }

    fn share(&self, entity: &Entity) -> f64 {
        let of = |map: &BTreeMap<Entity, usize>| map.get(entity).copied().unwrap_or(0) as f64;
        of(&self.big) / of(&self.all).max(1.0)
    }

    /// The end of the edge that is to blame.
    pub(crate) fn culprit<'a>(&self, caller: &'a Entity, callee: &'a Entity) -> &'a Entity {
        let several = self.big.get(caller).copied().unwrap_or(0) > 1;
        if several && self.share(caller) > self.share(callee) {
            caller
        } else {
            callee
        }
    }
}

pub(crate) fn blame(scene: &Scene<'_>, ledger: &mut Ledger) {
    let mut pairs = BTreeSet::new();
    let mut excess: BTreeMap<(Entity, Entity), Excess> = BTreeMap::new();
    for (key, edge) in scene.window.edges_sorted(scene.names) {
        let pair = (scene.service(key.caller), scene.callee(key.callee));
        pairs.insert(pair.clone());
        let count = edge.gap.count();
        if count < VALUES_NOW_MIN {
            continue;
        }
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
        let entry = excess.entry(pair).or_insert_with(|| Excess {
            weight: 0.0,
            evidence: Evidence {
                kind: "edge_gap".to_owned(),
                text,
                value: now,
                baseline: range.median,
                trace_ids: edge.slowest.traces().collect(),
            },
        });
        entry.weight += weight;
    }
    let incidence = Incidence::new(&pairs, &excess);
    for ((caller, callee), e) in excess {
        ledger.add(incidence.culprit(&caller, &callee).clone(), e.weight, e.evidence);
    }
}
