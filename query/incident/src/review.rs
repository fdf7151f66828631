//! Looking back: the graph at a time, with the health of each node and edge.

use crate::incident::{Incident, State};
use crate::memory::Recent;
use epicenter_detect::{Baseline, Place, Signal, symptoms};
use epicenter_graph::{Entity, GraphSnapshot, Health, Names, callee_entity};
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
    let (nodes, edges) = health(&view, &sum, length, at);
    let expected: BTreeSet<Entity> = usual_services(&view);
    let unknown = view.baseline.is_empty();
    let or_ok = |found: Option<&Health>| match found {
        Some(health) => *health,
        None if unknown => Health::Unknown,
        None => Health::Ok,
    };
    GraphSnapshot::new(
        &sum,
        view.names,
        (at, length),
        expected,
        |entity| or_ok(nodes.get(entity)),
        |caller, callee| or_ok(edges.get(&(caller.clone(), callee.clone()))),
    )
}

type NodeHealth = BTreeMap<Entity, Health>;
type EdgeHealth = BTreeMap<(Entity, Entity), Health>;

fn health(
    view: &View<'_>,
    sum: &epicenter_graph::Window,
    length: DurationNs,
    at: Timestamp,
) -> (NodeHealth, EdgeHealth) {
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
