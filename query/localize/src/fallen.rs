//! A machine or a copy that is gone: nothing is heard of it though its siblings elsewhere still answer.
//!
//! A machine is gone when everything that is usually heard on it fell silent, of two services at least, one of which
//! still answers elsewhere: one suspect that explains them all. One silent copy of the first suspect, its siblings
//! answering, is that copy, unless copies never seen before answer beside them: then it was replaced. Source: DESIGN 6.7, 6.9.

use crate::Scene;
use crate::verdict::{CauseKind, Diagnosis, Evidence};
use epicenter_detect::stats::lack_of_count;
use epicenter_graph::{Dimension, DimensionKey, Entity, EntityKind, NameId};
use std::collections::{BTreeMap, BTreeSet};

/// Nats from which the lack of requests on one copy or machine is beyond chance.
const NATS_MIN: f64 = 6.0;
/// Requests to be expected below which nothing is said of a copy or machine.
const EXPECTED_MIN: f64 = 4.0;
/// Share of the expected requests that what is gone may have answered before it went.
const LEFT_MAX: f64 = 0.4;
/// Share of the requests to be expected of a silent copy that copies never seen before must answer, for it to be
/// replaced and not gone. One that takes its place when all is mended answers less in the time that is looked at.
const REPLACED_MIN: f64 = 0.5;
/// Services that must fall silent together on a machine.
const SERVICES_MIN: usize = 2;

/// Requests of one service under one value.
#[derive(Clone, Copy, Default)]
struct Heard {
    expected: f64,
    now: f64,
    /// Requests of the service under all other values: to be expected, and now.
    siblings: (f64, f64),
}

impl Heard {
    fn is_gone(self) -> bool {
        self.now <= LEFT_MAX * self.expected && lack_of_count(self.now as u64, self.expected) >= NATS_MIN
    }

    fn has_healthy_siblings(self) -> bool {
        self.siblings.0 >= EXPECTED_MIN && self.siblings.1 >= 2.0 * LEFT_MAX * self.siblings.0
    }
}

/// Puts the machine or copy that is gone first. False when none is.
pub(crate) fn narrow(scene: &Scene<'_>, diagnosis: &mut Diagnosis) -> bool {
    if !scene.same_load {
        return false;
    }
    if let Some((node, evidence)) = gone_node(scene, diagnosis) {
        diagnosis.cause.kind = CauseKind::Infrastructure;
        diagnosis.promote(Entity::new(EntityKind::Node, node), evidence);
        return true;
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
    let copies = heard(scene, Dimension::Instance, |service| service == id);
    let is_new = |((of, _), heard): &(&(NameId, NameId), &Heard)| *of == id && heard.expected == 0.0;
    let by_new: f64 = copies.iter().filter(is_new).map(|(_, heard)| heard.now).sum();
    let mut gone: Vec<(String, Heard)> = copies
        .into_iter()
        .filter(|((of, _), heard)| *of == id && heard.is_gone() && heard.has_healthy_siblings())
        .map(|((_, value), heard)| (scene.name(value).to_owned(), heard))
        .collect();
    let Some((instance, heard)) = gone.pop().filter(|_| gone.is_empty()) else {
        return false;
    };
    if by_new >= REPLACED_MIN * heard.expected {
        return false;
    }
    let evidence = Evidence {
        kind: "instance".to_owned(),
        text: format!(
            "{:.0} requests are answered by {instance} of {}, where {:.0} are to be expected; its siblings answer {:.0} of {:.0}",
            heard.now, service.name, heard.expected, heard.siblings.1, heard.siblings.0
        ),
        value: heard.now,
        baseline: heard.expected,
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

/// The machine on which all fell silent, if it is one, and the reasons.
fn gone_node(scene: &Scene<'_>, diagnosis: &Diagnosis) -> Option<(String, Evidence)> {
    let mut machines: BTreeMap<&str, Vec<(&str, Heard)>> = BTreeMap::new();
    for ((service, node), heard) in heard(scene, Dimension::Node, |_| true) {
        if heard.expected >= EXPECTED_MIN {
            let on = machines.entry(scene.name(node)).or_default();
            on.push((scene.name(service), heard));
        }
    }
    machines.retain(|_, on| {
        let gone = on.iter().filter(|(_, heard)| heard.is_gone());
        gone.clone().count() >= SERVICES_MIN
            && on.iter().all(|(_, heard)| heard.now <= LEFT_MAX * heard.expected)
            && gone.clone().any(|(_, heard)| heard.has_healthy_siblings())
    });
    let (node, on) = machines.pop_first().filter(|_| machines.is_empty())?;
    let on_it: BTreeSet<&str> = on.iter().map(|(service, _)| *service).collect();
    diagnosis
        .suspects
        .iter()
        .find(|s| on_it.contains(s.entity.name.as_str()))?;
    let sum = |of: &dyn Fn(&Heard) -> f64| on.iter().map(|(_, heard)| of(heard)).sum::<f64>();
    let (now, expected) = (sum(&|h| h.now), sum(&|h| h.expected));
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

/// Requests by service and value, with those of the siblings; expected is what is usual in so much time.
fn heard(scene: &Scene<'_>, dimension: Dimension, of: impl Fn(NameId) -> bool) -> BTreeMap<(NameId, NameId), Heard> {
    let rest = scene.baseline.total();
    let scale = scene.length.as_secs_f64() / scene.baseline.seconds().max(1e-9);
    let mut heard: BTreeMap<(NameId, NameId), Heard> = BTreeMap::new();
    let is_asked = |key: &DimensionKey| key.dimension == dimension && of(key.service);
    for (key, stats) in rest.dimensions.iter().filter(|(key, _)| is_asked(key)) {
        heard.entry((key.service, key.value)).or_default().expected = stats.entries as f64 * scale;
    }
    for (key, stats) in scene.window.dimensions.iter().filter(|(key, _)| is_asked(key)) {
        heard.entry((key.service, key.value)).or_default().now = stats.entries as f64;
    }
    let mut sums: BTreeMap<NameId, (f64, f64)> = BTreeMap::new();
    for ((service, _), of) in &heard {
        let sum = sums.entry(*service).or_default();
        sum.0 += of.expected;
        sum.1 += of.now;
    }
    for ((service, _), of) in &mut heard {
        let sum = sums.get(service).copied().unwrap_or_default();
        of.siblings = (sum.0 - of.expected, sum.1 - of.now);
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(expected: f64, now: f64, siblings: (f64, f64)) -> Heard {
        Heard {
            expected,
            now,
            siblings,
        }
    }

    #[test]
    fn what_answers_nothing_is_gone_and_what_answers_a_little_less_is_not() {
        assert!(heard(40.0, 0.0, (40.0, 60.0)).is_gone());
        assert!(!heard(40.0, 30.0, (40.0, 60.0)).is_gone());
        assert!(!heard(3.0, 0.0, (40.0, 60.0)).is_gone(), "too little to tell");
    }

    #[test]
    fn siblings_that_are_silent_too_are_not_healthy() {
        assert!(heard(40.0, 0.0, (40.0, 60.0)).has_healthy_siblings());
        assert!(!heard(40.0, 0.0, (40.0, 5.0)).has_healthy_siblings());
        assert!(!heard(40.0, 0.0, (0.0, 0.0)).has_healthy_siblings(), "it has none");
    }
}
