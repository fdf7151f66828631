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
        self.add_count(bucket_of(ns), 1);
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

    /// The counts by bucket, for files: pairs of the distance to the bucket before and the count, each a varint of seven
    /// bits a byte, the lowest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(3 * self.buckets.len());
        let mut put = |mut value: u32| {
            while value >= 0x80 {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
        };
        let mut before = 0;
        for (bucket, count) in &self.buckets {
            put(u32::from(bucket - before));
            put(*count);
            before = *bucket;
        }
        bytes
    }

    /// The sketch again; none of bytes that [`Sketch::to_bytes`] does not make.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut sketch = Self::default();
        let mut rest = bytes.iter();
        let mut bucket = 0u16;
        while !rest.as_slice().is_empty() {
            let step = u16::try_from(varint(&mut rest)?).ok()?;
            let is_next = step > 0 || sketch.buckets.is_empty();
            let next = bucket.checked_add(step)?;
            bucket = Some(next).filter(|bucket| is_next && *bucket <= BUCKET_MAX)?;
            let count = varint(&mut rest).filter(|count| *count > 0)?;
            sketch.count += u64::from(count);
            sketch.buckets.push((bucket, count));
        }
        Some(sketch)
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many values lie above `ns`, up to the precision of a bucket.
    pub fn count_above(&self, ns: f64) -> u64 {
        let above = self.buckets.iter().rev().take_while(|(bucket, _)| middle(*bucket) > ns);
        above.map(|(_, count)| u64::from(*count)).sum()
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

    /// The value of a rank. High ranks are looked for from above: of 0.99 that is a few steps.
    fn at_rank(&self, rank: u64) -> f64 {
        if 2 * rank > self.count {
            return self.at_rank_from_above((self.count - 1).saturating_sub(rank));
        }
        let mut seen = 0;
        for (bucket, count) in &self.buckets {
            seen += u64::from(*count);
            if seen > rank {
                return middle(*bucket);
            }
        }
        self.buckets.last().map_or(0.0, |(bucket, _)| middle(*bucket))
    }

    fn at_rank_from_above(&self, rank: u64) -> f64 {
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().rev() {
            seen += u64::from(*count);
            if seen > rank {
                return middle(*bucket);
            }
        }
        self.buckets.first().map_or(0.0, |(bucket, _)| middle(*bucket))
    }

    /// The share of values above a bound in nanoseconds, from 0 to 1.
    pub fn share_above(&self, ns: f64) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.count_above(ns) as f64 / self.count as f64
        }
    }

    /// A typical value in nanoseconds that sees a shift of the body and of the tail, and no single outlier: the mean of
    /// the quantiles 0.10, 0.25, 0.50, 0.75, 0.90 and 0.95.
    pub fn typical(&self) -> f64 {
        if self.count == 0 {
            return 0.0;
        }
        // One walk: each rank is no lower than the one before, or one below it and then in this bucket or the last one.
        let mut buckets = self.buckets.iter();
        let (mut seen, mut value) = (0, 0.0);
        let mut last = (seen, value);
        let mut at_rank = |rank: u64| {
            while seen <= rank
                && let Some((bucket, count)) = buckets.next()
            {
                last = (seen, value);
                seen += u64::from(*count);
                value = middle(*bucket);
            }
            if rank < last.0 { last.1 } else { value }
        };
        let quantile = |q: &f64| {
            let rank = q * (self.count - 1) as f64;
            let low = at_rank(rank.floor() as u64);
            let high = at_rank(rank.ceil() as u64);
            low + (high - low) * (rank - rank.floor())
        };
        TYPICAL.iter().map(quantile).sum::<f64>() / TYPICAL.len() as f64
    }
}

fn varint(bytes: &mut std::slice::Iter<'_, u8>) -> Option<u32> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.next()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return u32::try_from(value).ok();
        }
    }
    None
}

/// Bits of a value, below its highest, that tell where to look for its bucket.
const STEP_BITS: u32 = 5;

/// The bucket of a value. Looked up, because a logarithm takes longer than all else that a span costs here.
fn bucket_of(ns: i64) -> u16 {
    let Ok(value @ 2..) = u64::try_from(ns) else { return 0 };
    let Bounds { uppers, firsts } = &*BOUNDS;
    // The bucket of the least value with the same highest bits is at most three below.
    let mut bucket = firsts[step_of(value)];
    while bucket < BUCKET_MAX && uppers[usize::from(bucket)] < value {
        bucket += 1;
    }
    bucket
}

/// Number of all values with the same highest bit and the same [`STEP_BITS`] below it.
fn step_of(value: u64) -> usize {
    let high = value.ilog2();
    let below = (value << (63 - high) << 1) >> (64 - STEP_BITS);
    ((high << STEP_BITS) as usize) | below as usize
}

/// Where buckets end, and at which bucket the values of a step begin.
struct Bounds {
    uppers: Vec<u64>,
    firsts: Vec<u16>,
}

static BOUNDS: LazyLock<Bounds> = LazyLock::new(|| {
    let uppers: Vec<u64> = (0..=BUCKET_MAX)
        .map(|bucket| RATIO.powf(f64::from(bucket)) as u64)
        .collect();
    let least = |step: usize| {
        let (high, below) = (step >> STEP_BITS, (step & ((1 << STEP_BITS) - 1)) as u64);
        (1u64 << high) | (below << high >> STEP_BITS)
    };
    let firsts = (0..64 << STEP_BITS).map(|step| {
        let first = uppers.partition_point(|upper| *upper < least(step));
        u16::try_from(first).unwrap_or(BUCKET_MAX).min(BUCKET_MAX)
    });
    Bounds {
        firsts: firsts.collect(),
        uppers,
    }
});

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
    fn a_bucket_holds_what_lies_between_its_bounds() {
        let mut values: Vec<i64> = (-2..5_000).collect();
        values.extend((3..63).flat_map(|bit| (-2..3).map(move |near| (1i64 << bit) + near)));
        values.extend((1..=i64::from(BUCKET_MAX)).map(|bucket| RATIO.powi(bucket as i32) as i64));
        values.push(i64::MAX);
        for ns in values {
            let bucket = i32::from(bucket_of(ns));
            if ns <= 1 {
                assert_eq!(bucket, 0, "{ns}");
                continue;
            }
            let (low, high) = (RATIO.powi(bucket - 1), RATIO.powi(bucket));
            assert!(
                bucket == i32::from(BUCKET_MAX) || ns as f64 <= high * (1.0 + 1e-9),
                "{ns} in {bucket}"
            );
            assert!(ns as f64 + 1.0 > low, "{ns} in {bucket}");
        }
    }

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
    fn quantiles_are_those_of_the_sorted_values() {
        let mut sketch = Sketch::default();
        let mut values = Vec::new();
        for number in 0..60u64 {
            let value = 1000 + number * number * 977 % 50_000;
            sketch.add(value as i64);
            values.push(middle(bucket_of(value as i64)));
            values.sort_by(f64::total_cmp);
            let quantile = |q: f64| {
                let rank = q * (values.len() - 1) as f64;
                let (low, high) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
                low + (high - low) * (rank - rank.floor())
            };
            for q in [0.0, 0.1, 0.3, 0.5, 0.51, 0.95, 0.99, 1.0] {
                assert_eq!(sketch.quantile(q), quantile(q), "{q} of {number}");
            }
            let typical = TYPICAL.iter().map(|q| quantile(*q)).sum::<f64>() / 6.0;
            assert_eq!(sketch.typical(), typical);
            let above = values.iter().filter(|value| **value > 20_000.0).count();
            assert_eq!(sketch.count_above(20_000.0), above as u64);
        }
    }

    #[test]
    fn bytes_come_back_and_others_are_refused() {
        let mut sketch = Sketch::default();
        assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Some(sketch.clone()));
        for value in [0, 1, 5, 1_000, 1_000_000, i64::MAX] {
            for _ in 0..=value.min(300) {
                sketch.add(value);
            }
        }
        let bytes = sketch.to_bytes();
        assert_eq!(Sketch::from_bytes(&bytes), Some(sketch));
        for wrong in [
            &bytes[..bytes.len() - 1],
            &[1],
            &[0xff, 0xff, 0x7f, 1],
            &[5, 1, 0, 1],
            &[1, 1, 0xff, 0xff, 0x03, 1],
            &[5, 0],
        ] {
            assert_eq!(Sketch::from_bytes(wrong), None, "{wrong:?}");
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
