//! The kind of cause, from what speaks against the best suspect.

use crate::Scene;
use crate::channel::{Channel, Findings};
use crate::verdict::{Cause, CauseKind, Diagnosis, Evidence};
use crate::words::{percent, rate};
use epicenter_detect::surges;
use epicenter_graph::{Callee, Entity, EntityKind, NameId, PeerKind};
use std::collections::BTreeMap;

/// Calls per request to a store must grow this many times behind a cache that stopped absorbing.
const STORE_CALLS_TIMES: f64 = 2.0;
/// Arrivals may have grown this many times before more calls to the store are explained by them.
const ARRIVALS_TIMES: f64 = 1.4;

pub(crate) fn name(scene: &Scene<'_>, findings: &Findings, channel: Channel, diagnosis: &mut Diagnosis) {
    let Some(best) = diagnosis.suspects.first() else { return };
    let entity = best.entity.clone();
    let score = best.score;
    let kind = match channel {
        Channel::Faults => faults(findings, &entity),
        Channel::Latency => latency(findings, &entity),
    };
    diagnosis.cause = Cause {
        kind,
        confidence: score.clamp(0.0, 1.0),
    };
    if !findings.is_mesh && !cache_breakdown(scene, diagnosis) {
        surge(scene, diagnosis);
    }
}

fn faults(findings: &Findings, entity: &Entity) -> CauseKind {
    let Some(case) = findings.errors.cases.get(entity) else {
        return if findings.structure.cases.contains_key(entity) {
            CauseKind::Errors
        } else {
            CauseKind::Unknown
        };
    };
    let unanswered = case.weight_of("unanswered") + case.weight_of("failed_calls") + case.weight_of("silence");
    if unanswered <= case.weight_of("errors") {
        return CauseKind::Errors;
    }
    // Callers give up on what is merely slow: then it still answers, late.
    let slow = findings.latency.cases.get(entity);
    let answers_late = slow.is_some_and(|slow| {
        slow.weight_of("self_time") > 0.0 && slow.weight_of("self_time") >= slow.weight_of("edge_gap")
    });
    if answers_late && case.weight_of("failed_calls") > case.weight_of("unanswered") {
        CauseKind::Slow
    } else {
        CauseKind::Unavailable
    }
}

fn latency(findings: &Findings, entity: &Entity) -> CauseKind {
    let Some(case) = findings.latency.cases.get(entity) else {
        return CauseKind::Unknown;
    };
    // Of a callee that sends no spans, the gap is all there is: its own work and the way to it look alike.
    let is_service = entity.kind == EntityKind::Service;
    if is_service && case.weight_of("edge_gap") > 2.0 * case.weight_of("self_time") {
        CauseKind::Network
    } else {
        CauseKind::Slow
    }
}

/// The first suspect (or one it calls) is a store behind a cache, arrivals are flat, and calls per request to the store
/// are up: the cache stopped absorbing.
fn cache_breakdown(scene: &Scene<'_>, diagnosis: &mut Diagnosis) -> bool {
    let arrivals = growth(scene, |w| w.ops.values().map(|op| op.roots).sum());
    if scene.same_load && arrivals > ARRIVALS_TIMES {
        return false;
    }
    let blamed = |entity: &Entity| diagnosis.suspects.iter().any(|s| s.entity == *entity);
    let mut found = None;
    for (caller, store_id, cache_id) in behind_caches(scene) {
        let (store, cache, caller_entity) = (scene.callee(store_id), scene.callee(cache_id), scene.service(caller));
        if !blamed(&store) && !blamed(&cache) && !blamed(&caller_entity) {
            continue;
        }
        let calls = growth(scene, |w| {
            let to_store = w
                .edges
                .iter()
                .filter(|(other, _)| other.caller == caller && other.callee == store_id);
            to_store.map(|(_, edge)| edge.count).sum()
        });
        if calls >= STORE_CALLS_TIMES * arrivals.max(0.1) {
            found = Some((cache, store, calls, arrivals));
            break;
        }
    }
    let Some((cache, store, calls, arrivals)) = found else {
        return false;
    };
    let evidence = Evidence {
        kind: "cache".to_owned(),
        text: format!(
            "calls to {} went to {calls:.1} times the usual while arrivals were at {}: {} no longer absorbs them",
            store.name,
            percent(arrivals),
            cache.name
        ),
        value: calls,
        baseline: 1.0,
        trace_ids: Vec::new(),
    };
    diagnosis.cause = Cause {
        kind: CauseKind::CacheBreakdown,
        confidence: diagnosis.cause.confidence.max(0.6),
    };
    diagnosis.promote(cache, evidence);
    true
}

/// Callers with a database and a cache, in the order of their names. The cache may be one that is no longer called.
fn behind_caches(scene: &Scene<'_>) -> Vec<(NameId, Callee, Callee)> {
    let mut caches: BTreeMap<NameId, (Entity, Callee)> = BTreeMap::new();
    let mut stores: BTreeMap<(&str, Entity), (NameId, Callee)> = BTreeMap::new();
    let (now, rest) = (&scene.window.edges, &scene.baseline.total().edges);
    for key in now.keys().chain(rest.keys()) {
        if let Callee::Peer(PeerKind::Cache, _) = key.callee {
            let cache = (scene.callee(key.callee), key.callee);
            let kept = caches.entry(key.caller).or_insert_with(|| cache.clone());
            if cache.0 < kept.0 {
                *kept = cache;
            }
        }
    }
    for key in now.keys() {
        if matches!(key.callee, Callee::Peer(PeerKind::Database, _)) && caches.contains_key(&key.caller) {
            let order = (scene.name(key.caller), scene.callee(key.callee));
            stores.insert(order, (key.caller, key.callee));
        }
    }
    stores
        .into_values()
        .filter_map(|(caller, store)| Some((caller, store, caches.get(&caller)?.1)))
        .collect()
}

/// How many times the usual rate; 1 where nothing is known.
fn growth(scene: &Scene<'_>, count: impl Fn(&epicenter_graph::Window) -> u64) -> f64 {
    let now = count(scene.window) as f64 / scene.length.as_secs_f64().max(1e-9);
    let (usual, _) = scene.baseline.rate(count);
    if usual > 0.0 { now / usual } else { 1.0 }
}

/// Far more arrives at an entry than at rest: the entry comes first, what saturates second.
fn surge(scene: &Scene<'_>, diagnosis: &mut Diagnosis) {
    if !matches!(
        diagnosis.cause.kind,
        CauseKind::Slow | CauseKind::Network | CauseKind::Errors | CauseKind::Unavailable
    ) {
        return;
    }
    if !scene.same_load {
        return;
    }
    let Some(surge) = surges(scene.window, scene.length, scene.baseline, scene.names)
        .into_iter()
        .next()
    else {
        return;
    };
    let evidence = Evidence {
        kind: "traffic".to_owned(),
        text: format!(
            "{} arrive at {} of {}, usually {}",
            rate(surge.rate_per_s),
            scene.name(surge.op.name),
            scene.name(surge.op.service),
            rate(surge.usual_per_s)
        ),
        value: surge.rate_per_s,
        baseline: surge.usual_per_s,
        trace_ids: Vec::new(),
    };
    diagnosis.cause = Cause {
        kind: CauseKind::TrafficSurge,
        confidence: diagnosis.cause.confidence.max(0.6),
    };
    diagnosis.promote(scene.service(surge.op.service), evidence);
}
