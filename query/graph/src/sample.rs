//! A few requests picked by chance that is the same for everybody: those whose trace ids have the least hashes.

use epicenter_schema::TraceId;

/// Requests kept.
const KEPT_MAX: usize = 2;

/// A sample of requests with their durations. It depends on which requests were offered, not on their order or on where
/// they were counted, so samples merge as sums do.
///
/// Source: Broder: On the resemblance and containment of documents (SEQUENCES 1997), the bottom-k sketch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    kept: [(u64, i64, TraceId); KEPT_MAX],
    count: usize,
}

impl Sample {
    /// Offers a request; a trace that has several counts by the longest.
    pub fn offer(&mut self, duration: i64, trace: TraceId) {
        let hash = hash(trace);
        if self.count == KEPT_MAX && hash > self.kept[KEPT_MAX - 1].0 {
            return;
        }
        self.keep((hash, duration, trace));
    }

    fn keep(&mut self, mut offered: (u64, i64, TraceId)) {
        let order = |(hash, _, trace): &(u64, i64, TraceId)| (*hash, trace.0);
        for kept in &mut self.kept[..self.count] {
            if kept.2 == offered.2 {
                kept.1 = kept.1.max(offered.1);
                return;
            }
            if order(&offered) < order(kept) {
                std::mem::swap(&mut offered, kept);
            }
        }
        if self.count < KEPT_MAX {
            self.kept[self.count] = offered;
            self.count += 1;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.kept[..other.count].iter().for_each(|request| self.keep(*request));
    }

    /// The request that took nearest to `typical` nanoseconds of those that took at most `most`, ties by hash.
    pub fn nearest(&self, typical: f64, most: f64) -> Option<TraceId> {
        let good = self.kept[..self.count]
            .iter()
            .filter(|(_, duration, _)| *duration as f64 <= most);
        let far = |duration: i64| (duration as f64 - typical).abs();
        good.min_by(|a, b| far(a.1).total_cmp(&far(b.1)))
            .map(|(_, _, trace)| *trace)
    }
}

/// Both halves, stirred: some senders count in one half, or keep traces by the last bits of it.
///
/// Source: the finalizer of MurmurHash3 (Appleby 2011).
fn hash(trace: TraceId) -> u64 {
    let bytes = u128::from_be_bytes(trace.0);
    let mut z = (bytes as u64) ^ ((bytes >> 64) as u64).rotate_left(32);
    z = (z ^ (z >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    z = (z ^ (z >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    z ^ (z >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(requests: &[(i64, u8)]) -> Sample {
        let mut sample = Sample::default();
        for (duration, trace) in requests {
            sample.offer(*duration, TraceId([*trace; 16]));
        }
        sample
    }

    fn together(samples: &[Sample]) -> Sample {
        let mut sum = Sample::default();
        samples.iter().for_each(|sample| sum.merge(sample));
        sum
    }

    proptest! {
        /// Guarantees: what is kept depends neither on the order nor on how the requests were split and added up.
        #[test]
        fn neither_order_nor_split_matters(
            requests in proptest::collection::vec((0i64..1000, 0u8..40), 0..60),
            by in proptest::collection::vec(any::<u8>(), 60),
        ) {
            let expected = sample(&requests);
            let mut shuffled: Vec<_> = requests.iter().copied().zip(&by).collect();
            shuffled.sort_by_key(|(_, by)| **by);
            let shuffled: Vec<_> = shuffled.into_iter().map(|(request, _)| request).collect();
            prop_assert_eq!(sample(&shuffled), expected);
            let (left, right) = shuffled.split_at(shuffled.len() / 2);
            let (first, last) = right.split_at(right.len() / 3);
            let [left, first, last] = [left, first, last].map(sample);
            prop_assert_eq!(together(&[left, first, last]), expected);
            prop_assert_eq!(together(&[last, together(&[first, left])]), expected);
            prop_assert_eq!(together(&[expected, expected]), expected);
        }
    }

    #[test]
    fn the_nearest_to_the_typical_that_is_not_slow() {
        let sample = sample(&[(100, 1), (400, 2)]);
        assert_eq!(sample.nearest(120.0, 1000.0), Some(TraceId([1; 16])));
        assert_eq!(sample.nearest(390.0, 1000.0), Some(TraceId([2; 16])));
        assert_eq!(sample.nearest(390.0, 300.0), Some(TraceId([1; 16])));
        assert_eq!(sample.nearest(390.0, 50.0), None);
    }
}
