//! One bad trace and one good one for comparison.
//!
//! Bad: the first trace of the evidence against the culprit, else a failed or slow one of its service or of the calls to
//! it. Good: a request at rest that neither failed nor was slow, entering the culprit's service or the nearest one above
//! it in the chain that remembers one, at the operation that is entered most.

use super::Compared;
use super::ways::places;
use crate::Scene;
use crate::verdict::Suspect;
use epicenter_graph::{Callee, Entity, EntityKind, Exemplars, OpKey, OpStats, Window};
use epicenter_schema::TraceId;
use std::cmp::Reverse;

/// At rest slower than this quantile is no good example.
const TAIL: f64 = 0.95;
/// A quantile of a sketch may be so much too low.
const PRECISION: f64 = 1.04;

pub(super) fn of(scene: &Scene<'_>, culprit: &Suspect, chain: &[Entity]) -> Compared {
    let told = culprit
        .evidence
        .iter()
        .find_map(|evidence| evidence.trace_ids.first().copied());
    let services = chain.iter().rev().filter(|entity| entity.kind == EntityKind::Service);
    Compared {
        bad: told.or_else(|| seen_bad(scene, &culprit.entity)),
        good: services.into_iter().find_map(|service| good(scene, &service.name)),
    }
}

fn seen_bad(scene: &Scene<'_>, culprit: &Entity) -> Option<TraceId> {
    let places = places(scene, culprit);
    let is_it = |node: Callee| places.binary_search(&node).is_ok();
    let ops = scene.window.ops.iter().map(|(key, op)| (*key, op));
    let ops = scene.ops_by_name(ops.filter(|(key, _)| is_it(Callee::Service(key.service))));
    let edges = scene.window.edges.iter().map(|(key, edge)| (*key, edge));
    let edges = scene.edges_by_name(edges.filter(|(key, _)| is_it(key.callee)));
    let first = |mut exemplars: Box<dyn Iterator<Item = &Exemplars> + '_>| {
        exemplars.find_map(|exemplars| exemplars.traces().next())
    };
    first(Box::new(ops.iter().map(|(_, op)| &op.failed)))
        .or_else(|| first(Box::new(edges.iter().map(|(_, edge)| &edge.failed))))
        .or_else(|| first(Box::new(ops.iter().map(|(_, op)| &op.slowest))))
        .or_else(|| first(Box::new(edges.iter().map(|(_, edge)| &edge.slowest))))
}

/// A good request that enters a service.
fn good(scene: &Scene<'_>, service: &str) -> Option<TraceId> {
    let service = scene.names.find(service)?;
    let entered = |window: &'_ Window| -> Vec<OpKey> {
        let ops = window
            .ops
            .iter()
            .filter(|(key, op)| key.service == service && op.entries > 0);
        let mut ops: Vec<(u64, OpKey)> = ops.map(|(key, op)| (op.entries, *key)).collect();
        ops.sort_unstable_by_key(|(entries, key)| (Reverse(*entries), scene.name(key.name), key.kind));
        ops.into_iter().map(|(_, key)| key).collect()
    };
    let rest = scene.baseline.total();
    let of = |op: &OpStats| {
        op.good
            .nearest(op.duration.quantile(0.5), PRECISION * op.duration.quantile(TAIL))
    };
    entered(rest).iter().find_map(|key| of(rest.ops.get(key)?))
}
