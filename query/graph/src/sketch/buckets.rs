//! Which bucket a value belongs to, and which value stands for a bucket.

use std::sync::LazyLock;

/// Ratio between two buckets: relative error is half of what exceeds 1.
const RATIO: f64 = 1.04;
/// Buckets up to 2^47 ns; longer values are counted in the last one.
pub(super) const BUCKET_MAX: u16 = 831;
/// Bits of a value, below its highest, that tell where to look for its bucket.
const STEP_BITS: u32 = 5;

/// The bucket of a value. Looked up, because a logarithm takes longer than all else that a span costs here.
pub(super) fn bucket_of(ns: i64) -> u16 {
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
static MIDDLES: LazyLock<Middles> = LazyLock::new(|| {
    std::array::from_fn(|bucket| match bucket {
        0 => 0.5,
        _ => RATIO.powf(bucket as f64 - 0.5),
    })
});

/// By bucket.
type Middles = [f64; BUCKET_MAX as usize + 1];

/// The value in nanoseconds that stands for a bucket.
pub(super) fn middle(bucket: u16) -> f64 {
    middle_of(&MIDDLES, bucket)
}

/// All of them, for who asks for many.
pub(super) fn middles() -> &'static Middles {
    &MIDDLES
}

/// That of a bucket.
pub(super) fn middle_of(middles: &Middles, bucket: u16) -> f64 {
    middles[usize::from(bucket.min(BUCKET_MAX))]
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
}
