//! What is wrong apart from the open incidents: at places whose trouble none of their culprits can have made.
//!
//! Who suffers may cut its other calls short: it cancels what it asked at the same time, or no time is left. Its calls that
//! fail or are late then tell nothing of the callee. They do when somebody says so whom no incident makes suffer, another
//! caller or the callee itself, be it by its silence; or when they went well while the incidents that make the caller
//! suffer were young, as trouble spreads within seconds.

use super::Engine;
use super::looks::Stretch;
use super::ongoing::{Ongoing, is_at};
use epicenter_detect::{Place, Spot, Symptom};
use epicenter_graph::{Callee, Dimension, NameId};
use std::collections::BTreeSet;

impl Engine {
    /// Those of the symptoms of some windows that are apart from what the open incidents explain, and the one that is
    /// followed just now.
    pub(super) fn apart(
        &self,
        symptoms: &[Symptom],
        others: &BTreeSet<NameId>,
        followed: Option<&Ongoing>,
    ) -> Vec<Symptom> {
        let outside = symptoms.iter().filter(|symptom| !is_at(symptom.place, others));
        let outside: Vec<Symptom> = outside.copied().collect();
        let own: BTreeSet<NameId> = outside.iter().filter_map(|symptom| own(symptom, others)).collect();
        let is_apart = |symptom: &Symptom| {
            cut(symptom, others).is_none_or(|(caller, callee)| {
                let mut open = self.ongoing.iter().chain(followed);
                // Trouble spreads while an incident is young.
                own.contains(&callee) || open.all(|one| !one.touched.contains(&callee) || !one.makes_suffer(caller))
            })
        };
        outside.iter().filter(|symptom| is_apart(symptom)).copied().collect()
    }

    /// The copies, versions and machines that are bad where somebody runs whom an incident may make suffer.
    pub(super) fn uneven_of(&self, ongoing: &Ongoing, uneven: &[Stretch]) -> Vec<Stretch> {
        let is_its = |one: &&Stretch| self.is_spot_of(one.what.spot, &ongoing.related);
        uneven.iter().filter(is_its).copied().collect()
    }

    fn is_spot_of(&self, spot: Spot, related: &BTreeSet<NameId>) -> bool {
        match spot {
            Spot::Part(key) => related.contains(&key.service),
            Spot::Callee(service) => related.contains(&service),
            Spot::Node(node) => {
                let last = self.last.last().map(|(_, window, _)| window);
                let windows = last.into_iter().chain([self.baseline.total()]);
                let mut keys = windows.flat_map(|window| window.dimensions.keys());
                keys.any(|key| key.dimension == Dimension::Node && key.value == node && related.contains(&key.service))
            }
        }
    }
}

/// The service of which a symptom tells, though others suffer from something else.
fn own(symptom: &Symptom, others: &BTreeSet<NameId>) -> Option<NameId> {
    match symptom.place {
        Place::Operation(key) => Some(key.service),
        Place::Service(service) => Some(service),
        Place::Edge(key) => match key.callee {
            Callee::Service(callee) => (!others.contains(&key.caller)).then_some(callee),
            Callee::Peer(..) => Some(key.caller),
        },
    }
}

/// Who suffers and may cut its calls, and the service that it calls; none where nobody does.
fn cut(symptom: &Symptom, others: &BTreeSet<NameId>) -> Option<(NameId, NameId)> {
    match symptom.place {
        Place::Edge(key) if others.contains(&key.caller) => match key.callee {
            Callee::Service(callee) => Some((key.caller, callee)),
            Callee::Peer(..) => None,
        },
        _ => None,
    }
}
