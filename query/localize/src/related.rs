//! Who may suffer because of a culprit: whoever calls it, over any number of hops, and whoever it calls. What is wrong
//! elsewhere has another reason.
//!
//! Callers wait for the culprit or get its errors; callees get its retries, or its silence. Messages go from who publishes to
//! who consumes, as calls do. Of a machine it is everything on it; of something that sends no spans, its callers.

use crate::Scene;
use epicenter_graph::{Callee, Dimension, Direction, Entity, EntityKind, NameId, Window};
use std::collections::{BTreeMap, BTreeSet};

/// Services that call one another, at rest or now.
#[derive(Debug, Default)]
struct Neighbours {
    callers: BTreeMap<NameId, BTreeSet<NameId>>,
    callees: BTreeMap<NameId, BTreeSet<NameId>>,
}

impl Neighbours {
    fn add(&mut self, caller: NameId, callee: NameId) {
        self.callers.entry(callee).or_default().insert(caller);
        self.callees.entry(caller).or_default().insert(callee);
    }

    fn take(&mut self, window: &Window) {
        let mut queues: BTreeMap<NameId, (Vec<NameId>, Vec<NameId>)> = BTreeMap::new();
        for key in window.edges.keys() {
            if let Callee::Service(callee) = key.callee {
                self.add(key.caller, callee);
            }
        }
        for key in window.flows.keys() {
            let queue = queues.entry(key.queue).or_default();
            match key.direction {
                Direction::Publish => queue.0.push(key.service),
                Direction::Deliver => queue.1.push(key.service),
            }
        }
        for (senders, receivers) in queues.values() {
            for sender in senders {
                receivers.iter().for_each(|receiver| self.add(*sender, *receiver));
            }
        }
    }
}

/// The services that an entity is related to, itself included. Cost: one pass over the edges now and at rest.
pub fn related(scene: &Scene<'_>, entity: &Entity) -> BTreeSet<NameId> {
    let windows = [scene.window, scene.baseline.total()];
    let seeds = seeds(scene, windows, entity);
    let mut neighbours = Neighbours::default();
    windows.iter().for_each(|window| neighbours.take(window));
    let mut all = reach(&seeds, &neighbours.callers);
    if !is_seen_by_callers_alone(entity) {
        all.extend(reach(&seeds, &neighbours.callees));
    }
    all
}

/// What sends no spans: the services nearest to it are its callers.
fn is_seen_by_callers_alone(entity: &Entity) -> bool {
    matches!(
        entity.kind,
        EntityKind::Database | EntityKind::Cache | EntityKind::Queue | EntityKind::External
    )
}

/// Whether an entity is among what is related to something else: it, or all who call it, are.
pub(crate) fn is_among(scene: &Scene<'_>, entity: &Entity, related: &BTreeSet<NameId>) -> bool {
    let seeds = seeds(scene, [scene.window, scene.baseline.total()], entity);
    !seeds.is_empty() && seeds.iter().all(|seed| related.contains(seed))
}

fn seeds(scene: &Scene<'_>, windows: [&Window; 2], entity: &Entity) -> BTreeSet<NameId> {
    let service = entity.service.as_ref().unwrap_or(&entity.name);
    match entity.kind {
        EntityKind::Node => {
            let node = scene.names.find(&entity.name);
            let keys = windows.into_iter().flat_map(|window| window.dimensions.keys());
            let on_it = keys.filter(|key| key.dimension == Dimension::Node && Some(key.value) == node);
            on_it.map(|key| key.service).collect()
        }
        EntityKind::Database | EntityKind::Cache | EntityKind::Queue | EntityKind::External => {
            let keys = windows.into_iter().flat_map(|window| window.edges.keys());
            let name = scene.names.find(&entity.name);
            let is_it = |callee: Callee| matches!(callee, Callee::Peer(_, peer) if Some(peer) == name);
            keys.filter(|key| is_it(key.callee)).map(|key| key.caller).collect()
        }
        EntityKind::Edge => {
            let ends = entity.name.split(" -> ");
            ends.filter_map(|end| scene.names.find(end)).collect()
        }
        _ => scene.names.find(service).into_iter().collect(),
    }
}

fn reach(from: &BTreeSet<NameId>, next: &BTreeMap<NameId, BTreeSet<NameId>>) -> BTreeSet<NameId> {
    let mut seen = from.clone();
    let mut edge: Vec<NameId> = from.iter().copied().collect();
    while let Some(service) = edge.pop() {
        for other in next.get(&service).into_iter().flatten() {
            if seen.insert(*other) {
                edge.push(*other);
            }
        }
    }
    seen
}

/// Whether an entity, or anybody who calls it where it sends no spans itself, is one of these services.
pub fn is_one_of(scene: &Scene<'_>, entity: &Entity, services: &BTreeSet<NameId>) -> bool {
    let seeds = seeds(scene, [scene.window, scene.baseline.total()], entity);
    seeds.iter().any(|seed| services.contains(seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use epicenter_detect::Baseline;
    use epicenter_graph::{EdgeKey, EdgeStats, FlowKey, FlowStats, Names, PeerKind};
    use epicenter_schema::DurationNs;

    /// front -> cart -> db carts; front -> mail over a queue; batch -> stock.
    fn system(names: &mut Names) -> Window {
        let mut window = Window::default();
        for (caller, callee) in [("front", "cart"), ("batch", "stock"), ("cart", "db")] {
            let callee = match callee {
                "db" => Callee::Peer(PeerKind::Database, names.intern("carts")),
                service => Callee::Service(names.intern(service)),
            };
            let key = EdgeKey {
                caller: names.intern(caller),
                via: Names::NONE,
                callee,
            };
            window.edges.insert(key, EdgeStats::default());
        }
        for (service, direction) in [("front", Direction::Publish), ("mail", Direction::Deliver)] {
            let key = FlowKey {
                service: names.intern(service),
                queue: names.intern("orders"),
                direction,
            };
            window.flows.insert(key, FlowStats::default());
        }
        window
    }

    fn check(entity: &Entity, expected: &[&str]) {
        let mut names = Names::default();
        let window = system(&mut names);
        let scene = Scene {
            window: &window,
            length: DurationNs::from_secs(60),
            baseline: &Baseline::default(),
            names: &names,
            same_load: true,
            explained: None,
        };
        let found = related(&scene, entity);
        let mut found: Vec<&str> = found.iter().map(|id| scene.name(*id)).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{entity:?}");
        assert_eq!(
            is_one_of(&scene, entity, &related(&scene, entity)),
            !expected.is_empty()
        );
    }

    #[test]
    fn callers_callees_and_those_behind_queues() {
        check(&Entity::service("cart"), &["cart", "front"]);
        check(&Entity::service("front"), &["cart", "front", "mail"]);
        check(&Entity::service("mail"), &["front", "mail"]);
        check(&Entity::service("stock"), &["batch", "stock"]);
        check(&Entity::new(EntityKind::Database, "carts"), &["cart", "front"]);
        check(&Entity::new(EntityKind::Edge, "batch -> stock"), &["batch", "stock"]);
        check(&Entity::service("nobody"), &[]);
    }
}
