//! Surprise, in nats: how unlikely a count is if nothing changed. 15 nats are odds of one in three million, so that a
//! thousand places looked at every five seconds stay quiet for weeks.

/// Kullback-Leibler divergence of a coin of probability `p` from one of probability `q`, in nats; both are kept away
/// from 0 and 1. Source: the Chernoff bound, P(at least n p heads of n) <= exp(-n KL(p, q)) for p > q.
pub fn divergence(p: f64, q: f64) -> f64 {
    let p = p.clamp(0.0, 1.0);
    let q = q.clamp(1e-6, 1.0 - 1e-6);
    let part = |a: f64, b: f64| if a <= 0.0 { 0.0 } else { a * (a / b).ln() };
    part(p, q) + part(1.0 - p, 1.0 - q)
}

/// Surprise at `hits` or more of `count` where a share `expected` is usual; 0 when there are not more than usual.
pub fn excess_of_share(hits: u64, count: u64, expected: f64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    let share = hits as f64 / count as f64;
    if share <= expected {
        0.0
    } else {
        count as f64 * divergence(share, expected)
    }
}

/// Surprise at `count` or fewer where `expected` are usual. Source: the Chernoff bound of the Poisson distribution.
pub fn lack_of_count(count: u64, expected: f64) -> f64 {
    if count as f64 >= expected {
        0.0
    } else {
        poisson_bound(count, expected)
    }
}

/// Surprise at `count` or more where `expected` are usual.
pub fn excess_of_count(count: u64, expected: f64) -> f64 {
    let expected = expected.max(1e-3);
    if count as f64 <= expected {
        0.0
    } else {
        poisson_bound(count, expected)
    }
}

fn poisson_bound(count: u64, expected: f64) -> f64 {
    let count = count as f64;
    let log = if count > 0.0 {
        count * (count / expected).ln()
    } else {
        0.0
    };
    expected - count + log
}

/// The usual share of `hits` of `count`, with half a hit added so that it is never nothing.
pub fn mean_share(hits: u64, count: u64) -> f64 {
    (hits as f64 + 0.5) / (count as f64 + 1.0)
}

/// The value below which a share `q` of the sorted `values` lies, interpolated; `None` of no values.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let rank = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
    Some(low + (high - low) * (rank - rank.floor()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_does_not_surprise() {
        assert_eq!(excess_of_share(1, 100, 0.01), 0.0);
        assert_eq!(excess_of_share(0, 0, 0.5), 0.0);
        assert_eq!(lack_of_count(30, 25.0), 0.0);
        assert!(excess_of_share(3, 25, 0.02) < 5.0);
    }

    #[test]
    fn an_outage_surprises() {
        assert!(excess_of_share(8, 25, 0.005) > 15.0);
        assert!((lack_of_count(0, 25.0) - 25.0).abs() < 1e-9);
        assert!(excess_of_count(100, 25.0) > 15.0);
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[1.0, 2.0], 0.5), Some(1.5));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
