//! Where hardly anything passes.

use super::world::Fault;
use super::{check_answer, live, shop_and_batch};
use crate::{CauseKind, EntityKind, State};

/// Scenario: among busy neighbours something that is asked once in four seconds turns slow. No window holds more than two
/// requests of it, and nothing is learned of them as rest meanwhile.
#[test]
fn a_rare_request_that_turns_slow_adds_up() {
    let mut world = shop_and_batch();
    world.rare = Some(("batch", 4));
    let run = live(world, 40, &[Fault::Slow("batch", 400.0)], 0);
    check_answer(&run, (EntityKind::Service, "batch"), CauseKind::Slow);
    assert!(run.opened_after() <= 50, "opened after {} s", run.opened_after());
    // It is over when it was tried often enough, not when nobody came by.
    let since = run.resolved_after();
    assert!(
        (25..=60).contains(&since),
        "resolved after {since} s: {:#?}",
        run.changes
    );
    assert_eq!(run.engine.incidents()[0].state, State::Resolved);
}

/// Scenario: one copy in three of something that is asked once a second turns slow: every third request, whoever calls.
/// Guarantees: it opens an incident that names the copy, goes on as long as it lasts, and is over after.
#[test]
fn a_copy_that_is_uneven_opens_an_incident() {
    let mut world = shop_and_batch();
    world.rare = Some(("batch", 1));
    let run = live(world, 5, &[Fault::SlowPod("batch", 0, 100.0)], 0);
    check_answer(&run, (EntityKind::Instance, "batch-0"), CauseKind::Infrastructure);
    assert!(run.opened_after() <= 60, "opened after {} s", run.opened_after());
    let since = run.resolved_after();
    assert!((20..=60).contains(&since), "resolved after {since} s");
}
