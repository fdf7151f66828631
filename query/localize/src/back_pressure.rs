//! Back-pressure: what is explained by waiting for somebody else is no fault of one's own.
//!
//! When something deep slows down or dies, its callers hold their workers and connections longer, requests queue in front
//! of them, time out and are refused; their own time, the gaps towards them and their own errors grow, up to the gateway. So
//! blame flows down along bad calls ([`crate::calls`]): a suspect that waits in vain, over any number of hops, for
//! another one that is far worse than usual by itself hands its blame to that one, of several to the one that gets the
//! most bad calls and waits for none of the others. Across the ledgers: who gives up on what is slow fails, and who fails may
//! have waited. Source: DESIGN 6.4.

use crate::blame::{Case, Ledger};
use crate::calls::BadCalls;
use crate::verdict::Evidence;
use epicenter_graph::Entity;
use std::collections::{BTreeMap, BTreeSet};

/// Share of the blame that the caller keeps.
const KEPT: f64 = 0.05;
/// Suspects looked at, the most blamed; what is blamed less hardly matters.
const SUSPECTS_MAX: usize = 100;
/// Growth of a time from which somebody is far worse than usual.
const GROWTH_MIN: f64 = 3.0;
/// Rise of a share of failures from which somebody is far worse than usual.
const RISE_MIN: f64 = 0.1;

/// Moves blame of both ledgers down to whom the suspects wait for. Cost: one walk over the bad calls for each of the first
/// [`SUSPECTS_MAX`] suspects.
pub(crate) fn hand_down(calls: &BadCalls, latency: &mut Ledger, errors: &mut Ledger) {
    let received = calls.received();
    let mut suspects: BTreeSet<Entity> = BTreeSet::new();
    for ledger in [&*latency, &*errors] {
        suspects.extend(ledger.ranked().into_iter().take(SUSPECTS_MAX).map(|(entity, _)| entity.clone()));
    }
    if suspects.len() < 2 {
        return;
    }
    let below: BTreeMap<&Entity, BTreeSet<&Entity>> = calls.below(&suspects);
    let is_worse = |entity: &Entity| {
        latency.cases.get(entity).is_some_and(is_much_slower) || errors.cases.get(entity).is_some_and(fails_much_more)
    };
    let worse: BTreeSet<&Entity> = suspects.iter().filter(|entity| is_worse(entity)).collect();
    let mut handed: Vec<(Entity, Entity)> = Vec::new();
    for (entity, reached) in &below {
        let circles = |other: &Entity| below.get(other).is_some_and(|back| back.contains(*entity));
        let candidates: Vec<&Entity> = worse
            .iter()
            .copied()
            .filter(|other| *other != *entity && reached.contains(other) && !circles(other))
            .collect();
        let is_deepest = |other: &&&Entity| {
            let beneath = below.get(**other);
            !candidates
                .iter()
                .any(|deeper| deeper != *other && beneath.is_some_and(|beneath| beneath.contains(deeper)))
        };
        let bad = |entity: &Entity| received.get(entity).copied().unwrap_or(0.0);
        let deepest = candidates.iter().filter(is_deepest);
        if let Some(culprit) = deepest.max_by(|a, b| bad(a).total_cmp(&bad(b)).then(b.cmp(a))) {
            handed.push(((*entity).clone(), (*culprit).clone()));
        }
    }
    for ledger in [latency, errors] {
        for (from, to) in &handed {
            hand(ledger, from, to);
        }
    }
}

fn hand(ledger: &mut Ledger, from: &Entity, to: &Entity) {
    let Some(case) = ledger.cases.get_mut(from) else { return };
    let moved = case.score * (1.0 - KEPT);
    case.score -= moved;
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

fn is_much_slower(case: &Case) -> bool {
    let mut reasons = case.reasons.iter().map(|reason| &reason.evidence);
    reasons.any(|evidence| evidence.value >= GROWTH_MIN * evidence.baseline)
}

fn fails_much_more(case: &Case) -> bool {
    let mut reasons = case.reasons.iter().map(|reason| &reason.evidence);
    reasons.any(|evidence| evidence.kind == "silence" || evidence.value >= evidence.baseline + RISE_MIN)
}
