//! What is counted of each: numbers, sketches, tallies and exemplars, all of which add up.

use super::exemplars::Exemplars;
use super::tally::{Tally, Words};
use crate::names::NameId;
use crate::sample::Sample;
use crate::sketch::Sketch;
use crate::weight::Weight;

/// At an entry point one in so many requests at least enters the system.
const ENTERING_MIN: u64 = 10;
/// Distinct children remembered of one operation.
const CHILDREN_MAX: usize = 256;

/// Requests as they were before sampling, as far as senders tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weighed {
    /// All.
    pub count: Weight,
    /// Failed ones.
    pub errors: Weight,
}

impl Weighed {
    pub(crate) fn add(&mut self, weight: Weight, failed: bool) {
        self.count += weight;
        self.errors += weight.when(failed);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.errors += other.errors;
    }
}

/// Counts of one operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpStats {
    /// Spans.
    pub count: u64,
    /// Spans that failed.
    pub errors: u64,
    /// Spans that complain (failed, or logged an error) with no complaint below them.
    pub own_complaints: u64,
    /// Spans by which requests enter the system: without a parent, or the answer to a call from outside that has none.
    pub roots: u64,
    /// Spans through which the service is entered: the parent is absent or of another service.
    pub entries: u64,
    /// Time not spent in children, of spans that call nobody remote.
    pub self_time: Sketch,
    /// Entries that failed.
    pub entry_errors: u64,
    /// Entries as they were before sampling.
    pub weighed: Weighed,
    /// Durations of entries.
    pub duration: Sketch,
    /// How many spans have a child of that service and name.
    pub children: Tally<(NameId, NameId)>,
    /// Which service did the last child of how many spans; the empty name for spans without children.
    pub last_child: Tally<NameId>,
    /// The slowest by self time, or by duration for entries.
    pub slowest: Exemplars,
    /// Failed ones.
    pub failed: Exemplars,
    /// Entries that did not fail, picked by chance.
    pub good: Sample,
}

/// Counts of one edge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EdgeStats {
    /// Protocol of the calls.
    pub protocol: Words,
    /// Technology of the callee.
    pub system: Words,
    /// Calls.
    pub count: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Failed calls with no complaint below them: nobody deeper is to blame.
    pub own_errors: u64,
    /// Calls with no span behind them.
    pub unanswered: u64,
    /// Failed calls with no span behind them.
    pub unanswered_errors: u64,
    /// Calls whose client span has no parent and no child: they are compared in sum only.
    pub loose: u64,
    /// Calls that put a message into a queue, which are counted as a flow too.
    pub queued: u64,
    /// Calls as they were before sampling.
    pub weighed: Weighed,
    /// Durations at the caller.
    pub client: Sketch,
    /// Durations at the caller less those at the callee.
    pub gap: Sketch,
    /// The slowest.
    pub slowest: Exemplars,
    /// Failed ones.
    pub failed: Exemplars,
}

/// Counts of a service under one value of a dimension.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DimensionStats {
    /// Spans.
    pub spans: u64,
    /// Entry spans.
    pub entries: u64,
    /// Entry spans that failed.
    pub entry_errors: u64,
    /// Spans that complain with no complaint below them.
    pub own_complaints: u64,
    /// Sum of the self times of all spans, in nanoseconds.
    pub self_ns: u64,
    /// Entries as they were before sampling.
    pub weighed: Weighed,
}

impl DimensionStats {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.spans += other.spans;
        self.entries += other.entries;
        self.entry_errors += other.entry_errors;
        self.own_complaints += other.own_complaints;
        self.self_ns += other.self_ns;
        self.weighed.merge(other.weighed);
    }
}

/// Counts of messages between a service and a queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowStats {
    /// Technology of the queue.
    pub system: Words,
    /// Messages, or batches of them: spans.
    pub count: u64,
    /// Those whose span failed.
    pub errors: u64,
    /// The same, with the spans that sampling left out.
    pub weighed: Weighed,
    /// How long publishing, or processing, took.
    pub duration: Sketch,
    /// The slowest.
    pub slowest: Exemplars,
    /// Failed ones.
    pub failed: Exemplars,
}

impl OpStats {
    /// Whether requests enter the system here, and not just one now and then among those that other services send.
    pub fn is_entry_point(&self) -> bool {
        self.roots > 0 && ENTERING_MIN * self.roots >= self.entries
    }

    pub(crate) fn child(&mut self, service: NameId, name: NameId) {
        self.children.add((service, name), 1, CHILDREN_MAX);
    }

    pub(crate) fn last_child(&mut self, service: NameId) {
        self.last_child.add(service, 1, CHILDREN_MAX);
    }

    /// Adds those of another stretch of time.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.own_complaints += other.own_complaints;
        self.roots += other.roots;
        self.entries += other.entries;
        self.entry_errors += other.entry_errors;
        self.weighed.merge(other.weighed);
        self.self_time.merge(&other.self_time);
        self.duration.merge(&other.duration);
        self.children.merge(&other.children, CHILDREN_MAX);
        self.last_child.merge(&other.last_child, CHILDREN_MAX);
        self.slowest.merge(&other.slowest);
        self.failed.merge(&other.failed);
        self.good.merge(&other.good);
    }
}

impl EdgeStats {
    /// Adds those of another stretch of time.
    pub fn merge(&mut self, other: &Self) {
        self.protocol.merge(&other.protocol);
        self.system.merge(&other.system);
        self.count += other.count;
        self.errors += other.errors;
        self.own_errors += other.own_errors;
        self.unanswered += other.unanswered;
        self.unanswered_errors += other.unanswered_errors;
        self.loose += other.loose;
        self.queued += other.queued;
        self.weighed.merge(other.weighed);
        self.client.merge(&other.client);
        self.gap.merge(&other.gap);
        self.slowest.merge(&other.slowest);
        self.failed.merge(&other.failed);
    }
}

impl FlowStats {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.system.merge(&other.system);
        self.count += other.count;
        self.errors += other.errors;
        self.weighed.merge(other.weighed);
        self.duration.merge(&other.duration);
        self.slowest.merge(&other.slowest);
        self.failed.merge(&other.failed);
    }
}
