//! What the methods look at: a window, how long it is, what is usual, and the names.

use epicenter_detect::Baseline;
use epicenter_graph::{Callee, EdgeKey, EdgeStats, Entity, NameId, Names, OpKey, OpStats, Window, callee_entity};
use epicenter_schema::DurationNs;
use std::collections::BTreeSet;

/// A window in which something is wrong, and the system at rest.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What happened.
    pub window: &'a Window,
    /// How long that took.
    pub length: DurationNs,
    /// What is usual.
    pub baseline: &'a Baseline,
    /// Texts of the numbers in both.
    pub names: &'a Names,
    /// Whether the load of the two may be compared: the system at rest is the same system shortly before, not a
    /// recording from another time.
    pub same_load: bool,
    /// Services whose troubles other culprits explain: what is blamed on them alone is left out.
    pub explained: Option<&'a BTreeSet<NameId>>,
}

impl Scene<'_> {
    pub(crate) fn name(&self, id: NameId) -> &str {
        self.names.get(id)
    }

    pub(crate) fn service(&self, id: NameId) -> Entity {
        Entity::service(self.name(id))
    }

    pub(crate) fn callee(&self, callee: Callee) -> Entity {
        callee_entity(callee, self.names)
    }

    /// The operations that are worth a look, in the order of their names: only those are sorted.
    pub(crate) fn ops(&self, is_of_use: impl Fn(&OpKey, &OpStats) -> bool) -> Vec<(OpKey, &OpStats)> {
        let ops = self.window.ops.iter().filter(|(key, op)| is_of_use(key, op));
        let mut ops: Vec<_> = ops.map(|(key, op)| (*key, op)).collect();
        ops.sort_by_cached_key(|(key, _)| (self.name(key.service), self.name(key.name), key.kind));
        ops
    }

    /// The same of edges.
    pub(crate) fn edges(&self, is_of_use: impl Fn(&EdgeKey, &EdgeStats) -> bool) -> Vec<(EdgeKey, &EdgeStats)> {
        let edges = self.window.edges.iter().filter(|(key, edge)| is_of_use(key, edge));
        let mut edges: Vec<_> = edges.map(|(key, edge)| (*key, edge)).collect();
        edges.sort_by_cached_key(|(key, _)| {
            (
                self.name(key.caller),
                self.name(key.via),
                self.callee(key.callee),
                key.callee,
            )
        });
        edges
    }

    /// Spans without parents in the window: requests, where traces are whole.
    pub(crate) fn roots(&self) -> u64 {
        self.window.ops.values().map(|op| op.roots).sum::<u64>().max(1)
    }

    /// Whether client and server spans are not linked: most calls have neither parent nor child.
    pub(crate) fn is_mesh(&self) -> bool {
        let (mut calls, mut loose) = (0, 0);
        for edge in self.window.edges.values() {
            calls += edge.count;
            loose += edge.loose;
        }
        calls > 0 && 2 * loose > calls
    }
}
