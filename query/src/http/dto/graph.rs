//! The service graph.

use super::incident::EntityDto;
use epicenter_incident::{DimensionShare, Entity, GraphSnapshot, Latency};
use serde::Serialize;

/// The graph of a stretch of time.
#[derive(Debug, Serialize)]
pub struct GraphDto {
    /// End of the stretch.
    pub at_unix_nano: String,
    /// Its length.
    pub window_ns: String,
    /// Who is there.
    pub nodes: Vec<NodeDto>,
    /// Who calls whom.
    pub edges: Vec<EdgeDto>,
    /// What became of the spans of the stretch.
    pub spans: SpansDto,
}

/// What became of spans. Nothing that was received is missing without being counted here.
#[derive(Debug, Serialize)]
pub struct SpansDto {
    /// Spans that the graph is made of.
    pub counted: u64,
    /// Of those, the ones whose parent was not received.
    pub orphaned: u64,
    /// Of those, the ones that stand for more than themselves, by their trace state.
    pub sampled: u64,
    /// Of those, the ones that came after the stretch had been judged.
    pub late: u64,
    /// Received more than once, counted once.
    pub repeated: u64,
    /// Not in the graph: too late, or beyond what is held at once.
    pub dropped: u64,
}

/// A service, or a callee that sends no spans.
#[derive(Debug, Serialize)]
pub struct NodeDto {
    /// Name of the node within this answer: `kind:name`.
    pub id: String,
    /// What it is.
    pub entity: EntityDto,
    /// Technology of a callee that sends no spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// `ok`, `degraded`, `failing`, `silent` or `unknown`.
    pub health: &'static str,
    /// Requests a second, those that sampling left out included.
    pub rate: f64,
    /// Requests seen.
    pub count: u64,
    /// From 0 to 1.
    pub error_ratio: f64,
    /// Durations.
    pub latency_ns: LatencyDto,
    /// Running copies.
    pub instances: u64,
    /// Its requests by what its resources say.
    pub dimensions: Vec<DimensionDto>,
    /// Traces that pass through it.
    pub exemplar_trace_ids: Vec<String>,
}

/// The part of a node's requests under one value of a dimension.
#[derive(Debug, Serialize)]
pub struct DimensionDto {
    /// `instance`, `node`, `version`, `image`, `namespace`, `zone`, `cluster`, `workload`, `environment`, `label.<name>`.
    pub dimension: String,
    /// Its value.
    pub value: String,
    /// Requests a second.
    pub rate: f64,
    /// From 0 to 1.
    pub error_ratio: f64,
}

/// Calls from one node to another.
#[derive(Debug, Serialize)]
pub struct EdgeDto {
    /// The caller's node.
    pub source: String,
    /// The callee's node.
    pub target: String,
    /// How it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Calls a second, those that sampling left out included.
    pub rate: f64,
    /// Calls seen.
    pub count: u64,
    /// Calls to a service that no span of it answers.
    pub unanswered: u64,
    /// From 0 to 1.
    pub error_ratio: f64,
    /// Durations at the caller.
    pub latency_ns: LatencyDto,
    /// As of a node.
    pub health: &'static str,
    /// Traces that take it.
    pub exemplar_trace_ids: Vec<String>,
}

/// Quantiles of durations.
#[derive(Debug, Serialize)]
pub struct LatencyDto {
    /// Half are shorter.
    pub p50: String,
    /// 95 % are shorter.
    pub p95: String,
    /// 99 % are shorter.
    pub p99: String,
}

impl From<&Latency> for LatencyDto {
    fn from(latency: &Latency) -> Self {
        Self {
            p50: latency.p50.0.to_string(),
            p95: latency.p95.0.to_string(),
            p99: latency.p99.0.to_string(),
        }
    }
}

impl From<&DimensionShare> for DimensionDto {
    fn from(share: &DimensionShare) -> Self {
        Self {
            dimension: share.dimension.clone(),
            value: share.value.clone(),
            rate: share.rate_per_s,
            error_ratio: share.error_ratio,
        }
    }
}

fn id(entity: &Entity) -> String {
    format!("{}:{}", entity.kind.as_str(), entity.name)
}

impl From<&GraphSnapshot> for GraphDto {
    fn from(graph: &GraphSnapshot) -> Self {
        let hex = |ids: &[epicenter_schema::TraceId]| ids.iter().map(ToString::to_string).collect();
        let nodes = graph.nodes.iter().map(|node| NodeDto {
            id: id(&node.entity),
            entity: EntityDto::from(&node.entity),
            system: node.system.clone(),
            health: node.health.as_str(),
            rate: node.rate_per_s,
            count: node.count,
            error_ratio: node.error_ratio,
            latency_ns: LatencyDto::from(&node.latency),
            instances: node.instances,
            dimensions: node.dimensions.iter().map(DimensionDto::from).collect(),
            exemplar_trace_ids: hex(&node.exemplars),
        });
        let edges = graph.edges.iter().map(|edge| EdgeDto {
            source: id(&edge.caller),
            target: id(&edge.callee),
            protocol: edge.protocol.clone(),
            rate: edge.rate_per_s,
            count: edge.count,
            unanswered: edge.unanswered,
            error_ratio: edge.error_ratio,
            latency_ns: LatencyDto::from(&edge.latency),
            health: edge.health.as_str(),
            exemplar_trace_ids: hex(&edge.exemplars),
        });
        Self {
            at_unix_nano: graph.at.0.to_string(),
            window_ns: graph.window.0.to_string(),
            nodes: nodes.collect(),
            edges: edges.collect(),
            spans: SpansDto {
                counted: graph.spans.counted,
                orphaned: graph.spans.orphaned,
                sampled: graph.spans.sampled,
                late: graph.spans.late,
                repeated: graph.spans.repeated,
                dropped: graph.spans.dropped,
            },
        }
    }
}
