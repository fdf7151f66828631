//! Inbound requests of services, and calls between them, added up from a window whose spans are not linked.

use crate::Scene;
use epicenter_graph::{Callee, EdgeKey, Entity, OpKey, PeerKind, Sketch, Window};
use epicenter_schema::TraceId;
use std::collections::BTreeMap;

/// Requests or calls, added up.
#[derive(Default)]
pub(super) struct Flow {
    pub(super) count: u64,
    pub(super) errors: u64,
    pub(super) sketch: Sketch,
    pub(super) slowest: Vec<TraceId>,
    pub(super) failed: Vec<TraceId>,
    /// What is added up here.
    pub(super) ops: Vec<OpKey>,
    pub(super) edges: Vec<EdgeKey>,
}

/// Inbound requests by service, calls by caller and callee.
#[derive(Default)]
pub(super) struct Flows {
    pub(super) inbound: BTreeMap<Entity, Flow>,
    pub(super) calls: BTreeMap<(Entity, Entity), Flow>,
}

/// Those of a window.
pub(super) fn flows(scene: &Scene<'_>, window: &Window) -> Flows {
    let mut flows = Flows::default();
    for (key, op) in window.ops_sorted(scene.names) {
        if op.entries == 0 {
            continue;
        }
        let flow = flows.inbound.entry(scene.service(key.service)).or_default();
        flow.count += op.entries;
        flow.errors += op.entry_errors;
        flow.sketch.merge(&op.duration);
        flow.slowest.extend(op.slowest.traces());
        flow.failed.extend(op.failed.traces());
        flow.ops.push(key);
    }
    for (key, edge) in window.edges_sorted(scene.names) {
        let flow = flows
            .calls
            .entry((scene.service(key.caller), callee(scene, key.callee)))
            .or_default();
        flow.count += edge.count;
        flow.errors += edge.errors;
        flow.sketch.merge(&edge.client);
        flow.slowest.extend(edge.slowest.traces());
        flow.failed.extend(edge.failed.traces());
        flow.edges.push(key);
    }
    flows
}

/// Nothing links the spans, so a callee that has a service's name is that service.
fn callee(scene: &Scene<'_>, callee: Callee) -> Entity {
    match callee {
        Callee::Peer(PeerKind::Service, name) => scene.service(name),
        other => scene.callee(other),
    }
}
