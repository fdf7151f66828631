//! The graph as people and programs see it: nodes and edges with rates, errors, latencies and health, sorted by name.

use crate::names::Names;
use crate::record::PeerKind;
use crate::sketch::Sketch;
use crate::summary::{NodeSum, Part, Summary};
use crate::window::{Callee, SpanCounts};
use crate::{Entity, EntityKind};
use epicenter_schema::{DurationNs, Timestamp, TraceId};
use petgraph::graph::DiGraph;
use std::collections::BTreeMap;

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
    /// Requests a second that reach it, those that sampling left out included.
    pub rate_per_s: f64,
    /// Share of them that fail, 0 to 1.
    pub error_ratio: f64,
    /// Requests seen.
    pub count: u64,
    /// How long it takes to answer, as it sees it itself; as its callers see it where it sends no spans.
    pub latency: Latency,
    /// Running copies seen; 0 when it does not tell.
    pub instances: u64,
    /// Its requests by instance, node, version and what else its resources say.
    pub dimensions: Vec<DimensionShare>,
    /// How it is.
    pub health: Health,
    /// Traces that pass through it, failed and slow ones first.
    pub exemplars: Vec<TraceId>,
}

/// The part of a node's requests under one value of a dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct DimensionShare {
    /// `instance`, `node`, `version`, `image`, `label.app` and so on.
    pub dimension: String,
    /// Its value.
    pub value: String,
    /// Requests a second.
    pub rate_per_s: f64,
    /// Share of them that fail, 0 to 1.
    pub error_ratio: f64,
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
    /// Calls a second, those that sampling left out included.
    pub rate_per_s: f64,
    /// Share of them that fail at the caller, 0 to 1.
    pub error_ratio: f64,
    /// Calls seen.
    pub count: u64,
    /// Calls to a service that no span of it answers: it was not reached, does not trace, or its span is missing.
    pub unanswered: u64,
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
    /// What became of the spans.
    pub spans: SpanCounts,
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

impl GraphSnapshot {
    /// The graph of a stretch of time that ends at `at`; services in `expected` that it does not hold are added with a
    /// rate of 0.
    pub fn new(summary: &Summary, at: Timestamp, expected: impl IntoIterator<Item = Entity>) -> Self {
        let length = summary.length;
        let absent = NodeSum::default();
        let mut nodes: BTreeMap<Entity, &NodeSum> = expected.into_iter().map(|entity| (entity, &absent)).collect();
        nodes.extend(summary.nodes.iter().map(|(entity, node)| (entity.clone(), node)));
        let nodes = nodes.into_iter().map(|(entity, node)| {
            let share = |((dimension, value), part): (&(String, String), &Part)| DimensionShare {
                dimension: dimension.clone(),
                value: value.clone(),
                rate_per_s: part.weighed.count.as_f64() / length.as_secs_f64().max(1e-9),
                error_ratio: part.error_ratio(),
            };
            Node {
                entity,
                system: node.traffic.word.clone(),
                rate_per_s: node.traffic.rate_per_s(length),
                error_ratio: node.traffic.error_ratio(),
                count: node.traffic.count,
                latency: Latency::of(&node.traffic.latency),
                instances: node.instances,
                dimensions: node.parts.iter().map(share).collect(),
                health: node.traffic.health,
                exemplars: node.traffic.exemplars.clone(),
            }
        });
        let edges = summary.edges.iter().map(|((caller, callee), traffic)| Edge {
            caller: caller.clone(),
            callee: callee.clone(),
            protocol: traffic.word.clone(),
            rate_per_s: traffic.rate_per_s(length),
            error_ratio: traffic.error_ratio(),
            count: traffic.count,
            unanswered: traffic.unanswered,
            latency: Latency::of(&traffic.latency),
            health: traffic.health,
            exemplars: traffic.exemplars.clone(),
        });
        Self {
            at,
            window: length,
            nodes: nodes.collect(),
            edges: edges.collect(),
            spans: summary.accounts,
        }
    }

    /// Judges every node and edge.
    pub fn judge(&mut self, node_health: impl Fn(&Entity) -> Health, edge_health: impl Fn(&Entity, &Entity) -> Health) {
        for node in &mut self.nodes {
            node.health = node_health(&node.entity);
        }
        for edge in &mut self.edges {
            edge.health = edge_health(&edge.caller, &edge.callee);
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
