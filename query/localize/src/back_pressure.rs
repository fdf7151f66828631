//! Back-pressure: growth that is explained by waiting for somebody else is no fault of one's own.
//!
//! When something deep slows down, its callers hold their workers longer, requests queue in front of them, and their
//! own self time and the gaps towards them grow, up to the gateway. So blame flows down: a suspect that calls, over any
//! number of hops, another suspect whose own growth is large against its own usual work, hands its blame to that one.
//! Source: DESIGN 6.4.

use crate::Scene;
use crate::blame::Ledger;
use epicenter_graph::Entity;
use std::collections::{BTreeMap, BTreeSet};

/// Share of the caller's blame that the callee must carry itself, for the caller's to be explained by it.
const SHARE_MIN: f64 = 0.25;
/// Hops followed.
const HOPS_MAX: usize = 32;

/// Moves blame of the ledger down to whom the suspects wait for.
pub(crate) fn discount(scene: &Scene<'_>, ledger: &mut Ledger) {
    let callees = callees(scene);
    let ranked: Vec<(Entity, f64)> = ledger
        .ranked()
        .into_iter()
        .map(|(entity, case)| (entity.clone(), case.score))
        .collect();
    for (entity, score) in &ranked {
        let below = reach(entity, &callees);
        let deeper = ranked
            .iter()
            .filter(|(other, own)| other != entity && below.contains(other) && *own >= SHARE_MIN * score)
            .filter(|(other, _)| !reach(other, &callees).contains(entity))
            .map(|(other, _)| other.clone())
            .next();
        if deeper.is_some()
            && let Some(case) = ledger.cases.get_mut(entity)
        {
            case.score *= SHARE_MIN;
        }
    }
}

fn callees(scene: &Scene<'_>) -> BTreeMap<Entity, BTreeSet<Entity>> {
    let mut callees: BTreeMap<Entity, BTreeSet<Entity>> = BTreeMap::new();
    for (key, _) in scene.window.edges_sorted(scene.names) {
        callees
            .entry(scene.service(key.caller))
            .or_default()
            .insert(scene.callee(key.callee));
    }
    callees
}

fn reach(from: &Entity, callees: &BTreeMap<Entity, BTreeSet<Entity>>) -> BTreeSet<Entity> {
    let mut seen = BTreeSet::new();
    let mut edge = vec![from];
    for _ in 0..HOPS_MAX {
        let mut next = Vec::new();
        for entity in edge {
            for callee in callees.get(entity).into_iter().flatten() {
                if seen.insert(callee.clone()) {
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
