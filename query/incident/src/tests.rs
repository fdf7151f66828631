//! The engine as a whole, on a small system with known faults.

mod bare;
mod beside;
mod lasting;
mod quiet;
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

/// Scenario: payment dies, everything above it fails.
/// Guarantees: one incident that names payment, with the callers as affected, and the right graph.
#[test]
fn a_dead_service_is_named_once() {
    for rate in [5, 40] {
        let run = check(
            rate,
            &[Fault::Dead("payment")],
            (EntityKind::Service, "payment"),
            CauseKind::Unavailable,
        );
        let incident = &run.engine.incidents()[0];
        let affected: Vec<&str> = incident.affected.iter().map(|a| a.service.as_str()).collect();
        for service in ["gateway", "web", "checkout"] {
            assert!(affected.contains(&service), "{affected:?}");
        }
        assert!(!affected.contains(&"cart"), "{affected:?}");
        assert_eq!(incident.entry_points, ["gateway GET /gateway"]);
        assert!(!incident.suspects[0].evidence[0].trace_ids.is_empty());
        let at = Timestamp(EPOCH_NS + (REST_S + FAULT_S) * 1_000_000_000);
        let graph = run.engine.graph(Some(at), None);
        let payment = graph
            .nodes
            .iter()
            .find(|node| node.entity.name == "payment")
            .expect("it is known");
        assert!(payment.health >= Health::Failing, "{payment:?}");
        assert_eq!(graph.to_petgraph().node_count(), graph.nodes.len());
    }
}

fn named(entities: &[crate::Entity]) -> Vec<&str> {
    entities.iter().map(|entity| entity.name.as_str()).collect()
}

/// The second of the world in which a trace began, of a world with one entry that is asked `rate` times a second.
fn second_of(trace: epicenter_schema::TraceId, rate: i64) -> i64 {
    u128::from_be_bytes(trace.0) as i64 / (2 * rate)
}

/// Scenario: payment dies, then its store, then a copy of stock is slow.
/// Guarantees: the chain leads from the entry to the culprit; a bad trace of the fault lies beside a good one of the
/// rest; the share says that it is all the damage; each service was first shaken when the fault began.
#[test]
fn an_incident_is_explained() {
    const RATE: i64 = 20;
    let way = ["gateway", "web", "checkout"];
    for (fault, below) in [
        (Fault::Dead("payment"), &["payment"][..]),
        (Fault::Dead("db:ledger"), &["payment", "ledger"]),
        (Fault::SlowPod("stock", 1, 300.0), &["stock", "stock-1"]),
    ] {
        let run = live(shop(), RATE as u64, &[fault], 0);
        let incident = &run.engine.incidents()[0];
        let explanation = &incident.explanation;
        assert_eq!(named(&explanation.chain), [&way[..], below].concat(), "{fault:?}");
        assert_eq!(explanation.chain.last(), Some(&incident.suspects[0].entity));
        let fault_s = REST_S - 1..REST_S + FAULT_S + 1;
        let bad = explanation.exemplars.bad.expect("a bad trace");
        assert!(fault_s.contains(&second_of(bad, RATE)), "{fault:?}: {bad}");
        let good = explanation.exemplars.good.expect("a good trace");
        assert!((0..REST_S).contains(&second_of(good, RATE)), "{fault:?}: {good}");
        assert!(incident.suspects[0].share > 0.9, "{fault:?}: {incident:#?}");
        let radius = explanation.blast_radius;
        assert_eq!((radius.services, radius.entry_points), (incident.affected.len(), 1));
        assert!(radius.requests > 0.2 && radius.requests <= 1.0, "{fault:?}: {radius:?}");
        for affected in &incident.affected {
            let since = affected.first_shaken.expect("dated").0 - EPOCH_NS;
            let since = since / 1_000_000_000 - REST_S;
            assert!((-5..=5).contains(&since), "{fault:?}: {affected:?} after {since} s");
        }
    }
}

/// Scenario: one of two entries dies, and with it all that it alone calls; there is nobody whose calls fail.
#[test]
fn a_dead_entry_is_silent() {
    let mut world = shop();
    world.add_entry("batch", 3.0, &["stock"]);
    let run = live(world, 20, &[Fault::Dead("gateway")], 0);
    let incidents = run.engine.incidents();
    assert_eq!(incidents.len(), 1, "{:#?}", run.changes);
    assert_eq!(incidents[0].suspects[0].entity.name, "gateway", "{:#?}", incidents[0]);
    assert_eq!(incidents[0].cause.kind, CauseKind::Unavailable);
}

/// Scenario: two services have a pod each on a machine that is slow.
#[test]
fn a_slow_machine() {
    let faults = [Fault::SlowPod("stock", 1, 300.0), Fault::SlowPod("payment", 1, 250.0)];
    check(20, &faults, (EntityKind::Node, "node-1"), CauseKind::Infrastructure);
}

#[test]
fn a_dead_leaf_store_is_named() {
    let culprit = (EntityKind::Database, "ledger");
    check(20, &[Fault::Dead("db:ledger")], culprit, CauseKind::Unavailable);
}

#[test]
fn errors_belong_to_where_they_begin() {
    check(
        20,
        &[Fault::Errors("stock", 0.5)],
        (EntityKind::Service, "stock"),
        CauseKind::Errors,
    );
}

#[test]
fn slow_work_of_its_own() {
    check(
        20,
        &[Fault::Slow("cart", 200.0)],
        (EntityKind::Service, "cart"),
        CauseKind::Slow,
    );
}

#[test]
fn a_slow_store() {
    check(
        20,
        &[Fault::Slow("db:stock", 150.0)],
        (EntityKind::Database, "stock"),
        CauseKind::Slow,
    );
}

#[test]
fn the_way_is_slow() {
    check(
        20,
        &[Fault::Network("checkout", 200.0)],
        (EntityKind::Service, "checkout"),
        CauseKind::Network,
    );
}

/// Scenario: payment slows down; requests queue in checkout, web and gateway, which look worse than payment does.
#[test]
fn queues_above_the_culprit_are_not_the_culprit() {
    let faults = [
        Fault::Slow("payment", 100.0),
        Fault::Slow("checkout", 150.0),
        Fault::Slow("web", 200.0),
        Fault::Slow("gateway", 300.0),
    ];
    check(20, &faults, (EntityKind::Service, "payment"), CauseKind::Slow);
}

#[test]
fn a_cache_that_stops_absorbing() {
    let faults = [
        Fault::CacheEmpty("cache:sessions", "db:carts"),
        Fault::Slow("db:carts", 60.0),
    ];
    check(20, &faults, (EntityKind::Cache, "sessions"), CauseKind::CacheBreakdown);
}

#[test]
fn more_traffic_than_it_holds() {
    let faults = [Fault::Surge(4.0), Fault::Slow("stock", 200.0)];
    check(10, &faults, (EntityKind::Service, "gateway"), CauseKind::TrafficSurge);
}

#[test]
fn one_bad_pod() {
    let faults = [Fault::SlowPod("stock", 1, 300.0)];
    check(
        20,
        &faults,
        (EntityKind::Instance, "stock-1"),
        CauseKind::Infrastructure,
    );
}

#[test]
fn a_bad_version() {
    check(
        20,
        &[Fault::BadVersion("cart", 0.9)],
        (EntityKind::Service, "cart"),
        CauseKind::BadDeploy,
    );
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

/// Scenario: a recording at rest of another day, then a recording of a failure that is there from its start.
#[test]
fn a_recording_is_judged_against_a_recording() {
    let mut world = shop();
    let mut engine = Engine::new(Config::default());
    for second in 0..300 {
        world.second(second, 5, 0).iter().for_each(|batch| engine.learn(batch));
    }
    world.set(&[Fault::Errors("payment", 0.7)]);
    for second in 90_000..90_120 {
        world
            .second(second, 5, 0)
            .iter()
            .for_each(|batch| engine.observe(batch));
    }
    engine.finish();
    assert_eq!(engine.incidents().len(), 1);
    assert_eq!(engine.incidents()[0].suspects[0].entity.name, "payment");
    assert_eq!(engine.incidents()[0].cause.kind, CauseKind::Errors);
    let explanation = &engine.incidents()[0].explanation;
    assert_eq!(named(&explanation.chain), ["gateway", "web", "checkout", "payment"]);
    assert!(explanation.exemplars.bad.is_some() && explanation.exemplars.good.is_some());
    assert!(
        engine.incidents()[0]
            .affected
            .iter()
            .any(|affected| affected.first_shaken.is_some())
    );
}

/// Scenario: a recorded failure that lasts for longer than windows are remembered.
/// Guarantees: it began at its start, and so did what it did to each service.
#[test]
fn a_long_recorded_failure_began_at_its_start() {
    const BEGIN_S: i64 = 90_000;
    let (mut world, mut engine) = (shop(), Engine::new(Config::default()));
    for second in 0..300 {
        world.second(second, 5, 0).iter().for_each(|batch| engine.learn(batch));
    }
    world.set(&[Fault::Dead("payment")]);
    for second in BEGIN_S..BEGIN_S + 3600 {
        world
            .second(second, 5, 0)
            .iter()
            .for_each(|batch| engine.observe(batch));
        engine.advance(Timestamp(EPOCH_NS + (second - 60) * 1_000_000_000));
    }
    engine.finish();
    let begin = Timestamp(EPOCH_NS + BEGIN_S * 1_000_000_000);
    let near = begin..=begin + DurationNs::from_secs(10);
    let [incident] = engine.incidents() else {
        panic!("{:#?}", engine.incidents());
    };
    assert!(near.contains(&incident.started), "{:?}", incident.started);
    assert!(!incident.affected.is_empty());
    for affected in &incident.affected {
        assert!(
            affected.first_shaken.is_some_and(|at| near.contains(&at)),
            "{affected:?}"
        );
    }
}

/// Scenario: a job of the recording at rest does not run in the other recording, in which payment fails after a minute.
/// Guarantees: it began when payment failed. Load is not compared between recordings, nor is that somebody is not there.
#[test]
fn who_is_not_in_a_recording_does_not_date_its_failure() {
    const BEGIN_S: i64 = 90_000;
    let (mut world, mut engine) = (shop_and_batch(), Engine::new(Config::default()));
    for second in 0..300 {
        world.second(second, 20, 0).iter().for_each(|batch| engine.learn(batch));
    }
    let faults = [Fault::Dead("batch"), Fault::Errors("payment", 0.7)];
    for second in BEGIN_S..BEGIN_S + 120 {
        world.set(&faults[..if second < BEGIN_S + 60 { 1 } else { 2 }]);
        world
            .second(second, 20, 0)
            .iter()
            .for_each(|batch| engine.observe(batch));
    }
    engine.finish();
    let [incident] = engine.incidents() else {
        panic!("{:#?}", engine.incidents());
    };
    assert_eq!(incident.suspects[0].entity.name, "payment");
    let began = Timestamp(EPOCH_NS + (BEGIN_S + 60) * 1_000_000_000);
    assert_eq!(incident.started, began);
}

/// The same without a failure.
#[test]
fn a_healthy_recording_is_healthy() {
    let mut world = shop();
    let mut engine = Engine::new(Config::default());
    for second in 0..300 {
        world.second(second, 5, 0).iter().for_each(|batch| engine.learn(batch));
    }
    for second in 90_000..90_120 {
        world
            .second(second, 5, 0)
            .iter()
            .for_each(|batch| engine.observe(batch));
    }
    engine.finish();
    assert_eq!(engine.incidents(), &[]);
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
