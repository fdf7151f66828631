//! What does not depend on the order in which it came.

/// The sum of fractions, which depends on their order, in the order of their size.
pub(crate) fn sum(mut fractions: Vec<f64>) -> f64 {
    fractions.sort_unstable_by(f64::total_cmp);
    fractions.iter().sum()
}
