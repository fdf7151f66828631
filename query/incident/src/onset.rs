//! When each service was first shaken: the start of the first window with a symptom of it, in one stretch that is no
//! longer interrupted than the windows that are looked at together. Symptoms of one window alone; a service that is
//! shaken only when several windows are added up has no such time.

use epicenter_detect::{Place, Symptom};
use epicenter_graph::{Callee, NameId, Names};
use epicenter_localize::Affected;
use epicenter_schema::{DurationNs, Timestamp};
use std::collections::BTreeMap;

/// Surprise from which a symptom tells when its service was shaken, in nats: of services of which it is known by then
/// that they are.
const NATS_MIN: f64 = 3.0;
/// Services remembered; those shaken later are not dated.
const SERVICES_MAX: usize = 10_000;

/// The first and the last window with a symptom, by service.
#[derive(Debug, Default)]
pub(crate) struct Onset {
    shaken: BTreeMap<NameId, (Timestamp, Timestamp)>,
}

impl Onset {
    /// Forgets the services that have been calm for `calm`: what shakes them next is another event.
    pub(crate) fn forget(&mut self, now: Timestamp, calm: DurationNs) {
        self.shaken.retain(|_, (_, last)| *last + calm >= now);
    }

    /// Takes the symptoms of a window alone; windows come in order.
    /// A service that was calm for longer than `calm` is shaken anew.
    pub(crate) fn note(&mut self, start: Timestamp, alone: &[Symptom], calm: DurationNs) {
        for symptom in alone.iter().filter(|symptom| symptom.nats >= NATS_MIN) {
            let service = service(&symptom.place);
            if self.shaken.len() < SERVICES_MAX || self.shaken.contains_key(&service) {
                let known = self.shaken.entry(service).or_insert((start, start));
                if (start - known.1).0 > calm.0 {
                    known.0 = start;
                }
                known.1 = start;
            }
        }
    }

    /// Dates the affected services.
    pub(crate) fn date(&self, affected: &mut [Affected], names: &Names) {
        for affected in affected {
            let known = names.find(&affected.service).and_then(|id| self.shaken.get(&id));
            affected.first_shaken = known.map(|(first, _)| *first);
        }
    }
}

/// Who is shaken: who is called, or who calls, of callees that send no spans.
fn service(place: &Place) -> NameId {
    match place {
        Place::Operation(key) => key.service,
        Place::Service(service) => *service,
        Place::Edge(key) => match key.callee {
            Callee::Service(callee) => callee,
            Callee::Peer(..) => key.caller,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use epicenter_detect::Signal;

    fn symptom(service: NameId, nats: f64) -> Symptom {
        Symptom {
            signal: Signal::Errors,
            place: Place::Service(service),
            nats,
            value: 1.0,
            usual: 0.0,
            at_entry: false,
        }
    }

    /// Windows of 5 s with the nats of the symptom in each; nothing is going on before the last.
    fn check(nats: &[f64], expected: Option<i64>) {
        let mut names = Names::default();
        let service = names.intern("cart");
        let mut onset = Onset::default();
        for (number, nats) in nats.iter().enumerate() {
            let start = Timestamp(5 * number as i64);
            onset.forget(start, DurationNs(15));
            onset.note(start, &[symptom(service, *nats)], DurationNs(i64::MAX));
        }
        let mut affected = [Affected {
            service: "cart".to_owned(),
            impact: 1.0,
            first_shaken: None,
        }];
        onset.date(&mut affected, &names);
        assert_eq!(affected[0].first_shaken.map(|at| at.0), expected, "{nats:?}");
    }

    #[test]
    fn the_first_window_of_the_stretch() {
        check(&[0.0, 9.0, 0.0, 9.0], Some(5));
        check(&[9.0, 0.0, 0.0, 0.0, 0.0, 9.0], Some(25));
        check(&[1.0, 2.0], None);
    }
}
