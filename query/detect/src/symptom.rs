//! A symptom: one place that left its usual range in one respect. All detectors together.

use crate::Baseline;
use crate::strongest::SYMPTOMS_MAX;
use crate::{errors, latency, silence};
use epicenter_graph::{Callee, EdgeKey, NameId, Names, OpKey, Window};
use epicenter_schema::DurationNs;

/// In what respect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// A larger share fails than usual.
    Errors,
    /// It takes longer than usual.
    Latency,
    /// Nothing is heard from it though it is usually heard.
    Silence,
}

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An operation through which a service is entered.
    Operation(OpKey),
    /// Calls of one kind from one service to another.
    Edge(EdgeKey),
    /// A service as a whole.
    Service(NameId),
}

/// One place that left its usual range in one respect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Symptom {
    /// In what respect.
    pub signal: Signal,
    /// Where.
    pub place: Place,
    /// How surprising it is, in nats.
    pub nats: f64,
    /// What was measured: a share, nanoseconds, or spans.
    pub value: f64,
    /// What is usual.
    pub usual: f64,
    /// Whether it is where requests enter the system.
    pub at_entry: bool,
}

/// Errors before latency before silence, operations before edges, each in the order of their names.
fn order(signal: Signal, place: Place, names: &Names) -> impl Ord + use<'_> {
    let name = |id: NameId| names.get(id).as_ref();
    let place = match place {
        Place::Operation(key) => (0, name(key.service), None, name(key.name), "", Some(key.kind)),
        Place::Edge(key) => {
            let (rank, callee) = match key.callee {
                Callee::Service(callee) => (None, callee),
                Callee::Peer(kind, callee) => (Some(kind), callee),
            };
            (1, name(key.caller), rank, name(callee), name(key.via), None)
        }
        Place::Service(id) => (2, name(id), None, "", "", None),
    };
    (signal, place)
}

/// What is wrong in a window that is `length` long, the most surprising first. Cost: one pass over the window, each
/// operation and edge against its periods.
pub fn symptoms(window: &Window, length: DurationNs, baseline: &Baseline, names: &Names) -> Vec<Symptom> {
    let mut found = Vec::new();
    if baseline.is_empty() {
        return found;
    }
    errors::detect(window, baseline, &mut found);
    latency::detect(window, baseline, &mut found);
    silence::detect(window, length, baseline, &mut found);
    found.sort_by_cached_key(|symptom| order(symptom.signal, symptom.place, names));
    found.sort_by(|a, b| b.nats.total_cmp(&a.nats));
    found.truncate(SYMPTOMS_MAX);
    found
}

/// Places where more fails or is late than usual, at least by so much, be it chance: where it is worth adding windows up. At
/// most `max`, the most stirred first. Cost: one pass over the window; no period is asked.
pub fn stirred(window: &Window, baseline: &Baseline, nats: f64, max: usize, names: &Names) -> Vec<(Signal, Place)> {
    let errors = errors::stirred(window, baseline).map(|(place, bound)| (Signal::Errors, place, bound));
    let latency = latency::stirred(window, baseline).map(|(place, bound)| (Signal::Latency, place, bound));
    let mut found: Vec<_> = errors.chain(latency).filter(|(.., bound)| *bound >= nats).collect();
    found.sort_by_cached_key(|(signal, place, _)| order(*signal, *place, names));
    found.sort_by(|a, b| b.2.total_cmp(&a.2));
    found.truncate(max);
    found.into_iter().map(|(signal, place, _)| (signal, place)).collect()
}
