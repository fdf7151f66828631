//! Machines and copies that are gone, or were replaced, on counts made by hand.

use super::*;
use crate::stage::{Stage, accused};

/// The copy that is found to be gone, after so many periods without it.
fn gone_after(periods: u64) -> Option<String> {
    let mut stage = Stage::default();
    let answer = |stage: &mut Stage, copies: &[&str]| {
        for copy in copies {
            stage.dimension("cart", Dimension::Instance, copy).entries = 100;
        }
    };
    for _ in 0..8 {
        answer(&mut stage, &["cart-1", "cart-2"]);
        stage.rest();
    }
    for _ in 0..periods {
        answer(&mut stage, &["cart-1", "cart-3"]);
        stage.rest();
    }
    answer(
        &mut stage,
        if periods == 0 {
            &["cart-1"]
        } else {
            &["cart-1", "cart-3"]
        },
    );
    let mut diagnosis = accused(Entity::service("cart"));
    (machine(&stage.scene(), &mut diagnosis) || copy(&stage.scene(), &mut diagnosis))
        .then(|| diagnosis.suspects[0].entity.name.clone())
}

#[test]
fn who_was_replaced_in_peace_is_not_gone() {
    assert_eq!(gone_after(0).as_deref(), Some("cart-2"));
    for periods in [1, 3, 6, 12, 13, 20, 40] {
        assert_eq!(gone_after(periods), None, "{periods}");
    }
}

fn heard(usual: f64, now: f64, siblings: (f64, f64)) -> Heard {
    Heard { usual, now, siblings }
}

#[test]
fn none_of_a_dozen_is_no_chance_where_half_are_usual() {
    // Callers that wait in vain ask the sibling no more than before: of 24 requests, 12 are left.
    assert!(heard(12.0, 0.0, (12.0, 12.0)).is_gone());
    assert!(!heard(12.0, 0.0, (12.0, 6.0)).is_gone());
    assert!(!heard(1.0, 0.0, (23.0, 12.0)).is_gone());
}

#[test]
fn what_answers_nothing_is_gone_and_what_answers_a_little_less_is_not() {
    assert!(heard(40.0, 0.0, (40.0, 60.0)).is_gone());
    assert!(!heard(40.0, 30.0, (40.0, 60.0)).is_gone());
    assert!(!heard(3.0, 0.0, (40.0, 60.0)).is_gone(), "too little to tell");
}

#[test]
fn less_is_expected_where_all_are_asked_less() {
    assert!(!heard(40.0, 2.0, (40.0, 3.0)).is_gone());
    assert!(heard(40.0, 0.0, (40.0, 16.0)).is_gone());
}

#[test]
fn siblings_that_are_silent_too_are_not_healthy() {
    assert!(heard(40.0, 0.0, (40.0, 60.0)).has_healthy_siblings());
    assert!(!heard(40.0, 0.0, (40.0, 5.0)).has_healthy_siblings());
    assert!(!heard(40.0, 0.0, (0.0, 0.0)).has_healthy_siblings(), "it has none");
}

#[test]
fn little_traffic_of_many_services_adds_up() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let quiet = |count| names.map(|name| (name, heard(3.0, 0.0, (6.0, 9.0))))[..count].to_vec();
    let nobody = BTreeMap::new();
    assert!(is_gone(&quiet(6), &nobody));
    assert!(!is_gone(&quiet(3), &nobody), "chance");
    let mut with_one_that_answers = quiet(6);
    with_one_that_answers.push(("g", heard(8.0, 7.0, (8.0, 8.0))));
    assert!(!is_gone(&with_one_that_answers, &nobody));
}

#[test]
fn less_is_enough_where_those_whose_calls_nobody_answers_run() {
    let on = ["a", "b"].map(|name| (name, heard(3.0, 0.0, (6.0, 9.0))));
    let unanswered = |elsewhere| BTreeMap::from([("a", 0.4), ("b", 0.2), ("c", elsewhere)]);
    assert!(is_gone(&on, &unanswered(0.1)));
    assert!(!is_gone(&on, &unanswered(0.4)), "others fail too");
    assert!(!is_gone(&on, &BTreeMap::from([("a", 0.9)])), "one alone");
}
