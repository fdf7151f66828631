//! Who may suffer because of a culprit: whoever calls it, over any number of hops, and whoever it calls. What is wrong
//! elsewhere has another reason.
//!
//! Callers wait for the culprit or get its errors; callees get its retries, or its silence. Messages go from who publishes to
//! who consumes, as calls do. Of a machine it is everything on it; of something that sends no spans, its callers.

use crate::Scene;
use epicenter_graph::{Callee, Dimension, Direction, Entity, EntityKind, NameId, PeerKind, Window};
use std::collections::{BTreeMap, BTreeSet};

/// A service, or a queue between services.
type Stop = Callee;

/// Services that call one another, at rest or now.
#[derive(Debug, Default)]
struct Neighbours {
    callers: BTreeMap<Stop, BTreeSet<Stop>>,
    callees: BTreeMap<Stop, BTreeSet<Stop>>,
}

impl Neighbours {
    fn add(&mut self, caller: Stop, callee: Stop) {
        self.callers.entry(callee).or_default().insert(caller);
        self.callees.entry(caller).or_default().insert(callee);
    }

    fn take(&mut self, window: &Window) {
        let calls = window.edges.keys();
        for key in calls.filter(|key| matches!(key.callee, Callee::Service(_))) {
            self.add(Callee::Service(key.caller), key.callee);
        }
        for key in window.flows.keys() {
            let (service, queue) = (Callee::Service(key.service), Callee::Peer(PeerKind::Queue, key.queue));
            match key.direction {
                Direction::Publish => self.add(service, queue),
                Direction::Deliver => self.add(queue, service),
            }
        }
    }
}

/// The services that some entities are related to, themselves included. Cost: one pass over the edges now and at rest, and one
/// over those now and at rest for each entity that sends no spans.
pub fn related<'a>(scene: &Scene<'_>, entities: impl IntoIterator<Item = &'a Entity>) -> BTreeSet<NameId> {
    let windows = [scene.window, scene.baseline.total()];
    let (mut above, mut below) = (BTreeSet::new(), BTreeSet::new());
    for entity in entities {
        let seeds = seeds(scene, windows, entity);
        if !is_seen_by_callers_alone(entity) {
            below.extend(&seeds);
        }
        above.extend(seeds);
    }
    let mut neighbours = Neighbours::default();
    windows.iter().for_each(|window| neighbours.take(window));
    let mut all = reach(&above, &neighbours.callers);
    all.extend(reach(&below, &neighbours.callees));
    all
}

/// What sends no spans: the services nearest to it are its callers.
fn is_seen_by_callers_alone(entity: &Entity) -> bool {
    matches!(
        entity.kind,
        EntityKind::Database | EntityKind::Cache | EntityKind::Queue | EntityKind::External
    )
}

/// What is explained by the services that something else is related to: those, and what only they call or run.
pub(crate) struct Explained<'a> {
    services: &'a BTreeSet<NameId>,
    /// Names of stores and machines that others use too.
    shared: BTreeSet<NameId>,
}

impl<'a> Explained<'a> {
    /// Cost: one pass over the edges and dimensions now and at rest.
    pub(crate) fn new(scene: &Scene<'_>, services: &'a BTreeSet<NameId>) -> Self {
        let mut shared = BTreeSet::new();
        for window in [scene.window, scene.baseline.total()] {
            for key in window.edges.keys().filter(|key| !services.contains(&key.caller)) {
                if let Callee::Peer(_, peer) = key.callee {
                    shared.insert(peer);
                }
            }
            let nodes = window.dimensions.keys().filter(|key| key.dimension == Dimension::Node);
            let others = nodes.filter(|key| !services.contains(&key.service));
            shared.extend(others.map(|key| key.value));
        }
        Self { services, shared }
    }

    /// Whether an entity is explained.
    pub(crate) fn holds(&self, scene: &Scene<'_>, entity: &Entity) -> bool {
        let find = |name: &str| scene.names.find(name);
        let is_only_theirs = || find(&entity.name).is_some_and(|id| !self.shared.contains(&id));
        match entity.kind {
            EntityKind::Node => is_only_theirs(),
            _ if is_seen_by_callers_alone(entity) => is_only_theirs(),
            EntityKind::Edge => {
                let mut ends = entity.name.split(" -> ").filter_map(find);
                ends.all(|end| self.services.contains(&end))
            }
            _ => {
                let service = entity.service.as_ref().unwrap_or(&entity.name);
                find(service).is_some_and(|id| self.services.contains(&id))
            }
        }
    }
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

fn reach(from: &BTreeSet<NameId>, next: &BTreeMap<Stop, BTreeSet<Stop>>) -> BTreeSet<NameId> {
    let mut edge: Vec<Stop> = from.iter().map(|service| Callee::Service(*service)).collect();
    let mut seen: BTreeSet<Stop> = edge.iter().copied().collect();
    while let Some(stop) = edge.pop() {
        for other in next.get(&stop).into_iter().flatten() {
            if seen.insert(*other) {
                edge.push(*other);
            }
        }
    }
    let service = |stop: Stop| match stop {
        Callee::Service(service) => Some(service),
        Callee::Peer(..) => None,
    };
    seen.into_iter().filter_map(service).collect()
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
    use epicenter_graph::{EdgeKey, EdgeStats, FlowKey, FlowStats, Names};
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
            whole: None,
            explained: None,
        };
        let found = related(&scene, [entity]);
        let mut found: Vec<&str> = found.iter().map(|id| scene.name(*id)).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{entity:?}");
        assert_eq!(
            is_one_of(&scene, entity, &related(&scene, [entity])),
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
