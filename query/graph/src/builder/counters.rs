//! What the builder tells of itself.

/// What became of the spans, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Spans taken in.
    pub observed: u64,
    /// Spans that came after their window had settled; they are counted nowhere else.
    pub late: u64,
    /// Spans that came after their window had been judged, in time to be counted in it.
    pub late_counted: u64,
    /// Spans beyond the largest trace that is looked at.
    pub oversized: u64,
    /// Traces dropped because too many spans were held.
    pub hurried: u64,
    /// Their spans.
    pub hurried_spans: u64,
    /// Windows that settled early because too many spans were held; what comes late for them is not counted.
    pub hurried_windows: u64,
}
