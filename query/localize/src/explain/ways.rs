//! Who calls whom, now or at rest, by number, so that walking up and down a large system is cheap. Messages go from who
//! publishes through the queue to who consumes.

use crate::Scene;
use crate::calls::fare;
use epicenter_detect::UsualCalls;
use epicenter_graph::{Callee, Dimension, Direction, EdgeStats, Entity, EntityKind, NameId, PeerKind};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Hops walked at most, which is the longest chain.
pub(super) const HOPS_MAX: u32 = 32;

/// One kind of calls of one node to another, now and at rest.
#[derive(Clone, Copy, Debug)]
struct Way<'a> {
    from: u32,
    to: u32,
    now: Option<&'a EdgeStats>,
    rest: Option<&'a UsualCalls>,
}

impl Way<'_> {
    /// Calls now that fail beyond the usual or are late.
    fn bad(&self) -> f64 {
        self.now.map_or(0.0, |now| fare(now, self.rest).bad)
    }
}

/// The graph. Numbers are places in `nodes` and mean nothing outside.
#[derive(Debug, Default)]
pub(super) struct Ways<'a> {
    nodes: Vec<Callee>,
    numbers: HashMap<Callee, u32>,
    /// By caller.
    down: Vec<Way<'a>>,
    /// Callee and place in `down`, by callee.
    up: Vec<(u32, u32)>,
}

impl<'a> Ways<'a> {
    pub(super) fn of(scene: &Scene<'a>) -> Self {
        let mut ways = Self::default();
        let (now, rest) = (scene.window, scene.baseline.total());
        for (key, edge) in &now.edges {
            let at_rest = scene.baseline.usual_calls(key);
            ways.add(Callee::Service(key.caller), key.callee, Some(edge), at_rest);
        }
        for key in rest.edges.keys().filter(|key| !now.edges.contains_key(*key)) {
            ways.add(Callee::Service(key.caller), key.callee, None, None);
        }
        for key in now.flows.keys().chain(rest.flows.keys()) {
            let (service, queue) = (Callee::Service(key.service), Callee::Peer(PeerKind::Queue, key.queue));
            match key.direction {
                Direction::Publish => ways.add(service, queue, None, None),
                Direction::Deliver => ways.add(queue, service, None, None),
            }
        }
        ways.down.sort_unstable_by_key(|way| (way.from, way.to));
        ways.up = ways.down.iter().zip(0..).map(|(way, place)| (way.to, place)).collect();
        ways.up.sort_unstable();
        ways
    }

    fn add(&mut self, from: Callee, to: Callee, now: Option<&'a EdgeStats>, rest: Option<&'a UsualCalls>) {
        let (from, to) = (self.number(from), self.number(to));
        if from != to {
            self.down.push(Way { from, to, now, rest });
        }
    }

    fn number(&mut self, node: Callee) -> u32 {
        *self.numbers.entry(node).or_insert_with(|| {
            self.nodes.push(node);
            self.nodes.len() as u32 - 1
        })
    }

    /// Hops from each node down to the nearest of some; none where there is no way, or too long a one.
    pub(super) fn hops_to(&self, ends: &[Callee]) -> Hops {
        let mut hops = vec![None; self.nodes.len()];
        let mut next: VecDeque<u32> = ends.iter().filter_map(|end| self.numbers.get(end).copied()).collect();
        next.iter().for_each(|end| hops[*end as usize] = Some(0));
        while let Some(node) = next.pop_front() {
            let reached = hops[node as usize].unwrap_or(0) + 1;
            for Way { from: caller, .. } in self.calls_to(node) {
                if reached <= HOPS_MAX && hops[*caller as usize].is_none() {
                    hops[*caller as usize] = Some(reached);
                    next.push_back(*caller);
                }
            }
        }
        Hops(hops)
    }

    fn calls_to(&self, node: u32) -> impl Iterator<Item = &Way<'a>> {
        let first = self.up.partition_point(|(to, _)| *to < node);
        let calls = self.up[first..].iter().take_while(move |(to, _)| *to == node);
        calls.map(|(_, place)| &self.down[*place as usize])
    }

    /// Calls to some nodes that fail beyond the usual or are late.
    pub(super) fn bad_calls_to(&self, nodes: &[Callee]) -> f64 {
        let numbers = nodes.iter().filter_map(|node| self.numbers.get(node));
        let calls = numbers.flat_map(|number| self.calls_to(*number));
        sum(calls.map(Way::bad).collect())
    }

    /// The hops of a node; a node without calls is only at the end of its own way.
    pub(super) fn hops(&self, hops: &Hops, node: Callee) -> Option<u32> {
        let number = self.numbers.get(&node)?;
        hops.0[*number as usize]
    }

    /// The callees one hop nearer than a node, each with the calls to it that fail beyond the usual or are late.
    pub(super) fn nearer(&self, hops: &Hops, node: Callee) -> Vec<(Callee, f64)> {
        let Some(number) = self.numbers.get(&node) else {
            return Vec::new();
        };
        let left = hops.0[*number as usize].unwrap_or(0);
        let first = self.down.partition_point(|way| way.from < *number);
        let calls = self.down[first..].iter().take_while(|way| way.from == *number);
        let mut nearer: Vec<(u32, Vec<f64>)> = Vec::new();
        for way in calls.filter(|way| left > 0 && hops.0[way.to as usize] == Some(left - 1)) {
            let harm = way.bad();
            match nearer.last_mut() {
                Some((to, harms)) if *to == way.to => harms.push(harm),
                _ => nearer.push((way.to, vec![harm])),
            }
        }
        let node = |(to, harms): (u32, Vec<f64>)| (self.nodes[to as usize], sum(harms));
        nearer.into_iter().map(node).collect()
    }
}

/// A sum of fractions depends on their order.
fn sum(mut fractions: Vec<f64>) -> f64 {
    fractions.sort_unstable_by(f64::total_cmp);
    fractions.iter().sum()
}

/// Hops by number of node.
pub(super) struct Hops(Vec<Option<u32>>);

/// Where a suspect is in the graph: itself, the service it belongs to, or the services on it; empty where it is nowhere.
pub(super) fn places(scene: &Scene<'_>, entity: &Entity) -> Vec<Callee> {
    let service = |name: &str| scene.names.find(name).map(Callee::Service);
    let mut places: Vec<Callee> = match entity.kind {
        EntityKind::Node => on(scene, &entity.name).into_iter().map(Callee::Service).collect(),
        EntityKind::Edge => {
            let caller = entity.name.split(" -> ").next();
            caller.and_then(service).into_iter().collect()
        }
        EntityKind::Database | EntityKind::Cache | EntityKind::Queue | EntityKind::External => {
            let name = scene.names.find(&entity.name);
            let kinds = [PeerKind::Database, PeerKind::Cache, PeerKind::Queue, PeerKind::Service];
            let peers = kinds.into_iter().filter_map(|kind| Some(Callee::Peer(kind, name?)));
            peers.filter(|peer| scene.callee(*peer) == *entity).collect()
        }
        _ => service(entity.service.as_ref().unwrap_or(&entity.name))
            .into_iter()
            .collect(),
    };
    places.sort_unstable();
    places.dedup();
    places
}

/// The services on a machine.
fn on(scene: &Scene<'_>, node: &str) -> Vec<NameId> {
    let Some(node) = scene.names.find(node) else {
        return Vec::new();
    };
    let windows = [scene.window, scene.baseline.total()];
    let keys = windows.into_iter().flat_map(|window| window.dimensions.keys());
    keys.filter(|key| key.dimension == Dimension::Node && key.value == node)
        .map(|key| key.service)
        .collect()
}
