//! Systems that say less than all.

use super::beside::incidents_in;
use super::world::{Fault, Sends, World};
use epicenter_graph::{Entity, EntityKind};
use epicenter_localize::CauseKind;

/// Scenario: the archive is dead. Who asks it is the batch, and the ledger, which sends no spans and is asked by the gateway.
/// Guarantees: one incident, which names the archive: the ledger is its victim by calls that nobody sees.
#[test]
fn who_sends_no_spans_is_a_victim_of_what_others_miss_too() {
    let mut world = World::new(&[
        ("gateway", 5.0, &["ledger", "stock"]),
        ("ledger", 5.0, &["db:archive"]),
        ("stock", 5.0, &[]),
    ]);
    world.add_entry("batch", 5.0, &["db:archive"]);
    world.sends = Sends::NoneOf("ledger");
    let found = incidents_in(world, &[(Fault::Dead("db:archive"), 0, 120)]);
    let named: Vec<&Entity> = found.iter().map(|one| &one.suspects[0].entity).collect();
    assert_eq!(named, [&Entity::new(EntityKind::Database, "archive")], "{found:#?}");
}

/// Scenario: only answers have spans, not the calls, and somebody is dead, or fails at once.
/// Guarantees: who is dead is named though nobody says that it was called, and who comes after it in the work is no incident. Where
/// nothing is asked before, nothing tells that the caller gets as far: the caller is named, whose requests fail.
#[test]
fn where_calls_have_no_spans_missing_answers_tell() {
    for (fault, culprit, cause) in [
        (Fault::Dead("payment"), "payment", CauseKind::Unavailable),
        (Fault::Dead("checkout"), "checkout", CauseKind::Unavailable),
        (Fault::Dead("stock"), "checkout", CauseKind::Errors),
        (Fault::Broken("checkout"), "checkout", CauseKind::Errors),
    ] {
        let mut world = World::new(&[
            ("web", 4.0, &["cart", "checkout"]),
            ("cart", 3.0, &["db:carts"]),
            ("checkout", 5.0, &["stock", "payment", "mail"]),
            ("stock", 3.0, &["db:stock"]),
            ("payment", 6.0, &[]),
            ("mail", 2.0, &[]),
        ]);
        world.sends = Sends::NoCalls;
        let found = incidents_in(world, &[(fault, 0, 120)]);
        let named = found
            .iter()
            .map(|one| (one.suspects[0].entity.name.as_str(), one.cause.kind));
        assert_eq!(named.collect::<Vec<_>>(), [(culprit, cause)], "{fault:?}: {found:#?}");
    }
}
