//! Who suffers: services by the share of their requests that fail or are slow beyond the usual, and the entries among
//! them, where people feel it.

use crate::Scene;
use crate::explain::{BlastRadius, Suffering};
use crate::order::sum;
use crate::related::related;
use crate::survey::Survey;
use crate::verdict::{Affected, Diagnosis};
use epicenter_detect::UsualRequests;
use epicenter_graph::{NameId, OpKey, OpStats, Sketch};
use hashbrown::HashMap;

/// Services and entry points listed.
const AFFECTED_MAX: usize = 200;
const ENTRY_POINTS_MAX: usize = 50;
/// Share of suffering requests below which a service is called healthy.
const IMPACT_MIN: f64 = 0.05;
/// Share of requests at rest that are not late: more than the others must be late to suffer.
const TAIL: f64 = 0.95;

/// How the entries as a whole fare.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entries {
    /// Rise of the share that fails.
    pub(crate) error_rise: f64,
    /// Mean of the typical duration at rest, in nanoseconds, weighted by requests.
    pub(crate) usual_ns: f64,
}

#[derive(Default)]
struct Requests {
    requests: f64,
    suffer: f64,
}

/// Affected services and entry points, the most first, and how many they are.
pub(crate) fn list(
    scene: &Scene<'_>,
    survey: &Survey<'_>,
    suffering: &[Suffering<'_>],
    is_told: impl Fn(NameId) -> bool,
) -> (Vec<Affected>, Vec<String>, BlastRadius) {
    let mut services: HashMap<NameId, Requests> = HashMap::new();
    let mut entries: Vec<(f64, OpKey)> = Vec::new();
    let mut felt = 0.0;
    for (key, op, impact) in suffering.iter().filter(|(key, ..)| is_told(key.service)) {
        felt += impact * op.roots as f64;
        services.entry(key.service).or_default().suffer += impact * op.entries as f64;
        if op.roots > 0 && *impact >= IMPACT_MIN {
            entries.push((impact * op.roots as f64, *key));
        }
    }
    // A callee that died sends no requests of its own to count: its callers' failed calls speak for it.
    for (service, calls) in survey.edges.unanswered.iter().filter(|(service, _)| is_told(**service)) {
        let service = services.entry(*service).or_default();
        service.requests += *calls as f64;
        service.suffer += *calls as f64;
    }
    let mut affected: Vec<(f64, &str)> = Vec::new();
    for (id, service) in services {
        let answered = survey.ops.entries.get(&id).copied().unwrap_or(0) as f64;
        let impact = (service.suffer / (service.requests + answered).max(1.0)).clamp(0.0, 1.0);
        if impact >= IMPACT_MIN {
            affected.push((impact, scene.names.get(id)));
        }
    }
    let radius = BlastRadius {
        services: affected.len(),
        entry_points: entries.len(),
        requests: (felt / survey.ops.roots.max(1) as f64).clamp(0.0, 1.0),
    };
    affected.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    affected.truncate(AFFECTED_MAX);
    entries.sort_by(|a, b| b.0.total_cmp(&a.0));
    entries.truncate(ENTRY_POINTS_MAX);
    let affected = affected.into_iter().map(|(impact, service)| Affected {
        service: service.to_owned(),
        impact,
        first_shaken: None,
    });
    let entries = entries
        .into_iter()
        .map(|(_, key)| format!("{} {}", scene.name(key.service), scene.name(key.name)));
    (affected.collect(), entries.collect(), radius)
}

/// Of several incidents at once each is told what it may have to do with: the affected services and entry points that the
/// culprit is related to, and how many those are; when they were shaken first is for the caller to say. Cost: that of a
/// survey of the window.
pub fn restrict(scene: &Scene<'_>, diagnosis: &mut Diagnosis) {
    if diagnosis.culprit().is_none() {
        return;
    }
    let related = related(scene, diagnosis.ways());
    let mut survey = Survey::of(scene);
    let suffering = by_name(scene, std::mem::take(&mut survey.ops.suffering));
    let found = list(scene, &survey, &suffering, |service| related.contains(&service));
    (
        diagnosis.affected,
        diagnosis.entry_points,
        diagnosis.explanation.blast_radius,
    ) = found;
}

/// The entries of services of which some requests suffer, in the order of their names.
pub(crate) fn by_name<'a>(scene: &Scene<'a>, mut suffering: Vec<Suffering<'a>>) -> Vec<Suffering<'a>> {
    suffering.sort_by_cached_key(|(key, ..)| scene.op_name(key));
    suffering
}

/// Share of the requests at an entry that fail or are slow beyond the usual.
pub(crate) fn impact(op: &OpStats, rest: Option<&UsualRequests>) -> f64 {
    if op.entries == 0 {
        return 0.0;
    }
    let failing = op.entry_errors as f64 / op.entries as f64;
    let Some(rest) = rest else { return failing };
    let usual = rest.entry_errors as f64 / rest.entries.max(1) as f64;
    (failing - usual).max(slow_share(&op.duration, rest)).max(0.0)
}

fn slow_share(now: &Sketch, rest: &UsualRequests) -> f64 {
    if now.count() == 0 || rest.entries == 0 || now.typical() < 1.5 * rest.typical_ns {
        return 0.0;
    }
    let above = now.count_above(rest.late_ns) as f64 / now.count() as f64;
    ((above - (1.0 - TAIL)) / TAIL).max(0.0)
}

/// How the entries fare.
pub(crate) fn entries(entrances: &[(&OpStats, Option<&UsualRequests>)]) -> Entries {
    let (mut errors, mut requests) = (0, 0);
    let (mut usual_errors, mut usual_ns) = (Vec::new(), Vec::new());
    for (op, rest) in entrances {
        requests += op.entries;
        errors += op.entry_errors;
        if let Some(rest) = rest {
            usual_errors.push(op.entries as f64 * rest.entry_errors as f64 / rest.entries.max(1) as f64);
            usual_ns.push(op.entries as f64 * rest.typical_ns);
        }
    }
    let requests = requests.max(1) as f64;
    Entries {
        error_rise: ((errors as f64 - sum(usual_errors)) / requests).max(0.0),
        usual_ns: sum(usual_ns) / requests,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{Stage, accused};
    use epicenter_graph::Entity;

    /// Scenario: more services suffer than are listed, and one that the culprit has nothing to do with.
    #[test]
    fn those_who_have_to_do_with_the_culprit_are_counted_before_they_are_cut() {
        let related = AFFECTED_MAX + 60;
        let mut stage = Stage::default();
        for number in 0..related {
            stage.edge(&format!("caller-{number}"), "GET", "stock").count = 10;
        }
        let callers = (0..related).map(|number| format!("caller-{number}"));
        for service in callers.chain(["mail".to_owned()]) {
            let op = stage.op(&service, "GET /");
            (op.count, op.entries, op.entry_errors, op.roots) = (10, 10, 10, 10);
        }
        let mut diagnosis = accused(Entity::service("stock"));
        restrict(&stage.scene(), &mut diagnosis);
        let radius = diagnosis.explanation.blast_radius;
        assert_eq!((radius.services, radius.entry_points), (related, related));
        assert!((radius.requests - related as f64 / (related + 1) as f64).abs() < 1e-9);
        assert_eq!(diagnosis.affected.len(), AFFECTED_MAX);
        assert!(diagnosis.affected.iter().all(|affected| affected.service != "mail"));
    }
}
