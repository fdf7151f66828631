//! The system at rest.

use crate::level::{Level, at};
use epicenter_graph::{EdgeKey, NameId, OpKey, Sketch, Window};
use hashbrown::HashMap;

/// Spans of a parent merged before a stretch says how often it has a child.
const SHARE_COUNT_MIN: u64 = 12;

/// How often something is so: over all, and the usual range over stretches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// Over all of the past.
    pub all: f64,
    /// Lower end of the usual range.
    pub lower: f64,
    /// Upper end of the usual range.
    pub upper: f64,
}

/// An operation at rest.
#[derive(Clone, Debug, Default)]
pub struct OpBase {
    /// Spans seen.
    pub count: u64,
    /// Roots seen.
    pub roots: u64,
    /// Entries seen.
    pub entries: u64,
    /// Share of failed spans, never quite 0.
    pub error_rate: f64,
    /// Share of spans that complain first, never quite 0.
    pub complaint_rate: f64,
    /// Self time.
    pub self_time: Level,
    /// Duration of entries.
    pub duration: Level,
    /// Share of spans that have a child.
    pub children: HashMap<(NameId, NameId), Share>,
    /// Share of spans whose last child is of a service.
    pub last_child: HashMap<NameId, f64>,
    /// Spans a second: median and upper end over stretches.
    pub rate_median: f64,
    /// Upper end of the rate.
    pub rate_upper: f64,
}

/// An edge at rest.
#[derive(Clone, Debug, Default)]
pub struct EdgeBase {
    /// Calls seen.
    pub count: u64,
    /// Share of calls that failed.
    pub error_rate: f64,
    /// Share of calls that failed with nobody deeper to blame.
    pub own_error_rate: f64,
    /// Share of calls without an answering span.
    pub unanswered_rate: f64,
    /// Duration at the caller.
    pub client: Level,
    /// Duration at the caller less that at the callee.
    pub gap: Level,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// Operations.
    pub ops: HashMap<OpKey, OpBase>,
    /// Edges.
    pub edges: HashMap<EdgeKey, EdgeBase>,
    /// Everything in one window.
    pub all: Window,
    /// Seconds that it covers.
    pub seconds: f64,
}

impl Baseline {
    /// Learns from stretches in the order of time, each `seconds` long.
    pub fn learn<'a>(stretches: impl IntoIterator<Item = &'a Window>, seconds: f64) -> Self {
        let stretches: Vec<&Window> = stretches.into_iter().collect();
        let mut all = Window::default();
        for stretch in &stretches {
            all.merge(stretch);
        }
        let ops = all.ops.keys().map(|key| (*key, OpBase::learn(*key, &stretches, &all, seconds))).collect();
        let edges = all.edges.keys().map(|key| (*key, EdgeBase::learn(*key, &stretches, &all))).collect();
        Self { ops, edges, all, seconds: seconds * stretches.len() as f64 }
    }

    /// True before anything was learned.
    pub fn is_empty(&self) -> bool {
        self.all.spans == 0
    }
}

impl OpBase {
    fn learn(key: OpKey, stretches: &[&Window], all: &Window, seconds: f64) -> Self {
        let total = &all.ops[&key];
        let seen: Vec<_> = stretches.iter().filter_map(|w| w.ops.get(&key)).collect();
        let children = total
            .children
            .iter()
            .map(|(child, count)| {
                let (mut shares, mut n, mut hits) = (Vec::new(), 0, 0);
                for stats in &seen {
                    n += stats.count;
                    hits += stats.children.get(child).copied().unwrap_or(0);
                    if n >= SHARE_COUNT_MIN {
                        shares.push(hits as f64 / n as f64);
                        (n, hits) = (0, 0);
                    }
                }
                shares.sort_by(f64::total_cmp);
                let all = smooth(*count, total.count);
                let wide = shares.len() >= 4;
                (
                    *child,
                    Share {
                        all,
                        lower: if wide { at(&shares, 0.1) } else { all },
                        upper: if wide { at(&shares, 0.9) } else { all },
                    },
                )
            })
            .collect();
        let mut rates: Vec<f64> =
            stretches.iter().map(|w| w.ops.get(&key).map_or(0.0, |s| s.count as f64 / seconds)).collect();
        rates.sort_by(f64::total_cmp);
        Self {
            count: total.count,
            roots: total.roots,
            entries: total.entries,
            error_rate: smooth(total.errors, total.count),
            complaint_rate: smooth(total.own_complaints, total.count),
            self_time: Level::from_stretches(seen.iter().map(|s| &s.self_time)),
            duration: Level::from_stretches(seen.iter().map(|s| &s.duration)),
            children,
            last_child: total.last_child.iter().map(|(s, n)| (*s, *n as f64 / total.count.max(1) as f64)).collect(),
            rate_median: at(&rates, 0.5),
            rate_upper: at(&rates, 0.9),
        }
    }
}

impl EdgeBase {
    fn learn(key: EdgeKey, stretches: &[&Window], all: &Window) -> Self {
        let total = &all.edges[&key];
        let of = |pick: fn(&epicenter_graph::EdgeStats) -> &Sketch| {
            Level::from_stretches(stretches.iter().filter_map(|w| w.edges.get(&key)).map(pick))
        };
        Self {
            count: total.count,
            error_rate: smooth(total.errors, total.count),
            own_error_rate: smooth(total.own_errors, total.count),
            unanswered_rate: smooth(total.unanswered, total.count),
            client: of(|s| &s.client),
            gap: of(|s| &s.gap),
        }
    }
}

/// A share that is neither 0 nor 1, however small the sample.
fn smooth(hits: u64, count: u64) -> f64 {
    (hits as f64 + 0.5) / (count as f64 + 1.0)
}
