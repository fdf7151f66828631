//! The graph as people and programs see it: nodes and edges with rates, errors, latencies and health, sorted by name.

use crate::names::{NameId, Names};
use crate::record::PeerKind;
use crate::sketch::Sketch;
use crate::window::{Callee, Dimension, EdgeStats, Window};
use crate::{Entity, EntityKind};
use epicenter_schema::{DurationNs, Timestamp, TraceId};
use petgraph::graph::DiGraph;
use std::collections::BTreeMap;

/// Exemplar traces of one node or edge.
const EXEMPLARS_MAX: usize = 4;

/// How something is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
pub enum Health {
    /// Within its baseline.
    Ok,
    /// Outside its baseline, but answering.
    Degraded,
    /// Most of what it is asked fails, or it is the culprit of an open incident.
    Failing,
    /// It used to be seen, and is not any more.
    Silent,
    /// There is no baseline to compare it with yet.
    #[default]
    Unknown,
}

impl Health {
    /// The word used in APIs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
            Self::Silent => "silent",
            Self::Unknown => "unknown",
        }
    }
}

/// Quantiles of durations, within 2 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Half are shorter.
    pub p50: DurationNs,
    /// 95 % are shorter.
    pub p95: DurationNs,
    /// 99 % are shorter.
    pub p99: DurationNs,
}

impl Latency {
    fn of(sketch: &Sketch) -> Self {
        let at = |q| DurationNs(sketch.quantile(q) as i64);
        Self {
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
        }
    }
}

/// A service, or a callee that sends no spans of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub entity: Entity,
    /// Technology of a callee that sends no spans, as its callers say: `redis`, `postgresql`.
    pub system: Option<String>,
    /// Requests a second that reach it.
    pub rate_per_s: f64,
    /// Share of them that fail, 0 to 1.
    pub error_ratio: f64,
    /// How long it takes to answer, as it sees it itself; as its callers see it where it sends no spans.
    pub latency: Latency,
    /// Running copies seen; 0 when it does not tell.
    pub instances: u64,
    /// How it is.
    pub health: Health,
    /// Traces that pass through it, failed and slow ones first.
    pub exemplars: Vec<TraceId>,
}

/// Calls from one node to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Who calls.
    pub caller: Entity,
    /// Who is called.
    pub callee: Entity,
    /// How: `http`, `grpc`, `database`.
    pub protocol: Option<String>,
    /// Calls a second.
    pub rate_per_s: f64,
    /// Share of them that fail at the caller, 0 to 1.
    pub error_ratio: f64,
    /// How long the caller waits.
    pub latency: Latency,
    /// How it is.
    pub health: Health,
    /// Traces that take it, failed and slow ones first.
    pub exemplars: Vec<TraceId>,
}

/// The graph of a stretch of time. Nodes are sorted by entity, edges by caller and callee.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GraphSnapshot {
    /// End of the stretch.
    pub at: Timestamp,
    /// Its length.
    pub window: DurationNs,
    /// Who is there.
    pub nodes: Vec<Node>,
    /// Who calls whom.
    pub edges: Vec<Edge>,
}

/// The entity that a callee is. A peer that was never seen to answer as a service is external.
pub fn callee_entity(callee: Callee, names: &Names) -> Entity {
    let (kind, name) = match callee {
        Callee::Service(name) => (EntityKind::Service, name),
        Callee::Peer(PeerKind::Service, name) => (EntityKind::External, name),
        Callee::Peer(PeerKind::Database, name) => (EntityKind::Database, name),
        Callee::Peer(PeerKind::Cache, name) => (EntityKind::Cache, name),
        Callee::Peer(PeerKind::Queue, name) => (EntityKind::Queue, name),
    };
    Entity::new(kind, names.get(name).as_ref())
}

#[derive(Default)]
struct Sum {
    count: u64,
    errors: u64,
    instances: u64,
    sketch: Sketch,
    word: Option<NameId>,
    exemplars: Vec<TraceId>,
}

impl Sum {
    fn add_edge(&mut self, edge: &EdgeStats, word: Option<NameId>) {
        self.count += edge.count;
        self.errors += edge.errors;
        self.sketch.merge(&edge.client);
        self.word = self.word.or(word);
        self.offer(edge.failed.traces().chain(edge.slowest.traces()));
    }

    fn offer(&mut self, traces: impl Iterator<Item = TraceId>) {
        for trace in traces {
            if self.exemplars.len() < EXEMPLARS_MAX && !self.exemplars.contains(&trace) {
                self.exemplars.push(trace);
            }
        }
    }

    fn ratio(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.errors as f64 / self.count as f64
        }
    }
}

impl GraphSnapshot {
    /// The graph of a window that ends at `at` and is `length` long. `node_health` and `edge_health` judge; services
    /// in `expected` that the window does not hold are added with a rate of 0. Cost: one pass over the window.
    pub fn new(
        window: &Window,
        names: &Names,
        (at, length): (Timestamp, DurationNs),
        expected: impl IntoIterator<Item = Entity>,
        node_health: impl Fn(&Entity) -> Health,
        edge_health: impl Fn(&Entity, &Entity) -> Health,
    ) -> Self {
        let seconds = length.as_secs_f64().max(1e-9);
        let text = |id: Option<NameId>| id.map(|id| names.get(id).to_string());
        let mut nodes: BTreeMap<Entity, Sum> = expected.into_iter().map(|entity| (entity, Sum::default())).collect();
        let mut edges: BTreeMap<(Entity, Entity), Sum> = BTreeMap::new();
        for (key, op) in window.ops_sorted(names) {
            let node = nodes
                .entry(Entity::service(names.get(key.service).as_ref()))
                .or_default();
            node.count += op.entries;
            node.errors += op.entry_errors;
            node.sketch.merge(&op.duration);
            node.offer(op.failed.traces().chain(op.slowest.traces()));
        }
        for (key, _) in &window.dimensions {
            if key.dimension == Dimension::Instance {
                nodes
                    .entry(Entity::service(names.get(key.service).as_ref()))
                    .or_default()
                    .instances += 1;
            }
        }
        for (key, edge) in window.edges_sorted(names) {
            let caller = Entity::service(names.get(key.caller).as_ref());
            let callee = callee_entity(key.callee, names);
            let node = nodes.entry(callee.clone()).or_default();
            if callee.kind != EntityKind::Service {
                node.add_edge(edge, edge.system);
            }
            edges.entry((caller, callee)).or_default().add_edge(edge, edge.protocol);
        }
        let nodes = nodes.into_iter().map(|(entity, sum)| Node {
            health: node_health(&entity),
            entity,
            system: text(sum.word),
            rate_per_s: sum.count as f64 / seconds,
            error_ratio: sum.ratio(),
            latency: Latency::of(&sum.sketch),
            instances: sum.instances,
            exemplars: sum.exemplars,
        });
        let edges = edges.into_iter().map(|((caller, callee), sum)| Edge {
            health: edge_health(&caller, &callee),
            caller,
            callee,
            protocol: text(sum.word),
            rate_per_s: sum.count as f64 / seconds,
            error_ratio: sum.ratio(),
            latency: Latency::of(&sum.sketch),
            exemplars: sum.exemplars,
        });
        Self {
            at,
            window: length,
            nodes: nodes.collect(),
            edges: edges.collect(),
        }
    }

    /// The same as a petgraph graph, whose weights are positions in `nodes` and `edges`.
    pub fn to_petgraph(&self) -> DiGraph<usize, usize> {
        let mut graph = DiGraph::with_capacity(self.nodes.len(), self.edges.len());
        let mut index = BTreeMap::new();
        for (position, node) in self.nodes.iter().enumerate() {
            index.insert(&node.entity, graph.add_node(position));
        }
        for (position, edge) in self.edges.iter().enumerate() {
            if let (Some(from), Some(to)) = (index.get(&edge.caller), index.get(&edge.callee)) {
                graph.add_edge(*from, *to, position);
            }
        }
        graph
    }
}
