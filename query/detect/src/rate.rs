//! Surprise at a rate: how hard a count is to believe at the rate known from rest.

/// The log-likelihood ratio, in nats, of seeing `hits` of `count` at its own rate against the rate `rest`:
/// `n * KL(hits/n || rest)`. It grows with the size of the sample, so a few odd ones in a few calls stay small.
/// 8 nats is about one in 3,000.
///
/// Source: Kullback-Leibler divergence as the exponent of a binomial tail (Sanov; Chernoff).
pub fn surprise(hits: u64, count: u64, rest: f64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    let p = hits as f64 / count as f64;
    let q = rest.clamp(1e-6, 1.0 - 1e-6);
    let term = |a: f64, b: f64| if a <= 0.0 { 0.0 } else { a * (a / b).ln() };
    count as f64 * (term(p, q) + term(1.0 - p, 1.0 - q))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surprise_grows_with_the_sample_and_is_zero_at_rest() {
        assert!(surprise(5, 10, 0.5).abs() < 1e-9);
        assert!(surprise(100, 100, 0.01) > surprise(10, 10, 0.01));
        assert!(surprise(1, 10, 0.1) < 0.01);
    }
}
