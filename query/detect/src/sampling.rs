//! Head sampling: what is seen stands for more, and for how much may change. What is told is what is stood for; what is
//! certain rests on what is seen.

use epicenter_graph::{OpStats, Weight, Window};

/// How many requests one request of an operation stands for; 1 where there are none.
pub fn weight(op: &OpStats) -> f64 {
    ratio(op.weighed.count.as_f64(), op.entries)
}

/// Requests that begin at an operation, with those that were not kept.
pub fn arrivals(op: &OpStats) -> f64 {
    op.roots as f64 * weight(op)
}

/// How many times as much of the same traffic is seen in a window as at rest: 1/16 when one in sixteen is kept, and all were.
/// Cost: nothing where nothing says that it was sampled, else a pass over the operations of both.
pub fn thinning(window: &Window, rest: &Window) -> f64 {
    if window.accounts.sampled == 0 && rest.accounts.sampled == 0 {
        return 1.0;
    }
    mean_weight(rest) / mean_weight(window)
}

fn mean_weight(window: &Window) -> f64 {
    let ops = window.ops.values();
    // Sums of integers, in whatever order.
    let (seen, steps) = ops.fold((0, 0), |(seen, steps), op| {
        (seen + op.entries, steps + op.weighed.count.steps())
    });
    ratio(Weight::from_steps(steps).as_f64(), seen)
}

fn ratio(stood_for: f64, seen: u64) -> f64 {
    if seen == 0 || stood_for <= 0.0 {
        1.0
    } else {
        stood_for / seen as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Baseline, Signal, surges, symptoms};
    use epicenter_graph::{Names, OpKey, Weighed};
    use epicenter_schema::{DurationNs, SpanKind};

    const SECONDS: DurationNs = DurationNs::from_secs(10);

    /// A window of an entry at which so many requests are seen, each of which stands for so many.
    fn window(names: &mut Names, seen: u64, weight: u64) -> Window {
        window_of(names, "shop", seen, weight)
    }

    fn window_of(names: &mut Names, service: &str, seen: u64, weight: u64) -> Window {
        let mut window = Window::default();
        let key = OpKey {
            service: names.intern(service),
            name: names.intern("GET /"),
            kind: SpanKind::Server,
        };
        let weighed = Weighed {
            count: Weight::from_steps(Weight::ONE.steps() * weight * seen),
            ..Weighed::default()
        };
        let op = OpStats {
            count: seen,
            entries: seen,
            roots: seen,
            weighed,
            ..OpStats::default()
        };
        window.ops.insert(key, op);
        window.spans = seen;
        window.accounts.sampled = if weight == 1 { 0 } else { seen };
        window
    }

    /// Requests seen and what each stands for: at rest, and now.
    fn surge(rest: (u64, u64), now: (u64, u64)) -> Option<(f64, f64)> {
        let mut names = Names::default();
        let mut baseline = Baseline::default();
        baseline.push(window(&mut names, rest.0, rest.1), SECONDS);
        let window = window(&mut names, now.0, now.1);
        let found = surges(&window, SECONDS, &baseline, &names);
        found.first().map(|surge| (surge.rate_per_s, surge.usual_per_s))
    }

    #[test]
    fn another_sampling_is_no_surge() {
        assert_eq!(surge((100, 16), (1600, 1)), None);
        assert_eq!(surge((1600, 1), (100, 16)), None);
    }

    /// Scenario: a traced generator of load, whose calls are roots where no span answers them: one at rest, half of them now.
    #[test]
    fn calls_that_nobody_answers_are_no_surge() {
        let mut names = Names::default();
        let mut calls = |roots| {
            let mut window = window(&mut names, 1, 1);
            for op in window.ops.values_mut() {
                (op.count, op.roots, op.entries, op.weighed) = (100, roots, 0, Weighed::default());
            }
            window
        };
        let mut baseline = Baseline::default();
        baseline.push(calls(1), SECONDS);
        let now = calls(50);
        assert_eq!(surges(&now, SECONDS, &baseline, &names), []);
    }

    /// Guarantees: periods of which all was kept do not make a surge look small when one in sixteen is kept.
    #[test]
    fn a_surge_is_seen_after_the_sampling_changed() {
        let mut names = Names::default();
        let mut baseline = Baseline::default();
        for rest in [(1600, 1), (1600, 1), (100, 16), (100, 16)] {
            baseline.push(window(&mut names, rest.0, rest.1), SECONDS);
        }
        let found = surges(&window(&mut names, 300, 16), SECONDS, &baseline, &names);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].rate_per_s, 480.0);
    }

    #[test]
    fn a_surge_is_told_in_requests_that_there_were() {
        assert_eq!(surge((100, 16), (1000, 16)), Some((1600.0, 160.0)));
        assert_eq!(
            surge((1600, 1), (1000, 16)),
            Some((1600.0, 160.0)),
            "though less is seen"
        );
    }

    /// Guarantees: that less is seen of everybody does not hide who is silent.
    #[test]
    fn who_is_silent_is_noticed_though_less_is_seen() {
        let mut names = Names::default();
        let mut rest = window(&mut names, 1600, 1);
        rest.merge(&window_of(&mut names, "mail", 1600, 1));
        let mut baseline = Baseline::default();
        baseline.push(rest, SECONDS);
        let now = window(&mut names, 100, 16);
        let found = symptoms(&now, SECONDS, &baseline, &names);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].signal, found[0].usual), (Signal::Silence, 100.0));
    }

    #[test]
    fn thinning_is_of_what_is_seen() {
        let mut names = Names::default();
        let (all, few) = (window(&mut names, 1600, 1), window(&mut names, 100, 16));
        assert_eq!((thinning(&few, &all), thinning(&all, &few)), (1.0 / 16.0, 16.0));
        assert_eq!((thinning(&all, &all), thinning(&few, &few)), (1.0, 1.0));
    }
}
