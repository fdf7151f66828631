//! The level of a duration at rest, and how far another sample is from it.

use epicenter_graph::Sketch;

/// Values merged before a stretch counts as one observation of the level.
const STRETCH_VALUES_MIN: u64 = 15;
/// Durations differ by this much for no reason, in nanoseconds.
const NOISE_NS: f64 = 100_000.0;
/// The same, as a share of the level.
const NOISE_SHARE: f64 = 0.1;
/// Distances from the median, in units of the usual upward spread, from which a shift counts.
const DISTANCE_MIN: f64 = 3.0;
/// And the growth that it must have.
const GROWTH_MIN: f64 = 1.5;

/// Where a duration usually is, from stretches of the past: the median of their typical values, and the value that one
/// in ten of them exceeds. Slow drift and a bad minute in the past widen the second and leave the first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// Values seen.
    pub count: u64,
    /// Median over the stretches, in nanoseconds.
    pub median_ns: f64,
    /// Upper end of the usual range, in nanoseconds.
    pub upper_ns: f64,
}

/// A sample that lies beyond its level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// Typical value now, in nanoseconds.
    pub now_ns: f64,
    /// What the typical value exceeds the usual range by, in nanoseconds.
    pub excess_ns: f64,
    /// Distance from the median in units of the usual upward spread.
    pub distance: f64,
}

impl Level {
    /// The level of sketches in the order of time. Neighbours are merged until they hold enough values.
    pub fn from_stretches<'a>(stretches: impl IntoIterator<Item = &'a Sketch>) -> Self {
        let (mut typical, mut pending, mut all) = (Vec::new(), Sketch::default(), Sketch::default());
        for sketch in stretches {
            pending.merge(sketch);
            all.merge(sketch);
            if pending.count() >= STRETCH_VALUES_MIN {
                typical.push(pending.typical());
                pending = Sketch::default();
            }
        }
        if typical.is_empty() {
            typical.push(all.typical());
        }
        typical.sort_by(f64::total_cmp);
        Self { count: all.count(), median_ns: at(&typical, 0.5), upper_ns: at(&typical, 0.9) }
    }

    /// How far a sample has shifted up; `None` while it is within the usual.
    pub fn shift(&self, now: &Sketch) -> Option<Shift> {
        let now_ns = now.typical();
        let spread = (self.upper_ns - self.median_ns).max(NOISE_SHARE * self.median_ns).max(NOISE_NS);
        let distance = (now_ns - self.median_ns) / spread;
        let shifted = distance >= DISTANCE_MIN && now_ns >= GROWTH_MIN * self.median_ns;
        shifted.then_some(Shift { now_ns, excess_ns: now_ns - self.upper_ns, distance })
    }
}

/// Quantile of sorted values, interpolated.
pub(crate) fn at(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let rank = q * last as f64;
    let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    low + (high - low) * (rank - rank.floor())
}
