//! The chain: from the entry point that suffers most down to the culprit, service by service.
//!
//! The shortest way by hops over the calls seen now or at rest; where several are as short, at each step the callee to
//! which most calls are bad, ties by name. It starts at the service with the entry operation at which most requests
//! suffer of those that reach the culprit; where none suffers, at the nearest entry. A machine or copy is put behind
//! its service. Cost: one walk up from the culprit.

use super::Suffering;
use super::ways::{HOPS_MAX, Hops, Ways, places};
use crate::Scene;
use epicenter_graph::{Callee, Entity, EntityKind};
use std::collections::BTreeMap;

pub(super) fn of(scene: &Scene<'_>, ways: &Ways, suffering: &[Suffering<'_>], culprit: &Entity) -> Vec<Entity> {
    let ends = places(scene, culprit);
    let hops = ways.hops_to(&ends);
    let mut chain = Vec::new();
    let start = start(scene, ways, &hops, suffering).or_else(|| first_by_name(scene, &ends));
    let mut next = start;
    while let Some(node) = next.filter(|_| chain.len() <= HOPS_MAX as usize) {
        chain.push(scene.callee(node));
        let nearer = ways.nearer(&hops, node).into_iter();
        let best = nearer.map(|(node, harm)| (scene.callee(node), harm, node));
        next = best
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
            .map(|(_, _, node)| node);
    }
    if is_behind_its_service(culprit) || chain.is_empty() {
        chain.push(culprit.clone());
    }
    chain
}

/// Whether it is no node of the graph itself.
fn is_behind_its_service(entity: &Entity) -> bool {
    matches!(
        entity.kind,
        EntityKind::Node | EntityKind::Instance | EntityKind::Version | EntityKind::Operation | EntityKind::Edge
    )
}

/// The service that is entered where most requests suffer of those that reach the culprit, else the nearest entry.
fn start(scene: &Scene<'_>, ways: &Ways, hops: &Hops, suffering: &[Suffering<'_>]) -> Option<Callee> {
    let mut felt: Option<(f64, Callee)> = None;
    for (key, op, impact) in suffering.iter().filter(|(_, op, _)| op.roots > 0) {
        let (node, harm) = (Callee::Service(key.service), impact * op.roots as f64);
        // In the order of names, so that of equals the first stays.
        if felt.is_none_or(|(most, _)| harm > most) && ways.hops(hops, node).is_some() {
            felt = Some((harm, node));
        }
    }
    if let Some((_, node)) = felt {
        return Some(node);
    }
    let mut entries: BTreeMap<Callee, u64> = BTreeMap::new();
    for window in [scene.window, scene.baseline.total()] {
        for (key, op) in window.ops.iter().filter(|(_, op)| op.roots > 0) {
            *entries.entry(Callee::Service(key.service)).or_default() += op.roots;
        }
    }
    let reaching = entries
        .into_iter()
        .filter_map(|(node, roots)| Some((ways.hops(hops, node)?, roots, node)));
    let nearest = reaching.min_by_key(|(hops, roots, node)| (*hops, std::cmp::Reverse(*roots), scene.callee(*node)));
    nearest.map(|(_, _, node)| node)
}

fn first_by_name(scene: &Scene<'_>, nodes: &[Callee]) -> Option<Callee> {
    nodes.iter().copied().min_by_key(|node| scene.callee(*node))
}
