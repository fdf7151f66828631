//! What is usual: the past as a bounded row of periods.
//!
//! A period is a window of half a minute or more. A typical value is taken of each period, and the median and the 0.9
//! quantile over the periods say what is usual and how far it drifts by itself. Neither an outlier nor a bad episode
//! among the periods moves them, which means and standard deviations do not survive (the system "at rest" of real
//! recordings has slow episodes in it).

use crate::stats::{mean_share, quantile};
use epicenter_graph::{EdgeKey, EdgeStats, OpKey, OpStats, Sketch, Window};
use epicenter_schema::DurationNs;
use std::collections::VecDeque;

/// Periods remembered: two hours of half minutes. When they are full, the oldest eighth is forgotten at once, so that the
/// sum is seldom made anew.
const PERIODS_MAX: usize = 240;
const PERIODS_FORGOTTEN: usize = PERIODS_MAX / 8;
/// Quantile over the periods that is called high.
const HIGH: f64 = 0.9;
/// A typical value is taken of at least so many values where the present has many, and of so many where it has few.
const VALUES_MANY: u64 = 15;
const VALUES_FEW: u64 = 5;

/// What a typical duration is at rest, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Half of the periods are below.
    pub median: f64,
    /// Nine in ten periods are below.
    pub high: f64,
    /// Values it rests on.
    pub count: u64,
}

impl Range {
    /// How far a value is out, in units of the drift at rest; at least a tenth of the median and 0.1 ms are drift.
    pub fn deviation(&self, value: f64) -> f64 {
        (value - self.median) / (self.high - self.median).max(0.1 * self.median).max(100_000.0)
    }

    /// Whether the value is out of range: three units of drift, and one and a half times the median.
    pub fn is_exceeded_by(&self, value: f64) -> bool {
        self.deviation(value) >= 3.0 && value >= 1.5 * self.median
    }
}

/// What share of spans have some property at rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Over everything, with half a hit added so that it is never nothing.
    pub mean: f64,
    /// One period in ten is below.
    pub low: f64,
    /// Nine periods in ten are below, and never less than the mean.
    pub high: f64,
    /// Spans it rests on.
    pub count: u64,
}

#[derive(Clone, Debug, Default)]
struct Period {
    window: Window,
    length: DurationNs,
}

/// The system at rest.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    periods: VecDeque<Period>,
    total: Window,
    seconds: f64,
}

impl Baseline {
    /// Adds a period; the oldest are forgotten when there are too many.
    pub fn push(&mut self, window: Window, length: DurationNs) {
        self.total.merge(&window);
        self.seconds += length.as_secs_f64();
        self.periods.push_back(Period { window, length });
        if self.periods.len() > PERIODS_MAX {
            self.periods.drain(..PERIODS_FORGOTTEN);
            self.total = Window::default();
            self.seconds = 0.0;
            for period in &self.periods {
                self.total.merge(&period.window);
                self.seconds += period.length.as_secs_f64();
            }
        }
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

    /// How many a second of what `count` counts: the mean, and the highest of any period.
    pub fn rate(&self, count: impl Fn(&Window) -> u64) -> (f64, f64) {
        let mut high = 0.0f64;
        for period in &self.periods {
            high = high.max(count(&period.window) as f64 / period.length.as_secs_f64().max(1e-9));
        }
        (self.mean_rate(count), high)
    }

    /// The mean alone: one look at the sum of the periods.
    pub fn mean_rate(&self, count: impl Fn(&Window) -> u64) -> f64 {
        count(&self.total) as f64 / self.seconds.max(1e-9)
    }

    /// The usual range of a duration of an operation, if there is any; `now` is how many values it is compared with.
    pub fn op_range(&self, key: &OpKey, which: impl Fn(&OpStats) -> &Sketch, now: u64) -> Option<Range> {
        let sketches = self
            .periods
            .iter()
            .filter_map(|period| period.window.ops.get(key).map(&which));
        range(sketches, now)
    }

    /// The usual range of a duration of an edge.
    pub fn edge_range(&self, key: &EdgeKey, which: impl Fn(&EdgeStats) -> &Sketch, now: u64) -> Option<Range> {
        let sketches = self
            .periods
            .iter()
            .filter_map(|period| period.window.edges.get(key).map(&which));
        range(sketches, now)
    }

    /// The usual range of whatever sketch `of` makes of a period.
    pub fn range_of(&self, of: impl Fn(&Window) -> Option<Sketch>, now: u64) -> Option<Range> {
        let sketches: Vec<Sketch> = self.periods.iter().filter_map(|period| of(&period.window)).collect();
        range(sketches.iter(), now)
    }

    /// The mean of [`Baseline::share`] alone: one look at the sum of the periods.
    pub fn mean_share(&self, count: impl Fn(&Window) -> Option<(u64, u64)>) -> Option<f64> {
        let (hits, spans) = count(&self.total).filter(|(_, spans)| *spans > 0)?;
        Some(mean_share(hits, spans))
    }

    /// The usual share: `count` gives hits and spans of a window. Where the present has `now` spans, the drift is that
    /// of stretches of about as many.
    pub fn share(&self, count: impl Fn(&Window) -> Option<(u64, u64)>, now: u64) -> Option<Share> {
        let (hits, spans) = count(&self.total)?;
        if spans == 0 {
            return None;
        }
        let mean = mean_share(hits, spans);
        let enough = now.min(spans / 8).max(VALUES_FEW);
        let mut shares = Vec::new();
        let (mut h, mut n) = (0, 0);
        for period in &self.periods {
            let Some((hits, spans)) = count(&period.window) else {
                continue;
            };
            h += hits;
            n += spans;
            if n >= enough {
                shares.push(h as f64 / n as f64);
                (h, n) = (0, 0);
            }
        }
        shares.sort_by(f64::total_cmp);
        let (low, high) = if shares.len() >= 4 {
            (
                quantile(&shares, 1.0 - HIGH).unwrap_or(mean),
                quantile(&shares, HIGH).unwrap_or(mean),
            )
        } else {
            (mean, mean)
        };
        Some(Share {
            mean,
            low: low.min(mean),
            high: high.max(mean),
            count: spans,
        })
    }
}

/// Typical values of stretches of enough values each, in the order of time.
fn range<'a>(sketches: impl Iterator<Item = &'a Sketch>, now: u64) -> Option<Range> {
    let enough = if now < VALUES_MANY { VALUES_FEW } else { VALUES_MANY };
    let mut typical = Vec::new();
    let mut rest = Sketch::default();
    let mut count = 0;
    for sketch in sketches {
        count += sketch.count();
        if rest.count() == 0 && sketch.count() >= enough {
            typical.push(sketch.typical());
            continue;
        }
        rest.merge(sketch);
        if rest.count() >= enough {
            typical.push(rest.typical());
            rest = Sketch::default();
        }
    }
    if typical.is_empty() && rest.count() > 0 {
        typical.push(rest.typical());
    }
    typical.sort_by(f64::total_cmp);
    Some(Range {
        median: quantile(&typical, 0.5)?,
        high: quantile(&typical, HIGH)?,
        count,
    })
}
