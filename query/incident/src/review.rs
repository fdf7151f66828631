//! Looking back: the graph at a time, with the health of each node and edge.

use crate::incident::{Incident, State};
use crate::memory::Recent;
use crate::slots::{Slot, Slots};
use epicenter_detect::{Baseline, Place, Signal, symptoms};
use epicenter_graph::{Entity, GraphSnapshot, Health, Names, Summary, Window, callee_entity};
use epicenter_schema::{DurationNs, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Length of the graph's window unless asked for otherwise.
const WINDOW: DurationNs = DurationNs::from_secs(30);
/// Surprise from which a place is not well, in nats.
const UNWELL_NATS: f64 = 6.0;
/// Share of failures from which a place is failing rather than degraded.
const FAILING: f64 = 0.5;

/// What there is to look back at.
pub(crate) struct View<'a> {
    pub(crate) recent: &'a Recent,
    pub(crate) baseline: &'a Baseline,
    pub(crate) names: &'a Names,
    pub(crate) step: DurationNs,
    pub(crate) incidents: &'a [Incident],
}

pub(crate) fn graph(view: View<'_>, at: Option<Timestamp>, window: Option<DurationNs>) -> GraphSnapshot {
    let length = DurationNs(window.unwrap_or(WINDOW).0.max(view.step.0));
    let known = view.recent.last_start().map_or(Timestamp(0), |start| start + view.step);
    let at = at.unwrap_or(known);
    let first = view.recent.first_start().unwrap_or(known);
    let (sum, count) = view.recent.between(at - length, at);
    if count == 0 {
        return GraphSnapshot {
            at,
            window: length,
            ..GraphSnapshot::default()
        };
    }
    // At the start of the memory fewer windows are there than were asked for: the rates are of those.
    let length = if at - length < first {
        DurationNs(count as i64 * view.step.0)
    } else {
        length
    };
    let health = health(&view, &sum, length, at);
    let summary = judged(&view, &sum, length, &health);
    let mut graph = GraphSnapshot::new(&summary, at, usual_services(&view));
    for node in graph.nodes.iter_mut().filter(|node| node.health == Health::Unknown) {
        node.health = or_ok(&view, health.0.get(&node.entity));
    }
    graph
}

/// A stretch of time by name, with how everything was that was seen in it.
pub(crate) fn summary(view: &View<'_>, sum: &Window, length: DurationNs, at: Timestamp) -> Summary {
    judged(view, sum, length, &health(view, sum, length, at))
}

fn judged(view: &View<'_>, sum: &Window, length: DurationNs, (nodes, edges): &(NodeHealth, EdgeHealth)) -> Summary {
    let mut summary = Summary::new(sum, view.names, length);
    for (entity, node) in &mut summary.nodes {
        node.traffic.health = or_ok(view, nodes.get(entity));
    }
    for (ends, traffic) in &mut summary.edges {
        traffic.health = or_ok(view, edges.get(ends));
    }
    summary
}

/// The slots from `after` on of the windows that are remembered.
pub(crate) fn young(view: View<'_>, slots: &Slots, after: Timestamp) -> Vec<Slot> {
    let mut sums: BTreeMap<Timestamp, (Window, i64)> = BTreeMap::new();
    for (start, window) in view.recent.iter().filter(|(start, _)| *start >= after) {
        let (sum, length) = sums.entry(slots.slot_of(*start)).or_default();
        sum.merge(window);
        *length += view.step.0;
    }
    let slot = |(start, (sum, length)): (Timestamp, (Window, i64))| {
        let length = DurationNs(length);
        Slot {
            start,
            summary: summary(&view, &sum, length, start + length),
        }
    };
    sums.into_iter().map(slot).collect()
}

fn or_ok(view: &View<'_>, found: Option<&Health>) -> Health {
    match found {
        Some(health) => *health,
        None if view.baseline.is_empty() => Health::Unknown,
        None => Health::Ok,
    }
}

type NodeHealth = BTreeMap<Entity, Health>;
type EdgeHealth = BTreeMap<(Entity, Entity), Health>;

fn health(view: &View<'_>, sum: &Window, length: DurationNs, at: Timestamp) -> (NodeHealth, EdgeHealth) {
    let mut nodes = NodeHealth::new();
    let mut edges = EdgeHealth::new();
    for symptom in symptoms(sum, length, view.baseline, view.names) {
        if symptom.nats < UNWELL_NATS {
            break;
        }
        let fails = symptom.signal == Signal::Errors && symptom.value >= FAILING;
        let health = match symptom.signal {
            Signal::Silence => Health::Silent,
            _ if fails => Health::Failing,
            _ => Health::Degraded,
        };
        match symptom.place {
            Place::Operation(key) => worsen(
                &mut nodes,
                Entity::service(view.names.get(key.service).as_ref()),
                health,
            ),
            Place::Service(id) => worsen(&mut nodes, Entity::service(view.names.get(id).as_ref()), health),
            Place::Edge(key) => {
                let caller = Entity::service(view.names.get(key.caller).as_ref());
                worsen(&mut edges, (caller, callee_entity(key.callee, view.names)), health);
            }
        }
    }
    for incident in view.incidents {
        let over = incident.state == State::Resolved && incident.resolved.is_some_and(|end| end < at);
        if incident.started < at
            && !over
            && let Some(suspect) = incident.suspects.first()
        {
            worsen(&mut nodes, suspect.entity.clone(), Health::Failing);
        }
    }
    (nodes, edges)
}

fn worsen<K: Ord>(map: &mut BTreeMap<K, Health>, key: K, health: Health) {
    let entry = map.entry(key).or_insert(health);
    *entry = (*entry).max(health);
}

/// Services that are heard at rest.
fn usual_services(view: &View<'_>) -> BTreeSet<Entity> {
    let heard = view.baseline.total().ops.iter().filter(|(_, op)| op.entries > 0);
    heard
        .map(|(key, _)| Entity::service(view.names.get(key.service).as_ref()))
        .collect()
}
