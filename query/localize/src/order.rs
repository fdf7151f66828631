//! What does not depend on the order in which it came.

/// The sum of fractions, which depends on their order, in the order of their size.
pub(crate) fn sum(mut fractions: Vec<f64>) -> f64 {
    fractions.sort_unstable_by(f64::total_cmp);
    // The sum of nothing is 0, where `sum` says -0.
    fractions.iter().fold(0.0, |sum, fraction| sum + fraction)
}

/// The `max` of them for which most speaks, ties by name, in no other order; all where there are no more.
pub(crate) fn most<T, N: Ord>(mut all: Vec<T>, max: usize, much: impl Fn(&T) -> f64, name: impl Fn(&T) -> N) -> Vec<T> {
    if all.len() > max {
        let order = |a: &T, b: &T| much(b).total_cmp(&much(a)).then_with(|| name(a).cmp(&name(b)));
        all.select_nth_unstable_by(max, order);
        all.truncate(max);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_is_the_same_of_any_order() {
        let all: Vec<(f64, u32)> = (0..100).map(|number| (f64::from(number % 7), number)).collect();
        let kept = |all: Vec<(f64, u32)>| {
            let mut kept = most(all, 20, |of| of.0, |of| of.1);
            kept.sort_by_key(|of| of.1);
            kept
        };
        let mut turned = all.clone();
        turned.reverse();
        assert_eq!(kept(all.clone()), kept(turned));
        assert_eq!(kept(all.clone()).iter().filter(|of| of.0 == 6.0).count(), 14);
        assert_eq!(kept(all)[1].1, 6, "of those with five the first by name");
    }
}
