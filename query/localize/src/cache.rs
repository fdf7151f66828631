//! A cache that stopped absorbing: the store behind it gets the calls of all who used to find what they want in the cache.

use crate::Scene;
use crate::order::sum;
use crate::verdict::{Cause, CauseKind, Diagnosis, Evidence};
use crate::words::percent;
use epicenter_detect::sampling::{arrivals, thinning};
use epicenter_detect::stats::excess_of_count;
use epicenter_graph::{Callee, Entity, NameId, PeerKind, Window};
use hashbrown::HashMap;
use std::collections::BTreeMap;

/// Calls per request to a store must grow this many times behind a cache that stopped absorbing.
const STORE_CALLS_TIMES: f64 = 2.0;
/// Nats from which so many calls are beyond chance.
const STORE_CALLS_NATS_MIN: f64 = 10.0;
/// Arrivals may have grown this many times before more calls to the store are explained by them.
const ARRIVALS_TIMES: f64 = 1.4;

/// A store behind a cache, the cache, or who asks both is the first suspect, arrivals are flat, and the store gets more calls for each that the
/// cache gets: the cache stopped absorbing. Retries and busier callers ask both more often and change nothing of that.
pub(crate) fn breakdown(scene: &Scene<'_>, diagnosis: &mut Diagnosis) -> bool {
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
    let mut found: Vec<Breakdown> = Vec::new();
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
            found.push(Breakdown {
                cache_growth: to(cache_id),
                cache,
                store,
                calls,
            });
        }
    }
    // Of several caches it is the suspected one, else the one that is asked more: what it lost is put back into it.
    let growth = |a: &Breakdown, b: &Breakdown| b.cache_growth.total_cmp(&a.cache_growth);
    found.sort_by(|a, b| (b.cache == best).cmp(&(a.cache == best)).then(growth(a, b)));
    let Some(Breakdown {
        cache, store, calls, ..
    }) = found.into_iter().next()
    else {
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

/// A cache behind which a store is asked more.
struct Breakdown {
    cache: Entity,
    store: Entity,
    /// How many times the usual number of calls the store gets for each that the cache gets.
    calls: f64,
    /// How many times the usual rate of calls the cache gets.
    cache_growth: f64,
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
    let mut caches: BTreeMap<NameId, BTreeMap<Entity, Callee>> = BTreeMap::new();
    let mut stores: BTreeMap<(&str, Entity), (NameId, Callee)> = BTreeMap::new();
    let now = &scene.window.edges;
    let usual = scene.baseline.usual_edges().map(|(key, _)| key);
    for key in now.keys().chain(usual) {
        if let Callee::Peer(PeerKind::Cache, _) = key.callee {
            let of_caller = caches.entry(key.caller).or_default();
            of_caller.insert(scene.callee(key.callee), key.callee);
        }
    }
    for key in now.keys() {
        if matches!(key.callee, Callee::Peer(PeerKind::Database, _)) && caches.contains_key(&key.caller) {
            let order = (scene.name(key.caller), scene.callee(key.callee));
            stores.insert(order, (key.caller, key.callee));
        }
    }
    let with_caches = |(caller, store): (NameId, Callee)| {
        let caches = caches.get(&caller).into_iter().flat_map(BTreeMap::values);
        caches.map(move |cache| (caller, store, *cache))
    };
    stores.into_values().flat_map(with_caches).collect()
}

/// How many times the usual rate of requests arrives; 1 where nothing is known.
fn arrivals_growth(scene: &Scene<'_>) -> f64 {
    let arriving = |window: &Window| {
        sum(window
            .ops
            .values()
            .filter(|op| op.roots.min(op.entries) > 0)
            .map(arrivals)
            .collect())
    };
    let now = arriving(scene.window) / scene.length.as_secs_f64().max(1e-9);
    let usual = arriving(scene.baseline.total()) / scene.baseline.seconds().max(1e-9);
    if usual > 0.0 { now / usual } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{Stage, accused};
    use epicenter_graph::EntityKind;

    /// The cache that is named when a database behind two of them gets ten times the calls.
    fn named(suspect: Entity) -> String {
        let mut stage = Stage::default();
        for (queries, puts) in [(10, 0), (100, 90)] {
            if !stage.window.edges.is_empty() {
                stage.rest();
            }
            stage.calls(("catalog", "GET", "cache:a-sessions"), 100, 1, 1);
            stage.calls(("catalog", "GET", "cache:products"), 100, 1, 1);
            stage.calls(("catalog", "SET", "cache:products"), puts, 1, 1);
            stage.calls(("catalog", "SELECT", "db:goods"), queries, 3, 3);
        }
        let mut diagnosis = accused(suspect);
        assert!(breakdown(&stage.scene(), &mut diagnosis));
        assert_eq!(diagnosis.cause.kind, CauseKind::CacheBreakdown);
        diagnosis.suspects[0].entity.name.clone()
    }

    #[test]
    fn of_two_caches_the_one_that_is_filled_again() {
        assert_eq!(named(Entity::new(EntityKind::Database, "goods")), "products");
    }

    #[test]
    fn of_two_caches_the_suspected_one() {
        assert_eq!(named(Entity::new(EntityKind::Cache, "products")), "products");
        assert_eq!(named(Entity::new(EntityKind::Cache, "a-sessions")), "a-sessions");
    }
}
