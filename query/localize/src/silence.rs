//! Silence: a service that died sends nothing.
//!
//! A service that is heard at rest and not now is blamed when its callers still call it and fail, or when nobody calls
//! it but the world outside and those whose calls have no spans, unless these suffer and do not get so far
//! ([`crate::missing`]). A service whose callers are silent too, or have merely stopped calling, is silent because of them. When
//! nearly nothing is heard of anybody, the spans are lost on the way, and nobody is blamed.
//! Blame = nats of hearing nothing where so much is to be expected of its callers' requests. Source: DESIGN 6.9.

use crate::Scene;
use crate::blame::Ledger;
use crate::missing::Missing;
use crate::verdict::Evidence;
use epicenter_detect::sampling::thinning;
use epicenter_detect::silent;
use epicenter_detect::stats::lack_of_count;
use epicenter_graph::{Callee, NameId};
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;

/// Nats from which silence is beyond chance.
const NATS_MIN: f64 = 10.0;
/// Share of the usual spans that must be heard of the others.
const HEARD_MIN: f64 = 0.1;

/// `unanswered` are failed calls that nobody answers, by callee.
pub(crate) fn blame(scene: &Scene<'_>, unanswered: &HashMap<NameId, u64>, missing: &Missing, ledger: &mut Ledger) {
    let rest = scene.baseline.total();
    let seconds = scene.length.as_secs_f64();
    let per_second = |count: u64| count as f64 / scene.baseline.seconds().max(1e-9);
    if !scene.same_load
        || (scene.window.spans as f64) < HEARD_MIN * per_second(rest.spans) * seconds * thinning(scene.window, rest)
    {
        return;
    }
    let silent: BTreeMap<(&str, NameId), f64> = silent(scene.window, scene.length, scene.baseline)
        .into_iter()
        .filter(|(_, expected)| lack_of_count(0, *expected) >= NATS_MIN)
        .map(|(service, expected)| ((scene.name(service), service), expected))
        .collect();
    if silent.is_empty() {
        return;
    }
    let heard: HashSet<NameId> = scene.window.ops.keys().map(|key| key.service).collect();
    let edges = scene.baseline.usual_edges();
    let called: HashSet<NameId> = edges
        // Calls that have no spans of their own cannot fail to be answered.
        .filter_map(|(key, calls)| match key.callee {
            Callee::Service(callee) if callee != key.caller && calls.gaps > 0 && !calls.are_told_by_answers() => {
                Some(callee)
            }
            _ => None,
        })
        .collect();
    for ((name, service), expected) in silent {
        let nats = lack_of_count(0, expected);
        let is_asked_by_others_alone = !called.contains(&service) && !heard.is_empty();
        let is_own_fault = unanswered.contains_key(&service) || is_asked_by_others_alone;
        if heard.contains(&service) || !is_own_fault || missing.is_not_reached(service) {
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
