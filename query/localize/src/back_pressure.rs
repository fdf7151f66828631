//! Back-pressure: what is explained by waiting for somebody else is no fault of one's own.
//!
//! When something deep slows down or dies, its callers hold their workers and connections longer, requests queue in front
//! of them, time out and are refused; their own time, the gaps towards them and their own errors grow, up to the gateway. So
//! blame flows down along bad calls ([`crate::calls`]): a suspect that waits in vain, over any number of hops, for
//! another one that is far worse than usual by itself, and late by enough, hands its blame to that one, of several to
//! the one that gets the most bad calls and waits for none of the others. What sends no spans may wait by calls that nobody
//! sees ([`crate::unseen`]). Across the ledgers: who gives up on what is slow fails, and who fails may have waited.
//! Source: DESIGN 6.4.

use crate::blame::{Case, Ledger};
use crate::calls::{BadCalls, Places};
use crate::unseen;
use crate::verdict::Evidence;
use epicenter_graph::Entity;
use std::collections::BTreeSet;

/// Share of the blame that the caller keeps.
const KEPT: f64 = 0.05;
/// Suspects looked at, the most blamed; what is blamed less hardly matters.
const SUSPECTS_MAX: usize = 100;
/// Growth of a time from which somebody is far worse than usual.
const GROWTH_MIN: f64 = 3.0;
/// Share of the time that a caller takes beyond the usual that a callee must take beyond its own, to explain it.
const EXCESS_SHARE_MIN: f64 = 0.1;
/// Rise of a share of failures from which somebody is far worse than usual.
const RISE_MIN: f64 = 0.1;

/// Moves blame of both ledgers down to whom the suspects wait for. `calls` is only asked for
/// where there are several. Returns who is taken to wait for whom by calls that nobody sees. Cost: that, and [`BadCalls::below`]
/// for the first [`SUSPECTS_MAX`] suspects of each ledger.
pub(crate) fn hand_down(
    calls: impl FnOnce() -> BadCalls,
    latency: &mut Ledger,
    errors: &mut Ledger,
) -> Vec<(Entity, Entity)> {
    let mut suspects: BTreeSet<&Entity> = BTreeSet::new();
    for ledger in [&*latency, &*errors] {
        suspects.extend(ledger.ranked().into_iter().take(SUSPECTS_MAX).map(|(entity, _)| entity));
    }
    if suspects.len() < 2 {
        return Vec::new();
    }
    // In order; from here on a number is a place in it.
    let suspects: Vec<Entity> = suspects.into_iter().cloned().collect();
    let calls = calls();
    let bad = calls.received(&suspects);
    let mut below = calls.below(&suspects);
    let fails: Vec<bool> = suspects
        .iter()
        .map(|entity| errors.cases.get(entity).is_some_and(fails_much_more))
        .collect();
    // A line in front of a caller is longer than the wait that makes it, but not by any factor.
    let slow = suspects.iter().map(|entity| latency.cases.get(entity));
    let (excess, is_slow): (Vec<f64>, Vec<bool>) = slow
        .map(|case| case.map_or((0.0, false), |case| (excess_ns(case), is_much_slower(case))))
        .unzip();
    let is_worse = |other: usize| is_slow[other] || fails[other];
    let unseen = unseen::below(&calls, &suspects, &bad, &mut below, is_worse);
    let explains = |waiting: usize, other: usize| {
        let is_below = below[waiting].has(other) && !below[other].has(waiting);
        let is_enough = fails[other] || excess[other] >= EXCESS_SHARE_MIN * excess[waiting];
        other != waiting && is_worse(other) && is_below && is_enough
    };
    let mut handed: Vec<(usize, usize)> = Vec::new();
    for waiting in 0..suspects.len() {
        let explain: Vec<usize> = (0..suspects.len()).filter(|other| explains(waiting, *other)).collect();
        let all = Places::of(explain.iter().copied());
        let deepest = explain
            .into_iter()
            .filter(|other| !below[*other].share_more_than(&all, *other));
        if let Some(culprit) = deepest.max_by(|a, b| bad[*a].total_cmp(&bad[*b]).then(b.cmp(a))) {
            handed.push((waiting, culprit));
        }
    }
    for ledger in [latency, errors] {
        // What each one has by itself: what it gets from others it does not hand on.
        let own = |from: usize| ledger.cases.get(&suspects[from]).map(|case| case.score);
        let own: Vec<Option<f64>> = handed.iter().map(|(from, _)| own(*from)).collect();
        for ((from, to), own) in handed.iter().zip(own) {
            if let Some(own) = own {
                hand(ledger, &suspects[*from], &suspects[*to], own * (1.0 - KEPT));
            }
        }
    }
    let handed = handed.into_iter().filter(|pair| unseen.contains(pair));
    handed
        .map(|(from, to)| (suspects[from].clone(), suspects[to].clone()))
        .collect()
}

fn hand(ledger: &mut Ledger, from: &Entity, to: &Entity, moved: f64) {
    if let Some(case) = ledger.cases.get_mut(from) {
        case.score -= moved;
    }
    let evidence = Evidence {
        kind: "waited_for".to_owned(),
        text: format!("{} waits for {} in vain", from.name, to.name),
        value: 1.0,
        baseline: 0.0,
        trace_ids: Vec::new(),
    };
    let case = ledger.cases.entry(to.clone()).or_default();
    case.score += moved;
    case.note(0.0, evidence);
}

/// The longest time beyond the usual, in nanoseconds.
fn excess_ns(case: &Case) -> f64 {
    let reasons = case.reasons.iter().map(|reason| &reason.evidence);
    reasons
        .map(|evidence| evidence.value - evidence.baseline)
        .fold(0.0, f64::max)
}

fn is_much_slower(case: &Case) -> bool {
    let mut reasons = case.reasons.iter().map(|reason| &reason.evidence);
    reasons.any(|evidence| evidence.value >= GROWTH_MIN * evidence.baseline)
}

fn fails_much_more(case: &Case) -> bool {
    let mut reasons = case.reasons.iter().map(|reason| &reason.evidence);
    reasons.any(|evidence| evidence.kind == "silence" || evidence.value >= evidence.baseline + RISE_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use epicenter_graph::EntityKind;

    fn entity(name: &str) -> Entity {
        Entity::service(name)
    }

    /// Blame by name: how much, for what, from what it was at rest.
    fn ledger(of: &[(&str, f64, &str, f64, f64)]) -> Ledger {
        let mut ledger = Ledger::default();
        for (name, weight, kind, value, baseline) in of {
            let evidence = Evidence {
                kind: (*kind).to_owned(),
                text: String::new(),
                value: *value,
                baseline: *baseline,
                trace_ids: Vec::new(),
            };
            ledger.add(entity(name), *weight, evidence);
        }
        ledger
    }

    fn first(ledger: &Ledger) -> String {
        ledger.ranked()[0].0.name.clone()
    }

    const MS: f64 = 1e6;

    #[test]
    fn who_gives_up_on_what_is_slow_hands_the_blame_on() {
        let calls = BadCalls::of_pairs(&[("front", "cart", 30.0), ("cart", "stock", 30.0)]);
        let mut latency = ledger(&[("stock", 5.0, "self_time", 900.0 * MS, 5.0 * MS)]);
        let mut errors = ledger(&[
            ("cart", 80.0, "errors", 0.8, 0.0),
            ("front", 20.0, "failed_calls", 0.4, 0.0),
        ]);
        hand_down(|| calls, &mut latency, &mut errors);
        assert_eq!(first(&errors), "stock");
        assert_eq!(errors.cases[&entity("stock")].score, 95.0);
    }

    #[test]
    fn a_caller_broken_by_itself_above_a_callee_that_drifts_keeps_it() {
        let calls = BadCalls::of_pairs(&[("food", "train", 30.0)]);
        let drift = [
            ("food", 70.0, "self_time", 480.0 * MS, 3.0 * MS),
            ("train", 9.0, "self_time", 18.0 * MS, 2.0 * MS),
        ];
        let mut latency = ledger(&drift);
        hand_down(|| calls, &mut latency, &mut Ledger::default());
        assert_eq!(first(&latency), "food");
    }

    /// Scenario: the calls to a service without instrumentation fail, and calls of others to a database.
    /// Guarantees: the two are one when its name is one of the organization's own, and who waits for it waits for the database too; a
    /// third party is no part of it, nor a database of which only those complain who wait for the service as well.
    #[test]
    fn who_sends_no_spans_may_wait_for_whoever_broke() {
        let database = Entity::new(EntityKind::Database, "orders");
        let told = |external: &str, asks_the_database: &str| {
            let external = Entity::new(EntityKind::External, external);
            let service = Entity::service;
            let calls = BadCalls::of_entities(&[
                (service("front"), service("cart"), 30.0),
                (service("cart"), external.clone(), 30.0),
                (service(asks_the_database), database.clone(), 10.0),
            ]);
            let mut errors = ledger(&[("cart", 5.0, "errors", 0.9, 0.0)]);
            for (entity, weight) in [(&external, 90.0), (&database, 20.0)] {
                let evidence = errors.cases[&self::entity("cart")].reasons[0].evidence.clone();
                errors.add(entity.clone(), weight, evidence);
            }
            let unseen = hand_down(|| calls, &mut Ledger::default(), &mut errors);
            (first(&errors), unseen, external)
        };
        let (culprit, unseen, legacy) = told("legacy.svc.cluster.local", "stock");
        assert_eq!((culprit.as_str(), unseen), ("orders", vec![(legacy, database.clone())]));
        for (external, asks) in [("api.payments.com", "stock"), ("legacy", "front")] {
            let (culprit, unseen, _) = told(external, asks);
            assert_eq!((culprit.as_str(), unseen.len()), (external, 0));
        }
    }

    #[test]
    fn those_whose_calls_are_fine_and_those_in_a_circle_hand_nothing_on() {
        let slow = [
            ("a", 9.0, "self_time", 90.0 * MS, 3.0 * MS),
            ("b", 8.0, "self_time", 80.0 * MS, 3.0 * MS),
        ];
        for calls in [&[][..], &[("a", "b", 9.0), ("b", "a", 9.0)][..]] {
            let mut latency = ledger(&slow);
            hand_down(|| BadCalls::of_pairs(calls), &mut latency, &mut Ledger::default());
            assert_eq!(latency.cases[&entity("a")].score, 9.0);
            assert_eq!(latency.cases[&entity("b")].score, 8.0);
        }
    }

    #[test]
    fn of_several_the_one_with_the_most_bad_calls_gets_it() {
        let calls = BadCalls::of_pairs(&[("a", "b", 9.0), ("a", "c", 20.0)]);
        let slow = [
            ("a", 9.0, "self_time", 90.0 * MS, 3.0 * MS),
            ("b", 1.0, "self_time", 80.0 * MS, 3.0 * MS),
            ("c", 1.0, "self_time", 80.0 * MS, 3.0 * MS),
        ];
        let mut latency = ledger(&slow);
        hand_down(|| calls, &mut latency, &mut Ledger::default());
        assert_eq!(first(&latency), "c");
    }
}
