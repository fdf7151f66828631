//! The engine as a whole, on a small system with known faults.

mod bare;
mod beside;
mod lasting;
mod named;
mod quiet;
mod recorded;
mod thin;
mod world;

use crate::{CauseKind, Change, Config, Engine, EntityKind, Health, Incident, State};
use epicenter_schema::{DurationNs, Timestamp};
use world::{EPOCH_NS, Fault, World};

/// How far spans are late at most, in seconds, as in the live shell.
const LATENESS_S: i64 = 7;
const REST_S: i64 = 180;
const FAULT_S: i64 = 60;
const AFTER_S: i64 = 60;

/// gateway -> web -> {cart -> cache:sessions, db:carts; checkout -> {payment -> db:ledger, stock -> db:stock}}
fn shop() -> World {
    World::new(&[
        ("gateway", 2.0, &["web"]),
        ("web", 4.0, &["cart", "checkout"]),
        ("cart", 3.0, &["cache:sessions", "db:carts"]),
        ("checkout", 5.0, &["payment", "stock"]),
        ("payment", 6.0, &["db:ledger"]),
        ("stock", 3.0, &["db:stock"]),
    ])
}

struct Run {
    engine: Engine,
    changes: Vec<(i64, Change)>,
}

impl Run {
    fn opened(&self) -> Vec<&Incident> {
        let opened = |change: &'_ Change| matches!(change, Change::Opened(_));
        self.changes
            .iter()
            .filter(|(_, c)| opened(c))
            .map(|(_, c)| incident(c))
            .collect()
    }

    /// Seconds after the fault began.
    fn opened_after(&self) -> i64 {
        self.changes
            .iter()
            .find(|(_, c)| matches!(c, Change::Opened(_)))
            .map_or(i64::MAX, |(at, _)| at - REST_S)
    }
}

impl Run {
    /// Seconds after the fault was over.
    fn resolved_after(&self) -> i64 {
        let resolved = self.changes.iter().find(|(_, c)| matches!(c, Change::Resolved(_)));
        resolved.map_or(i64::MAX, |(at, _)| at - REST_S - FAULT_S)
    }
}

fn incident(change: &Change) -> &Incident {
    match change {
        Change::Opened(incident) | Change::Updated(incident) | Change::Resolved(incident) => incident,
    }
}

/// Rest, fault, rest, live: windows close as the clock goes on.
fn live(mut world: World, rate: u64, faults: &[Fault], shuffle: u64) -> Run {
    let mut run = Run {
        engine: Engine::new(Config::default()),
        changes: Vec::new(),
    };
    for second in 0..REST_S + FAULT_S + AFTER_S {
        let broken = (REST_S..REST_S + FAULT_S).contains(&second);
        world.set(if broken { faults } else { &[] });
        let received = Timestamp(EPOCH_NS + (second + 2) * 1_000_000_000);
        for batch in world.second(second, rate, shuffle) {
            run.engine.observe_received(&batch, received);
        }
        let watermark = Timestamp(EPOCH_NS + (second + 1 - LATENESS_S) * 1_000_000_000);
        for change in run.engine.advance(watermark) {
            run.changes.push((second + 1, change));
        }
    }
    run
}

/// One incident, that names the culprit and the cause, and is over at the end.
fn check_answer(run: &Run, culprit: (EntityKind, &str), cause: CauseKind) {
    let incidents = run.engine.incidents();
    assert_eq!(incidents.len(), 1, "{:#?}", run.changes);
    let incident = &incidents[0];
    let entity = &incident.suspects[0].entity;
    assert_eq!((entity.kind, entity.name.as_str()), culprit, "{incident:#?}");
    assert_eq!(incident.cause.kind, cause, "{incident:#?}");
    assert_eq!(incident.state, State::Resolved, "{incident:#?}");
}

/// One incident, opened in time, that names the culprit and the cause, and is over at the end.
fn check(rate: u64, faults: &[Fault], culprit: (EntityKind, &str), cause: CauseKind) -> Run {
    let run = live(shop(), rate, faults, 0);
    check_answer(&run, culprit, cause);
    let incident = &run.engine.incidents()[0];
    assert!(
        run.opened_after() <= 22,
        "{faults:?}: opened after {} s",
        run.opened_after()
    );
    assert!(
        run.resolved_after() <= 32,
        "{faults:?}: resolved after {} s",
        run.resolved_after()
    );
    let opened = run.opened()[0].suspects[0].entity.name.clone();
    assert_eq!(opened, culprit.1, "{faults:?}: the first answer was {opened}");
    let sum: f64 = incident.suspects.iter().map(|suspect| suspect.score).sum();
    assert!(sum <= 1.0 + 1e-9, "{sum}");
    run
}

fn names_of(entities: &[crate::Entity]) -> Vec<&str> {
    entities.iter().map(|entity| entity.name.as_str()).collect()
}

/// The shop, and beside it a batch job with a store of its own.
fn shop_and_batch() -> World {
    let mut world = shop();
    world.add_entry("batch", 3.0, &["db:archive"]);
    world
}

fn culprits(run: &Run) -> Vec<&str> {
    let incidents = run.engine.incidents().iter();
    let mut culprits: Vec<&str> = incidents.map(|one| one.suspects[0].entity.name.as_str()).collect();
    culprits.sort_unstable();
    culprits
}

/// Scenario: payment fails, and at the same time the archive that only the batch job uses is dead.
/// Guarantees: two incidents, each with its own culprit, its own affected services and entry points, both over at the end.
#[test]
fn unrelated_faults_are_incidents_of_their_own() {
    let run = live(
        shop_and_batch(),
        20,
        &[Fault::Errors("payment", 0.6), Fault::Dead("db:archive")],
        0,
    );
    assert_eq!(culprits(&run), ["archive", "payment"], "{:#?}", run.changes);
    for incident in run.engine.incidents() {
        assert_eq!(incident.state, State::Resolved, "{incident:#?}");
        let is_archive = incident.suspects[0].entity.name == "archive";
        let batch = incident.affected.iter().any(|affected| affected.service == "batch");
        assert_eq!(batch, is_archive, "{incident:#?}");
        let entry = if is_archive {
            "batch GET /batch"
        } else {
            "gateway GET /gateway"
        };
        assert_eq!(incident.entry_points, [entry]);
    }
    assert_eq!(run.opened().len(), 2);
}

/// Scenario: two services fail, one of which calls the other.
#[test]
fn related_faults_are_one_incident() {
    let run = live(
        shop_and_batch(),
        20,
        &[Fault::Errors("payment", 0.6), Fault::Slow("checkout", 300.0)],
        0,
    );
    assert_eq!(run.engine.incidents().len(), 1, "{:#?}", run.changes);
}

/// Scenario: a fault that shows in some windows only, because hardly anybody passes there.
/// Guarantees: it is one incident, not one for each time it shows.
#[test]
fn what_comes_and_goes_is_one_incident() {
    let mut world = shop();
    let mut engine = Engine::new(Config::default());
    for second in 0..REST_S + 4 * FAULT_S {
        // For five seconds in twenty.
        let is_broken = (REST_S..REST_S + 3 * FAULT_S).contains(&second) && second % 20 < 5;
        let faults = [Fault::Errors("stock", 0.9)];
        world.set(if is_broken { &faults } else { &[] });
        world
            .second(second, 10, 0)
            .iter()
            .for_each(|batch| engine.observe(batch));
        engine.advance(Timestamp(EPOCH_NS + (second + 1 - LATENESS_S) * 1_000_000_000));
    }
    engine.finish();
    assert_eq!(engine.incidents().len(), 1, "{:#?}", engine.incidents());
    assert_eq!(engine.incidents()[0].suspects[0].entity.name, "stock");
}

/// Scenario: payment is dead within one window, and well again before the next.
/// Guarantees: it is over from the end of that window on, not before it was detected.
#[test]
fn what_was_bad_for_one_window_is_not_over_before_it_was_detected() {
    let (mut world, mut engine) = (shop(), Engine::new(Config::default()));
    for second in 0..REST_S + FAULT_S + AFTER_S {
        let is_broken = (REST_S..REST_S + 4).contains(&second);
        world.set(if is_broken { &[Fault::Dead("payment")] } else { &[] });
        world
            .second(second, 20, 0)
            .iter()
            .for_each(|batch| engine.observe(batch));
        engine.advance(Timestamp(EPOCH_NS + (second + 1 - LATENESS_S) * 1_000_000_000));
    }
    let [incident] = engine.incidents() else {
        panic!("{:#?}", engine.incidents());
    };
    let detected = Timestamp(EPOCH_NS + (REST_S + 5) * 1_000_000_000);
    assert_eq!((incident.detected, incident.resolved), (detected, Some(detected)));
}

/// Scenario: an hour of nothing, at a small and a larger rate, with the noise of errors that is always there.
#[test]
fn nothing_wrong_opens_nothing() {
    for rate in [3, 12] {
        let mut world = shop();
        let mut engine = Engine::new(Config::default());
        for second in 0..900_i64 {
            // Traffic grows and shrinks by itself.
            let now = rate + rate * (second.unsigned_abs() % 400) / 400;
            for batch in world.second(second, now, 0) {
                engine.observe(&batch);
            }
            let changes = engine.advance(Timestamp(EPOCH_NS + (second - LATENESS_S) * 1_000_000_000));
            assert!(changes.is_empty(), "{changes:#?}");
        }
        assert_eq!(engine.counters().late, 0);
    }
}

/// Scenario: no more spans come at all, of anybody, as at night or when the way to Epicenter is cut.
#[test]
fn total_silence_is_not_an_incident() {
    let mut run = live(shop(), 10, &[], 0);
    let end = REST_S + FAULT_S + AFTER_S;
    for second in end..end + 120 {
        assert!(
            run.engine
                .advance(Timestamp(EPOCH_NS + second * 1_000_000_000))
                .is_empty()
        );
    }
}

/// Guarantees: the order in which spans arrive within the lateness does not reach the answer.
#[test]
fn the_order_of_arrival_does_not_matter() {
    let faults = [Fault::Dead("stock")];
    let one = live(shop(), 10, &faults, 0);
    for shuffle in [1, 2, 3] {
        let other = live(shop(), 10, &faults, shuffle);
        assert_eq!(one.engine.incidents(), other.engine.incidents());
        assert_eq!(one.changes, other.changes);
        assert_eq!(one.engine.graph(None, None), other.engine.graph(None, None));
    }
}

#[test]
fn the_graph_shows_who_calls_whom() {
    let run = live(shop(), 20, &[], 0);
    let graph = run.engine.graph(None, Some(DurationNs::from_secs(60)));
    let edges: Vec<String> = graph
        .edges
        .iter()
        .map(|edge| format!("{} -> {}", edge.caller.name, edge.callee.name))
        .collect();
    assert_eq!(
        edges,
        [
            "cart -> carts",
            "cart -> sessions",
            "checkout -> payment",
            "checkout -> stock",
            "gateway -> web",
            "payment -> ledger",
            "stock -> stock",
            "web -> cart",
            "web -> checkout"
        ]
    );
    let web = graph.nodes.iter().find(|node| node.entity.name == "web").expect("web");
    assert!((web.rate_per_s - 20.0).abs() < 1.0, "{web:?}");
    assert_eq!((web.health, web.instances), (Health::Ok, 3));
}

/// Scenario: payment dies; the clocks of one service are minutes off all the time.
/// Guarantees: the same incident, named and begun as if they were right.
#[test]
fn clocks_minutes_off_neither_hide_nor_move_an_incident() {
    let faults = [Fault::Dead("payment")];
    let told = |clock| {
        let mut world = shop();
        world.wrong_clock = clock;
        let run = live(world, 20, &faults, 0);
        assert_eq!(run.engine.counters().late, 0, "{clock:?}");
        let of = |incident: &Incident| {
            (
                incident.started,
                incident.suspects[0].entity.clone(),
                incident.cause.kind,
            )
        };
        run.engine.incidents().iter().map(of).collect::<Vec<_>>()
    };
    let expected = told(None);
    assert_eq!(expected.len(), 1);
    for service in ["gateway", "checkout", "cart"] {
        for ms in [-300_000, 300_000] {
            assert_eq!(told(Some((service, ms))), expected, "{service} by {ms} ms");
        }
    }
}

/// Scenario: one batch in twenty comes up to 50 s late.
/// Guarantees: what is remembered of the graph is what it is when everything comes at once.
#[test]
fn what_is_remembered_counts_what_came_late() {
    const SECONDS: i64 = 400;
    let slots = |late: bool| {
        let (mut world, mut engine) = (shop(), Engine::new(Config::default()));
        let mut waiting = Vec::new();
        let (mut slots, mut number) = (Vec::new(), 0);
        for second in 0..SECONDS {
            for batch in world.second(second, 10, 0) {
                number += 1;
                let delay = if late && number % 20 == 7 { number % 50 } else { 0 };
                waiting.push((second + 2 + delay, batch));
            }
            let (due, rest) = waiting.into_iter().partition(|(at, _)| *at <= second + 2);
            waiting = rest;
            let received = Timestamp(EPOCH_NS + (second + 2) * 1_000_000_000);
            let due: Vec<(i64, _)> = due;
            due.iter()
                .for_each(|(_, batch)| engine.observe_received(batch, received));
            engine.advance(Timestamp(EPOCH_NS + (second + 1 - LATENESS_S) * 1_000_000_000));
            slots.extend(engine.take_slots());
        }
        assert_eq!(engine.counters().late_counted > 0, late);
        for slot in &mut slots {
            slot.summary.accounts.late = 0;
            // The judgement does not wait.
            slot.summary
                .nodes
                .values_mut()
                .for_each(|node| node.traffic.health = Health::Unknown);
            slot.summary
                .edges
                .values_mut()
                .for_each(|edge| edge.health = Health::Unknown);
        }
        slots
    };
    let prompt = slots(false);
    assert!(prompt.len() >= 7, "{}", prompt.len());
    assert_eq!(prompt, slots(true));
}
