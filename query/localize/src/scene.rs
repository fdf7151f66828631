//! What the methods look at: a window, how long it is, what is usual, and the names.

use epicenter_detect::Baseline;
use epicenter_graph::{Callee, EdgeKey, EdgeStats, Entity, NameId, Names, OpKey, OpStats, Window, callee_entity};
use epicenter_schema::{DurationNs, SpanKind};
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
    /// All that passed since it began, and how long that was, where what happened is a part of it: the windows in which
    /// it shows. A copy or machine that is seldom heard is told from its siblings by all of it.
    pub whole: Option<(&'a Window, DurationNs)>,
    /// Services whose troubles other culprits explain: what is blamed on them alone is left out.
    pub explained: Option<&'a BTreeSet<NameId>>,
}

impl<'a> Scene<'a> {
    /// By what operations are put in order.
    pub(crate) fn op_name(&self, key: &OpKey) -> (&'a str, &'a str, SpanKind) {
        (self.names.get(key.service), self.names.get(key.name), key.kind)
    }

    pub(crate) fn name(&self, id: NameId) -> &str {
        self.names.get(id)
    }

    pub(crate) fn service(&self, id: NameId) -> Entity {
        Entity::service(self.name(id))
    }

    pub(crate) fn callee(&self, callee: Callee) -> Entity {
        callee_entity(callee, self.names)
    }

    /// Operations in the order of their names.
    pub(crate) fn ops_by_name<'w>(
        &self,
        ops: impl IntoIterator<Item = (OpKey, &'w OpStats)>,
    ) -> Vec<(OpKey, &'w OpStats)> {
        let mut ops: Vec<_> = ops.into_iter().collect();
        ops.sort_by_cached_key(|(key, _)| self.op_name(key));
        ops
    }

    /// Edges in the order of their names.
    pub(crate) fn edges_by_name<'w>(
        &self,
        edges: impl IntoIterator<Item = (EdgeKey, &'w EdgeStats)>,
    ) -> Vec<(EdgeKey, &'w EdgeStats)> {
        let mut edges: Vec<_> = edges.into_iter().collect();
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
}
