//! Calls that nobody answers, added up over all callers of a service, and machines of which nothing is heard beside them.

use super::{FAILING_MIN, FAILING_USUAL, Hits, Spot, USUAL_MIN, Uneven};
use crate::Baseline;
use crate::stats::{excess_of_count, excess_of_share, lack_of_count};
use epicenter_graph::{Callee, Dimension, DimensionKey, NameId, Window};
use std::collections::BTreeMap;

/// Services that must be silent together on a machine.
const SERVICES_MIN: usize = 2;
/// Share of the requests to be expected that a silent machine may have answered before it went.
const LEFT_MAX: f64 = 0.4;
/// Nats that its silence and the calls without an answer must have each.
const EITHER_NATS: f64 = 6.0;
/// Calls without an answer that are usual at least.
const UNANSWERED_USUAL: f64 = 0.5;

/// Of windows, their sum and how long they are in units of the rest.
pub(super) fn unanswered(windows: &[&Window], sum: &Window, scale: f64, baseline: &Baseline, found: &mut Vec<Uneven>) {
    let rest = baseline.total();
    let callee = |callee: Callee| match callee {
        Callee::Service(service) => Some(service),
        Callee::Peer(..) => None,
    };
    let mut calls: BTreeMap<NameId, Hits> = BTreeMap::new();
    for (number, window) in windows.iter().enumerate() {
        for (key, edge) in &window.edges {
            if let Some(service) = callee(key.callee) {
                calls
                    .entry(service)
                    .or_default()
                    .add(edge.unanswered_errors, edge.count, number);
            }
        }
    }
    calls.retain(|_, hits| hits.hits > 0);
    if calls.is_empty() {
        return;
    }
    let mut usual: BTreeMap<NameId, (u64, u64)> = BTreeMap::new();
    for (key, edge) in &rest.edges {
        if let Some(service) = callee(key.callee).filter(|service| calls.contains_key(service)) {
            let sum = usual.entry(service).or_default();
            *sum = (sum.0 + edge.unanswered_errors, sum.1 + edge.count);
        }
    }
    for (service, hits) in &calls {
        let (bad, count) = usual.get(service).copied().unwrap_or_default();
        let expected = (bad as f64 / count.max(1) as f64).max(FAILING_USUAL);
        if count >= USUAL_MIN && hits.share() >= FAILING_MIN {
            let nats = excess_of_share(hits.hits, hits.count, expected);
            found.extend(hits.lasting(Spot::Callee(*service), nats));
        }
    }
    gone(sum, scale, baseline, &calls, &usual, found);
}

/// Machines of which nothing is heard, the calls to whose services nobody answers.
fn gone(
    sum: &Window,
    scale: f64,
    baseline: &Baseline,
    calls: &BTreeMap<NameId, Hits>,
    usual: &BTreeMap<NameId, (u64, u64)>,
    found: &mut Vec<Uneven>,
) {
    let is_node = |key: &&DimensionKey| key.dimension == Dimension::Node;
    // Of each service, at rest and now, wherever it runs.
    let mut services: BTreeMap<NameId, (u64, u64)> = BTreeMap::new();
    let rest = &baseline.total().dimensions;
    for (key, stats) in rest.iter().filter(|(key, _)| is_node(key)) {
        services.entry(key.service).or_default().0 += stats.entries;
    }
    for (key, stats) in sum.dimensions.iter().filter(|(key, _)| is_node(key)) {
        services.entry(key.service).or_default().1 += stats.entries;
    }
    let mut nodes: BTreeMap<NameId, Vec<(NameId, u64)>> = BTreeMap::new();
    for (key, stats) in rest.iter().filter(|(key, _)| is_node(key)) {
        if stats.entries > 0 && baseline.is_heard_lately(key) {
            nodes.entry(key.value).or_default().push((key.service, stats.entries));
        }
    }
    for (node, mut on_it) in nodes {
        // A sum of fractions depends on their order.
        on_it.sort_unstable();
        let (mut expected, mut heard, mut silent) = (0.0, 0, 0);
        let mut bad = Hits::default();
        let mut bad_usual = 0.0;
        for (service, entries) in on_it {
            let (all, now) = services.get(&service).copied().unwrap_or_default();
            let part = entries as f64 / all.max(1) as f64;
            let here = sum.dimensions.get(&DimensionKey {
                service,
                dimension: Dimension::Node,
                value: node,
            });
            let here = here.map_or(0, |stats| stats.entries);
            let alone = entries == all;
            let least = (entries as f64 * scale).min(if alone { f64::INFINITY } else { now as f64 * part });
            expected += least;
            heard += here;
            silent += usize::from(here == 0);
            if let Some(hits) = calls.get(&service).filter(|_| here == 0) {
                bad.hits += hits.hits;
                bad.windows.extend(&hits.windows);
                bad_usual += usual.get(&service).map_or(0.0, |(bad, _)| *bad as f64 * scale);
            }
        }
        let (lack, excess) = (
            lack_of_count(heard, expected),
            excess_of_count(bad.hits, bad_usual + UNANSWERED_USUAL),
        );
        let is_silent = heard as f64 <= LEFT_MAX * expected && silent >= SERVICES_MIN;
        if is_silent && lack >= EITHER_NATS && excess >= EITHER_NATS {
            found.extend(bad.at(Spot::Node(node), lack + excess));
        }
    }
}
