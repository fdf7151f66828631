//! Looking again at the answer of an open incident: a new one, one that it shares with another incident, or none of its
//! own.

use super::Engine;
use super::beside::{BESIDE_WINDOWS, STRENGTH_MIN};
use super::ongoing::{CALM_NATS, Ongoing};
use crate::incident::Change;
use epicenter_detect::Symptom;
use epicenter_graph::{Entity, NameId, Window};
use epicenter_localize::{Diagnosis, Scene, is_one_of};
use epicenter_schema::DurationNs;
use std::collections::BTreeSet;

impl Engine {
    /// Diagnoses an open incident anew, of all its windows, and takes the answer unless it is another one's.
    pub(super) fn look_again(
        &mut self,
        ongoing: &mut Ongoing,
        alone: &[Symptom],
        others: &BTreeSet<NameId>,
        changes: &mut Vec<Change>,
    ) {
        let Some(mut diagnosis) = self.diagnose_anew(ongoing, None) else {
            return;
        };
        if self.may_be_another(ongoing, &diagnosis, alone, others) {
            return;
        }
        if !others.is_empty() && self.is_theirs(&ongoing.window, &diagnosis, others) {
            // What it named before still stands without what the others explain, or else it is one event with one of them.
            let rest = self.diagnose_anew(ongoing, Some(others));
            match rest.filter(|rest| self.stands(ongoing, rest) && !self.is_theirs(&ongoing.window, rest, others)) {
                Some(rest) => diagnosis = rest,
                // A younger one keeps the answer that it has.
                None if !self.merge(ongoing, &diagnosis, changes) => return,
                None => {}
            }
        }
        ongoing.related = self.related(&ongoing.window, ongoing.length, &diagnosis);
        if !others.is_empty() {
            self.restrict(&ongoing.window, ongoing.length, &mut diagnosis);
        }
        let Some(incident) = self.incident(&ongoing.id) else {
            return;
        };
        let same = incident.suspects.first().map(|suspect| &suspect.entity) == diagnosis.culprit()
            && incident.cause.kind == diagnosis.cause.kind
            && incident.affected.len() == diagnosis.affected.len();
        incident.take(diagnosis);
        if !same {
            changes.push(Change::Updated(incident.clone()));
        }
    }

    fn diagnose_anew(&self, ongoing: &Ongoing, explained: Option<&BTreeSet<NameId>>) -> Option<Diagnosis> {
        let whole = ongoing.whole.as_ref().map(|(window, length)| (window, *length));
        let scene = self.scene(&ongoing.window, ongoing.length, explained);
        self.diagnose_within(Scene { whole, ..scene })
    }

    /// Whether an answer still names whom an incident names, and that is no noise.
    pub(super) fn stands(&self, ongoing: &Ongoing, rest: &Diagnosis) -> bool {
        let said = self.known(&ongoing.id).and_then(|incident| incident.suspects.first());
        rest.strength >= STRENGTH_MIN && rest.culprit().map(owner) == said.map(|suspect| owner(&suspect.entity))
    }

    /// Whether an answer names what is about to be an incident of its own: something began to be wrong elsewhere, for too
    /// short to tell, its culprit has nothing to do with the incident, and whom that names still stands without it.
    fn may_be_another(
        &self,
        ongoing: &Ongoing,
        diagnosis: &Diagnosis,
        alone: &[Symptom],
        others: &BTreeSet<NameId>,
    ) -> bool {
        let known: BTreeSet<NameId> = ongoing.related.union(&ongoing.merged).chain(others).copied().collect();
        let is_wrong = self
            .apart(alone, &known, Some(ongoing))
            .iter()
            .any(|s| s.nats >= CALM_NATS);
        let is_decided = self
            .beside
            .as_ref()
            .is_some_and(|beside| beside.windows >= BESIDE_WINDOWS);
        if !is_wrong || is_decided || self.is_theirs(&ongoing.window, diagnosis, &known) {
            return false;
        }
        let its = self.related(&ongoing.window, ongoing.length, diagnosis);
        let rest = self.diagnose_anew(ongoing, Some(&its));
        rest.is_some_and(|rest| self.stands(ongoing, &rest))
    }

    /// The older of two incidents that turn out to be one goes on, with the answer; the other one is over for good.
    /// False when there is none to take in.
    fn merge(&mut self, ongoing: &mut Ongoing, diagnosis: &Diagnosis, changes: &mut Vec<Change>) -> bool {
        let Some(culprit) = diagnosis.culprit() else {
            return false;
        };
        let scene = self.scene(&ongoing.window, ongoing.length, None);
        let is_same = |other: &&Ongoing| other.number > ongoing.number && is_one_of(&scene, culprit, &other.related);
        let same: Vec<u64> = self.ongoing.iter().filter(is_same).map(|other| other.number).collect();
        // Out of the list at once: a third one that is looked at in the same window must not end it again.
        let all = std::mem::take(&mut self.ongoing).into_iter();
        let (taken, rest): (Vec<Ongoing>, _) = all.partition(|other| same.contains(&other.number));
        self.ongoing = rest;
        for other in taken {
            self.resolve(&other.id, ongoing.calm_since, changes);
            ongoing.take_in(other);
        }
        !same.is_empty()
    }

    /// Whether the culprit is one whom other incidents explain.
    pub(super) fn is_theirs(&self, window: &Window, diagnosis: &Diagnosis, others: &BTreeSet<NameId>) -> bool {
        let scene = self.scene(window, DurationNs(0), None);
        diagnosis
            .culprit()
            .is_none_or(|culprit| is_one_of(&scene, culprit, others))
    }
}

/// The service that an entity belongs to, or its name.
fn owner(entity: &Entity) -> &str {
    entity.service.as_ref().unwrap_or(&entity.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Incident};
    use epicenter_graph::Names;
    use epicenter_localize::Suspect;
    use epicenter_schema::Timestamp;

    /// Scenario: the answers of two incidents come to name what a third and youngest one is about, in one window.
    /// Guarantees: the older one takes it in, and it is over once.
    #[test]
    fn an_incident_is_taken_in_once() {
        let mut engine = Engine::new(Config::default());
        for (number, service) in [(1, Names::OVERFLOW), (2, Names::OVERFLOW), (3, Names::NONE)] {
            let at = Timestamp(number * 1_000_000);
            let incident = Incident::new(at, at, Diagnosis::default());
            let mut ongoing = Ongoing::new(
                incident.id.clone(),
                Window::default(),
                DurationNs(0),
                [service].into(),
                at,
            );
            ongoing.number = number as u64;
            engine.incidents.push(incident);
            engine.ongoing.push(ongoing);
        }
        let culprit = Suspect {
            entity: Entity::service(""),
            score: 1.0,
            share: 1.0,
            evidence: Vec::new(),
        };
        let diagnosis = Diagnosis {
            suspects: vec![culprit],
            ..Diagnosis::default()
        };
        let mut changes = Vec::new();
        let merges = [0, 1].map(|at| {
            let mut ongoing = engine.ongoing.remove(at);
            let merges = engine.merge(&mut ongoing, &diagnosis, &mut changes);
            engine.ongoing.insert(at, ongoing);
            merges
        });
        assert_eq!(merges, [true, false]);
        assert_eq!(changes, [Change::Resolved(engine.incidents[2].clone())]);
        assert!(engine.ongoing[0].merged.contains(&Names::NONE));
    }
}
