//! Copies, versions and machines whose work takes longer than it used to.
//!
//! The unit is what a service does under one value in one window: it is *slow* when its work takes [`GROWTH_MIN`] times as long
//! a request as it usually does there. One pause makes one or two windows slow and a fault nearly all, so the windows are
//! counted and not the time (a sign test); of a machine those of all services on it together. Work that only moved from one copy
//! to another makes the service no slower altogether, and what began lately warms up.

use super::{ELSEWHERE_MAX, Hits, SHARE_MIN, SIBLINGS_MIN, Spot, USUAL_MIN, Uneven, is_looked_at};
use crate::Baseline;
use crate::stats::excess_of_share;
use epicenter_graph::{Dimension, DimensionKey, DimensionStats, NameId, Window};
use std::collections::{BTreeMap, BTreeSet};

/// Growth of the work a request, and by how much it must be longer, to be slow.
const GROWTH_MIN: f64 = 5.0;
const LONGER_MIN_NS: f64 = 3_000_000.0;
/// The same of the service altogether.
const ALTOGETHER_MIN: f64 = 1.3;
/// Share that is slow by chance: the mean of a few requests has a long tail.
const SLOW_BY_CHANCE: f64 = 0.1;
/// Services that must be slow together on a machine.
const SLOW_SERVICES_MIN: usize = 3;
/// Windows from the first slow one to the last, of what began lately: it may take so long to warm up.
const WARM_WINDOWS: usize = 18;
/// Requests to be expected of what was silent and began again.
const SILENT_REQUESTS: f64 = 4.0;

/// Work of so many requests, and of how many copies in how many windows.
#[derive(Clone, Copy, Default)]
struct Work {
    parts: u64,
    entries: u64,
    ns: u64,
}

impl Work {
    fn of(stats: &DimensionStats) -> Self {
        let mut work = Self::default();
        work.add(stats);
        work
    }

    fn add(&mut self, stats: &DimensionStats) {
        self.parts += 1;
        self.entries += stats.entries;
        self.ns += stats.self_ns;
    }

    /// A request, when it is known.
    fn usual(self) -> Option<f64> {
        (self.entries >= USUAL_MIN).then(|| self.ns as f64 / self.entries as f64)
    }
}

/// What is known of the work of all.
struct Works<'a> {
    baseline: &'a Baseline,
    /// Of each service at rest: what did not run at rest is compared with the others.
    rest: BTreeMap<(NameId, Dimension), Work>,
    /// Services that are slower altogether.
    slower: BTreeSet<(NameId, Dimension)>,
}

impl<'a> Works<'a> {
    fn new(windows: &[&Window], baseline: &'a Baseline) -> Self {
        let mut works = Self {
            baseline,
            rest: altogether([baseline.total()]),
            slower: BTreeSet::new(),
        };
        let is_slower = |(of, now): &((NameId, Dimension), Work)| {
            let usual = works.rest.get(of).and_then(|rest| rest.usual());
            usual.is_some_and(|usual| now.ns as f64 >= ALTOGETHER_MIN * usual * now.entries as f64)
        };
        let now = altogether(windows.iter().copied()).into_iter();
        works.slower = now.filter(is_slower).map(|(of, _)| of).collect();
        works
    }

    /// Whether it is slow; nothing when it does nothing or nothing is known of it.
    fn is_slow(&self, key: &DimensionKey, window: &Window) -> Option<bool> {
        let now = window.dimensions.get(key).filter(|now| now.entries > 0)?;
        let of = (key.service, key.dimension);
        let own = self.baseline.total().dimensions.get(key).map(Work::of);
        let usual = own.and_then(Work::usual).or_else(|| self.rest.get(&of)?.usual())?;
        let work = now.self_ns as f64 / now.entries as f64;
        let is_slow = work >= GROWTH_MIN * usual && work >= usual + LONGER_MIN_NS;
        Some(is_slow && self.slower.contains(&of))
    }

    /// Whether what is slow since a window began lately: it is young, or before it turned slow it was silent for too long for
    /// that to be chance. `a_window` is how long one is in units of the rest.
    fn began_lately(&self, key: &DimensionKey, before: &[&Window], a_window: f64) -> bool {
        // Where a copy is heard a few times at rest, that this one never was is chance.
        let of_all = self
            .rest
            .get(&(key.service, key.dimension))
            .copied()
            .unwrap_or_default();
        let is_heard = of_all.entries as f64 >= SILENT_REQUESTS * of_all.parts as f64;
        if is_heard && self.baseline.is_young(key) {
            return true;
        }
        // Of a machine the services are slow together, and few of them may be heard in any window.
        if key.dimension == Dimension::Node {
            return false;
        }
        let mut silent = 0;
        for window in before.iter().rev() {
            match self.is_slow(key, window) {
                Some(true) => silent = 0,
                Some(false) => break,
                None => silent += 1,
            }
        }
        let entries = self.baseline.total().dimensions.get(key).map_or(0, |rest| rest.entries);
        entries as f64 * a_window * f64::from(silent) >= SILENT_REQUESTS
    }
}

fn altogether<'a>(windows: impl IntoIterator<Item = &'a Window>) -> BTreeMap<(NameId, Dimension), Work> {
    let mut services: BTreeMap<(NameId, Dimension), Work> = BTreeMap::new();
    for window in windows {
        for (key, stats) in window.dimensions.iter().filter(|(key, _)| is_looked_at(key)) {
            services.entry((key.service, key.dimension)).or_default().add(stats);
        }
    }
    services
}

/// What is slow in windows one after the other, of which each is so long in units of the rest; some before them tell what
/// began lately.
pub(super) fn slow(
    before: &[&Window],
    windows: &[&Window],
    a_window: f64,
    baseline: &Baseline,
    found: &mut Vec<Uneven>,
) {
    let parts = parts(before, windows, a_window, &Works::new(windows, baseline));
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

/// In how many windows each is slow, but for what may warm up.
fn parts(before: &[&Window], windows: &[&Window], a_window: f64, works: &Works<'_>) -> BTreeMap<DimensionKey, Hits> {
    let mut parts: BTreeMap<DimensionKey, Hits> = BTreeMap::new();
    for (number, window) in windows.iter().enumerate() {
        for key in window.dimensions.keys().filter(|key| is_looked_at(key)) {
            if let Some(is_slow) = works.is_slow(key, window) {
                parts.entry(*key).or_default().add(u64::from(is_slow), 1, number);
            }
        }
    }
    let all: Vec<&Window> = before.iter().chain(windows).copied().collect();
    parts.retain(|key, hits| {
        let (Some(first), Some(last)) = (hits.windows.first(), hits.windows.last()) else {
            return true;
        };
        last - first >= WARM_WINDOWS || !works.began_lately(key, &all[..before.len() + first], a_window)
    });
    parts
}
