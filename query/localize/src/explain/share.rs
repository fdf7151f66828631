//! The share of the damage that a suspect accounts for, 0 to 1: an upper bound, by what can have come from it.
//!
//! Let a request suffer when it fails beyond the usual share or is slow beyond the usual tail. With
//! `felt(e)` = requests that suffer at entry point `e`, and
//! `own(s)` = requests that suffer at the suspect: those that enter its services, or, if more, the calls to it that fail
//! beyond the usual or are late (all that is known of what is dead or sends no spans):
//!
//! `share(s) = min(sum of felt(e) over the entry points e that reach s by calls, own(s)) / sum of felt(e) over all e`
//!
//! No more requests can suffer because of it than suffer at it, and none where nobody calls it. What suffers because of
//! two suspects on one way counts for both, so the shares need not sum to 1. An instance, operation or version counts
//! as its service, a machine as the services on it. 0 when nothing is felt at the entry points.

use super::Suffering;
use super::ways::{Ways, places};
use crate::Scene;
use epicenter_graph::{Callee, Entity};

pub(super) fn of(scene: &Scene<'_>, ways: &Ways, suffering: &[Suffering<'_>], suspect: &Entity) -> f64 {
    let entries = || suffering.iter().filter(|(_, op, _)| op.roots > 0);
    let felt = |(_, op, impact): &Suffering<'_>| impact * op.roots as f64;
    let all: f64 = entries().map(felt).sum();
    let places = places(scene, suspect);
    if all <= 0.0 || places.is_empty() {
        return 0.0;
    }
    let hops = ways.hops_to(&places);
    let reaches = |service| {
        let node = Callee::Service(service);
        places.contains(&node) || ways.hops(&hops, node).is_some()
    };
    let reaching: f64 = entries().filter(|(key, ..)| reaches(key.service)).map(felt).sum();
    // No sum of nothing is less than nothing.
    (reaching.min(own(ways, suffering, &places)) / all).clamp(0.0, 1.0) + 0.0
}

/// Requests that suffer at the suspect.
fn own(ways: &Ways, suffering: &[Suffering<'_>], places: &[Callee]) -> f64 {
    let is_it = |node: Callee| places.binary_search(&node).is_ok();
    let entering = suffering.iter().filter(|(key, ..)| is_it(Callee::Service(key.service)));
    let entering: f64 = entering.map(|(_, op, impact)| impact * op.entries as f64).sum();
    entering.max(ways.bad_calls_to(places))
}
