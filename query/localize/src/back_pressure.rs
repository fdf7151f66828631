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

/// Suspects looked at, the most blamed; what is blamed less hardly matters.
const SUSPECTS_MAX: usize = 100;

/// Moves blame of the ledger down to whom the suspects wait for. Cost: one walk over the edges for each of the first
/// [`SUSPECTS_MAX`] suspects.
pub(crate) fn discount(scene: &Scene<'_>, ledger: &mut Ledger) {
    let ranked: Vec<(Entity, f64)> = ledger
        .ranked()
        .into_iter()
        .take(SUSPECTS_MAX)
        .map(|(entity, case)| (entity.clone(), case.score))
        .collect();
    if ranked.len() < 2 {
        return;
    }
    let callees = callees(scene);
    let below: Vec<BTreeSet<Entity>> = ranked.iter().map(|(entity, _)| reach(entity, &callees)).collect();
    for (at, (entity, score)) in ranked.iter().enumerate() {
        let is_explained = ranked.iter().enumerate().any(|(other_at, (other, own))| {
            other_at != at
                && *own >= SHARE_MIN * score
                && below[at].contains(other)
                && !below[other_at].contains(entity)
        });
        if is_explained && let Some(case) = ledger.cases.get_mut(entity) {
            case.score *= SHARE_MIN;
        }
    }
}

fn callees(scene: &Scene<'_>) -> BTreeMap<Entity, BTreeSet<Entity>> {
    let mut callees: BTreeMap<Entity, BTreeSet<Entity>> = BTreeMap::new();
    for key in scene.window.edges.keys() {
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
