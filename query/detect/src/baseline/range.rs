//! What is usual of the typical values, or of the shares, of stretches at rest.

use crate::stats::{mean_share, quantile};
use epicenter_graph::Sketch;

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

/// How the shares of stretches of about `now` spans drift.
pub(super) fn share((hits, spans): (u64, u64), periods: impl Iterator<Item = (u64, u64)>, now: u64) -> Option<Share> {
    if spans == 0 {
        return None;
    }
    let mean = mean_share(hits, spans);
    let enough = now.min(spans / 8).max(VALUES_FEW);
    let mut shares = Vec::new();
    let (mut h, mut n) = (0, 0);
    for (hits, spans) in periods {
        h += hits;
        n += spans;
        if n >= enough {
            shares.push(h as f64 / n as f64);
            (h, n) = (0, 0);
        }
    }
    shares.sort_unstable_by(f64::total_cmp);
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

/// Typical values of stretches of enough values each, in the order of time.
pub(super) fn range<'a>(sketches: impl Iterator<Item = &'a Sketch>, now: u64) -> Option<Range> {
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
    typical.sort_unstable_by(f64::total_cmp);
    Some(Range {
        median: quantile(&typical, 0.5)?,
        high: quantile(&typical, HIGH)?,
        count,
    })
}
