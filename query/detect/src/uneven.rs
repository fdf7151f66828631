//! What is wrong with one copy, version or machine, where so little is heard that no operation or edge says it alone.
//!
//! Slowness is counted in windows ([`slow`]), failures as they are, against what is usual of the service, of the siblings and of
//! the copy itself. The calls to a service that nobody answers are added up over all callers, and stand beside the silence of a
//! machine ([`calls`]).

mod calls;
mod slow;

use crate::Baseline;
use crate::sampling::thinning;
use crate::stats::excess_of_share;
use epicenter_graph::{Dimension, DimensionKey, NameId, Window};
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

/// Requests at rest from which it is known what is usual.
const USUAL_MIN: u64 = 4;
/// Share of failures that is usual at least, and share from which it is bad.
const FAILING_USUAL: f64 = 0.02;
const FAILING_MIN: f64 = 0.1;
/// Share of what is heard at a spot that must be slow, and how much of that may be elsewhere.
const SHARE_MIN: f64 = 0.6;
const ELSEWHERE_MAX: f64 = 0.4;
/// Windows, or requests, that must be known of the siblings.
const SIBLINGS_MIN: u64 = 4;
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

/// What is uneven in the last `look` of some windows one after the other, the oldest first, each `step` long: the strongest
/// first, ties by spot. Those before tell what began lately. Cost: one pass over the copies, machines and edges of the windows and
/// of what is usual of them; meant for where little passes.
pub fn uneven(windows: &[&Window], look: usize, step: DurationNs, baseline: &Baseline) -> Vec<Uneven> {
    let mut found = Vec::new();
    let (before, windows) = windows.split_at(windows.len().saturating_sub(look));
    let mut sum = Window::default();
    windows.iter().for_each(|window| sum.merge_dimensions(window));
    let a_window = step.as_secs_f64() / baseline.seconds().max(1e-9) * thinning(&sum, baseline.total());
    slow::slow(before, windows, a_window, baseline, &mut found);
    failing(windows, baseline, &mut found);
    calls::unanswered(windows, &sum, a_window * windows.len() as f64, baseline, &mut found);
    found.sort_by(|a, b| b.nats.total_cmp(&a.nats).then(a.spot.cmp(&b.spot)));
    found
}

fn failing(windows: &[&Window], baseline: &Baseline, found: &mut Vec<Uneven>) {
    let mut usual: BTreeMap<(NameId, Dimension), (u64, u64)> = BTreeMap::new();
    let rest = &baseline.total().dimensions;
    for (key, stats) in rest.iter().filter(|(key, _)| is_part(key)) {
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
        let own = rest.get(key).filter(|own| own.entries >= USUAL_MIN);
        let own = own.map_or(0.0, |own| share((own.own_complaints, own.entries)));
        let expected = usual.max(own).max(share(siblings));
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
