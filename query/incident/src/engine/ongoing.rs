//! An incident that is going on, as the engine follows it.

use epicenter_detect::{Place, Signal, Symptom};
use epicenter_graph::{Callee, NameId, Window};
use epicenter_schema::{DurationNs, Timestamp};
use std::collections::BTreeSet;

/// Places that belong to an open incident.
const MARKS_MAX: usize = 1_000;
/// Surprise below which a single window is calm, in nats.
pub(super) const CALM_NATS: f64 = 6.0;

/// What is going on.
#[derive(Debug)]
pub(super) struct Ongoing {
    pub(super) id: String,
    /// The windows with symptoms as one, and how long they are together.
    pub(super) window: Window,
    pub(super) length: DurationNs,
    /// What was beyond doubt at some time: only there a lesser symptom says that it goes on.
    marks: Vec<(Signal, Place)>,
    /// Whom its culprit may make suffer.
    pub(super) related: BTreeSet<NameId>,
    /// Windows since it opened.
    pub(super) age: u64,
    pub(super) calm: DurationNs,
    pub(super) calm_since: Timestamp,
}

impl Ongoing {
    pub(super) fn new(
        id: String,
        window: Window,
        length: DurationNs,
        related: BTreeSet<NameId>,
        calm_since: Timestamp,
    ) -> Self {
        Self {
            id,
            window,
            length,
            marks: Vec::new(),
            related,
            age: 0,
            calm: DurationNs(0),
            calm_since,
        }
    }

    /// Remembers the places that are wrong beyond doubt, of those that `others` do not explain.
    pub(super) fn mark(&mut self, symptoms: &[Symptom], certain: f64, others: &BTreeSet<NameId>) {
        for symptom in symptoms.iter().filter(|s| s.nats >= certain) {
            let mark = (symptom.signal, symptom.place);
            let is_its = others.is_empty() || !is_at(symptom.place, others) || is_at(symptom.place, &self.related);
            if is_its && self.marks.len() < MARKS_MAX && !self.marks.contains(&mark) {
                self.marks.push(mark);
            }
        }
    }

    /// Whether the symptoms of a window say that it goes on.
    pub(super) fn is_shaken_by(&self, alone: &[Symptom]) -> bool {
        alone
            .iter()
            .any(|symptom| symptom.nats >= CALM_NATS && self.marks.contains(&(symptom.signal, symptom.place)))
    }
}

/// What is wrong beside the open incidents, in windows one after the other.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) first: Timestamp,
    pub(super) window: Window,
    pub(super) length: DurationNs,
    pub(super) windows: u64,
}

/// Whether a place is at one of these services.
pub(super) fn is_at(place: Place, services: &BTreeSet<NameId>) -> bool {
    match place {
        Place::Operation(key) => services.contains(&key.service),
        Place::Service(service) => services.contains(&service),
        Place::Edge(key) => {
            services.contains(&key.caller)
                || matches!(key.callee, Callee::Service(callee) if services.contains(&callee))
        }
    }
}
