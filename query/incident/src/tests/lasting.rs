//! What stays wrong for good.

use super::world::{EPOCH_NS, Fault, World};
use super::{LATENESS_S, REST_S, incident, shop_and_batch};
use crate::{Change, Config, Engine, Health, State};
use epicenter_schema::Timestamp;
use std::time::Duration;

const GIVE_UP_S: i64 = 300;
/// So much later than the first fault the second one begins.
const LATER_S: i64 = 60;

/// Scenario: two services that have nothing to do with each other begin to fail a minute apart, and stay so.
/// Guarantees: both are given up when the younger one is old, not before; then what they show is the new rest, and what
/// comes on top of it is an incident again.
#[test]
fn several_that_last_are_given_up_together() {
    let mut world = shop_and_batch();
    let mut engine = Engine::new(Config {
        give_up: Duration::from_secs(GIVE_UP_S as u64),
        ..Config::default()
    });
    let faults = [
        Fault::Errors("payment", 0.2),
        Fault::Errors("batch", 0.2),
        Fault::Dead("db:carts"),
    ];
    let learned_s: i64 = REST_S + LATER_S + GIVE_UP_S + 120;
    let mut changes: Vec<(i64, Change)> = Vec::new();
    for second in 0..learned_s + 60 {
        let begun = [REST_S, REST_S + LATER_S, learned_s];
        world.set(&faults[..begun.iter().filter(|begin| **begin <= second).count()]);
        for spans in world.second(second, 20, 0) {
            engine.observe(&spans);
        }
        let watermark = Timestamp(EPOCH_NS + (second + 1 - LATENESS_S) * 1_000_000_000);
        changes.extend(engine.advance(watermark).into_iter().map(|change| (second, change)));
    }
    let culprits: Vec<&str> = engine
        .incidents()
        .iter()
        .map(|one| one.suspects[0].entity.name.as_str())
        .collect();
    assert_eq!(culprits, ["payment", "batch", "carts"], "{changes:#?}");
    for known in &engine.incidents()[..2] {
        assert_eq!(known.state, State::Resolved, "{known:#?}");
        let is_end = |change: &Change| matches!(change, Change::Resolved(over) if over.id == known.id);
        let ends: Vec<i64> = changes.iter().filter(|(_, c)| is_end(c)).map(|(at, _)| *at).collect();
        assert_eq!(ends.len(), 1, "{}: {ends:?}", known.id);
        let since_s = ends[0] - (REST_S + LATER_S);
        assert!(
            (GIVE_UP_S..GIVE_UP_S + 60).contains(&since_s),
            "{}: {since_s} s",
            known.id
        );
    }
    let last = changes.last().map(|(_, change)| incident(change));
    assert!(last.is_some_and(|last| last.state == State::Open), "{last:#?}");
}

/// Scenario: a service that one request in twenty calls is not called any more, as after a release. Nothing fails.
/// Guarantees: that is no incident, and after as long as an incident may last it is the new rest: what is learned is not
/// held up for good, and an incident that comes then is over when its fault is.
#[test]
fn a_service_that_is_not_used_any_more_is_forgotten() {
    const FAULT_S: i64 = 40;
    let mut world = World::new(&[
        ("gateway", 2.0, &["mail", "cart"]),
        ("cart", 3.0, &["db:carts"]),
        ("mail", 3.0, &[]),
    ]);
    world.seldom = Some(("mail", 20));
    let mut engine = Engine::new(Config {
        give_up: Duration::from_secs(GIVE_UP_S as u64),
        ..Config::default()
    });
    let broken_s = REST_S + GIVE_UP_S + 240;
    for second in 0..broken_s + FAULT_S + 120 {
        let faults = [Fault::Unused("mail"), Fault::Errors("cart", 0.5)];
        world.set(match second {
            ..REST_S => &[],
            _ if (broken_s..broken_s + FAULT_S).contains(&second) => &faults,
            _ => &faults[..1],
        });
        for spans in world.second(second, 40, 0) {
            engine.observe(&spans);
        }
        engine.advance(Timestamp(EPOCH_NS + (second + 1 - LATENESS_S) * 1_000_000_000));
    }
    let [incident] = engine.incidents() else {
        panic!("{:#?}", engine.incidents());
    };
    assert_eq!(incident.suspects[0].entity.name, "cart");
    assert_eq!(incident.state, State::Resolved);
    let graph = engine.graph(None, None);
    let unwell: Vec<_> = graph.nodes.iter().filter(|node| node.health != Health::Ok).collect();
    assert!(unwell.is_empty(), "{unwell:#?}");
}
