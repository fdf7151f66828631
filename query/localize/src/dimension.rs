//! Which instance, node or version carries the badness, its siblings healthy.
//!
//! For the best suspect, a service: the share of failed requests (or the self time per request) under one value of a
//! dimension against all other values together. What fell silent alone, its siblings answering, is [`crate::fallen`].
//! Source: DESIGN 6.7.

use crate::Scene;
use crate::channel::Channel;
use crate::fallen;
use crate::machine;
use crate::verdict::{CauseKind, Diagnosis, Evidence};
use crate::words::{duration, percent};
use epicenter_detect::stats::excess_of_share;
use epicenter_graph::{Dimension, DimensionKey, DimensionStats, Entity, EntityKind, NameId, Window};
use std::collections::BTreeSet;

/// The bad value must be this many times worse than its siblings.
const TIMES_MIN: f64 = 3.0;
/// Added to times before they are divided, so that nothing that is too short to be felt is many times worse.
const FLOOR_NS: f64 = 200_000.0;
/// Share of failures of the bad value from which it is bad.
const FAILING_MIN: f64 = 0.1;
/// Requests needed on either side; on the bad one fewer are enough when their work takes so many times as long, or so many
/// fail that it is no chance.
const REQUESTS_MIN: u64 = 8;
const REQUESTS_FEW: u64 = 3;
const TIMES_OF_FEW: f64 = 10.0;
const NATS_OF_FEW: f64 = 6.0;
/// Share of failures that is usual at least.
const USUAL_MIN: f64 = 0.02;

struct Worst {
    value: NameId,
    bad: f64,
    rest: f64,
}

/// Puts the machine or copy first, or names the version, by the windows in which it shows; when they say nothing, by all since
/// it began.
pub(crate) fn narrow(scene: &Scene<'_>, channel: Channel, diagnosis: &mut Diagnosis) {
    let whole = scene.whole.map(|(window, length)| Scene {
        window,
        length,
        ..*scene
    });
    // A machine that is gone takes a copy of the suspect with it, which alone is seen to be gone sooner. What was taken out of
    // service since it began is gone too, and says nothing where the windows that show it name something.
    std::iter::once(*scene)
        .chain(whole)
        .any(|scene| fallen::machine(&scene, diagnosis) || narrow_by(&scene, channel, diagnosis));
}

/// False when nothing is found.
fn narrow_by(scene: &Scene<'_>, channel: Channel, diagnosis: &mut Diagnosis) -> bool {
    if fallen::copy(scene, diagnosis) {
        return true;
    }
    let may_be_machine = !matches!(
        diagnosis.cause.kind,
        CauseKind::TrafficSurge | CauseKind::CacheBreakdown
    );
    if may_be_machine && let Some((node, evidence)) = machine::slow(scene, diagnosis) {
        diagnosis.cause.kind = CauseKind::Infrastructure;
        diagnosis.promote(Entity::new(EntityKind::Node, node), evidence);
        return true;
    }
    let Some(best) = diagnosis.suspects.first() else {
        return false;
    };
    let usable = matches!(
        diagnosis.cause.kind,
        CauseKind::Slow | CauseKind::Errors | CauseKind::Unknown
    );
    if best.entity.kind != EntityKind::Service || !usable {
        return false;
    }
    let Some(service) = scene.names.find(&best.entity.name) else {
        return false;
    };
    // Who gives up on what is late fails: the measure is that of the cause, whatever spoke.
    let channel = match diagnosis.cause.kind {
        CauseKind::Slow => Channel::Latency,
        CauseKind::Errors => Channel::Faults,
        _ => channel,
    };
    if let Some(evidence) = new_version(scene, service, channel) {
        diagnosis.cause.kind = CauseKind::BadDeploy;
        diagnosis.suspects[0].evidence.insert(0, evidence);
    } else if let Some((node, evidence)) = bad_node(scene, service, channel) {
        diagnosis.cause.kind = CauseKind::Infrastructure;
        diagnosis.promote(Entity::new(EntityKind::Node, scene.name(node)), evidence);
    } else if let Some(worst) = worst(scene, service, Dimension::Instance, channel) {
        let evidence = evidence(scene, "instance", &best.entity.name, &worst, channel);
        diagnosis.cause.kind = CauseKind::Infrastructure;
        let instance = Entity::of(EntityKind::Instance, scene.name(worst.value), best.entity.name.clone());
        let service = diagnosis.suspects[0].entity.clone();
        diagnosis.promote(instance, evidence);
        diagnosis.suspects.retain(|suspect| suspect.entity != service);
    } else {
        return false;
    }
    true
}

/// A version that did not run at rest and carries the badness, or is all that runs now.
fn new_version(scene: &Scene<'_>, service: NameId, channel: Channel) -> Option<Evidence> {
    let name = scene.name(service).to_owned();
    if let Some(worst) = worst(scene, service, Dimension::Version, channel) {
        return (!existed(scene, service, worst.value)).then(|| evidence(scene, "version", &name, &worst, channel));
    }
    let versions = |window: &Window| -> BTreeSet<NameId> {
        let keys = window.dimensions.keys();
        keys.filter(|key| key.service == service && key.dimension == Dimension::Version)
            .map(|key| key.value)
            .collect()
    };
    let (now, mut rest) = (versions(scene.window), versions(scene.baseline.total()));
    rest.retain(|version| existed(scene, service, *version));
    let new = now.iter().map(|version| scene.name(*version)).min()?;
    if rest.is_empty() || !now.is_disjoint(&rest) {
        return None;
    }
    Some(Evidence {
        kind: "version".to_owned(),
        text: format!("{name} runs at {new}, which was never seen before this began"),
        value: 1.0,
        baseline: 0.0,
        trace_ids: Vec::new(),
    })
}

/// The machine on which this service and another one are bad, and better elsewhere.
fn bad_node(scene: &Scene<'_>, service: NameId, channel: Channel) -> Option<(NameId, Evidence)> {
    let found = worst(scene, service, Dimension::Node, channel)?;
    let keys = scene.window.dimensions.keys();
    let neighbours: BTreeSet<(&str, NameId)> = keys
        .filter(|key| key.dimension == Dimension::Node && key.value == found.value && key.service != service)
        .map(|key| (scene.name(key.service), key.service))
        .collect();
    let bad = neighbours
        .iter()
        .filter(|(_, other)| worst(scene, *other, Dimension::Node, channel).is_some_and(|w| w.value == found.value))
        .count();
    if bad == 0 {
        return None;
    }
    let mut evidence = evidence(scene, "node", scene.name(service), &found, channel);
    evidence.text = format!(
        "{}; {bad} of the {} other services on it suffer too",
        evidence.text,
        neighbours.len()
    );
    Some((found.value, evidence))
}

/// Whether the service ran at this version at rest, and not just since what is wrong may have begun: where little passes that
/// is noticed late.
fn existed(scene: &Scene<'_>, service: NameId, version: NameId) -> bool {
    let key = DimensionKey {
        service,
        dimension: Dimension::Version,
        value: version,
    };
    !scene.baseline.is_young(&key)
}

fn evidence(scene: &Scene<'_>, kind: &str, service: &str, worst: &Worst, channel: Channel) -> Evidence {
    let (bad, rest) = match channel {
        Channel::Faults => (format!("{} fail", percent(worst.bad)), percent(worst.rest)),
        Channel::Latency => (
            format!("{} of work a request", duration(worst.bad)),
            duration(worst.rest),
        ),
    };
    Evidence {
        kind: kind.to_owned(),
        text: format!(
            "{bad} on {} of {service}, {rest} on its siblings",
            scene.name(worst.value)
        ),
        value: worst.bad,
        baseline: worst.rest,
        trace_ids: Vec::new(),
    }
}

fn worst(scene: &Scene<'_>, service: NameId, dimension: Dimension, channel: Channel) -> Option<Worst> {
    let mut values: Vec<(&str, NameId, DimensionStats)> = scene
        .window
        .dimensions
        .iter()
        .filter(|(key, _)| key.service == service && key.dimension == dimension)
        .map(|(key, stats)| (scene.name(key.value), key.value, *stats))
        .collect();
    values.sort_by_key(|(name, ..)| *name);
    let sum = |of: &dyn Fn(&DimensionStats) -> u64| values.iter().map(|(_, _, stats)| of(stats)).sum::<u64>();
    let entries = sum(&|stats| stats.entries);
    let measure = |stats: &DimensionStats| match channel {
        Channel::Faults => stats.own_complaints,
        Channel::Latency => stats.self_ns,
    };
    let total = sum(&measure);
    values
        .iter()
        .filter(|(_, _, stats)| stats.entries >= REQUESTS_FEW && entries - stats.entries >= REQUESTS_MIN)
        .filter_map(|(_, value, stats)| {
            let worst = Worst {
                value: *value,
                bad: measure(stats) as f64 / stats.entries as f64,
                rest: (total - measure(stats)) as f64 / (entries - stats.entries) as f64,
            };
            let is_few = stats.entries < REQUESTS_MIN;
            let times = if is_few { TIMES_OF_FEW } else { TIMES_MIN };
            let nats = excess_of_share(stats.own_complaints, stats.entries, worst.rest.max(USUAL_MIN));
            let is_bad = match channel {
                Channel::Faults => {
                    let is_no_chance = !is_few || nats >= NATS_OF_FEW;
                    worst.bad >= TIMES_MIN * worst.rest && worst.bad >= FAILING_MIN && is_no_chance
                }
                Channel::Latency => worst.bad + FLOOR_NS >= times * (worst.rest + FLOOR_NS),
            };
            is_bad.then_some(worst)
        })
        .max_by(|a, b| a.bad.total_cmp(&b.bad))
}

#[cfg(test)]
mod tests;
