//! What the engine counts.

/// What became of the spans and the traces, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Spans taken in, learned ones included.
    pub observed: u64,
    /// Spans that came too late for the graph; they are counted nowhere else.
    pub late: u64,
    /// Spans that came after their window had been judged, and are counted in the graph.
    pub late_counted: u64,
    /// Spans beyond the largest trace that is looked at.
    pub oversized: u64,
    /// Traces dropped unjudged because too many spans were waiting.
    pub hurried: u64,
    /// Their spans.
    pub hurried_spans: u64,
    /// Windows that settled early because too many spans were held: what comes late for them is not counted.
    pub hurried_windows: u64,
    /// Spans whose parent was not received.
    pub orphaned: u64,
    /// Spans that stand for more than themselves.
    pub sampled: u64,
    /// The same span again.
    pub repeated: u64,
    /// Calls with no span behind them.
    pub unanswered: u64,
    /// Operations, edges and the like beyond what a window keeps.
    pub overflowed: u64,
    /// Windows judged.
    pub windows: u64,
    /// Incidents opened since the start.
    pub incidents: u64,
}
