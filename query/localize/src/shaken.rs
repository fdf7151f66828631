//! Who suffers: services by the share of their requests that fail or are slow beyond the usual, and the entries among
//! them, where people feel it.

use crate::Scene;
use crate::explain::{BlastRadius, Suffering};
use crate::related::related;
use crate::verdict::{Affected, Diagnosis};
use epicenter_graph::{EntityKind, OpStats, Sketch};
use std::collections::{BTreeMap, BTreeSet};

/// Services and entry points listed.
const AFFECTED_MAX: usize = 200;
const ENTRY_POINTS_MAX: usize = 50;
/// Share of suffering requests below which a service is called healthy.
const IMPACT_MIN: f64 = 0.05;
/// A request suffers when it takes longer than this quantile at rest, beyond the share that always does.
const TAIL: f64 = 0.95;

/// How the entries as a whole fare.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entries {
    /// Rise of the share that fails.
    pub(crate) error_rise: f64,
    /// Median of the typical duration at rest, in nanoseconds, weighted by requests.
    pub(crate) usual_ns: f64,
}

#[derive(Default)]
struct Requests {
    requests: f64,
    suffer: f64,
}

/// Affected services and entry points, the most first, and how many they are.
pub(crate) fn list(scene: &Scene<'_>, suffering: &[Suffering<'_>]) -> (Vec<Affected>, Vec<String>, BlastRadius) {
    let mut services: BTreeMap<&str, Requests> = BTreeMap::new();
    let mut entries: Vec<(f64, String)> = Vec::new();
    for (key, op, impact) in suffering {
        let service = services.entry(scene.name(key.service)).or_default();
        service.suffer += impact * op.entries as f64;
        if op.roots > 0 && *impact >= IMPACT_MIN {
            entries.push((
                impact * op.roots as f64,
                format!("{} {}", scene.name(key.service), scene.name(key.name)),
            ));
        }
    }
    callers(scene, &mut services);
    for (key, op) in scene.window.ops.iter().filter(|(_, op)| op.entries > 0) {
        if let Some(service) = services.get_mut(scene.name(key.service)) {
            service.requests += op.entries as f64;
        }
    }
    let mut affected: Vec<Affected> = services
        .into_iter()
        .map(|(service, s)| Affected {
            service: service.to_owned(),
            impact: (s.suffer / s.requests.max(1.0)).clamp(0.0, 1.0),
            first_shaken: None,
        })
        .filter(|affected| affected.impact >= IMPACT_MIN)
        .collect();
    let radius = BlastRadius {
        services: affected.len(),
        entry_points: entries.len(),
        requests: 0.0,
    };
    affected.sort_by(|a, b| b.impact.total_cmp(&a.impact));
    affected.truncate(AFFECTED_MAX);
    entries.sort_by(|a, b| b.0.total_cmp(&a.0));
    entries.truncate(ENTRY_POINTS_MAX);
    (affected, entries.into_iter().map(|(_, name)| name).collect(), radius)
}

/// Of several incidents at once each is told what it may have to do with: leaves out the affected services and entry points
/// that the culprit is not related to.
pub fn restrict(scene: &Scene<'_>, diagnosis: &mut Diagnosis) {
    let Some(culprit) = diagnosis.culprit() else { return };
    let related = related(scene, culprit);
    let names: BTreeSet<&str> = related.iter().map(|service| scene.name(*service)).collect();
    diagnosis
        .affected
        .retain(|affected| names.contains(affected.service.as_str()));
    let is_of = |entry: &str, name: &str| entry.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
    diagnosis
        .entry_points
        .retain(|entry| names.iter().any(|name| is_of(entry, name)));
    let radius = &mut diagnosis.explanation.blast_radius;
    radius.services = radius.services.min(diagnosis.affected.len());
    radius.entry_points = radius.entry_points.min(diagnosis.entry_points.len());
}

/// The entries of services of which some requests suffer, in the order of their names, with the share that does.
pub(crate) fn suffering<'a>(scene: &Scene<'a>) -> Vec<Suffering<'a>> {
    let entries = scene.window.ops.iter().filter(|(_, op)| op.entries > 0);
    let mut suffering: Vec<_> = entries
        .map(|(key, op)| (*key, op, impact(op, scene.baseline.total().ops.get(key))))
        .filter(|(_, _, impact)| *impact > 0.0)
        .collect();
    suffering.sort_unstable_by_key(|(key, ..)| (scene.name(key.service), scene.name(key.name), key.kind));
    suffering
}

/// Share of the requests at an entry that fail or are slow beyond the usual.
fn impact(op: &OpStats, past: Option<&OpStats>) -> f64 {
    let Some(past) = past else {
        return op.entry_errors as f64 / op.entries as f64;
    };
    let usual_errors = past.entry_errors as f64 / past.entries.max(1) as f64;
    let failing = (op.entry_errors as f64 / op.entries as f64 - usual_errors).max(0.0);
    failing.max(slow_share(&op.duration, &past.duration))
}

/// A callee that died sends no requests of its own to count: its callers' failed calls speak for it.
fn callers<'a>(scene: &Scene<'a>, services: &mut BTreeMap<&'a str, Requests>) {
    for (key, edge) in scene.edges(|_, edge| edge.unanswered_errors > 0) {
        let callee = scene.callee(key.callee);
        if callee.kind == EntityKind::Service {
            let epicenter_graph::Callee::Service(id) = key.callee else {
                continue;
            };
            let service = services.entry(scene.names.get(id).as_ref()).or_default();
            service.requests += edge.unanswered_errors as f64;
            service.suffer += edge.unanswered_errors as f64;
        }
    }
}

fn slow_share(now: &Sketch, past: &Sketch) -> f64 {
    if now.count() == 0 || past.count() == 0 || now.typical() < 1.5 * past.typical() {
        return 0.0;
    }
    let above = now.count_above(past.quantile(TAIL)) as f64 / now.count() as f64;
    ((above - (1.0 - TAIL)) / TAIL).max(0.0)
}

/// How the entries fare.
pub(crate) fn entries(scene: &Scene<'_>) -> Entries {
    let (mut errors, mut usual_errors, mut usual_ns, mut requests) = (0.0, 0.0, 0.0, 0.0);
    for (key, op) in scene.ops(|_, op| op.roots > 0) {
        let count = op.entries as f64;
        requests += count;
        errors += op.entry_errors as f64;
        if let Some(past) = scene.baseline.total().ops.get(&key) {
            usual_errors += count * past.entry_errors as f64 / past.entries.max(1) as f64;
        }
        if let Some(range) = scene.baseline.op_range(&key, |op| &op.duration, op.entries) {
            usual_ns += count * range.median;
        }
    }
    let requests = f64::max(requests, 1.0);
    Entries {
        error_rise: ((errors - usual_errors) / requests).max(0.0),
        usual_ns: usual_ns / requests,
    }
}
