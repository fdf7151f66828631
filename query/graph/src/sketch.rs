//! A mergeable sketch of durations: a histogram with buckets of equal ratio.
//!
//! Bucket `i` holds the values in `(RATIO^(i-1), RATIO^i]` nanoseconds, so a quantile is at most 2 % off. Merging adds
//! counts, which is associative and commutative; the result does not depend on the order in which values came.
//!
//! Source: Masson, Rim, Lee: DDSketch (VLDB 2019), with the bucket count bounded by the range of the values, 1 ns to
//! about 30 hours, instead of by collapsing.

use std::sync::LazyLock;

/// Ratio between two buckets: relative error is half of what exceeds 1.
const RATIO: f64 = 1.04;
/// Buckets up to 2^47 ns; longer values are counted in the last one.
const BUCKET_MAX: u16 = 831;
/// The quantiles whose mean is [`Sketch::typical`].
const TYPICAL: [f64; 6] = [0.10, 0.25, 0.50, 0.75, 0.90, 0.95];

/// Counts of durations by magnitude.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    /// Bucket and count, by bucket.
    buckets: Vec<(u16, u32)>,
    count: u64,
}

impl Sketch {
    /// Counts one duration in nanoseconds; a negative one counts as zero.
    pub fn add(&mut self, ns: i64) {
        let bucket = if ns <= 1 {
            0
        } else {
            ((ns as f64).ln() / RATIO.ln()).ceil().min(f64::from(BUCKET_MAX)) as u16
        };
        self.add_count(bucket, 1);
    }

    fn add_count(&mut self, bucket: u16, count: u32) {
        self.count += u64::from(count);
        match self.buckets.binary_search_by_key(&bucket, |(b, _)| *b) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(count),
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    /// Adds the counts of another sketch.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            self.add_count(*bucket, *count);
        }
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many values lie above `ns`, up to the precision of a bucket.
    pub fn count_above(&self, ns: f64) -> u64 {
        self.buckets
            .iter()
            .filter(|(bucket, _)| middle(*bucket) > ns)
            .map(|(_, count)| u64::from(*count))
            .sum()
    }

    /// The value in nanoseconds below which a share `q` of the values lies, interpolated between neighbours in rank;
    /// 0 of an empty sketch.
    pub fn quantile(&self, q: f64) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        let rank = q.clamp(0.0, 1.0) * (self.count - 1) as f64;
        let low = self.at_rank(rank.floor() as u64);
        let high = self.at_rank(rank.ceil() as u64);
        low + (high - low) * (rank - rank.floor())
    }

    fn at_rank(&self, rank: u64) -> f64 {
        let mut seen = 0;
        for (bucket, count) in &self.buckets {
            seen += u64::from(*count);
            if seen > rank {
                return middle(*bucket);
            }
        }
        self.buckets.last().map_or(0.0, |(bucket, _)| middle(*bucket))
    }

    /// The share of values above a bound in nanoseconds, from 0 to 1.
    pub fn share_above(&self, ns: f64) -> f64 {
        let above: u64 = self
            .buckets
            .iter()
            .filter(|(b, _)| middle(*b) > ns)
            .map(|(_, count)| u64::from(*count))
            .sum();
        if self.count == 0 {
            0.0
        } else {
            above as f64 / self.count as f64
        }
    }

    /// A typical value in nanoseconds that sees a shift of the body and of the tail, and no single outlier: the mean of
    /// the quantiles 0.10, 0.25, 0.50, 0.75, 0.90 and 0.95.
    pub fn typical(&self) -> f64 {
        TYPICAL.iter().map(|q| self.quantile(*q)).sum::<f64>() / TYPICAL.len() as f64
    }
}

/// The middle of every bucket.
static MIDDLES: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let above = (1..=BUCKET_MAX).map(|bucket| RATIO.powf(f64::from(bucket) - 0.5));
    std::iter::once(0.5).chain(above).collect()
});

fn middle(bucket: u16) -> f64 {
    MIDDLES[usize::from(bucket.min(BUCKET_MAX))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_two_percent() {
        let mut sketch = Sketch::default();
        for value in 1..=10_000 {
            sketch.add(value * 1000);
        }
        for q in [0.01, 0.5, 0.9, 0.99] {
            let expected = q * 10_000_000.0;
            let found = sketch.quantile(q);
            assert!(
                (found / expected - 1.0).abs() < 0.021,
                "{q}: {found} instead of {expected}"
            );
        }
    }

    #[test]
    fn merging_adds_counts_in_any_order() {
        let (mut a, mut b) = (Sketch::default(), Sketch::default());
        for value in 0..100 {
            a.add(value * 7);
            b.add(value * 131 + 5);
        }
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.merge(&b);
        ba.merge(&a);
        assert_eq!(ab, ba);
        assert_eq!(ab.count(), 200);
    }
}
