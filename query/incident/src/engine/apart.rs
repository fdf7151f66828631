//! What is wrong apart from the open incidents: at places whose trouble none of their culprits can have made.
//!
//! Who suffers may cut its other calls short: it cancels what it asked at the same time, or no time is left. Its calls that
//! fail or are late, and a callee that is silent because none of them arrives, then tell nothing of the callee. They do
//! when somebody says so whom no incident makes suffer: the callee itself, or another caller; or when they went well
//! while the incidents that make the caller suffer were young, as trouble spreads within seconds.

use super::Engine;
use super::looks::Stretch;
use super::ongoing::{Ongoing, is_at};
use epicenter_detect::{Place, Signal, Spot, Symptom};
use epicenter_graph::{Callee, Dimension, NameId, Window};
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
        let callers = Callers {
            usual: self.baseline.total(),
            others,
        };
        let own: BTreeSet<NameId> = outside.iter().filter_map(|symptom| callers.own(symptom)).collect();
        let is_apart = |symptom: &Symptom| {
            let (callee, cutting) = callers.who_may_cut(symptom);
            let mut open = self.ongoing.iter().chain(followed);
            // Trouble spreads while an incident is young.
            let mut began_later =
                |callee| open.all(|one| !one.touched.contains(&callee) || !one.makes_suffer(&cutting));
            callee.is_none_or(|callee| own.contains(&callee) || began_later(callee))
        };
        outside.iter().filter(|symptom| is_apart(symptom)).copied().collect()
    }

    /// The copies, versions and machines that are bad where somebody runs whom an incident may make suffer.
    pub(super) fn uneven_of(&self, ongoing: &Ongoing) -> Vec<Stretch> {
        let mut uneven = self.uneven_look();
        uneven.retain(|one| self.is_spot_of(one.what.spot, &ongoing.related));
        uneven
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

/// Who calls whom, and whom open incidents make suffer.
struct Callers<'a> {
    usual: &'a Window,
    others: &'a BTreeSet<NameId>,
}

impl Callers<'_> {
    /// The service of which a symptom tells, whoever suffers elsewhere.
    fn own(&self, symptom: &Symptom) -> Option<NameId> {
        match symptom.place {
            Place::Operation(key) => Some(key.service),
            Place::Service(service) => (symptom.signal != Signal::Silence).then_some(service),
            Place::Edge(key) => match key.callee {
                Callee::Service(callee) => (!self.others.contains(&key.caller)).then_some(callee),
                Callee::Peer(..) => Some(key.caller),
            },
        }
    }

    /// The service at which a symptom may be that those who suffer do not call it as ever, and who they are; none where
    /// that cannot be.
    fn who_may_cut(&self, symptom: &Symptom) -> (Option<NameId>, BTreeSet<NameId>) {
        match symptom.place {
            Place::Edge(key) => match key.callee {
                Callee::Service(callee) if self.others.contains(&key.caller) => (Some(callee), [key.caller].into()),
                _ => (None, BTreeSet::new()),
            },
            Place::Service(service) if symptom.signal == Signal::Silence => {
                let calls = self
                    .usual
                    .edges
                    .keys()
                    .filter(|key| key.callee == Callee::Service(service));
                let callers: BTreeSet<NameId> = calls.map(|key| key.caller).collect();
                let all_suffer = !callers.is_empty() && callers.is_subset(self.others);
                (all_suffer.then_some(service), callers)
            }
            _ => (None, BTreeSet::new()),
        }
    }
}
