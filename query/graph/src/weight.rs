//! How many spans one span stands for: senders that keep one in so many say so in the trace state.
//!
//! A weight is a fixed-point number in steps of 1/1024, so that sums do not depend on their order. Rates are sums of
//! weights; tests of significance use how many spans were really seen.
//!
//! Source: OpenTelemetry, trace state: probability sampling. `ot=th:<hex>` is the rejection threshold `T`, up to 14
//! hexadecimal digits, of which zeros at the end are left out; the span stands for `2^56 / (2^56 - T)`. The older
//! `ot=p:<n>` stands for `2^n`, and for nothing at 63.

use std::ops::{Add, AddAssign};

/// Steps of one.
const ONE: u64 = 1024;
/// No span stands for more: the sum of a window cannot overflow, and a broken sampler drowns nothing.
const WEIGHT_MAX: u64 = ONE << 20;
/// Digits of a threshold.
const THRESHOLD_DIGITS: usize = 14;
const THRESHOLD_BITS: u32 = 56;
/// The p-value that stands for probability zero.
const P_ZERO: u32 = 63;

/// How many spans are stood for, in steps of 1/1024. The default is none.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Weight(u64);

impl Weight {
    /// What a span stands for that says nothing of sampling.
    pub const ONE: Self = Self(ONE);

    /// From a span's W3C trace state. A sampling that cannot be read counts as none.
    pub fn of_trace_state(state: &str) -> Self {
        let members = state.split(',').map(str::trim);
        let Some(fields) = members.filter_map(|member| member.strip_prefix("ot=")).next() else {
            return Self::ONE;
        };
        let field = |key: &str| fields.split(';').find_map(|field| field.strip_prefix(key));
        let found = match field("th:") {
            Some(threshold) => of_threshold(threshold),
            None => field("p:").and_then(of_p_value),
        };
        found.unwrap_or(Self::ONE)
    }

    /// The nearest power of two, for when too many different weights are about.
    pub(crate) fn rounded(self) -> Self {
        let shift = (self.0 / ONE).max(1).ilog2();
        Self(ONE << shift)
    }

    /// The weights that [`Weight::rounded`] gives.
    pub(crate) fn powers() -> impl Iterator<Item = Self> {
        (0..=20).map(|shift| Self(ONE << shift))
    }

    /// This, or nothing.
    pub(crate) fn when(self, counts: bool) -> Self {
        if counts { self } else { Self(0) }
    }

    /// Spans stood for.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// Steps of 1/1024, as files have them.
    pub fn steps(self) -> u64 {
        self.0
    }

    /// From steps of 1/1024.
    pub fn from_steps(steps: u64) -> Self {
        Self(steps)
    }
}

impl Add for Weight {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Weight {
    fn sum<I: Iterator<Item = Self>>(weights: I) -> Self {
        weights.fold(Self::default(), Add::add)
    }
}

fn of_threshold(digits: &str) -> Option<Weight> {
    let is_valid = (1..=THRESHOLD_DIGITS).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_valid {
        return None;
    }
    let value = u64::from_str_radix(digits, 16).ok()?;
    let threshold = value << (4 * (THRESHOLD_DIGITS - digits.len()));
    let kept = (1u64 << THRESHOLD_BITS) - threshold;
    let steps = ((1u128 << THRESHOLD_BITS) * u128::from(ONE) + u128::from(kept / 2)) / u128::from(kept);
    Some(Weight(
        u64::try_from(steps).map_or(WEIGHT_MAX, |steps| steps.min(WEIGHT_MAX)),
    ))
}

fn of_p_value(digits: &str) -> Option<Weight> {
    match digits.parse::<u32>().ok()? {
        P_ZERO => Some(Weight(0)),
        p if p < P_ZERO => Some(Weight(
            ONE.checked_shl(p.min(20)).map_or(WEIGHT_MAX, |w| w.min(WEIGHT_MAX)),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: &str, expected: f64) {
        let found = Weight::of_trace_state(state).as_f64();
        assert!(
            (found - expected).abs() <= expected / 2048.0,
            "{state}: {found} instead of {expected}"
        );
    }

    #[test]
    fn thresholds_and_p_values_and_nonsense() {
        check("ot=th:0", 1.0);
        check("ot=th:8", 2.0);
        check("ot=th:c", 4.0);
        check("ot=th:fd70a4", 100.0);
        check("rojo=00f067aa0ba902b7,ot=rv:6e6d1a75832a2f;th:f", 16.0);
        check("ot=p:3;r:7", 8.0);
        check("ot=p:63", 0.0);
        check("ot=th:c;p:1", 4.0);
        check("", 1.0);
        check("vendor=th:8", 1.0);
        for nonsense in [
            "ot=th:",
            "ot=th:xyz",
            "ot=th:123456789012345",
            "ot=p:64",
            "ot=p:-1",
            "ot=th:+8",
        ] {
            check(nonsense, 1.0);
        }
        check("ot=th:ffffffffffffff", (1u64 << 20) as f64);
        check("ot=p:62", (1u64 << 20) as f64);
    }
}
