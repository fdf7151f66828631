//! A service that used to be heard and is not any more, while others are.
//!
//! What is to be heard of a service depends on who calls it: its usual requests times the share of their usual requests
//! that its callers have now, or, for who has no callers, times the share of the usual spans of all others. When nobody
//! is heard at all, the spans are lost on the way or the night is quiet: that is no symptom of a service.

use crate::sampling::thinning;
use crate::stats::lack_of_count;
use crate::{Baseline, Place, Signal, Symptom};
use epicenter_graph::{Callee, Direction, EdgeKey, FlowKey, NameId, Window};
use epicenter_schema::DurationNs;
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;

/// Share of all spans of the usual rate that must still arrive for a silence to mean anything.
const REST_MIN: f64 = 0.1;

pub(crate) fn detect(window: &Window, length: DurationNs, baseline: &Baseline, found: &mut Vec<Symptom>) {
    if window.spans == 0 {
        return;
    }
    let seconds = length.as_secs_f64();
    let rest = baseline.total();
    let expected_spans = rest.spans as f64 / baseline.seconds().max(1e-9) * seconds * thinning(window, rest);
    if (window.spans as f64) < REST_MIN * expected_spans {
        return;
    }
    let silent = silent(window, length, baseline);
    if silent.is_empty() {
        return;
    }
    let ops = rest.ops.iter().filter(|(_, op)| op.roots > 0);
    let entered: HashSet<NameId> = ops.map(|(key, _)| key.service).collect();
    for (service, expected) in silent {
        let at_entry = entered.contains(&service);
        found.push(Symptom {
            signal: Signal::Silence,
            place: Place::Service(service),
            nats: lack_of_count(0, expected),
            value: 0.0,
            usual: expected,
            at_entry,
        });
    }
}

/// The services that are heard at rest and not in the window, with the requests that were to be expected of them, given
/// what their callers and who publishes to their queues do now. Cost: one pass over the operations, and one over the usual
/// edges and the messages when anybody is silent.
pub fn silent(window: &Window, length: DurationNs, baseline: &Baseline) -> BTreeMap<NameId, f64> {
    let scale = length.as_secs_f64() / baseline.seconds().max(1e-9);
    let (now, usual) = (entries(window), baseline.usual_entries());
    let mut silent: BTreeMap<NameId, f64> = usual
        .iter()
        .filter(|(service, _)| !now.contains_key(*service))
        .map(|(service, count)| (*service, *count as f64 * scale))
        .collect();
    if silent.is_empty() {
        return silent;
    }
    let thinning = thinning(window, baseline.total()).min(1.0);
    let kept = |service: &NameId, usual: u64| {
        let heard = now.get(service).copied().unwrap_or(0) as f64;
        (heard / (usual as f64 * scale).max(1e-9)).min(1.0)
    };
    // Calls and messages at rest to each silent service: all, and those to be expected now.
    let mut calls: BTreeMap<NameId, (f64, f64)> = BTreeMap::new();
    let to_silent = |key: &EdgeKey| match key.callee {
        Callee::Service(callee) if key.caller != callee && silent.contains_key(&callee) => Some(callee),
        _ => None,
    };
    let edges = baseline.usual_edges();
    let mut edges: Vec<_> = edges
        .filter_map(|(key, calls)| Some((to_silent(key)?, *key, calls.count)))
        .collect();
    // A sum of fractions depends on their order.
    edges.sort_unstable_by_key(|(_, key, _)| *key);
    for (callee, key, count) in edges {
        // A caller without entries of its own begins its work by itself: nothing tells that it does less.
        let share = usual
            .get(&key.caller)
            .map_or(thinning, |usual| kept(&key.caller, *usual));
        let sum = calls.entry(callee).or_default();
        sum.0 += count as f64;
        sum.1 += count as f64 * share;
    }
    for (consumer, all, left) in messages(window, baseline, scale) {
        if silent.contains_key(&consumer) {
            let sum = calls.entry(consumer).or_default();
            sum.0 += all;
            sum.1 += left;
        }
    }
    let others: f64 = usual
        .iter()
        .filter(|(service, _)| now.contains_key(*service))
        .map(|(_, count)| *count as f64)
        .sum();
    let heard: f64 = usual
        .keys()
        .filter_map(|service| now.get(service))
        .map(|n| *n as f64)
        .sum();
    let load = (heard / (others * scale).max(1e-9)).min(1.0);
    for (service, expected) in &mut silent {
        *expected *= match calls.get(service) {
            Some((all, left)) if *all > 0.0 => left / all,
            _ => load,
        };
    }
    silent
}

/// Who takes messages from queues at rest: how many, and how many of them are to be expected of what is published now. A
/// queue of which nobody is known to publish to it tells nothing.
fn messages(window: &Window, baseline: &Baseline, scale: f64) -> Vec<(NameId, f64, f64)> {
    let published = |window: &Window| {
        let mut published: HashMap<NameId, u64> = HashMap::new();
        for (key, flow) in window
            .flows
            .iter()
            .filter(|(key, _)| key.direction == Direction::Publish)
        {
            *published.entry(key.queue).or_default() += flow.count;
        }
        published
    };
    let rest = baseline.total();
    let (now, usual) = (published(window), published(rest));
    let taken = rest.flows.iter().filter(|(key, _)| key.direction == Direction::Deliver);
    let mut taken: Vec<_> = taken
        .filter_map(|(key, flow)| Some((*key, flow.count as f64, *usual.get(&key.queue)?)))
        .collect();
    // A sum of fractions depends on their order.
    taken.sort_unstable_by_key(|(key, ..)| *key);
    let of = |(key, count, usual): (FlowKey, f64, u64)| {
        let sent = now.get(&key.queue).copied().unwrap_or(0) as f64;
        let share = (sent / (usual as f64 * scale).max(1e-9)).min(1.0);
        (key.service, count, count * share)
    };
    taken.into_iter().map(of).collect()
}

/// Requests by service.
fn entries(window: &Window) -> HashMap<NameId, u64> {
    let mut entries = HashMap::new();
    for (key, op) in window.ops.iter().filter(|(_, op)| op.entries > 0) {
        *entries.entry(key.service).or_default() += op.entries;
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use epicenter_graph::{EdgeStats, Names, OpKey, OpStats};
    use epicenter_schema::SpanKind;

    const FRONT: NameId = Names::NONE;
    const BACK: NameId = Names::OVERFLOW;

    fn window(front: u64, back: u64) -> Window {
        let mut window = Window::default();
        for (service, entries) in [(FRONT, front), (BACK, back)] {
            let key = OpKey {
                service,
                name: Names::NONE,
                kind: SpanKind::Server,
            };
            let op = OpStats {
                entries,
                ..OpStats::default()
            };
            window.ops.insert(key, op);
        }
        let key = EdgeKey {
            caller: FRONT,
            via: Names::NONE,
            callee: Callee::Service(BACK),
        };
        let edge = EdgeStats {
            count: back,
            ..EdgeStats::default()
        };
        window.edges.insert(key, edge);
        window
    }

    fn expected(front: u64) -> f64 {
        let mut baseline = Baseline::default();
        baseline.push(window(1000, 200), DurationNs::from_secs(10));
        let silent = silent(&window(front, 0), DurationNs::from_secs(10), &baseline);
        silent.get(&BACK).copied().unwrap_or(0.0)
    }

    #[test]
    fn a_callee_of_busy_callers_is_expected_in_full() {
        assert!((expected(1000) - 200.0).abs() < 1e-6, "{}", expected(1000));
        assert!(
            (expected(5000) - 200.0).abs() < 1e-6,
            "growth expects no more than usual"
        );
    }

    #[test]
    fn a_quiet_night_expects_little() {
        assert!((expected(100) - 20.0).abs() < 1e-6, "{}", expected(100));
    }

    #[test]
    fn a_callee_of_silent_callers_is_not_expected() {
        assert!(expected(0).abs() < 1e-6);
    }

    /// Scenario: a service takes what another one publishes, and nothing is heard of it.
    /// Guarantees: it is expected as far as messages are published; where nobody is known to publish, by the load of all.
    #[test]
    fn who_takes_messages_is_expected_as_far_as_there_are_any() {
        let expected = |at_rest: u64, published: u64| {
            let with = |mut window: Window, published: u64, taken: u64| {
                window.edges.clear();
                for (service, direction, count) in [
                    (FRONT, Direction::Publish, published),
                    (BACK, Direction::Deliver, taken),
                ] {
                    let queue = Names::NONE;
                    let key = FlowKey {
                        service,
                        queue,
                        direction,
                    };
                    window.flows.entry(key).or_default().count = count;
                }
                window.flows.retain(|_, flow| flow.count > 0);
                window
            };
            let mut baseline = Baseline::default();
            baseline.push(with(window(1000, 200), at_rest, 200), DurationNs::from_secs(10));
            let now = with(window(1000, 0), published, 0);
            let silent = silent(&now, DurationNs::from_secs(10), &baseline);
            silent.get(&BACK).copied().unwrap_or(0.0)
        };
        assert!(expected(200, 0).abs() < 1e-6, "nothing is sent");
        assert!((expected(200, 50) - 50.0).abs() < 1e-6, "{}", expected(200, 50));
        assert!((expected(200, 200) - 200.0).abs() < 1e-6, "it is dead");
        assert!((expected(0, 0) - 200.0).abs() < 1e-6, "nobody is known to publish");
    }
}
