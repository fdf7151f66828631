//! The relation of two faults is that of what they hit.

use super::*;
use crate::fault::choose;
use crate::system;

/// A fault of a kind in every place that can be drawn for it.
fn faults(kind: Kind, system: &System, rng: &mut fastrand::Rng) -> Vec<Fault> {
    (0..30).filter_map(|_| choose(kind, system, 0, rng)).collect()
}

/// Looks at pairs of two kinds in some systems.
fn check(first: Kind, second: Kind, look: impl Fn(&System, &Fault, &Fault, Option<Relation>)) -> Vec<Relation> {
    let mut seen = Vec::new();
    for seed in 0..12 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let system = system::draw(&mut rng);
        let (ones, others) = (faults(first, &system, &mut rng), faults(second, &system, &mut rng));
        for (one, other) in ones.iter().zip(&others) {
            let found = relation(one, other, &system);
            look(&system, one, other, found);
            seen.extend(found);
        }
    }
    seen
}

/// Whether a service calls another one over any number of calls or messages, by walking every way.
fn calls(system: &System, from: ServiceId, to: ServiceId) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(service) = open.pop() {
        for op in system.services[service].ops.clone() {
            let called = system.calls(op).flat_map(|call| [Some(call.op), call.fallback]);
            let mut next: Vec<OpId> = called.flatten().collect();
            for step in system.steps(op) {
                if let system::Step::Publish(queue) = step {
                    next.push(system.queues[*queue].consumer);
                }
            }
            for op in next {
                let service = system.ops[op].service;
                if seen.insert(service) {
                    open.push(service);
                }
            }
        }
    }
    from != to && seen.contains(&to)
}

#[test]
fn two_services_are_apart_or_one_calls_the_other() {
    let seen = check(Kind::Crash, Kind::Hang, |system, one, other, found| {
        let (down, up) = (
            calls(system, one.service, other.service),
            calls(system, other.service, one.service),
        );
        match found {
            Some(Relation::Apart) => assert!(!down && !up && one.service != other.service),
            Some(Relation::Below) => assert!(down && !up),
            Some(Relation::Above) => assert!(up && !down),
            None => assert!(down || up || one.service == other.service),
        }
        let turned = relation(other, one, system);
        let expected = found.map(|found| match found {
            Relation::Apart => Relation::Apart,
            Relation::Below => Relation::Above,
            Relation::Above => Relation::Below,
        });
        assert_eq!(turned, expected);
    });
    for relation in [Relation::Apart, Relation::Below, Relation::Above] {
        assert!(seen.contains(&relation), "{relation:?}");
    }
}

#[test]
fn a_database_is_below_whoever_asks_it_and_above_nobody() {
    let seen = check(Kind::Errors, Kind::DeadDatabase, |system, one, other, found| {
        assert_ne!(found, Some(Relation::Above));
        let op = one.op.expect("of one operation");
        if asks(system, op, &[other.store]) {
            assert_eq!(found, Some(Relation::Below));
        }
    });
    assert!(seen.contains(&Relation::Apart) && seen.contains(&Relation::Below));
}

#[test]
fn more_requests_are_never_apart_from_anything() {
    let seen = check(Kind::TrafficSurge, Kind::Crash, |_, _, _, _| {});
    assert!(seen.contains(&Relation::Below) && !seen.contains(&Relation::Apart));
}

#[test]
fn what_one_fault_changes_the_other_leaves_alone() {
    check(Kind::NodeDead, Kind::Crash, |system, one, other, found| {
        if system.services[other.service].machines().any(|node| node == one.node) {
            assert_eq!(found, None);
        }
    });
    check(Kind::SlowDatabase, Kind::DeadDatabase, |_, one, other, found| {
        assert!(one.store != other.store || found.is_none());
    });
}
