//! One value worse than its siblings, on windows made by hand.

use super::*;
use crate::stage::{LENGTH, Stage, accused};

fn worst_node(stage: &Stage, service: &str) -> Option<String> {
    let scene = stage.scene();
    let worst = worst(&scene, stage.id(service), Dimension::Node, Channel::Latency)?;
    Some(scene.name(worst.value).to_owned())
}

#[test]
fn few_bad_requests_are_enough_and_few_good_ones_are_not() {
    let worst_copy = |of: [(&str, u64, u64); 2]| {
        let mut stage = Stage::default();
        for (copy, entries, complaints) in of {
            let stats = stage.dimension("cart", Dimension::Instance, copy);
            (stats.entries, stats.own_complaints) = (entries, complaints);
        }
        let (scene, cart) = (stage.scene(), stage.id("cart"));
        let worst = worst(&scene, cart, Dimension::Instance, Channel::Faults)?;
        Some(scene.name(worst.value).to_owned())
    };
    assert_eq!(worst_copy([("a", 4, 4), ("b", 100, 1)]).as_deref(), Some("a"));
    assert_eq!(worst_copy([("a", 3, 1), ("b", 100, 0)]), None, "chance");
    assert_eq!(
        worst_copy([("a", 100, 20), ("b", 3, 0)]),
        None,
        "nothing is known of the other"
    );
}

#[test]
fn a_version_that_came_lately_is_new() {
    let evidence = |periods_with_it: usize| {
        let mut stage = Stage::default();
        let requests = |stage: &mut Stage, version: &str, complaints| {
            let stats = stage.dimension("cart", Dimension::Version, version);
            (stats.entries, stats.own_complaints) = (50, complaints);
        };
        for period in 0..40 {
            requests(&mut stage, "v1", 0);
            if period + periods_with_it >= 40 {
                requests(&mut stage, "v2", 2);
            }
            stage.rest();
        }
        requests(&mut stage, "v1", 0);
        requests(&mut stage, "v2", 40);
        new_version(&stage.scene(), stage.id("cart"), Channel::Faults).map(|evidence| evidence.kind)
    };
    assert_eq!(evidence(0).as_deref(), Some("version"));
    assert_eq!(evidence(6).as_deref(), Some("version"), "a minute");
    assert_eq!(evidence(30), None, "five minutes");
}

/// Scenario: the windows in which it shows hold two requests of the bad copy, all since it began hold six.
/// Guarantees: it is named by all of it.
#[test]
fn a_copy_that_is_seldom_heard_is_named_by_all_since_it_began() {
    let mut stage = Stage::default();
    let requests = |stage: &mut Stage, copy: &str, entries: u64, ms: u64| {
        let stats = stage.dimension("cart", Dimension::Instance, copy);
        stats.entries += entries;
        stats.self_ns += entries * ms * 1_000_000;
    };
    requests(&mut stage, "a", 6, 900);
    requests(&mut stage, "b", 20, 5);
    let whole = std::mem::take(&mut stage.window);
    requests(&mut stage, "a", 2, 900);
    requests(&mut stage, "b", 9, 5);
    let named = |whole: Option<&Window>| {
        let mut diagnosis = accused(Entity::service("cart"));
        diagnosis.cause.kind = CauseKind::Slow;
        let whole = whole.map(|window| (window, LENGTH));
        let scene = Scene { whole, ..stage.scene() };
        narrow(&scene, Channel::Latency, &mut diagnosis);
        diagnosis.suspects[0].entity.name.clone()
    };
    assert_eq!(named(None).to_string(), "cart");
    assert_eq!(named(Some(&whole)).to_string(), "a");
}

#[test]
fn what_takes_no_time_is_nowhere_worse() {
    let mut stage = Stage::default();
    for (service, node, us) in [
        ("ingress", "n1", 0),
        ("ingress", "n2", 1),
        ("cart", "n1", 900),
        ("cart", "n2", 90_000),
    ] {
        let stats = stage.dimension(service, Dimension::Node, node);
        (stats.entries, stats.self_ns) = (100, 100 * us * 1_000);
    }
    assert_eq!(worst_node(&stage, "ingress"), None);
    assert_eq!(worst_node(&stage, "cart").as_deref(), Some("n2"));
}

/// Scenario: while a new version fails, a machine on which two others run is taken out of service.
/// Guarantees: the windows that show the failures name the version, and what is silent in all of them does not change that.
#[test]
fn a_machine_that_is_drained_meanwhile_changes_no_answer() {
    let mut stage = Stage::default();
    let requests = |stage: &mut Stage, of: (&str, Dimension, &str), entries: u64, complaints: u64| {
        let stats = stage.dimension(of.0, of.1, of.2);
        (stats.entries, stats.own_complaints) = (entries, complaints);
    };
    for service in ["cart", "stock"] {
        requests(&mut stage, (service, Dimension::Node, "n1"), 50, 0);
        requests(&mut stage, (service, Dimension::Node, "n2"), 50, 0);
    }
    requests(&mut stage, ("cart", Dimension::Version, "v1"), 100, 0);
    for _ in 0..40 {
        let window = stage.window.clone();
        stage.rest();
        stage.window = window;
    }
    let versions = |stage: &mut Stage| {
        requests(stage, ("cart", Dimension::Version, "v1"), 50, 0);
        requests(stage, ("cart", Dimension::Version, "v2"), 50, 40);
    };
    versions(&mut stage);
    let shows = std::mem::take(&mut stage.window);
    versions(&mut stage);
    for service in ["cart", "stock"] {
        requests(&mut stage, (service, Dimension::Node, "n2"), 50, 0);
    }
    let whole = std::mem::replace(&mut stage.window, shows);
    let mut diagnosis = accused(Entity::service("cart"));
    diagnosis.cause.kind = CauseKind::Errors;
    let scene = Scene {
        whole: Some((&whole, LENGTH)),
        ..stage.scene()
    };
    narrow(&scene, Channel::Faults, &mut diagnosis);
    assert_eq!(diagnosis.cause.kind, CauseKind::BadDeploy);
    assert_eq!(diagnosis.suspects[0].entity.name.to_string(), "cart");
    assert!(
        fallen::machine(
            &Scene {
                window: &whole,
                ..scene
            },
            &mut diagnosis
        ),
        "it is gone"
    );
}
