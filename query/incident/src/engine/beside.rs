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
use epicenter_graph::{NameId, Window};
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
        let is_apart = |symptom: &Symptom| !is_at(symptom.place, &others);
        let is_wrong = alone.iter().any(|s| s.nats >= CALM_NATS && is_apart(s));
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
            let certain = |s: &Symptom| s.nats >= self.config.surprise_nats && is_apart(s);
            let is_certain = together.iter().any(certain);
            let found = is_certain.then(|| self.diagnose(&beside.window, beside.length, Some(&others)));
            if let Some(mut diagnosis) = found.flatten().filter(|found| found.strength >= STRENGTH_MIN) {
                let related = self.related(&beside.window, beside.length, &diagnosis);
                let is_its = |s: &Symptom| certain(s) && is_at(s.place, &related);
                let its: Vec<&Symptom> = together.iter().filter(|s| is_its(s)).collect();
                let explains = !its.is_empty() && self.is_no_spread(&its, &related, &others);
                if explains && !self.is_theirs(&beside.window, &diagnosis, &others) {
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

    /// Whether the answers of all open incidents stand without what these services explain.
    fn stand_without(&self, services: &BTreeSet<NameId>) -> bool {
        self.ongoing.iter().all(|one| {
            let rest = self.diagnose(&one.window, one.length, Some(services));
            rest.is_some_and(|rest| self.stands(one, &rest))
        })
    }
}
