//! A mergeable sketch of durations: a histogram with buckets of equal ratio.
//!
//! Bucket `i` holds the values in `(RATIO^(i-1), RATIO^i]` nanoseconds, so a quantile is at most 2 % off. Merging adds
//! counts, which is associative and commutative; the result does not depend on the order in which values came.
//!
//! Source: Masson, Rim, Lee: DDSketch (VLDB 2019), with the bucket count bounded by the range of the values, 1 ns to
//! about 30 hours, instead of by collapsing.

mod buckets;
mod counts;

use buckets::{BUCKET_MAX, bucket_of, middle, middle_of, middles};
use counts::Counts;

/// The quantiles whose mean is [`Sketch::typical`].
const TYPICAL: [f64; 6] = [0.10, 0.25, 0.50, 0.75, 0.90, 0.95];

/// Counts of durations by magnitude.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    counts: Counts,
    count: u64,
}

impl Sketch {
    /// Counts one duration in nanoseconds; a negative one counts as zero.
    pub fn add(&mut self, ns: i64) {
        self.add_count(bucket_of(ns), 1);
    }

    fn add_count(&mut self, bucket: u16, count: u32) {
        self.count += u64::from(count);
        self.counts.add(bucket, count);
    }

    /// Adds the counts of another sketch.
    pub fn merge(&mut self, other: &Self) {
        if self.count == 0 {
            self.clone_from(other);
            return;
        }
        for (bucket, count) in other.counts.as_slice() {
            self.add_count(*bucket, *count);
        }
    }

    /// The counts by bucket, for files: pairs of the distance to the bucket before and the count, each a varint of seven
    /// bits a byte, the lowest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(3 * self.counts.as_slice().len());
        let mut put = |mut value: u32| {
            while value >= 0x80 {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
        };
        let mut before = 0;
        for (bucket, count) in self.counts.as_slice() {
            put(u32::from(bucket - before));
            put(*count);
            before = *bucket;
        }
        bytes
    }

    /// The sketch again; none of bytes that [`Sketch::to_bytes`] does not make.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (mut counts, mut sum) = (Vec::new(), 0);
        let mut rest = bytes.iter();
        let mut bucket = 0u16;
        while !rest.as_slice().is_empty() {
            let step = u16::try_from(varint(&mut rest)?).ok()?;
            let is_next = step > 0 || counts.is_empty();
            let next = bucket.checked_add(step)?;
            bucket = Some(next).filter(|bucket| is_next && *bucket <= BUCKET_MAX)?;
            let count = varint(&mut rest).filter(|count| *count > 0)?;
            sum += u64::from(count);
            counts.push((bucket, count));
        }
        Some(Self {
            counts: Counts::of_sorted(counts),
            count: sum,
        })
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many values lie above `ns`, up to the precision of a bucket.
    pub fn count_above(&self, ns: f64) -> u64 {
        let above = self
            .counts
            .as_slice()
            .iter()
            .rev()
            .take_while(|(bucket, _)| middle(*bucket) > ns);
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
        for (bucket, count) in self.counts.as_slice() {
            seen += u64::from(*count);
            if seen > rank {
                return middle(*bucket);
            }
        }
        self.counts.as_slice().last().map_or(0.0, |(bucket, _)| middle(*bucket))
    }

    fn at_rank_from_above(&self, rank: u64) -> f64 {
        let mut seen = 0;
        for (bucket, count) in self.counts.as_slice().iter().rev() {
            seen += u64::from(*count);
            if seen > rank {
                return middle(*bucket);
            }
        }
        self.counts
            .as_slice()
            .first()
            .map_or(0.0, |(bucket, _)| middle(*bucket))
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
        let mut buckets = self.counts.as_slice().iter();
        let middles = middles();
        let (mut seen, mut value) = (0, 0.0);
        let mut last = (seen, value);
        let mut at_rank = |rank: u64| {
            while seen <= rank
                && let Some((bucket, count)) = buckets.next()
            {
                last = (seen, value);
                seen += u64::from(*count);
                value = middle_of(middles, *bucket);
            }
            if rank < last.0 { last.1 } else { value }
        };
        let quantile = |q: &f64| {
            let rank = q * (self.count - 1) as f64;
            // What is no less than zero is rounded down without a call.
            let below = rank as u64;
            let beyond = rank - below as f64;
            let low = at_rank(below);
            let high = at_rank(below + u64::from(beyond > 0.0));
            low + (high - low) * beyond
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

#[cfg(test)]
mod tests;
