//! A window by the names that people know, without the detail that only the localizer needs: what the graph is drawn
//! from, and what is remembered of it. Summaries add up like windows.

use crate::names::Names;
use crate::sketch::Sketch;
use crate::snapshot::{Health, callee_entity};
use crate::window::{Dimension, Direction, EdgeStats, Exemplars, FlowStats, SpanCounts, Weighed, Window};
use crate::{Entity, EntityKind};
use epicenter_schema::{DurationNs, TraceId};
use std::collections::BTreeMap;

/// Exemplar traces of one node or edge.
const EXEMPLARS_MAX: usize = 4;
/// Values told of one dimension of one node; more are left out, the rarest first.
const VALUES_MAX: usize = 32;

/// Requests to a node, or calls along an edge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Spans seen.
    pub count: u64,
    /// Failed ones.
    pub errors: u64,
    /// Both as they were before sampling.
    pub weighed: Weighed,
    /// Calls with no span behind them.
    pub unanswered: u64,
    /// How long they took.
    pub latency: Sketch,
    /// Protocol of an edge, technology of a node.
    pub word: Option<String>,
    /// Traces, failed and slow ones first.
    pub exemplars: Vec<TraceId>,
    /// How it is; the worst of what was added up.
    pub health: Health,
}

/// Requests under one value of a dimension.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    /// Requests seen.
    pub count: u64,
    /// Failed ones.
    pub errors: u64,
    /// Both as they were before sampling.
    pub weighed: Weighed,
}

/// A service, or a callee that sends no spans of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeSum {
    /// What reaches it.
    pub traffic: Traffic,
    /// Running copies seen.
    pub instances: u64,
    /// Its requests by dimension and value.
    pub parts: BTreeMap<(String, String), Part>,
}

/// A stretch of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// How long.
    pub length: DurationNs,
    /// Who was there.
    pub nodes: BTreeMap<Entity, NodeSum>,
    /// Who called whom.
    pub edges: BTreeMap<(Entity, Entity), Traffic>,
    /// What became of the spans.
    pub accounts: SpanCounts,
}

impl Summary {
    /// Of a window of that length. Cost: one pass over it.
    pub fn new(window: &Window, names: &Names, length: DurationNs) -> Self {
        let mut summary = Self {
            length,
            accounts: window.accounts,
            ..Self::default()
        };
        summary.add_services(window, names);
        summary.add_edges(window, names);
        summary.add_messages(window, names);
        summary
    }

    fn node(&mut self, entity: Entity) -> &mut NodeSum {
        self.nodes.entry(entity).or_default()
    }

    fn add_services(&mut self, window: &Window, names: &Names) {
        for (key, op) in window.ops_sorted(names) {
            let traffic = &mut self.node(Entity::service(names.get(key.service).as_ref())).traffic;
            traffic.count += op.entries;
            traffic.errors += op.entry_errors;
            traffic.weighed.merge(op.weighed);
            traffic.latency.merge(&op.duration);
            traffic.offer(&op.failed, &op.slowest);
        }
        for (key, stats) in window.dimensions_sorted(names) {
            let node = self.node(Entity::service(names.get(key.service).as_ref()));
            node.instances += u64::from(key.dimension == Dimension::Instance);
            let name = (key.dimension.name(names).into_owned(), names.get(key.value).to_string());
            let part = node.parts.entry(name).or_default();
            part.count += stats.entries;
            part.errors += stats.entry_errors;
            part.weighed.merge(stats.weighed);
        }
        self.nodes.values_mut().for_each(NodeSum::limit);
    }

    fn add_edges(&mut self, window: &Window, names: &Names) {
        for (key, edge) in window.edges_sorted(names) {
            // Messages are drawn through their queue.
            if edge.queued == edge.count {
                continue;
            }
            let caller = Entity::service(names.get(key.caller).as_ref());
            let callee = callee_entity(key.callee, names);
            let is_service = callee.kind == EntityKind::Service;
            let node = &mut self.node(callee.clone()).traffic;
            if !is_service {
                node.add_edge(edge, edge.system.most(names));
                node.unanswered = 0;
            }
            let traffic = self.edges.entry((caller, callee)).or_default();
            traffic.add_edge(edge, edge.protocol.most(names));
            if !is_service {
                traffic.unanswered = 0;
            }
        }
    }

    fn add_messages(&mut self, window: &Window, names: &Names) {
        for (key, flow) in window.flows_sorted(names) {
            let service = Entity::service(names.get(key.service).as_ref());
            let queue = Entity::new(EntityKind::Queue, names.get(key.queue).as_ref());
            self.node(service.clone());
            let system = flow.system.most(names);
            let node = &mut self.node(queue.clone()).traffic;
            node.word = node.word.take().or_else(|| system.map(str::to_owned));
            let ends = match key.direction {
                Direction::Publish => {
                    node.add_flow(flow);
                    (service, queue)
                }
                Direction::Deliver => (queue, service),
            };
            let edge = self.edges.entry(ends).or_default();
            edge.add_flow(flow);
            edge.word = Some("messaging".to_owned());
        }
    }

    /// Adds another stretch, later or of another machine. Lengths add up where they are of one time after the other: see
    /// [`Summary::beside`] where they are not.
    pub fn merge(&mut self, other: &Self) {
        self.length.0 += other.length.0;
        self.beside(other);
    }

    /// Adds another part of the same stretch.
    pub fn beside(&mut self, other: &Self) {
        self.accounts.merge(other.accounts);
        for (entity, node) in &other.nodes {
            let mine = self.node(entity.clone());
            mine.traffic.merge(&node.traffic);
            mine.instances = mine.instances.max(node.instances);
            for (name, part) in &node.parts {
                let sum = mine.parts.entry(name.clone()).or_default();
                sum.count += part.count;
                sum.errors += part.errors;
                sum.weighed.merge(part.weighed);
            }
            mine.limit();
        }
        for (ends, traffic) in &other.edges {
            self.edges.entry(ends.clone()).or_default().merge(traffic);
        }
    }
}

impl NodeSum {
    /// Leaves out the rarest values of dimensions with many.
    fn limit(&mut self) {
        if self.parts.len() <= VALUES_MAX {
            return;
        }
        let mut of: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
        for ((dimension, value), part) in &self.parts {
            of.entry(dimension).or_default().push((part.count, value));
        }
        let mut left_out = Vec::new();
        for (dimension, mut values) in of {
            values.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
            let rare = values.iter().skip(VALUES_MAX);
            left_out.extend(rare.map(|(_, value)| (dimension.to_owned(), (*value).to_owned())));
        }
        for name in left_out {
            self.parts.remove(&name);
        }
    }
}

impl Traffic {
    fn add_edge(&mut self, edge: &EdgeStats, word: Option<&str>) {
        self.count += edge.count;
        self.errors += edge.errors;
        self.weighed.merge(edge.weighed);
        self.unanswered += edge.unanswered;
        self.latency.merge(&edge.client);
        self.word = self.word.take().or_else(|| word.map(str::to_owned));
        self.offer(&edge.failed, &edge.slowest);
    }

    fn add_flow(&mut self, flow: &FlowStats) {
        self.count += flow.count;
        self.errors += flow.errors;
        self.weighed.merge(flow.weighed);
        self.latency.merge(&flow.duration);
        self.offer(&flow.failed, &flow.slowest);
    }

    fn offer(&mut self, failed: &Exemplars, slowest: &Exemplars) {
        for trace in failed.traces().chain(slowest.traces()) {
            self.offer_trace(trace);
        }
    }

    fn offer_trace(&mut self, trace: TraceId) {
        if self.exemplars.len() < EXEMPLARS_MAX && !self.exemplars.contains(&trace) {
            self.exemplars.push(trace);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.errors += other.errors;
        self.weighed.merge(other.weighed);
        self.unanswered += other.unanswered;
        self.latency.merge(&other.latency);
        self.word = self.word.take().or_else(|| other.word.clone());
        other.exemplars.iter().for_each(|trace| self.offer_trace(*trace));
        self.health = match (self.health, other.health) {
            (Health::Unknown, known) | (known, Health::Unknown) => known,
            (one, other) => one.max(other),
        };
    }

    /// Requests a second, those that sampling left out included.
    pub fn rate_per_s(&self, length: DurationNs) -> f64 {
        self.weighed.count.as_f64() / length.as_secs_f64().max(1e-9)
    }

    /// Share of requests that fail, 0 to 1.
    pub fn error_ratio(&self) -> f64 {
        ratio(self.count, self.errors, self.weighed)
    }
}

impl Part {
    /// Share of requests that fail, 0 to 1.
    pub fn error_ratio(&self) -> f64 {
        ratio(self.count, self.errors, self.weighed)
    }
}

/// Weighed where there are weights: of traces kept because they failed more are kept than of the others.
fn ratio(count: u64, errors: u64, weighed: Weighed) -> f64 {
    let all = weighed.count.as_f64();
    if all > 0.0 {
        weighed.errors.as_f64() / all
    } else if count > 0 {
        errors as f64 / count as f64
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests;
