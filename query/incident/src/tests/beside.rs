//! Incidents beside one another.

use super::world::{EPOCH_NS, Fault, World};
use super::{LATENESS_S, REST_S, shop_and_batch};
use crate::{Config, Engine, Incident, State};
use epicenter_schema::Timestamp;

/// Two faults, each from and until so many seconds after the rest; and the incidents at the end.
fn incidents(faults: [(Fault, i64, i64); 2]) -> Vec<Incident> {
    incidents_in(shop_and_batch(), &faults)
}

pub(super) fn incidents_in(world: World, faults: &[(Fault, i64, i64)]) -> Vec<Incident> {
    incidents_at(world, faults, 20)
}

/// The same with so many requests a second.
fn incidents_at(mut world: World, faults: &[(Fault, i64, i64)], rate: u64) -> Vec<Incident> {
    let mut engine = Engine::new(Config::default());
    let end = faults.iter().map(|(_, _, until)| *until).max().unwrap_or(0) + 90;
    for second in 0..REST_S + end {
        let is_on = |(_, from, until): &&(Fault, i64, i64)| (*from..*until).contains(&(second - REST_S));
        let now: Vec<Fault> = faults.iter().filter(is_on).map(|(fault, ..)| *fault).collect();
        world.set(&now);
        for spans in world.second(second, rate, 0) {
            engine.observe(&spans);
        }
        engine.advance(Timestamp(EPOCH_NS + (second + 1 - LATENESS_S) * 1_000_000_000));
    }
    engine.incidents().to_vec()
}

/// Each with its own culprit, its own affected services and entry points, and over.
fn check(faults: [(Fault, i64, i64); 2], culprits: [&str; 2]) {
    let found = incidents(faults);
    let named: Vec<&str> = found.iter().map(|one| one.suspects[0].entity.name.as_str()).collect();
    assert_eq!(named, culprits, "{found:#?}");
    for incident in &found {
        assert_eq!(incident.state, State::Resolved, "{incident:#?}");
        let is_archive = incident.suspects[0].entity.name == "archive";
        let entry = if is_archive {
            "batch GET /batch"
        } else {
            "gateway GET /gateway"
        };
        assert_eq!(incident.entry_points, [entry], "{incident:#?}");
        let batch = incident.affected.iter().any(|affected| affected.service == "batch");
        assert_eq!(batch, is_archive, "{incident:#?}");
    }
}

/// Scenario: payment fails now and then for minutes; at first the archive, which has nothing to do with it, is dead too.
/// Guarantees: when that is over, the other one still names payment: what it saw meanwhile was not all its own.
#[test]
fn what_is_over_is_not_taken_for_what_goes_on() {
    let (payment, archive) = (Fault::Errors("payment", 0.3), Fault::Dead("db:archive"));
    check([(archive, 0, 90), (payment, 30, 300)], ["archive", "payment"]);
}

/// Scenario: payment fails now and then for minutes; meanwhile the archive, which has nothing to do with it, is dead for a
/// while, and much worse.
/// Guarantees: payment stays the answer of the older one; it is not told twice.
#[test]
fn what_begins_beside_it_is_not_taken_for_what_goes_on() {
    let (payment, archive) = (Fault::Errors("payment", 0.3), Fault::Dead("db:archive"));
    check([(payment, 0, 300), (archive, 30, 120)], ["payment", "archive"]);
    check([(payment, 0, 120), (archive, 30, 300)], ["payment", "archive"]);
}

/// Scenario: payment fails and the cart is slow, from the same second on; both are asked by the same callers.
/// Guarantees: two incidents, each with its own culprit, neither of which is ended or renamed by the other.
#[test]
fn faults_at_once_below_the_same_callers_are_two() {
    let faults = [
        (Fault::Errors("payment", 0.6), 0, 90),
        (Fault::Slow("cart", 300.0), 0, 90),
    ];
    let mut named: Vec<String> = Vec::new();
    for incident in incidents(faults) {
        assert_eq!(incident.state, State::Resolved, "{incident:#?}");
        named.push(incident.suspects[0].entity.name.clone());
    }
    named.sort_unstable();
    assert_eq!(named, ["cart", "payment"]);
}

/// Who calls payment cuts its calls to the stock when payment fails.
fn shop_that_cuts() -> World {
    let mut world = shop_and_batch();
    world.cuts = Some("checkout");
    world
}

fn check_named(incidents: &[Incident], culprits: &[&str]) {
    let named: Vec<&str> = incidents
        .iter()
        .map(|one| one.suspects[0].entity.name.as_str())
        .collect();
    assert_eq!(named, culprits, "{incidents:#?}");
    assert!(
        incidents.iter().all(|one| one.state == State::Resolved),
        "{incidents:#?}"
    );
}

/// Scenario: payment fails, and each time the caller cuts its call to the stock, which has nothing to do with it.
/// Guarantees: one incident: that calls to the stock fail tells nothing of it.
#[test]
fn calls_that_are_cut_when_another_one_fails_are_no_incident() {
    for share in [0.2, 0.6] {
        let found = incidents_in(shop_that_cuts(), &[(Fault::Errors("payment", share), 0, 120)]);
        check_named(&found, &["payment"]);
    }
}

/// Scenario: while payment fails now and then, calls begin to be lost on the way to the stock, which has the same caller.
/// Guarantees: two incidents: those calls went well when payment failed already.
#[test]
fn a_lossy_way_from_who_suffers_already_is_an_incident() {
    let faults = [
        (Fault::Errors("payment", 0.3), 0, 180),
        (Fault::Lossy("stock", 0.6), 60, 180),
    ];
    check_named(&incidents_in(shop_and_batch(), &faults), &["payment", "stock"]);
}

/// Scenario: payment fails; meanwhile one of several copies of the batch job, which has nothing to do with it, is slow for
/// much longer. Hardly anything passes.
/// Guarantees: the incident at payment is over when payment fails no more.
#[test]
fn a_slow_copy_elsewhere_keeps_no_incident_open() {
    let faults = [
        (Fault::Errors("payment", 0.6), 0, 240),
        (Fault::SlowPod("batch", 1, 200.0), 20, 480),
    ];
    let mut world = shop_and_batch();
    world.rare = Some(("batch", 2));
    let found = incidents_at(world, &faults, 2);
    check_named(&found, &["payment", "batch-1"]);
    let over_s = found[0]
        .resolved
        .map_or(i64::MAX, |at| (at.0 - EPOCH_NS) / 1_000_000_000 - REST_S);
    assert!((240..270).contains(&over_s), "{over_s} s");
}
