//! The explanation on small windows made by hand.
//!
//! ```text
//! web  -> cart -> stock -> database goods      batch -> report
//!   \--> shop ----/
//! ```

use super::share;
use super::ways::Ways;
use super::{Compared, Suffering, chain, exemplar};
use crate::survey::Survey;
use crate::verdict::{Evidence, Suspect};
use crate::{Scene, shaken};
use epicenter_detect::Baseline;
use epicenter_graph::{
    Callee, Dimension, DimensionKey, DimensionStats, Direction, EdgeKey, EdgeStats, Entity, EntityKind, FlowKey,
    FlowStats, Names, OpKey, OpStats, PeerKind, Window,
};
use epicenter_schema::{DurationNs, SpanKind, TraceId};

const MS: i64 = 1_000_000;
const CALLS: u64 = 100;

/// Calls: caller, callee, and how many of them fail.
const REST: [(&str, &str, u64); 6] = [
    ("web", "cart", 0),
    ("web", "shop", 0),
    ("cart", "stock", 0),
    ("shop", "stock", 0),
    ("stock", "db:goods", 0),
    ("batch", "report", 0),
];

fn trace(number: u8) -> TraceId {
    TraceId([number; 16])
}

fn window(names: &mut Names, calls: &[(&str, &str, u64)], requests: &[(&str, u64, u64)]) -> Window {
    let mut window = Window::default();
    let via = names.intern("GET");
    for (caller, callee, errors) in calls {
        let callee = match callee.strip_prefix("db:") {
            Some(name) => Callee::Peer(PeerKind::Database, names.intern(name)),
            None => Callee::Service(names.intern(callee)),
        };
        let key = EdgeKey {
            caller: names.intern(caller),
            via,
            callee,
        };
        let mut edge = EdgeStats {
            count: CALLS,
            errors: *errors,
            ..EdgeStats::default()
        };
        (0..CALLS).for_each(|_| edge.client.add(10 * MS));
        window.edges.insert(key, edge);
    }
    for (service, roots, errors) in requests {
        let key = OpKey {
            service: names.intern(service),
            name: via,
            kind: SpanKind::Server,
        };
        let mut op = OpStats {
            count: CALLS,
            entries: CALLS,
            roots: *roots,
            entry_errors: *errors,
            ..OpStats::default()
        };
        (0..CALLS).for_each(|_| op.duration.add(10 * MS));
        window.ops.insert(key, op);
    }
    window
}

/// What is said of a system whose calls and requests fail so much.
struct World {
    names: Names,
    window: Window,
    baseline: Baseline,
}

fn looked_at<'a>(scene: &Scene<'a>) -> (Ways, Vec<Suffering<'a>>) {
    let survey = Survey::of(scene);
    let ways = Ways::of(scene, &survey.edges);
    (ways, shaken::by_name(scene, survey.ops.suffering))
}

impl World {
    fn new(calls: &[(&str, &str, u64)], requests: &[(&str, u64, u64)]) -> Self {
        let mut names = Names::default();
        let healthy: Vec<_> = requests
            .iter()
            .map(|(service, roots, _)| (*service, *roots, 0))
            .collect();
        let mut baseline = Baseline::default();
        baseline.push(window(&mut names, &REST, &healthy), DurationNs::from_secs(10));
        Self {
            window: window(&mut names, calls, requests),
            names,
            baseline,
        }
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            window: &self.window,
            length: DurationNs::from_secs(10),
            baseline: &self.baseline,
            names: &self.names,
            same_load: true,
            whole: None,
            explained: None,
        }
    }

    fn chain(&self, culprit: &Entity) -> Vec<String> {
        let scene = self.scene();
        let (ways, suffering) = looked_at(&scene);
        let chain = chain::of(&scene, &ways, &suffering, culprit);
        chain.into_iter().map(|entity| entity.name).collect()
    }

    fn share(&self, suspect: &Entity) -> f64 {
        let scene = self.scene();
        let (ways, suffering) = looked_at(&scene);
        share::of(&scene, &ways, &suffering, suspect)
    }

    fn compared(&self, culprit: Entity, evidence: Vec<Evidence>) -> Compared {
        let scene = self.scene();
        let (ways, suffering) = looked_at(&scene);
        let chain = chain::of(&scene, &ways, &suffering, &culprit);
        let suspect = Suspect {
            entity: culprit,
            score: 1.0,
            share: 0.0,
            evidence,
        };
        exemplar::of(&scene, &suspect, &chain)
    }
}

fn goods() -> Entity {
    Entity::new(EntityKind::Database, "goods")
}

/// Of two ways of the same length the one with more bad calls is taken, ties by name; the calls of a dead service
/// are those at rest.
#[test]
fn the_chain_is_the_shortest_way_and_the_most_harmed_of_those() {
    let requests = [("web", CALLS, 50), ("batch", CALLS, 0)];
    let world = World::new(&[("web", "shop", 50), ("web", "cart", 10)], &requests);
    assert_eq!(world.chain(&goods()), ["web", "shop", "stock", "goods"]);
    let world = World::new(&[("web", "shop", 50), ("web", "cart", 50)], &requests);
    assert_eq!(world.chain(&goods()), ["web", "cart", "stock", "goods"]);
    let world = World::new(&REST, &requests);
    assert_eq!(world.chain(&Entity::service("web")), ["web"]);
    assert_eq!(world.chain(&Entity::service("nobody knows it")), ["nobody knows it"]);
    // Nothing suffers where it is called from: the nearest entry.
    assert_eq!(world.chain(&Entity::service("report")), ["batch", "report"]);
}

/// A machine or a copy is put behind its service; a circle of calls ends.
#[test]
fn the_chain_ends_in_what_broke() {
    let mut world = World::new(&REST, &[("web", CALLS, 50)]);
    let copy = Entity::of(EntityKind::Instance, "stock-1", "stock");
    assert_eq!(world.chain(&copy), ["web", "cart", "stock", "stock-1"]);
    let key = DimensionKey {
        service: world.names.intern("stock"),
        dimension: Dimension::Node,
        value: world.names.intern("node-7"),
    };
    world.window.dimensions.insert(key, DimensionStats::default());
    let node = Entity::new(EntityKind::Node, "node-7");
    assert_eq!(world.chain(&node), ["web", "cart", "stock", "node-7"]);
    let circle = [("web", "cart", 1), ("cart", "web", 90), ("cart", "stock", 0)];
    let world = World::new(&circle, &[("web", CALLS, 50)]);
    assert_eq!(world.chain(&Entity::service("stock")), ["web", "cart", "stock"]);
}

/// Messages lead through the queue.
#[test]
fn the_chain_follows_messages() {
    let mut world = World::new(&[], &[("web", CALLS, 50)]);
    for (service, direction) in [("web", Direction::Publish), ("mailer", Direction::Deliver)] {
        let key = FlowKey {
            service: world.names.intern(service),
            queue: world.names.intern("mails"),
            direction,
        };
        world.window.flows.insert(key, FlowStats::default());
    }
    assert_eq!(world.chain(&Entity::service("mailer")), ["web", "mails", "mailer"]);
}

/// web 60 of 100 requests fail, batch 20: stock answers for no more than fail in it, and for none of batch's.
#[test]
fn a_share_is_what_can_have_come_from_the_suspect() {
    let world = World::new(
        &[("stock", "db:goods", 30), ("batch", "report", 90)],
        &[
            ("web", CALLS, 60),
            ("batch", CALLS, 20),
            ("stock", 0, 45),
            ("cart", 0, 90),
        ],
    );
    let check = |suspect: Entity, expected: f64| {
        let share = world.share(&suspect);
        assert!((share - expected).abs() < 1e-9, "{suspect:?}: {share}");
    };
    check(Entity::service("web"), 60.0 / 80.0);
    check(Entity::service("cart"), 60.0 / 80.0);
    check(Entity::service("stock"), 45.0 / 80.0);
    check(Entity::of(EntityKind::Instance, "stock-1", "stock"), 45.0 / 80.0);
    check(goods(), 30.0 / 80.0);
    check(Entity::service("report"), 20.0 / 80.0);
    check(Entity::service("shop"), 0.0);
    check(Entity::service("nobody knows it"), 0.0);
    let healthy = World::new(&REST, &[("web", CALLS, 0)]);
    assert_eq!(healthy.share(&goods()), 0.0);
}

#[test]
fn a_bad_trace_of_the_culprit_beside_a_good_one_of_the_way_to_it() {
    let mut world = World::new(&REST, &[("web", CALLS, 50), ("stock", 0, 50)]);
    let nothing = Compared::default();
    assert_eq!(world.compared(goods(), Vec::new()), nothing);
    for edge in world.window.edges.values_mut() {
        edge.failed.offer(MS, trace(1));
    }
    let mut rest = world.baseline.total().clone();
    for (key, op) in &mut rest.ops {
        let is_stock = Some(key.service) == world.names.find("stock");
        op.good.offer(10 * MS, trace(if is_stock { 2 } else { 3 }));
        op.good.offer(900 * MS, trace(4));
    }
    world.baseline = Baseline::default();
    world.baseline.push(rest, DurationNs::from_secs(10));
    let found = world.compared(goods(), Vec::new());
    assert_eq!((found.bad, found.good), (Some(trace(1)), Some(trace(2))));
    let evidence = Evidence {
        kind: "errors".to_owned(),
        text: String::new(),
        value: 1.0,
        baseline: 0.0,
        trace_ids: vec![trace(5)],
    };
    let found = world.compared(Entity::service("cart"), vec![evidence]);
    assert_eq!((found.bad, found.good), (Some(trace(5)), Some(trace(3))));
}

#[test]
fn the_blast_radius_counts_services_entries_and_requests() {
    let world = World::new(
        &[("stock", "db:goods", 80)],
        &[("web", CALLS, 60), ("batch", CALLS, 0), ("stock", 0, 80)],
    );
    let mut world = world;
    for edge in world.window.edges.values_mut() {
        edge.own_errors = edge.errors;
        edge.unanswered = edge.count;
        edge.unanswered_errors = edge.errors;
    }
    let diagnosis = crate::diagnose(&world.scene()).expect("something is wrong");
    assert_eq!(diagnosis.culprit(), Some(&goods()));
    let radius = diagnosis.explanation.blast_radius;
    assert_eq!((radius.services, radius.entry_points), (2, 1));
    assert!((radius.requests - 60.0 / 200.0).abs() < 1e-9, "{radius:?}");
    assert_eq!(diagnosis.suspects[0].share, 1.0);
    let names: Vec<&str> = diagnosis
        .explanation
        .chain
        .iter()
        .map(|entity| entity.name.as_str())
        .collect();
    assert_eq!(names, ["web", "cart", "stock", "goods"]);
}
