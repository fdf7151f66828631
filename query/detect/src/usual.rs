//! What is asked of the past of every edge and operation at each look, kept beside the sums: a look at a large system reads it for
//! all of them, and most are as usual.

use epicenter_graph::{EdgeKey, EdgeStats, NameId, OpKey, OpStats, Window};
use hashbrown::HashMap;

/// What takes longer than this quantile at rest is late.
pub(crate) const LATE_QUANTILE: f64 = 0.95;

/// The calls of an edge at rest, all periods together. Durations in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsualCalls {
    /// Calls.
    pub count: u64,
    /// Those that failed.
    pub errors: u64,
    /// Those that failed with no complaint below them.
    pub own_errors: u64,
    /// Those that failed with no span behind them.
    pub unanswered_errors: u64,
    /// Typical duration.
    pub typical_ns: f64,
    /// Duration that 95 % do not exceed.
    pub late_ns: f64,
    /// Typical gap between the duration and the work of the callee.
    pub gap_ns: f64,
    /// Calls that have a gap, because they have spans of their own and not just those of who answers.
    pub gaps: u64,
}

impl UsualCalls {
    /// Whether the calls have no spans of their own: few were taken for some that have.
    pub fn are_told_by_answers(&self) -> bool {
        2 * self.gaps < self.count
    }

    /// Of the calls of an edge. Cost: a walk over its two sketches.
    pub fn of(edge: &EdgeStats) -> Self {
        Self {
            count: edge.client.count(),
            errors: edge.errors,
            own_errors: edge.own_errors,
            unanswered_errors: edge.unanswered_errors,
            typical_ns: edge.client.typical(),
            late_ns: edge.client.quantile(LATE_QUANTILE),
            gap_ns: edge.gap.typical(),
            gaps: edge.gap.count(),
        }
    }
}

/// The requests of an operation at rest, all periods together. Durations in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsualRequests {
    /// Spans.
    pub count: u64,
    /// Those that complain with no complaint below them.
    pub own_complaints: u64,
    /// Requests that enter the service there.
    pub entries: u64,
    /// Those that failed.
    pub entry_errors: u64,
    /// Their typical duration.
    pub typical_ns: f64,
    /// Duration that 95 % of them do not exceed.
    pub late_ns: f64,
    /// Typical self time of a span.
    pub work_ns: f64,
}

impl UsualRequests {
    /// Of an operation. Cost: a walk over its two sketches.
    pub fn of(op: &OpStats) -> Self {
        Self {
            count: op.count,
            own_complaints: op.own_complaints,
            entries: op.entries,
            entry_errors: op.entry_errors,
            typical_ns: op.duration.typical(),
            late_ns: op.duration.quantile(LATE_QUANTILE),
            work_ns: op.self_time.typical(),
        }
    }
}

/// By key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usual {
    pub(crate) calls: HashMap<EdgeKey, UsualCalls>,
    pub(crate) requests: HashMap<OpKey, UsualRequests>,
    /// Requests of each service that has any.
    pub(crate) entries: HashMap<NameId, u64>,
}

impl Usual {
    /// Takes anew what a period changed of the sums.
    pub(crate) fn renew(&mut self, period: &Window, total: &Window) {
        let of_edge = |key: &EdgeKey| total.edges.get(key).map(|edge| (*key, UsualCalls::of(edge)));
        let of_op = |key: &OpKey| total.ops.get(key).map(|op| (*key, UsualRequests::of(op)));
        self.calls.extend(period.edges.keys().filter_map(of_edge));
        self.requests.extend(period.ops.keys().filter_map(of_op));
        for (key, op) in period.ops.iter().filter(|(_, op)| op.entries > 0) {
            *self.entries.entry(key.service).or_default() += op.entries;
        }
    }
}
