//! An incident that is going on, as the engine follows it.

use super::looks::Stretch;
use super::recovery::Recovery;
use epicenter_detect::{Place, Signal, Spot, Symptom};
use epicenter_graph::{Callee, NameId, Window};
use epicenter_schema::{DurationNs, Timestamp};
use std::collections::BTreeSet;

/// Places that belong to an open incident.
const MARKS_MAX: usize = 1_000;
/// Surprise below which a single window is calm, in nats.
pub(super) const CALM_NATS: f64 = 6.0;

/// Surprise from which something may be wrong, in nats.
const TOUCHED_NATS: f64 = 2.0;
/// Odds of one in a thousand that an incident is called over and is not, in nats.
pub(super) const CHANCE_NATS: f64 = 7.0;
/// Windows without symptoms after which it is over, however seldom it showed.
const CALM_WINDOWS_MAX: f64 = 24.0;

/// Windows after it opened within which trouble has spread as far as it does: time-outs, retries and full queues take
/// seconds, and it took some to be noticed.
const YOUNG_WINDOWS: u64 = 2;

/// What is going on.
#[derive(Debug)]
pub(super) struct Ongoing {
    pub(super) id: String,
    /// Its place in the order of opening.
    pub(super) number: u64,
    /// The windows with symptoms as one, and how long they are together.
    pub(super) window: Window,
    pub(super) length: DurationNs,
    /// What all windows while it was young say of copies, versions and machines, and how long they are; where hardly anything
    /// passes.
    pub(super) whole: Option<(Window, DurationNs)>,
    /// What was beyond doubt at some time: only there a lesser symptom says that it goes on.
    pub(super) marks: Vec<(Signal, Place)>,
    /// Copies, versions and machines that were bad beyond doubt.
    pub(super) spots: BTreeSet<Spot>,
    /// Whom its culprit may make suffer.
    pub(super) related: BTreeSet<NameId>,
    /// The same of incidents that turned out to be this one.
    pub(super) merged: BTreeSet<NameId>,
    /// Whom the culprits of incidents made suffer that were open beside it and are over: its windows hold their trouble too.
    pub(super) elsewhere: BTreeSet<NameId>,
    /// Who was shaken when it was young: trouble spreads within [`YOUNG_WINDOWS`], so that is taken for its doing.
    pub(super) early: BTreeSet<NameId>,
    /// The same of who was shaken however slightly.
    pub(super) touched: BTreeSet<NameId>,
    /// Windows since it opened.
    pub(super) age: u64,
    /// Windows with symptoms, and the age when the last one of them came.
    pub(super) shaken_windows: u64,
    pub(super) shaken_age: u64,
    pub(super) recovery: Recovery,
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
            number: 0,
            whole: None,
            window,
            length,
            marks: Vec::new(),
            spots: BTreeSet::new(),
            related,
            merged: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
            early: BTreeSet::new(),
            touched: BTreeSet::new(),
            age: 0,
            shaken_windows: 0,
            shaken_age: 0,
            recovery: Recovery::default(),
            calm: DurationNs(0),
            calm_since,
        }
    }

    /// Remembers the places that are wrong beyond doubt, of those that `others` do not explain.
    pub(super) fn mark(&mut self, symptoms: &[Symptom], certain: f64, others: &BTreeSet<NameId>) {
        for symptom in symptoms.iter().filter(|s| s.nats >= certain) {
            let mark = (symptom.signal, symptom.place);
            let is_its = others.is_empty() || !is_at(symptom.place, others) || is_at(symptom.place, &self.related);
            if is_its {
                self.put_mark(mark);
            }
        }
    }

    /// Remembers the copies, versions and machines that are bad beyond doubt.
    pub(super) fn mark_spots(&mut self, uneven: &[Stretch], certain: f64) {
        for one in uneven.iter().filter(|one| one.what.nats >= certain) {
            if self.spots.len() < MARKS_MAX {
                self.spots.insert(one.what.spot);
            }
        }
    }

    /// Whether one of them is bad in the window that starts then.
    pub(super) fn is_uneven_still(&self, uneven: &[Stretch], start: Timestamp) -> bool {
        let is_its = |one: &Stretch| one.what.nats >= CALM_NATS && self.spots.contains(&one.what.spot);
        uneven.iter().any(|one| one.last == start && is_its(one))
    }

    fn put_mark(&mut self, mark: (Signal, Place)) {
        if self.marks.len() < MARKS_MAX && !self.marks.contains(&mark) {
            self.marks.push(mark);
        }
    }

    /// Takes in another one that turned out to be this one, with all that it had taken in: as long as that goes on, this
    /// does.
    pub(super) fn take_in(&mut self, other: Self) {
        self.merged.extend(other.related.into_iter().chain(other.merged));
        self.elsewhere.extend(other.elsewhere);
        self.early.extend(other.early);
        self.touched.extend(other.touched);
        other.marks.into_iter().for_each(|mark| self.put_mark(mark));
        let room = MARKS_MAX.saturating_sub(self.spots.len());
        self.spots.extend(other.spots.into_iter().take(room));
    }

    /// Takes note of who is shaken while it is young.
    pub(super) fn spread(&mut self, alone: &[Symptom]) {
        if self.age <= YOUNG_WINDOWS {
            let shaken = alone.iter().filter(|symptom| symptom.nats >= CALM_NATS);
            self.early.extend(shaken.map(|symptom| service(symptom.place)));
            let touched = alone.iter().filter(|symptom| symptom.nats >= TOUCHED_NATS);
            self.touched.extend(touched.map(|symptom| service(symptom.place)));
        }
    }

    /// Whether its culprit may make a service suffer, or that of one that turned out to be this one.
    pub(super) fn makes_suffer(&self, service: NameId) -> bool {
        self.related.contains(&service) || self.merged.contains(&service)
    }

    /// How long it must be calm for that to be no chance: what shows itself in a share f of the windows only, because little
    /// passes there or because it comes and goes, is silent for k of them with odds of (1 - f)^k.
    pub(super) fn calm_needed(&self, step: DurationNs) -> DurationNs {
        let share = (self.shaken_windows as f64 + 0.5) / (self.shaken_age as f64 + 1.0);
        let windows = if share >= 0.99 {
            1.0
        } else {
            CHANCE_NATS / -(1.0 - share).ln()
        };
        DurationNs(windows.min(CALM_WINDOWS_MAX).ceil() as i64 * step.0)
    }

    /// Whether the symptoms of a window say that it goes on. Where it has places of its own, those that others explain too
    /// say nothing.
    pub(super) fn is_shaken_by(&self, alone: &[Symptom], others: &BTreeSet<NameId>) -> bool {
        let is_own = |place: Place| !is_at(place, others);
        let has_own = self.marks.iter().any(|(_, place)| is_own(*place));
        alone.iter().any(|symptom| {
            symptom.nats >= CALM_NATS
                && (!has_own || is_own(symptom.place))
                && self.is_marked(symptom.signal, symptom.place)
        })
    }

    /// Whether something of it was beyond doubt there.
    pub(super) fn is_marked(&self, signal: Signal, place: Place) -> bool {
        self.marks.contains(&(signal, place))
    }
}

/// Whether what is wrong at a place is said of one of these services.
pub(super) fn is_at(place: Place, among: &BTreeSet<NameId>) -> bool {
    among.contains(&service(place))
}

/// The service of which a place tells. Calls that fail tell of the callee, or of the way there: that the caller suffers from
/// something else makes none of its other calls fail. Of a callee that sends no spans, it is who calls.
fn service(place: Place) -> NameId {
    match place {
        Place::Operation(key) => key.service,
        Place::Service(service) => service,
        Place::Edge(key) => match key.callee {
            Callee::Service(callee) => callee,
            Callee::Peer(..) => key.caller,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use epicenter_graph::{EdgeKey, Names, PeerKind};

    fn ongoing() -> Ongoing {
        Ongoing::new(
            String::new(),
            Window::default(),
            DurationNs(0),
            BTreeSet::new(),
            Timestamp(0),
        )
    }

    #[test]
    fn what_was_taken_in_goes_on_in_the_older_one() {
        let (mut old, mut young) = (ongoing(), ongoing());
        let symptom = Symptom {
            signal: Signal::Errors,
            place: Place::Service(Names::NONE),
            nats: CALM_NATS,
            value: 1.0,
            usual: 0.0,
            at_entry: true,
        };
        young.mark(&[symptom], CALM_NATS, &BTreeSet::new());
        young.spread(&[symptom]);
        young.related.insert(Names::NONE);
        let copy = Spot::Callee(Names::NONE);
        young.spots.insert(copy);
        // The youngest was taken in by the young one before.
        young.merged.insert(Names::OVERFLOW);
        old.take_in(young);
        assert_eq!(old.merged, [Names::NONE, Names::OVERFLOW].into());
        assert_eq!(old.early, [Names::NONE].into());
        assert_eq!(old.touched, [Names::NONE].into());
        assert_eq!(old.spots, [copy].into());
        assert!(old.is_shaken_by(&[symptom], &BTreeSet::new()));
    }

    #[test]
    fn calls_that_fail_tell_of_whom_they_call() {
        let mut names = Names::default();
        let [caller, callee] = ["cart", "stock"].map(|name| names.intern(name));
        let edge = |callee| {
            Place::Edge(EdgeKey {
                caller,
                via: Names::NONE,
                callee,
            })
        };
        let to_service = edge(Callee::Service(callee));
        assert!(
            !is_at(to_service, &[caller].into()),
            "the caller suffers from something else"
        );
        assert!(is_at(to_service, &[callee].into()));
        let to_store = edge(Callee::Peer(PeerKind::Database, callee));
        assert!(is_at(to_store, &[caller].into()));
    }
}
