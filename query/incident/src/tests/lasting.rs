//! What stays wrong for good.

use super::world::{EPOCH_NS, Fault};
use super::{LATENESS_S, REST_S, incident, shop_and_batch};
use crate::{Change, Config, Engine, State};
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
