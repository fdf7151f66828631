//! The kind of cause, from what speaks against the best suspect.

use crate::Scene;
use crate::blame::Ledger;
use crate::channel::{Channel, Findings};
use crate::verdict::{Cause, CauseKind, Diagnosis, Evidence};
use crate::words::{percent, rate};
use epicenter_detect::sampling::{arrivals, thinning};
use epicenter_detect::stats::excess_of_count;
use epicenter_detect::surges;
use epicenter_graph::{Callee, Entity, EntityKind, NameId, PeerKind, Window};
use hashbrown::HashMap;
use std::collections::BTreeMap;

/// Calls per request to a store must grow this many times behind a cache that stopped absorbing.
const STORE_CALLS_TIMES: f64 = 2.0;
/// Nats from which so many calls are beyond chance.
const STORE_CALLS_NATS_MIN: f64 = 10.0;
/// Growth of its own work from which a callee is late itself, whatever the gap.
const OWN_GROWTH_MIN: f64 = 3.0;
/// Share of failing calls from which something that sends no spans is unavailable, not slow.
const UNAVAILABLE_MIN: f64 = 0.75;
/// Arrivals may have grown this many times before more calls to the store are explained by them.
const ARRIVALS_TIMES: f64 = 1.4;

pub(crate) fn name(scene: &Scene<'_>, findings: &Findings, channel: Channel, diagnosis: &mut Diagnosis) {
    let Some(best) = diagnosis.suspects.first() else { return };
    let entity = best.entity.clone();
    let score = best.score;
    let kind = kind(scene, findings, channel, &entity);
    diagnosis.cause = Cause {
        kind,
        confidence: score.clamp(0.0, 1.0),
    };
    if !findings.is_mesh && !cache_breakdown(scene, diagnosis) {
        surge(scene, diagnosis);
    }
}

/// What speaks against an entity, of both ledgers.
struct Traits {
    /// Nats of errors of its own, of calls that nobody answers, and of calls that fail though they are answered.
    errors: f64,
    unanswered: f64,
    failed_calls: f64,
    /// Nanoseconds of its own work and of the way to it.
    own_ns: f64,
    gap_ns: f64,
    /// How many times as long its own work takes.
    own_growth: f64,
}

impl Traits {
    fn of(findings: &Findings, entity: &Entity) -> Self {
        let weight = |ledger: &Ledger, kind| ledger.cases.get(entity).map_or(0.0, |case| case.weight_of(kind));
        let reasons = findings
            .latency
            .cases
            .get(entity)
            .into_iter()
            .flat_map(|case| &case.reasons);
        let growth = reasons
            .map(|reason| &reason.evidence)
            .filter(|evidence| evidence.kind == "self_time")
            .map(|evidence| evidence.value / evidence.baseline.max(1.0));
        Self {
            errors: weight(&findings.errors, "errors"),
            unanswered: weight(&findings.errors, "unanswered") + weight(&findings.errors, "silence"),
            failed_calls: weight(&findings.errors, "failed_calls"),
            own_ns: weight(&findings.latency, "self_time"),
            gap_ns: weight(&findings.latency, "edge_gap"),
            own_growth: growth.fold(0.0, f64::max),
        }
    }

    /// Of a callee that is late: whether it is the callee itself, not the way to it. A line in front of the callee shows as
    /// a gap too, so a small share of work of its own that takes far longer is enough.
    fn is_late_itself(&self) -> bool {
        self.is_far_slower() || (self.own_ns > 0.0 && 2.0 * self.own_ns >= self.gap_ns)
    }

    fn is_far_slower(&self) -> bool {
        self.own_ns > 0.0 && self.own_growth >= OWN_GROWTH_MIN
    }
}

fn kind(scene: &Scene<'_>, findings: &Findings, channel: Channel, entity: &Entity) -> CauseKind {
    let traits = Traits::of(findings, entity);
    let calls = traits.unanswered + traits.failed_calls;
    let (fails, is_late) = (traits.errors + calls > 0.0, traits.own_ns + traits.gap_ns > 0.0);
    if !fails && !is_late {
        return match findings.structure.cases.contains_key(entity) {
            true => CauseKind::Errors,
            false => CauseKind::Unknown,
        };
    }
    // What it is accused of may be in the other ledger: those who wait for what is late fail.
    let fails = if channel == Channel::Faults {
        fails
    } else {
        fails && !is_late
    };
    // Who is far slower than usual refuses what it has no room for: that is what being slow leads to.
    if fails && calls <= traits.errors && !traits.is_far_slower() {
        return CauseKind::Errors;
    }
    // Of a callee that sends no spans, the gap is all there is: its own work and the way to it look alike.
    if entity.kind != EntityKind::Service {
        return store(scene, entity);
    }
    // It answers, and its callers have given up by then, or not.
    let answers = if traits.is_far_slower() {
        true
    } else if fails {
        traits.failed_calls > traits.unanswered && is_late
    } else {
        traits.is_late_itself() || traits.unanswered <= traits.failed_calls
    };
    if !answers {
        CauseKind::Unavailable
    } else if traits.is_late_itself() {
        CauseKind::Slow
    } else {
        CauseKind::Network
    }
}

/// Something that sends no spans: it is merely slow while a part of the calls is answered, and late.
fn store(scene: &Scene<'_>, entity: &Entity) -> CauseKind {
    let (mut calls, mut failed) = (0.0, 0.0);
    for (key, edge) in &scene.window.edges {
        if scene.callee(key.callee) == *entity {
            calls += edge.count as f64;
            failed += edge.errors as f64;
        }
    }
    if failed >= UNAVAILABLE_MIN * calls {
        CauseKind::Unavailable
    } else {
        CauseKind::Slow
    }
}

/// A store behind a cache, the cache, or who asks both is the first suspect, arrivals are flat, and the store gets more calls for each that the
/// cache gets: the cache stopped absorbing. Retries and busier callers ask both more often and change nothing of that.
fn cache_breakdown(scene: &Scene<'_>, diagnosis: &mut Diagnosis) -> bool {
    let behind_caches = behind_caches(scene);
    if behind_caches.is_empty() {
        return false;
    }
    let arrivals = arrivals_growth(scene);
    if scene.same_load && arrivals > ARRIVALS_TIMES {
        return false;
    }
    let Some(best) = diagnosis.suspects.first().map(|suspect| suspect.entity.clone()) else {
        return false;
    };
    // What goes wrong on the way to the one who asks has nothing to do with what he asks.
    let is_own = matches!(diagnosis.cause.kind, CauseKind::Slow | CauseKind::Errors);
    let store_calls = StoreCalls::of(scene);
    let mut found = None;
    for (caller, store_id, cache_id) in behind_caches {
        let (store, cache) = (scene.callee(store_id), scene.callee(cache_id));
        if best != store && best != cache && !(is_own && best == scene.service(caller)) {
            continue;
        }
        let to = |callee: Callee| store_calls.growth((caller, callee));
        let calls = to(store_id) / to(cache_id).max(0.1);
        if calls >= STORE_CALLS_TIMES
            && to(store_id) >= STORE_CALLS_TIMES * arrivals.max(0.1)
            && store_calls.surprise((caller, store_id), to(cache_id)) >= STORE_CALLS_NATS_MIN
        {
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
            "for each call to {}, {} gets {calls:.1} times the usual number while arrivals were at {}: the cache no longer absorbs them",
            cache.name,
            store.name,
            percent(arrivals),
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

/// Calls a second to what sends no spans, by caller and callee: now, and at rest.
struct StoreCalls {
    calls: HashMap<(NameId, Callee), (f64, f64)>,
    seconds: f64,
}

impl StoreCalls {
    fn of(scene: &Scene<'_>) -> Self {
        let mut calls: HashMap<(NameId, Callee), (u64, u64)> = HashMap::new();
        let is_store = |callee: Callee| matches!(callee, Callee::Peer(..));
        for (key, edge) in scene.window.edges.iter().filter(|(key, _)| is_store(key.callee)) {
            calls.entry((key.caller, key.callee)).or_default().0 += edge.count;
        }
        let rest = scene.baseline.total().edges.iter();
        for (key, edge) in rest.filter(|(key, _)| is_store(key.callee)) {
            calls.entry((key.caller, key.callee)).or_default().1 += edge.count;
        }
        let now = scene.length.as_secs_f64().max(1e-9);
        let usual = scene.baseline.seconds().max(1e-9) / thinning(scene.window, scene.baseline.total());
        let rates = calls
            .into_iter()
            .map(|(key, (n, u))| (key, (n as f64 / now, u as f64 / usual)));
        Self {
            calls: rates.collect(),
            seconds: now,
        }
    }

    /// How many times the usual rate; 1 where nothing is known.
    fn growth(&self, key: (NameId, Callee)) -> f64 {
        match self.calls.get(&key) {
            Some((now, usual)) if *usual > 0.0 => now / usual,
            _ => 1.0,
        }
    }

    /// Nats of so many calls where so many times the usual number are to be expected.
    fn surprise(&self, key: (NameId, Callee), times: f64) -> f64 {
        let (now, usual) = self.calls.get(&key).copied().unwrap_or_default();
        excess_of_count((now * self.seconds).round() as u64, usual * self.seconds * times)
    }
}

/// Callers with a database and a cache, in the order of their names. The cache may be one that is no longer called.
fn behind_caches(scene: &Scene<'_>) -> Vec<(NameId, Callee, Callee)> {
    let mut caches: BTreeMap<NameId, (Entity, Callee)> = BTreeMap::new();
    let mut stores: BTreeMap<(&str, Entity), (NameId, Callee)> = BTreeMap::new();
    let now = &scene.window.edges;
    let usual = scene.baseline.usual_edges().map(|(key, _)| key);
    for key in now.keys().chain(usual) {
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

/// How many times the usual rate of requests arrives; 1 where nothing is known.
fn arrivals_growth(scene: &Scene<'_>) -> f64 {
    // A sum of fractions depends on their order.
    let arriving = |window: &Window| {
        let mut all: Vec<f64> = window.ops.values().filter(|op| op.roots > 0).map(arrivals).collect();
        all.sort_unstable_by(f64::total_cmp);
        all.iter().sum::<f64>()
    };
    let now = arriving(scene.window) / scene.length.as_secs_f64().max(1e-9);
    let usual = arriving(scene.baseline.total()) / scene.baseline.seconds().max(1e-9);
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
