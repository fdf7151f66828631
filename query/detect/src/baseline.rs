//! What is usual: the past as a bounded row of periods.
//!
//! A period is a window of half a minute or more. A typical value is taken of each period, and the median and the 0.9
//! quantile over the periods say what is usual and how far it drifts by itself. Neither an outlier nor a bad episode
//! among the periods moves them, which means and standard deviations do not survive (the system "at rest" of real
//! recordings has slow episodes in it).

mod range;

use crate::history::Rows;
use crate::renewal::Renewals;
use crate::stats::mean_share;
use crate::usual::{Usual, UsualCalls, UsualRequests};
use epicenter_graph::{DimensionKey, EdgeKey, EdgeStats, NameId, OpKey, OpStats, Sketch, Window};
use epicenter_schema::DurationNs;
use hashbrown::HashMap;
pub use range::{Range, Share};
use range::{range, share};
use std::collections::VecDeque;

/// Periods remembered: two hours of half minutes. When they are full, the oldest eighth is forgotten at once, so that the
/// sum is seldom made anew.
const PERIODS_MAX: usize = 240;
/// Operations and edges remembered in all periods together, about two thirds of a kilobyte each; a large system is
/// remembered for a shorter time, though not for fewer than these periods.
const KEYS_MAX: usize = 3_000_000;
const PERIODS_MIN: usize = 8;
const PERIODS_FORGOTTEN: usize = PERIODS_MAX / 8;
/// Time in which what answers requests is heard at least once.
const LATELY: DurationNs = DurationNs::from_secs(120);
/// How long what is heard is young: longer than what it took the place of is still heard lately.
const YOUNG: DurationNs = DurationNs::from_secs(240);

/// What a period is apart from its operations and edges, which are kept by key.
#[derive(Clone, Debug, Default)]
struct Period {
    rest: Window,
    length: DurationNs,
}

/// The system at rest.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    periods: VecDeque<Period>,
    /// Number of the first of them.
    first: u32,
    ops: Rows<OpKey, OpStats>,
    edges: Rows<EdgeKey, EdgeStats>,
    total: Window,
    seconds: f64,
    renewals: Renewals,
    usual: Usual,
    /// How long all periods were that were ever added.
    watched: DurationNs,
    /// Since when, and until when of that each value of a dimension was heard.
    heard: HashMap<DimensionKey, (DurationNs, DurationNs)>,
}

impl Baseline {
    /// Adds a period; the oldest are forgotten when there are too many.
    pub fn push(&mut self, mut window: Window, length: DurationNs) {
        let number = self.next();
        if !self.is_empty() {
            self.renewals.take(&window, &self.total, number);
        }
        self.total.merge(&window);
        self.usual.renew(&window, &self.total);
        let since = self.watched;
        self.watched.0 += length.0;
        for key in window.dimensions.keys() {
            self.heard.entry(*key).or_insert((since, since)).1 = self.watched;
        }
        self.seconds += length.as_secs_f64();
        self.ops.push(number, std::mem::take(&mut window.ops));
        self.edges.push(number, std::mem::take(&mut window.edges));
        self.periods.push_back(Period { rest: window, length });
        let is_full = |me: &Self| me.periods.len() > PERIODS_MAX || me.ops.len() + me.edges.len() > KEYS_MAX;
        if is_full(self) && self.periods.len() > PERIODS_MIN {
            self.forget(PERIODS_FORGOTTEN.min(self.periods.len().div_ceil(8)));
        }
    }

    /// Number of the period that is added next.
    fn next(&self) -> u32 {
        self.first + self.periods.len() as u32
    }

    /// Whether the work of a service changed so lately that it is not known yet what it takes.
    pub(crate) fn is_unsettled(&self, service: NameId) -> bool {
        self.renewals.since(service) > self.first && self.renewals.is_unsettled(service, self.next())
    }

    fn forget(&mut self, count: usize) {
        self.periods.drain(..count);
        self.first += count as u32;
        self.ops.forget(self.first);
        self.edges.forget(self.first);
        self.renewals.forget(self.first);
        let periods = self.periods.iter().map(|period| period.length.0).sum::<i64>();
        let oldest = self.watched.0 - periods;
        self.heard.retain(|_, (_, until)| until.0 > oldest);
        let mut total = Window::default();
        total.ops = self.ops.sums(OpStats::merge);
        total.edges = self.edges.sums(EdgeStats::merge);
        self.seconds = 0.0;
        for period in &self.periods {
            total.merge(&period.rest);
            self.seconds += period.length.as_secs_f64();
        }
        self.total = total;
        self.usual = Usual::default();
        self.usual.renew(&self.total, &self.total);
    }

    /// True before the first period.
    pub fn is_empty(&self) -> bool {
        self.periods.is_empty()
    }

    /// Everything at rest in one window.
    pub fn total(&self) -> &Window {
        &self.total
    }

    /// How long the system was watched at rest.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// How many a second of what `count` counts of an operation, over everything at rest.
    pub fn mean_rate(&self, key: &OpKey, count: impl Fn(&OpStats) -> f64) -> f64 {
        self.total.ops.get(key).map_or(0.0, count) / self.seconds.max(1e-9)
    }

    /// The same in the period in which it is highest.
    pub fn high_rate(&self, key: &OpKey, count: impl Fn(&OpStats) -> f64) -> f64 {
        let rate = |(number, op): &(u32, OpStats)| {
            let length = self.periods[(number - self.first) as usize].length;
            count(op) / length.as_secs_f64().max(1e-9)
        };
        self.ops.of(key).iter().map(rate).fold(0.0, f64::max)
    }

    /// The usual range of a duration of an operation, if there is any; `now` is how many values it is compared with.
    pub fn op_range(&self, key: &OpKey, which: impl Fn(&OpStats) -> &Sketch, now: u64) -> Option<Range> {
        let since = self.renewals.since(key.service);
        let since = if self.is_unsettled(key.service) { 0 } else { since };
        let periods = self.ops.of(key).iter().filter(|(number, _)| *number >= since);
        range(periods.map(|(_, op)| which(op)), now)
    }

    /// The usual range of a duration of an edge.
    pub fn edge_range(&self, key: &EdgeKey, which: impl Fn(&EdgeStats) -> &Sketch, now: u64) -> Option<Range> {
        range(self.edges.of(key).iter().map(|(_, edge)| which(edge)), now)
    }

    /// The usual range of a duration of several operations together.
    pub fn ops_range(&self, keys: &[OpKey], which: impl Fn(&OpStats) -> &Sketch, now: u64) -> Option<Range> {
        range(self.ops.together(keys, which).iter(), now)
    }

    /// The usual range of a duration of several edges together.
    pub fn edges_range(&self, keys: &[EdgeKey], which: impl Fn(&EdgeStats) -> &Sketch, now: u64) -> Option<Range> {
        range(self.edges.together(keys, which).iter(), now)
    }

    /// Whether a value of a dimension was heard at rest in the last [`LATELY`]. What was not may have been replaced since,
    /// in peace: that it is silent now means nothing.
    pub fn is_heard_lately(&self, key: &DimensionKey) -> bool {
        let heard = self.heard.get(key);
        heard.is_some_and(|(_, until)| self.watched.0 - until.0 <= LATELY.0)
    }

    /// Whether a value of a dimension was never heard at rest, or not before the last [`YOUNG`] though others were watched.
    pub fn is_young(&self, key: &DimensionKey) -> bool {
        let heard = self.heard.get(key);
        heard.is_none_or(|(since, _)| since.0 > 0 && self.watched.0 - since.0 <= YOUNG.0)
    }

    /// The calls of an edge at rest, if there were any.
    pub fn usual_calls(&self, key: &EdgeKey) -> Option<&UsualCalls> {
        self.usual.calls.get(key)
    }

    /// The edges that were called at rest with their calls, in no order that means anything.
    pub fn usual_edges(&self) -> impl ExactSizeIterator<Item = (&EdgeKey, &UsualCalls)> {
        self.usual.calls.iter()
    }

    /// The requests of an operation at rest, if there were any spans of it.
    pub fn usual_requests(&self, key: &OpKey) -> Option<&UsualRequests> {
        self.usual.requests.get(key)
    }

    /// The requests of each service at rest.
    pub(crate) fn usual_entries(&self) -> &HashMap<NameId, u64> {
        &self.usual.entries
    }

    /// The mean of a usual share alone; `count` gives hits and spans of the sum of the periods.
    pub fn mean_share(&self, count: impl Fn(&Window) -> Option<(u64, u64)>) -> Option<f64> {
        let (hits, spans) = count(&self.total).filter(|(_, spans)| *spans > 0)?;
        Some(mean_share(hits, spans))
    }

    /// The usual share of an operation's spans: `count` gives hits and spans. Where the present has `now` spans, the
    /// drift is that of stretches of about as many.
    pub fn op_share(&self, key: &OpKey, count: impl Fn(&OpStats) -> (u64, u64), now: u64) -> Option<Share> {
        let total = self.total.ops.get(key).map(&count)?;
        share(total, self.ops.of(key).iter().map(|(_, op)| count(op)), now)
    }

    /// The usual share of an edge's calls.
    pub fn edge_share(&self, key: &EdgeKey, count: impl Fn(&EdgeStats) -> (u64, u64), now: u64) -> Option<Share> {
        let total = self.total.edges.get(key).map(&count)?;
        share(total, self.edges.of(key).iter().map(|(_, edge)| count(edge)), now)
    }
}
