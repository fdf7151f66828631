//! One fault each: who is named, as what, and with what explanation.

use super::*;

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
        assert_eq!(names_of(&explanation.chain), [&way[..], below].concat(), "{fault:?}");
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
