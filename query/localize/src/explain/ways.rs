//! Who calls whom, now or at rest, by number, so that walking up and down a large system is cheap. Messages go from who
//! publishes through the queue to who consumes.

use crate::Scene;
use crate::order::sum;
use crate::survey::Edges;
use epicenter_graph::{Callee, Dimension, Direction, EdgeKey, Entity, EntityKind, NameId, PeerKind};
use hashbrown::{HashMap, HashSet};
use std::collections::VecDeque;

/// Hops walked at most, which is the longest chain.
pub(super) const HOPS_MAX: u32 = 32;

/// One kind of calls of one node to another, now or at rest.
#[derive(Clone, Copy, Debug)]
struct Way {
    from: u32,
    to: u32,
    /// Calls now that fail beyond the usual or are late.
    bad: f64,
}

/// The graph. Numbers are places in `nodes` and mean nothing outside.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    nodes: Vec<Callee>,
    numbers: HashMap<Callee, u32>,
    ways: Vec<Way>,
    /// The same by caller and then callee, and by callee.
    down: Grouped,
    up: Grouped,
}

impl Ways {
    /// The ways now and at rest. Cost: one pass over the edges.
    pub(crate) fn of(scene: &Scene<'_>, edges: &Edges<'_>) -> Self {
        let mut ways = Self::default();
        let (now, rest) = (scene.window, scene.baseline.total());
        for (key, _) in &edges.calls {
            let bad = edges.bad.get(key).copied().unwrap_or(0.0);
            ways.add(Callee::Service(key.caller), key.callee, bad);
        }
        let usual = scene.baseline.usual_edges();
        if usual.len() > edges.usual {
            let known: HashSet<&EdgeKey> = edges.calls.iter().map(|(key, _)| key).collect();
            for (key, _) in usual.filter(|(key, _)| !known.contains(*key)) {
                let bad = edges.bad.get(key).copied().unwrap_or(0.0);
                ways.add(Callee::Service(key.caller), key.callee, bad);
            }
        }
        for key in now.flows.keys().chain(rest.flows.keys()) {
            let (service, queue) = (Callee::Service(key.service), Callee::Peer(PeerKind::Queue, key.queue));
            match key.direction {
                Direction::Publish => ways.add(service, queue, 0.0),
                Direction::Deliver => ways.add(queue, service, 0.0),
            }
        }
        let (nodes, all) = (ways.nodes.len(), 0..ways.ways.len() as u32);
        ways.up = Grouped::new(nodes, all, |way| ways.ways[way as usize].to);
        ways.down = Grouped::new(nodes, ways.up.places.iter().copied(), |way| {
            ways.ways[way as usize].from
        });
        ways
    }

    fn add(&mut self, from: Callee, to: Callee, bad: f64) {
        let (from, to) = (self.number(from), self.number(to));
        if from != to {
            self.ways.push(Way { from, to, bad });
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

    fn calls_to(&self, node: u32) -> impl Iterator<Item = &Way> {
        self.up.of(node).iter().map(|way| &self.ways[*way as usize])
    }

    fn calls_of(&self, node: u32) -> impl Iterator<Item = &Way> {
        self.down.of(node).iter().map(|way| &self.ways[*way as usize])
    }

    /// Calls to some nodes that fail beyond the usual or are late.
    pub(super) fn bad_calls_to(&self, nodes: &[Callee]) -> f64 {
        let numbers = nodes.iter().filter_map(|node| self.numbers.get(node));
        let calls = numbers.flat_map(|number| self.calls_to(*number));
        sum(calls.map(|way| way.bad).collect())
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
        let calls = self.calls_of(*number);
        let mut nearer: Vec<(u32, Vec<f64>)> = Vec::new();
        for way in calls.filter(|way| left > 0 && hops.0[way.to as usize] == Some(left - 1)) {
            match nearer.last_mut() {
                Some((to, harms)) if *to == way.to => harms.push(way.bad),
                _ => nearer.push((way.to, vec![way.bad])),
            }
        }
        let node = |(to, harms): (u32, Vec<f64>)| (self.nodes[to as usize], sum(harms));
        nearer.into_iter().map(node).collect()
    }
}

/// Ways grouped by a node of theirs, in each group in the order in which they came.
#[derive(Debug, Default)]
struct Grouped {
    /// Where the group of each node begins in `places`, and where the last one ends.
    begins: Vec<u32>,
    places: Vec<u32>,
}

impl Grouped {
    fn new(nodes: usize, ways: impl Iterator<Item = u32> + Clone, node: impl Fn(u32) -> u32) -> Self {
        let mut begins = vec![0; nodes + 1];
        ways.clone().for_each(|way| begins[node(way) as usize + 1] += 1);
        for at in 0..nodes {
            begins[at + 1] += begins[at];
        }
        let mut next = begins.clone();
        let mut places = vec![0; begins.last().copied().unwrap_or(0) as usize];
        for way in ways {
            let at = &mut next[node(way) as usize];
            places[*at as usize] = way;
            *at += 1;
        }
        Self { begins, places }
    }

    fn of(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.places[self.begins[node] as usize..self.begins[node + 1] as usize]
    }
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
