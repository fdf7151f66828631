//! Summaries add up, and stay bounded.

use super::*;
use crate::Weight;

fn part(count: u64) -> Part {
    let mut weighed = Weighed::default();
    (0..count).for_each(|_| weighed.add(Weight::ONE, false));
    Part {
        count,
        errors: 0,
        weighed,
    }
}

/// A second in which `web` had so many requests at each of some versions.
fn summary(versions: impl IntoIterator<Item = (usize, u64)>) -> Summary {
    let mut summary = Summary {
        length: DurationNs::from_secs(1),
        ..Summary::default()
    };
    let node = summary.node(Entity::service("web"));
    for (version, count) in versions {
        let sum = part(count);
        node.traffic.count += count;
        node.traffic.weighed.merge(sum.weighed);
        let name = ("version".to_owned(), format!("{version:03}"));
        node.parts.insert(name, sum);
    }
    node.limit();
    summary
}

#[test]
fn stretches_add_up_in_any_order() {
    let (a, b, c) = (summary([(1, 2)]), summary([(1, 3), (2, 1)]), summary([(3, 7)]));
    let sum = |order: [&Summary; 3]| {
        let mut sum = Summary::default();
        order.into_iter().for_each(|summary| sum.merge(summary));
        sum
    };
    let all = sum([&a, &b, &c]);
    assert_eq!(all, sum([&c, &b, &a]));
    let web = &all.nodes[&Entity::service("web")];
    assert_eq!(web.traffic.count, 13);
    assert!((web.traffic.rate_per_s(all.length) - 13.0 / 3.0).abs() < 1e-9);
    assert_eq!(web.parts[&("version".to_owned(), "001".to_owned())].count, 5);
    let mut beside = a.clone();
    beside.beside(&b);
    assert_eq!(beside.length, a.length, "another part of the same second");
}

#[test]
fn the_rarest_values_are_left_out() {
    let many = summary((0..100).map(|version| (version, 1 + version as u64)));
    let web = &many.nodes[&Entity::service("web")];
    assert_eq!(web.parts.len(), VALUES_MAX);
    let first = web.parts.keys().next().expect("a value");
    assert_eq!(first.1, format!("{:03}", 100 - VALUES_MAX));
}

#[test]
fn the_worst_health_stays_and_no_baseline_says_nothing() {
    let with = |health| Traffic {
        health,
        ..Traffic::default()
    };
    for (one, other, expected) in [
        (Health::Ok, Health::Unknown, Health::Ok),
        (Health::Unknown, Health::Degraded, Health::Degraded),
        (Health::Failing, Health::Ok, Health::Failing),
    ] {
        let mut sum = with(one);
        sum.merge(&with(other));
        assert_eq!(sum.health, expected);
    }
}
