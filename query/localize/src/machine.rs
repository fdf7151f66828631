//! A machine on which everything is slow: the work a request of most services takes there far longer than it used to
//! there, and hardly anywhere else.
//!
//! Growth of a service on a machine = self time a request now / at rest, both on that machine. The machine is named when
//! at least two services and most of those on it grew, and on all the others together few did. Callers that wait for a line
//! or a connection grow too, but wherever they run. Where few requests are kept, a single one of a service counts too, and
//! that so many of those on the machine grew must be no chance. Source: DESIGN 6.7.

use crate::Scene;
use crate::order::sum;
use crate::verdict::{Diagnosis, Evidence};
use epicenter_detect::stats::excess_of_share;
use epicenter_graph::{Dimension, DimensionStats, EntityKind, NameId};
use hashbrown::{HashMap, HashSet};

/// Growth of the work a request takes from which a service is slow there.
const GROWTH_MIN: f64 = 2.5;
/// Added to times before they are divided, so that nothing that is too short to be felt grows by a large ratio.
const FLOOR_NS: f64 = 200_000.0;
/// Requests needed now and at rest.
const REQUESTS_MIN: u64 = 6;
/// The same where few are kept: of two services that a machine has beside the suspect, both are slow by chance with odds of
/// one in a hundred.
const REQUESTS_FEW: u64 = 1;
const USUAL_MIN: u64 = 4;
const BY_CHANCE: f64 = 0.1;
const NATS_OF_FEW: f64 = 4.0;
/// Services that must be slow together on a machine.
const SERVICES_MIN: usize = 2;
/// Share of the services on the machine that must be slow there.
const SHARE_MIN: f64 = 0.6;
/// On the other machines the share of what is slow is at most this much of that.
const ELSEWHERE_MAX: f64 = 0.4;
/// The first suspect must run on the machine or, when it is slow on none, one of so many.
const SUSPECTS: usize = 3;

#[derive(Default)]
struct Machine {
    measured: usize,
    slow: HashSet<NameId>,
    /// Logarithms of the growth of those.
    growth: Vec<f64>,
}

/// The machine that is slow, if it is one, and the reasons.
pub(crate) fn slow(scene: &Scene<'_>, diagnosis: &Diagnosis) -> Option<(String, Evidence)> {
    measured(scene, diagnosis, REQUESTS_MIN).or_else(|| measured(scene, diagnosis, REQUESTS_FEW))
}

/// The same of services of which so many requests are seen on a machine.
fn measured(scene: &Scene<'_>, diagnosis: &Diagnosis, least: u64) -> Option<(String, Evidence)> {
    let rest = &scene.baseline.total().dimensions;
    let mut machines: HashMap<NameId, Machine> = HashMap::new();
    let now = scene.window.dimensions.iter();
    for (key, now) in now.filter(|(key, _)| key.dimension == Dimension::Node) {
        let Some(growth) = growth(now, rest.get(key), least) else {
            continue;
        };
        let machine = machines.entry(key.value).or_default();
        machine.measured += 1;
        if growth >= GROWTH_MIN {
            machine.slow.insert(key.service);
            machine.growth.push(growth.ln());
        }
    }
    let (all, all_slow) = machines.values().fold((0, 0), |(all, slow), machine| {
        (all + machine.measured, slow + machine.slow.len())
    });
    // What sends no spans runs on no machine that is known.
    let first = diagnosis.culprit().filter(|first| first.kind == EntityKind::Service)?;
    let on = |machine: &Machine| machine.slow.iter().any(|service| scene.name(*service) == first.name);
    let is_on_one = machines.values().any(on);
    let suspects = diagnosis.suspects.iter().take(if is_on_one { 1 } else { SUSPECTS });
    let suspects: Vec<&str> = suspects.map(|suspect| suspect.entity.name.as_str()).collect();
    machines.retain(|_, machine| {
        let here = machine.slow.len() as f64 / machine.measured as f64;
        let elsewhere = (all_slow - machine.slow.len()) as f64 / (all - machine.measured).max(1) as f64;
        machine.slow.len() >= SERVICES_MIN
            && here >= SHARE_MIN
            && elsewhere <= ELSEWHERE_MAX * here
            && (least > REQUESTS_FEW || is_no_chance(machine, elsewhere))
            && machine
                .slow
                .iter()
                .any(|service| suspects.contains(&scene.name(*service)))
    });
    let mut found = machines.into_iter();
    let (node, machine) = found.next().filter(|_| found.len() == 0)?;
    let node = scene.name(node);
    let times = (sum(machine.growth) / machine.slow.len() as f64).exp();
    let text = format!(
        "{} of the {} services on {node} work {times:.1} times as long on a request there as before; elsewhere {} of {} do",
        machine.slow.len(),
        machine.measured,
        all_slow - machine.slow.len(),
        all - machine.measured
    );
    let evidence = Evidence {
        kind: "node".to_owned(),
        text,
        value: times,
        baseline: 1.0,
        trace_ids: Vec::new(),
    };
    Some((node.to_owned(), evidence))
}

/// Whether so many services beside the suspect, who was picked for being slow, are slow there for a reason.
fn is_no_chance(machine: &Machine, elsewhere: f64) -> bool {
    let (slow, measured) = (machine.slow.len() as u64 - 1, machine.measured as u64 - 1);
    excess_of_share(slow, measured, elsewhere.max(BY_CHANCE)) >= NATS_OF_FEW
}

fn growth(now: &DimensionStats, rest: Option<&DimensionStats>, least: u64) -> Option<f64> {
    let usual = if least < REQUESTS_MIN { USUAL_MIN } else { REQUESTS_MIN };
    let rest = rest.filter(|rest| rest.entries >= usual && now.entries >= least)?;
    let work = |stats: &DimensionStats| stats.self_ns as f64 / stats.entries as f64 + FLOOR_NS;
    Some(work(now) / work(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::accused;
    use epicenter_detect::Baseline;
    use epicenter_graph::{DimensionKey, Entity, Names, Window};
    use epicenter_schema::DurationNs;

    const MS: u64 = 1_000_000;

    /// Services on machines, with the milliseconds of work a request.
    fn window(names: &mut Names, of: &[(&str, &str, u64)]) -> Window {
        window_of(names, of, 100)
    }

    fn window_of(names: &mut Names, of: &[(&str, &str, u64)], entries: u64) -> Window {
        let mut window = Window::default();
        for (service, node, ms) in of {
            let key = DimensionKey {
                service: names.intern(service),
                dimension: Dimension::Node,
                value: names.intern(node),
            };
            let stats = DimensionStats {
                entries,
                self_ns: entries * ms * MS,
                ..DimensionStats::default()
            };
            window.dimensions.insert(key, stats);
        }
        window
    }

    const REST: [(&str, &str, u64); 7] = [
        ("mail", "n1", 2),
        ("pay", "n1", 2),
        ("cart", "n1", 5),
        ("cart", "n2", 5),
        ("stock", "n1", 10),
        ("stock", "n2", 10),
        ("mail", "n3", 2),
    ];

    fn named(now: &[(&str, &str, u64)], first: Entity) -> Option<String> {
        named_of(now, 100, first)
    }

    fn named_of(now: &[(&str, &str, u64)], entries: u64, first: Entity) -> Option<String> {
        let mut names = Names::default();
        let mut baseline = Baseline::default();
        baseline.push(window(&mut names, &REST), DurationNs::from_secs(60));
        let window = window_of(&mut names, now, entries);
        let scene = Scene {
            window: &window,
            length: DurationNs::from_secs(60),
            baseline: &baseline,
            names: &names,
            same_load: true,
            whole: None,
            explained: None,
        };
        let diagnosis = accused(first);
        slow(&scene, &diagnosis).map(|(node, _)| node)
    }

    const SLOW: [(&str, &str, u64); 5] = [
        ("cart", "n1", 50),
        ("cart", "n2", 5),
        ("stock", "n1", 90),
        ("stock", "n2", 10),
        ("mail", "n3", 2),
    ];

    #[test]
    fn everything_on_it_and_hardly_anything_elsewhere() {
        assert_eq!(named(&SLOW, Entity::service("cart")).as_deref(), Some("n1"));
    }

    #[test]
    fn a_request_of_each_is_enough_when_so_many_are_slow_for_no_chance() {
        let first = || Entity::service("cart");
        assert_eq!(named_of(&SLOW, 1, first()), None, "one beside the suspect");
        let more = [("mail", "n1", 60), ("pay", "n1", 60)];
        let now: Vec<_> = SLOW.into_iter().chain(more).collect();
        assert_eq!(named_of(&now, 1, first()).as_deref(), Some("n1"));
    }

    #[test]
    fn a_service_that_is_slow_wherever_it_runs_is_no_machine() {
        let everywhere = [
            ("cart", "n1", 50),
            ("cart", "n2", 50),
            ("stock", "n1", 10),
            ("stock", "n2", 10),
        ];
        assert_eq!(named(&everywhere, Entity::service("cart")), None);
    }

    #[test]
    fn what_sends_no_spans_runs_on_no_machine() {
        let store = Entity::new(EntityKind::Database, "ledger");
        assert_eq!(named(&SLOW, store), None);
    }

    #[test]
    fn a_suspect_elsewhere_is_no_reason() {
        assert_eq!(named(&SLOW, Entity::service("mail")), None);
    }
}
