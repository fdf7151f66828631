//! What is wrong beside the open incidents: an incident of its own when it lasts, is beyond doubt, and none of their
//! culprits can have to do with it.
//!
//! The first culprits explain whoever they may make suffer; that is taken away, and the rest is ranked again. Who is named then
//! may have callers in common with them, who suffer from both: what tells the two apart is what is wrong below those, and that
//! each answer stands without what the other one explains.

use super::Engine;
use super::ongoing::{CALM_NATS, is_at};
use crate::incident::Change;
use epicenter_detect::Symptom;
use epicenter_graph::{EntityKind, NameId, Window};
use epicenter_localize::{Diagnosis, Suspect, is_one_of};
use epicenter_schema::{DurationNs, Timestamp};
use std::collections::BTreeSet;

/// Incidents open at once.
const OPEN_MAX: usize = 8;
/// Windows one after the other in which something must be wrong beside an open incident to be another one.
pub(super) const BESIDE_WINDOWS: u64 = 3;
/// Windows after which that is begun anew.
const BESIDE_WINDOWS_MAX: u64 = 24;
/// Strength of what is left of an incident, without what another one explains, to be an incident of its own.
pub(super) const STRENGTH_MIN: f64 = 1.0;
/// Share of the damage from which a culprit has a part in it.
const SHARE_MIN: f64 = 0.05;

/// What is wrong beside the open incidents, in windows one after the other.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) first: Timestamp,
    pub(super) window: Window,
    pub(super) length: DurationNs,
    pub(super) windows: u64,
}

impl Engine {
    /// An incident is open: opens another one when something lasts that no open one explains.
    pub(super) fn watch_beside(&mut self, start: Timestamp, alone: &[Symptom], changes: &mut Vec<Change>) {
        let others = self.explained_by_others(None);
        let is_wrong = self.apart(alone, &others, None).iter().any(|s| s.nats >= CALM_NATS);
        let Some((_, window, _)) = self.last.last().filter(|_| is_wrong && self.ongoing.len() < OPEN_MAX) else {
            self.beside = None;
            return;
        };
        let mut beside = self.beside.take().unwrap_or_else(|| Beside {
            first: start,
            window: Window::default(),
            length: DurationNs(0),
            windows: 0,
        });
        beside.window.merge(window);
        beside.length.0 += self.window().0;
        beside.windows += 1;
        if beside.windows >= BESIDE_WINDOWS {
            let together = self.symptoms(&beside.window, beside.length);
            let mut apart = self.apart(&together, &others, None);
            apart.retain(|s| s.nats >= self.config.surprise_nats);
            let found = (!apart.is_empty()).then(|| self.diagnose(&beside.window, beside.length, Some(&others)));
            let is_fault = |found: &Diagnosis| found.strength >= STRENGTH_MIN && has_evidence(found);
            if let Some(mut diagnosis) = found.flatten().filter(is_fault) {
                let related = self.related(&beside.window, beside.length, &diagnosis);
                let its: Vec<&Symptom> = apart.iter().filter(|s| is_at(s.place, &related)).collect();
                let explains = !its.is_empty() && self.is_no_spread(&its, &related, &others);
                let is_theirs = |found: &Diagnosis| self.is_theirs(&beside.window, found, &others);
                if explains && !is_theirs(&diagnosis) && !self.is_on_their_machine(&beside, &diagnosis, &others) {
                    let Beside {
                        first, window, length, ..
                    } = beside;
                    self.restrict(&window, length, &mut diagnosis);
                    self.open((first, start), window, length, diagnosis, alone, changes);
                    return;
                }
            }
        }
        self.beside = Some(beside).filter(|beside| beside.windows < BESIDE_WINDOWS_MAX);
    }

    /// Whether what is wrong beside the open incidents is not their trouble that spread: theirs and its culprit can make
    /// nobody suffer in common, or it began when theirs had spread as far as it does, or, where both are young, either
    /// side stands without what the other one explains.
    fn is_no_spread(&self, its: &[&Symptom], related: &BTreeSet<NameId>, others: &BTreeSet<NameId>) -> bool {
        let early: BTreeSet<NameId> = self.ongoing.iter().flat_map(|one| &one.early).copied().collect();
        let began_later = its.iter().any(|symptom| !is_at(symptom.place, &early));
        related.is_disjoint(others) || began_later || self.stand_without(related)
    }

    /// Whether a machine on which the culprit runs is suspected more than it is, when nothing is taken away, and somebody runs
    /// there whom the open incidents explain: without those a machine is not told from a service on it.
    fn is_on_their_machine(&self, beside: &Beside, found: &Diagnosis, others: &BTreeSet<NameId>) -> bool {
        let names = self.builder.names();
        let Some(culprit) = found.culprit() else { return false };
        let service = names.find(culprit.service.as_ref().unwrap_or(&culprit.name));
        let (Some(service), Some(whole)) = (service, self.diagnose(&beside.window, beside.length, None)) else {
            return false;
        };
        let scene = self.scene(&beside.window, beside.length, None);
        let suspects = || whole.suspects.iter().map(|suspect| &suspect.entity);
        // Where it is not among them, only the first of them is more than a machine of many.
        let place = suspects().position(|entity| entity == culprit).unwrap_or(1);
        let mut more = suspects().take(place);
        more.any(|entity| {
            let is_on_it = || is_one_of(&scene, entity, &[service].into());
            entity.kind == EntityKind::Node && is_on_it() && is_one_of(&scene, entity, others)
        })
    }

    /// Whether the answers of all open incidents stand without what these services explain. Those that have nothing to do
    /// with them do.
    fn stand_without(&self, services: &BTreeSet<NameId>) -> bool {
        let mut touched = self.ongoing.iter().filter(|one| !one.related.is_disjoint(services));
        touched.all(|one| {
            let rest = self.diagnose(&one.window, one.length, Some(services));
            rest.is_some_and(|rest| self.stands(one, &rest))
        })
    }
}

/// Whether more speaks against the culprit than that its requests do other things than usual, as they do when they fail
/// elsewhere; or else people feel it.
fn has_evidence(found: &Diagnosis) -> bool {
    let is_more = |suspect: &Suspect| {
        suspect.share >= SHARE_MIN || suspect.evidence.iter().any(|evidence| evidence.kind != "structure")
    };
    found.suspects.first().is_some_and(is_more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use epicenter_graph::Entity;
    use epicenter_localize::Evidence;

    /// Guarantees: that other steps follow than usual makes nobody a culprit beside others unless it is felt.
    #[test]
    fn other_steps_than_usual_are_no_fault_of_its_own() {
        let found = |kind: &str, share| {
            let evidence = Evidence {
                kind: kind.to_owned(),
                text: String::new(),
                value: 0.4,
                baseline: 0.8,
                trace_ids: Vec::new(),
            };
            let suspect = Suspect {
                entity: Entity::service("stock"),
                score: 0.9,
                share,
                evidence: vec![evidence],
            };
            has_evidence(&Diagnosis {
                suspects: vec![suspect],
                ..Diagnosis::default()
            })
        };
        assert!(!found("structure", 0.0));
        assert!(found("structure", 0.3));
        assert!(found("errors", 0.0));
    }
}
