//! A machine or a copy that is gone: nothing is heard of it though its siblings elsewhere still answer.
//!
//! A machine is gone when everything that is usually heard on it fell silent, of two services at least, one of which
//! still answers elsewhere: one suspect that explains them all. One silent copy of the first suspect, its siblings
//! answering, is that copy, unless young copies answer beside them: then it was replaced. Source: DESIGN 6.7, 6.9.

mod heard;

use crate::Scene;
use crate::order::sum;
use crate::verdict::{CauseKind, Diagnosis, Evidence, Suspect};
use epicenter_detect::stats::lack_of_count;
use epicenter_graph::{Dimension, DimensionKey, Entity, EntityKind, NameId};
use hashbrown::{HashMap, HashSet};
use heard::{EXPECTED_MIN, Heard, LEFT_MAX, heard};
use std::collections::{BTreeMap, BTreeSet};

/// Nats from which the lack of requests on a machine is beyond chance: there are few machines, but each is looked at whoever is
/// suspected.
const MACHINE_NATS_MIN: f64 = 12.0;
/// The same of a machine on which run several of those whose calls nobody answers, with this share of their suspicion.
const SUSPECTED_NATS_MIN: f64 = 4.0;
const SUSPECTED_SHARE_MIN: f64 = 0.75;
/// Requests to be expected of a service on a machine for it to count as one that fell silent there.
const COUNTS_MIN: f64 = 1.0;
/// Share of the requests to be expected of a silent copy that young copies must answer, for it to be replaced and not
/// gone. One that takes its place when all is mended answers less in the time that is looked at.
const REPLACED_MIN: f64 = 0.5;
/// Services that must fall silent together on a machine.
const SERVICES_MIN: usize = 2;

/// Puts the machine that is gone first. False when none is.
pub(crate) fn machine(scene: &Scene<'_>, diagnosis: &mut Diagnosis) -> bool {
    if !scene.same_load {
        return false;
    }
    let Some((node, evidence)) = gone_node(scene, diagnosis) else {
        return false;
    };
    diagnosis.cause.kind = CauseKind::Infrastructure;
    diagnosis.promote(Entity::new(EntityKind::Node, node), evidence);
    true
}

/// Puts the copy of the first suspect that is gone first. False when none is.
pub(crate) fn copy(scene: &Scene<'_>, diagnosis: &mut Diagnosis) -> bool {
    if !scene.same_load {
        return false;
    }
    let Some(best) = diagnosis.suspects.first() else {
        return false;
    };
    let service = best.entity.clone();
    if service.kind != EntityKind::Service {
        return false;
    }
    let Some(id) = scene.names.find(&service.name) else {
        return false;
    };
    let copies: Vec<(NameId, Heard)> = heard(scene, Dimension::Instance, |service| service == id)
        .map(|(_, copy, heard)| (copy, heard))
        .collect();
    let young = copies.iter().filter(|(copy, _)| is_young(scene, id, *copy));
    let by_new: f64 = young.map(|(_, heard)| heard.now).sum();
    let mut gone = copies.into_iter().filter(|(_, heard)| heard.is_gone_alone());
    let Some((instance, heard)) = gone.next().filter(|_| gone.next().is_none()) else {
        return false;
    };
    let instance = scene.name(instance).to_owned();
    if by_new >= REPLACED_MIN * heard.expected() {
        return false;
    }
    let evidence = Evidence {
        kind: "instance".to_owned(),
        text: format!(
            "{:.0} requests are answered by {instance} of {}, where {:.0} are to be expected; its siblings answer {:.0} of {:.0}",
            heard.now,
            service.name,
            heard.expected(),
            heard.siblings.1,
            heard.siblings.0
        ),
        value: heard.now,
        baseline: heard.expected(),
        trace_ids: Vec::new(),
    };
    diagnosis.cause.kind = CauseKind::Infrastructure;
    diagnosis.promote(
        Entity::of(EntityKind::Instance, instance, service.name.clone()),
        evidence,
    );
    diagnosis.suspects.retain(|suspect| suspect.entity != service);
    true
}

/// Services of which copies are gone while their siblings answer, and no young ones do in their place. Cost: one pass over the
/// dimensions.
pub(crate) fn with_gone_copies(scene: &Scene<'_>) -> HashSet<NameId> {
    if !scene.same_load {
        return HashSet::new();
    }
    let mut copies: HashMap<NameId, (Vec<f64>, Vec<f64>)> = HashMap::new();
    for (service, copy, heard) in heard(scene, Dimension::Instance, |_| true) {
        if heard.is_gone_alone() {
            copies.entry(service).or_default().0.push(heard.expected());
        } else if is_young(scene, service, copy) {
            copies.entry(service).or_default().1.push(heard.now);
        }
    }
    let sums = copies
        .into_iter()
        .map(|(service, (gone, young))| (service, sum(gone), sum(young)));
    let gone = sums.filter(|(_, gone, by_young)| *gone > 0.0 && *by_young < REPLACED_MIN * gone);
    gone.map(|(service, ..)| service).collect()
}

fn is_young(scene: &Scene<'_>, service: NameId, copy: NameId) -> bool {
    scene.baseline.is_young(&DimensionKey {
        service,
        dimension: Dimension::Instance,
        value: copy,
    })
}

/// The machine on which all fell silent, if it is one, and the reasons.
fn gone_node(scene: &Scene<'_>, diagnosis: &Diagnosis) -> Option<(String, Evidence)> {
    let mut machines: HashMap<NameId, Vec<(&str, Heard)>> = HashMap::new();
    for (service, node, heard) in heard(scene, Dimension::Node, |_| true) {
        if heard.usual > 0.0 {
            machines.entry(node).or_default().push((scene.name(service), heard));
        }
    }
    let unanswered = unanswered(diagnosis);
    machines.retain(|_, on| {
        // Nearly every machine ends here, before anything is put in order.
        if !of_many(on).all(Heard::is_silent) {
            return false;
        }
        on.sort_unstable_by_key(|(service, _)| *service);
        is_gone(on, &unanswered)
    });
    let mut found = machines.into_iter();
    let (node, on) = found.next().filter(|_| found.len() == 0)?;
    let node = scene.name(node);
    let on_it: BTreeSet<&str> = on.iter().map(|(service, _)| *service).collect();
    diagnosis
        .suspects
        .iter()
        .find(|s| on_it.contains(s.entity.name.as_str()))?;
    let sum = |of: &dyn Fn(&Heard) -> f64| on.iter().map(|(_, heard)| of(heard)).sum::<f64>();
    let (now, expected) = (sum(&|h| h.now), sum(&|h| h.usual));
    let (now_elsewhere, elsewhere) = (sum(&|h| h.siblings.1), sum(&|h| h.siblings.0));
    let text = format!(
        "the {} services on {node} answer {now:.0} requests there, where {expected:.0} are usual; their copies elsewhere answer {now_elsewhere:.0} of {elsewhere:.0}",
        on.len()
    );
    let evidence = Evidence {
        kind: "node".to_owned(),
        text,
        value: now,
        baseline: expected,
        trace_ids: Vec::new(),
    };
    Some((node.to_owned(), evidence))
}

/// Whether everything on a machine fell silent. Little traffic of many services adds up.
fn is_gone(on: &[(&str, Heard)], unanswered: &BTreeMap<&str, f64>) -> bool {
    let expected: f64 = on.iter().map(|(_, heard)| heard.expected()).sum();
    let now: f64 = on.iter().map(|(_, heard)| heard.now).sum();
    let silent = on.iter().map(|(_, heard)| *heard).filter(|heard| heard.is_silent());
    let least = match holds_most(on, unanswered) {
        true => SUSPECTED_NATS_MIN,
        false => MACHINE_NATS_MIN,
    };
    now <= LEFT_MAX * expected
        && lack_of_count(now as u64, expected) >= least
        && silent.clone().filter(|heard| heard.expected() >= COUNTS_MIN).count() >= SERVICES_MIN
        && silent.reduce(Heard::and).is_some_and(Heard::has_healthy_siblings)
        && of_many(on).all(Heard::is_silent)
}

/// Services on a machine of which many requests are to be expected.
fn of_many(on: &[(&str, Heard)]) -> impl Iterator<Item = Heard> {
    let heard = on.iter().map(|(_, heard)| *heard);
    heard.filter(|heard| heard.expected() >= EXPECTED_MIN)
}

/// Services whose calls nobody answers, with how much they are suspected.
fn unanswered(diagnosis: &Diagnosis) -> BTreeMap<&str, f64> {
    let is_unanswered = |suspect: &&Suspect| {
        let mut kinds = suspect.evidence.iter().map(|evidence| evidence.kind.as_str());
        suspect.entity.kind == EntityKind::Service && kinds.any(|kind| kind == "unanswered" || kind == "silence")
    };
    let of = diagnosis.suspects.iter().filter(is_unanswered);
    of.map(|suspect| (suspect.entity.name.as_str(), suspect.score))
        .collect()
}

/// Whether several of them, and nearly all of their suspicion, are on the machine: that they fail at once has one reason.
fn holds_most(on: &[(&str, Heard)], unanswered: &BTreeMap<&str, f64>) -> bool {
    let here = on.iter().filter(|(_, heard)| heard.now == 0.0);
    let here: Vec<f64> = here
        .filter_map(|(service, _)| unanswered.get(service).copied())
        .collect();
    let all: f64 = unanswered.values().sum();
    here.len() >= SERVICES_MIN && here.iter().sum::<f64>() >= SUSPECTED_SHARE_MIN * all
}

#[cfg(test)]
mod tests;
