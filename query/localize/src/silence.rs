//! Silence: a service that died sends nothing.
//!
//! A service that is heard at rest and not now is blamed when its callers still call it and fail, or when nobody calls
//! it but the world outside. A service whose callers are silent too, or have merely stopped calling, is silent because
//! of them. When nearly nothing is heard of anybody, the spans are lost on the way, and nobody is blamed.
//! Blame = nats of hearing nothing where so much is to be expected of its callers' requests. Source: DESIGN 6.9.

use crate::Scene;
use crate::blame::Ledger;
use crate::verdict::Evidence;
use epicenter_detect::sampling::thinning;
use epicenter_detect::silent;
use epicenter_detect::stats::lack_of_count;
use epicenter_graph::{Callee, NameId};
use std::collections::{BTreeMap, BTreeSet};

/// Nats from which silence is beyond chance.
const NATS_MIN: f64 = 10.0;
/// Share of the usual spans that must be heard of the others.
const HEARD_MIN: f64 = 0.1;

pub(crate) fn blame(scene: &Scene<'_>, ledger: &mut Ledger) {
    let rest = scene.baseline.total();
    let seconds = scene.length.as_secs_f64();
    let per_second = |count: u64| count as f64 / scene.baseline.seconds().max(1e-9);
    if !scene.same_load
        || (scene.window.spans as f64) < HEARD_MIN * per_second(rest.spans) * seconds * thinning(scene.window, rest)
    {
        return;
    }
    let heard: BTreeSet<NameId> = scene.window.ops.keys().map(|key| key.service).collect();
    let silent: BTreeMap<(&str, NameId), f64> = silent(scene.window, scene.length, scene.baseline)
        .into_iter()
        .map(|(service, expected)| ((scene.name(service), service), expected))
        .collect();
    for ((name, service), expected) in silent {
        let nats = lack_of_count(0, expected);
        if heard.contains(&service) || nats < NATS_MIN || !is_own_fault(scene, service, &heard) {
            continue;
        }
        let evidence = Evidence {
            kind: "silence".to_owned(),
            text: format!("nothing is heard from {name}, where {expected:.0} requests are to be expected"),
            value: 0.0,
            baseline: expected,
            trace_ids: Vec::new(),
        };
        ledger.add(scene.service(service), nats, evidence);
    }
}

fn is_own_fault(scene: &Scene<'_>, service: NameId, heard: &BTreeSet<NameId>) -> bool {
    let calls_it = |callee: Callee| callee == Callee::Service(service);
    let mut callers = scene
        .baseline
        .total()
        .edges
        .keys()
        .filter(|key| calls_it(key.callee) && key.caller != service);
    let failing = scene
        .window
        .edges
        .iter()
        .any(|(key, edge)| calls_it(key.callee) && edge.unanswered_errors > 0);
    failing || (callers.by_ref().next().is_none() && !heard.is_empty())
}
