//! One look at each operation and edge of the window, for all methods: most are as usual, and the methods look closer at the
//! others only.
//!
//! What is found is in no order that means anything; who takes it sorts it by names. Cost: for each edge one question to
//! what is usual, for each operation two, and a walk over two sketches, in several threads where there are many.

use crate::Scene;
use crate::order::most;
use crate::spread::spread;
use crate::structure::Moved;
use crate::{calls, conservation, edge_gap, self_time, shaken, structure};
use epicenter_detect::UsualRequests;
use epicenter_graph::{Callee, EdgeKey, EdgeStats, NameId, OpKey, OpStats, PeerKind};
use hashbrown::HashMap;

/// Operations, and edges, at which one method looks closer: those with most to say. Where more are out of the ordinary,
/// the rest hardly matters.
const CLOSER_MAX: usize = 2_000;

/// What is out of the ordinary in a window.
#[derive(Debug)]
pub(crate) struct Survey<'a> {
    pub(crate) ops: Ops<'a>,
    pub(crate) edges: Edges<'a>,
}

/// Operations.
#[derive(Debug, Default)]
pub(crate) struct Ops<'a> {
    /// Requests that enter the system, where traces are whole.
    pub(crate) roots: u64,
    /// Requests of each service that has any.
    pub(crate) entries: HashMap<NameId, u64>,
    /// Whose self time may have grown, with what is lost.
    pub(crate) longer: Vec<(OpKey, &'a OpStats, f64)>,
    /// That complain with no complaint below, with how many more do than usual.
    pub(crate) complaining: Vec<(OpKey, &'a OpStats, f64)>,
    /// Children that other shares of the spans of an operation have than at rest.
    pub(crate) moved: Vec<Moved<'a>>,
    /// At which requests enter the system, with what is usual there.
    pub(crate) entrances: Vec<(&'a OpStats, Option<&'a UsualRequests>)>,
    /// At which requests suffer, with the share that does.
    pub(crate) suffering: Vec<(OpKey, &'a OpStats, f64)>,
}

/// Edges.
#[derive(Debug, Default)]
pub(crate) struct Edges<'a> {
    /// All of them, with how many calls there were.
    pub(crate) calls: Vec<(EdgeKey, u64)>,
    /// How many of them were called at rest too.
    pub(crate) usual: usize,
    /// Calls to services, and those of them whose client span has neither parent nor child.
    to_services: u64,
    loose: u64,
    /// Calls that fail beyond the usual or are late, where there are any.
    pub(crate) bad: HashMap<EdgeKey, f64>,
    /// Whose gap may have grown, with what is lost.
    pub(crate) longer: Vec<(EdgeKey, &'a EdgeStats, f64)>,
    /// With failed calls below which nothing complains, with how many more there are than usual.
    pub(crate) failing: Vec<(EdgeKey, &'a EdgeStats, f64)>,
    /// Failed calls with no span behind them beyond the usual, by the service that is called.
    pub(crate) unanswered: HashMap<NameId, u64>,
}

impl<'a> Survey<'a> {
    pub(crate) fn of(scene: &Scene<'a>) -> Self {
        let ops: Vec<_> = scene.window.ops.iter().collect();
        let edges: Vec<_> = scene.window.edges.iter().collect();
        let ops = spread(&ops, |part| Ops::of(scene, part));
        let edges = spread(&edges, |part| Edges::of(scene, part));
        let mut ops = ops.into_iter().reduce(Ops::and).unwrap_or_default();
        let mut edges = edges.into_iter().reduce(Edges::and).unwrap_or_default();
        let edge_name = |key: &EdgeKey| {
            let (rank, callee) = match key.callee {
                Callee::Service(callee) => (None, callee),
                Callee::Peer(kind, callee) => (Some(kind), callee),
            };
            let (caller, via) = (scene.names.get(key.caller), scene.names.get(key.via));
            (caller, via, scene.names.get(callee), rank)
        };
        ops.longer = most(ops.longer, CLOSER_MAX, |of| of.2, |of| scene.op_name(&of.0));
        edges.longer = most(edges.longer, CLOSER_MAX, |of| of.2, |of| edge_name(&of.0));
        ops.complaining = most(ops.complaining, CLOSER_MAX, |of| of.2, |of| scene.op_name(&of.0));
        edges.failing = most(edges.failing, CLOSER_MAX, |of| of.2, |of| edge_name(&of.0));
        Self { ops, edges }
    }
}

impl<'a> Ops<'a> {
    fn of(scene: &Scene<'a>, ops: &[(&'a OpKey, &'a OpStats)]) -> Self {
        let mut found = Self::default();
        for (key, op) in ops.iter().copied() {
            found.roots += op.roots;
            let rest = scene.baseline.usual_requests(key);
            if let Some(lost) = self_time::lost(op, rest) {
                found.longer.push((*key, op, lost));
            }
            if let Some(more) = conservation::more_complaints(op, rest) {
                found.complaining.push((*key, op, more));
            }
            structure::moved(scene, *key, op, &mut found.moved);
            if op.is_entry_point() {
                found.entrances.push((op, rest));
            }
            if op.entries > 0 {
                *found.entries.entry(key.service).or_default() += op.entries;
            }
            let impact = shaken::impact(op, rest);
            if impact > 0.0 {
                found.suffering.push((*key, op, impact));
            }
        }
        found
    }

    fn and(mut self, other: Self) -> Self {
        self.roots += other.roots;
        add(&mut self.entries, other.entries);
        self.longer.extend(other.longer);
        self.complaining.extend(other.complaining);
        self.moved.extend(other.moved);
        self.entrances.extend(other.entrances);
        self.suffering.extend(other.suffering);
        self
    }
}

impl<'a> Edges<'a> {
    fn of(scene: &Scene<'a>, edges: &[(&'a EdgeKey, &'a EdgeStats)]) -> Self {
        let mut found = Self {
            calls: Vec::with_capacity(edges.len()),
            ..Self::default()
        };
        for (key, edge) in edges.iter().copied() {
            found.calls.push((*key, edge.count));
            if matches!(key.callee, Callee::Service(_) | Callee::Peer(PeerKind::Service, _)) {
                found.to_services += edge.count;
                found.loose += edge.loose;
            }
            let rest = scene.baseline.usual_calls(key);
            found.usual += usize::from(rest.is_some());
            let bad = calls::bad(edge, rest);
            if bad > 0.0 {
                found.bad.insert(*key, bad);
            }
            if let Some(lost) = edge_gap::lost(edge, rest) {
                found.longer.push((*key, edge, lost));
            }
            if let Some(more) = conservation::more_errors(edge, rest) {
                found.failing.push((*key, edge, more));
            }
            let unanswered = calls::unanswered(edge, rest);
            if let Callee::Service(callee) = key.callee
                && unanswered > 0
            {
                *found.unanswered.entry(callee).or_default() += unanswered;
            }
        }
        found
    }

    fn and(mut self, other: Self) -> Self {
        self.calls.extend(other.calls);
        self.usual += other.usual;
        self.to_services += other.to_services;
        self.loose += other.loose;
        self.bad.extend(other.bad);
        self.longer.extend(other.longer);
        self.failing.extend(other.failing);
        add(&mut self.unanswered, other.unanswered);
        self
    }

    /// Whether client and server spans are not linked: most calls to services have neither parent nor child. Who asks a store
    /// now and then by itself has no child either, linked or not.
    pub(crate) fn is_mesh(&self) -> bool {
        2 * self.loose > self.to_services
    }
}

fn add(sums: &mut HashMap<NameId, u64>, others: HashMap<NameId, u64>) {
    for (name, count) in others {
        *sums.entry(name).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stage;

    fn is_mesh(calls: &[(&str, u64, u64)]) -> bool {
        let mut stage = Stage::default();
        for (callee, count, loose) in calls {
            let edge = stage.edge("web", "GET", callee);
            (edge.count, edge.loose) = (*count, *loose);
        }
        Survey::of(&stage.scene()).edges.is_mesh()
    }

    #[test]
    fn sidecars_are_a_mesh_and_pollers_of_stores_are_none() {
        assert!(is_mesh(&[("host:cart", 100, 99)]));
        assert!(is_mesh(&[("cart", 100, 60), ("db:orders", 100, 0)]));
        assert!(!is_mesh(&[("cart", 75, 0), ("db:outbox", 100, 100)]));
        assert!(!is_mesh(&[]));
    }

    #[test]
    fn what_is_unanswered_at_rest_too_is_nothing_new() {
        let mut stage = Stage::default();
        let calls = |stage: &mut Stage, unanswered| {
            stage.calls(("web", "GET", "ads"), 100, 5, 1);
            let edge = stage.edge("web", "GET", "ads");
            (edge.errors, edge.unanswered_errors) = (unanswered, unanswered);
        };
        calls(&mut stage, 10);
        stage.rest();
        calls(&mut stage, 10);
        assert!(Survey::of(&stage.scene()).edges.unanswered.is_empty());
        calls(&mut stage, 60);
        let unanswered = Survey::of(&stage.scene()).edges.unanswered;
        assert_eq!(unanswered.get(&stage.id("ads")), Some(&40), "of 200 calls");
    }
}
