//! What is wrong with one copy, version or machine, where so little is heard that no operation or edge says it alone.
//!
//! The unit is what a service does under one value in one window: it is *slow* when its work takes [`GROWTH_MIN`] times as long
//! a request as it usually does there. One pause makes one or two windows slow and a fault nearly all, so the windows are
//! counted and not the time (a sign test); of a machine those of all services on it together. Failures are counted as they
//! are. The calls to a service that nobody answers are added up over all callers, and stand beside the silence of a machine.

mod calls;

use crate::Baseline;
use crate::stats::excess_of_share;
use epicenter_graph::{Dimension, DimensionKey, DimensionStats, NameId, Window};
use epicenter_schema::DurationNs;
use std::collections::{BTreeMap, BTreeSet};

/// Where it is uneven: a machine, a copy or version of a service, or a service whose calls nobody answers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Spot {
    /// A machine.
    Node(NameId),
    /// A copy or version.
    Part(DimensionKey),
    /// A service.
    Callee(NameId),
}

/// Something that is wrong at one spot and not elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uneven {
    /// Where.
    pub spot: Spot,
    /// How far beyond chance.
    pub nats: f64,
    /// Of the windows that were looked at, the number of the oldest that shows it.
    pub since: usize,
    /// And of the newest.
    pub until: usize,
}

/// Growth of the work a request, and by how much it must be longer, to be slow.
const GROWTH_MIN: f64 = 5.0;
const LONGER_MIN_NS: f64 = 3_000_000.0;
/// Requests at rest from which it is known what is usual.
const USUAL_MIN: u64 = 4;
/// Share that is slow by chance: the mean of a few requests has a long tail.
const SLOW_BY_CHANCE: f64 = 0.1;
/// Share of failures that is usual at least, and share from which it is bad.
const FAILING_USUAL: f64 = 0.02;
const FAILING_MIN: f64 = 0.1;
/// Share of what is heard at a spot that must be slow, and how much of that may be elsewhere.
const SHARE_MIN: f64 = 0.6;
const ELSEWHERE_MAX: f64 = 0.4;
/// Windows, or requests, that must be known of the siblings.
const SIBLINGS_MIN: u64 = 4;
/// Services that must be slow together on a machine.
const SLOW_SERVICES_MIN: usize = 3;
/// What lasts is seen in so many windows, the first of them so many before the last.
const LASTING_WINDOWS: usize = 3;
const LASTING_SINCE: usize = 5;

/// Hits of so many, and in which windows.
#[derive(Clone, Default)]
struct Hits {
    hits: u64,
    count: u64,
    windows: BTreeSet<usize>,
}

impl Hits {
    fn add(&mut self, hits: u64, count: u64, window: usize) {
        self.hits += hits;
        self.count += count;
        if hits > 0 {
            self.windows.insert(window);
        }
    }

    fn share(&self) -> f64 {
        self.hits as f64 / self.count.max(1) as f64
    }

    fn without(&self, other: &Self) -> (u64, u64) {
        (self.hits - other.hits, self.count - other.count)
    }

    /// Of one copy, version or service: it must last.
    fn lasting(&self, spot: Spot, nats: f64) -> Option<Uneven> {
        let lasts = |one: &Uneven| self.windows.len() >= LASTING_WINDOWS && one.until - one.since >= LASTING_SINCE;
        self.at(spot, nats).filter(lasts)
    }

    /// What is wrong with several services at once need not last.
    fn at(&self, spot: Spot, nats: f64) -> Option<Uneven> {
        let (since, until) = (*self.windows.first()?, *self.windows.last()?);
        Some(Uneven {
            spot,
            nats,
            since,
            until,
        })
    }
}

/// What is uneven in some windows one after the other, the oldest first, each `step` long: the strongest first, ties by
/// spot. Cost: one pass over the copies, machines and edges of the windows and of what is usual of them; meant for where little passes.
pub fn uneven(windows: &[&Window], step: DurationNs, baseline: &Baseline) -> Vec<Uneven> {
    let mut found = Vec::new();
    let mut sum = Window::default();
    windows.iter().for_each(|window| sum.merge(window));
    slow(windows, baseline, &mut found);
    failing(windows, baseline, &mut found);
    calls::unanswered(windows, &sum, step, baseline, &mut found);
    found.sort_by(|a, b| b.nats.total_cmp(&a.nats).then(a.spot.cmp(&b.spot)));
    found
}

fn slow(windows: &[&Window], baseline: &Baseline, found: &mut Vec<Uneven>) {
    let rest = &baseline.total().dimensions;
    // What did not run at rest is compared with the others of its service.
    let mut services: BTreeMap<(NameId, Dimension), DimensionStats> = BTreeMap::new();
    for (key, stats) in rest.iter().filter(|(key, _)| is_looked_at(key)) {
        let sum = services.entry((key.service, key.dimension)).or_default();
        sum.entries += stats.entries;
        sum.self_ns += stats.self_ns;
    }
    let work = |stats: &DimensionStats| stats.self_ns as f64 / stats.entries as f64;
    let is_known = |stats: &&DimensionStats| stats.entries >= USUAL_MIN;
    let mut parts: BTreeMap<DimensionKey, Hits> = BTreeMap::new();
    for (number, window) in windows.iter().enumerate() {
        for (key, now) in window
            .dimensions
            .iter()
            .filter(|(key, now)| is_looked_at(key) && now.entries > 0)
        {
            let of_service = || services.get(&(key.service, key.dimension));
            let Some(usual) = rest
                .get(key)
                .filter(is_known)
                .or_else(of_service)
                .filter(is_known)
                .map(work)
            else {
                continue;
            };
            let is_slow = work(now) >= GROWTH_MIN * usual && work(now) >= usual + LONGER_MIN_NS;
            parts.entry(*key).or_default().add(u64::from(is_slow), 1, number);
        }
    }
    let mut of_service: BTreeMap<(NameId, Dimension), Hits> = BTreeMap::new();
    let mut nodes: BTreeMap<NameId, (Hits, usize, usize)> = BTreeMap::new();
    let mut all = Hits::default();
    for (key, hits) in &parts {
        let sum = of_service.entry((key.service, key.dimension)).or_default();
        sum.add(hits.hits, hits.count, 0);
        if key.dimension == Dimension::Node {
            let (on_it, slow, measured) = nodes.entry(key.value).or_default();
            on_it.add(hits.hits, hits.count, 0);
            on_it.windows.extend(&hits.windows);
            *slow += usize::from(hits.share() >= SHARE_MIN);
            *measured += 1;
            all.add(hits.hits, hits.count, 0);
        }
    }
    let nats = |here: &Hits, (hits, count): (u64, u64)| {
        let elsewhere = hits as f64 / count.max(1) as f64;
        let is_here = here.share() >= SHARE_MIN && elsewhere <= ELSEWHERE_MAX * here.share();
        (is_here && count >= SIBLINGS_MIN)
            .then(|| excess_of_share(here.hits, here.count, elsewhere.max(SLOW_BY_CHANCE)))
    };
    for (key, hits) in parts.iter().filter(|(key, _)| key.dimension != Dimension::Node) {
        let siblings = of_service[&(key.service, key.dimension)].without(hits);
        let nats = nats(hits, siblings);
        found.extend(nats.and_then(|nats| hits.lasting(Spot::Part(*key), nats)));
    }
    for (node, (hits, slow, measured)) in &nodes {
        if *slow >= SLOW_SERVICES_MIN && *slow as f64 >= SHARE_MIN * *measured as f64 {
            let nats = nats(hits, all.without(hits));
            found.extend(nats.and_then(|nats| hits.at(Spot::Node(*node), nats)));
        }
    }
}

fn failing(windows: &[&Window], baseline: &Baseline, found: &mut Vec<Uneven>) {
    let mut usual: BTreeMap<(NameId, Dimension), (u64, u64)> = BTreeMap::new();
    let rest = baseline.total().dimensions.iter();
    for (key, stats) in rest.filter(|(key, _)| is_part(key)) {
        let sum = usual.entry((key.service, key.dimension)).or_default();
        *sum = (sum.0 + stats.own_complaints, sum.1 + stats.entries);
    }
    let mut parts: BTreeMap<DimensionKey, Hits> = BTreeMap::new();
    let mut services: BTreeMap<(NameId, Dimension), Hits> = BTreeMap::new();
    for (number, window) in windows.iter().enumerate() {
        for (key, now) in window.dimensions.iter().filter(|(key, _)| is_part(key)) {
            let hits = now.own_complaints.min(now.entries);
            parts.entry(*key).or_default().add(hits, now.entries, number);
            let sum = services.entry((key.service, key.dimension)).or_default();
            sum.add(hits, now.entries, 0);
        }
    }
    let share = |(hits, count): (u64, u64)| hits as f64 / count.max(1) as f64;
    for (key, hits) in &parts {
        let of = (key.service, key.dimension);
        let siblings = services[&of].without(hits);
        let usual = usual.get(&of).copied().map_or(0.0, share).max(FAILING_USUAL);
        let expected = usual.max(share(siblings));
        if siblings.1 >= SIBLINGS_MIN && hits.share() >= FAILING_MIN && expected <= ELSEWHERE_MAX * hits.share() {
            let nats = excess_of_share(hits.hits, hits.count, expected);
            found.extend(hits.lasting(Spot::Part(*key), nats));
        }
    }
}

fn is_part(key: &DimensionKey) -> bool {
    matches!(key.dimension, Dimension::Instance | Dimension::Version)
}

fn is_looked_at(key: &DimensionKey) -> bool {
    is_part(key) || key.dimension == Dimension::Node
}

#[cfg(test)]
mod tests;
