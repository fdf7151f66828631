//! Looking at several windows together, so that little traffic adds up.
//!
//! Three windows are looked at as a whole, or twelve where hardly anything passes. Of the places that are shaken in the
//! last window, however slightly, up to two minutes are added up, whatever passes elsewhere: a fault that shows itself in one
//! request in a window is certain after a few. What is added up there is the traffic of those places alone, and the
//! calls that are made at all, by which what is new is told from what is slow.

use super::Engine;
use super::ongoing::Ongoing;
use epicenter_detect::{Place, Signal, Symptom, Uneven, stirred, symptoms, uneven};
use epicenter_graph::Window;
use epicenter_schema::{DurationNs, Timestamp};

/// Windows looked at as a whole: always, and where hardly anything passes.
const LOOKS: [usize; 2] = [3, LOOK_WINDOWS_MAX];
pub(super) const LOOK_WINDOWS_MAX: usize = 12;
/// Spans in such a look up to which hardly anything passes.
const THIN_SPANS_MAX: u64 = 10_000;
/// Surprise that the last window must add to what several windows show.
const STILL_NATS: f64 = 3.0;
/// Windows added up of the places that are shaken, and places at most, the most shaken first.
pub(super) const LONG_WINDOWS: usize = 24;
const LONG_LOOKS: [usize; 3] = [LONG_WINDOWS, LONG_WINDOWS / 2, LONG_WINDOWS / 4];
const PLACES_MAX: usize = 64;
/// Surprise that the last window must have there: that of one late request.
const STIR_NATS: f64 = 2.0;
/// Errors inside last when so many windows show them, the first of them so many windows ago.
const LASTING_WINDOWS: usize = 3;
const LASTING_SINCE: usize = 6;

/// What is uneven, and the starts of the first and the last window that shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) what: Uneven,
}

impl Engine {
    /// Whether something is beyond doubt in the last window, in the last few together, or at a place for long: since when.
    pub(super) fn opens(&self, alone: &[Symptom], long: &[Symptom], uneven: &[Stretch]) -> Option<Timestamp> {
        let certain = self.config.surprise_nats;
        // Errors inside may be borne, by trying again; those of a copy that is started again last a moment.
        let fails = |symptom: &Symptom| symptom.signal == Signal::Errors && symptom.at_entry && symptom.nats >= certain;
        if alone.iter().any(fails) {
            return self.shaken_since(LOOKS[0]);
        }
        let whole = LOOKS.into_iter().find(|look| self.is_certain_in(*look, alone));
        if let Some(look) = whole {
            return self.shaken_since(look);
        }
        let lasting = |symptom: &&Symptom| symptom.at_entry || symptom.signal != Signal::Errors || self.lasts(symptom);
        if let Some(strongest) = long.iter().filter(|symptom| symptom.nats >= certain).find(lasting) {
            return Some(self.began(strongest));
        }
        let strongest = uneven.first().filter(|one| one.what.nats >= certain);
        strongest.map(|one| one.first)
    }

    fn is_certain_in(&self, look: usize, alone: &[Symptom]) -> bool {
        let looked = &self.last[self.last.len().saturating_sub(look)..];
        let spans: u64 = looked.iter().map(|(_, window, _)| window.spans).sum();
        let is_stirred = alone.iter().any(|symptom| symptom.nats >= STILL_NATS);
        if !is_stirred || looked.len() < 2 || (look > LOOKS[0] && spans > THIN_SPANS_MAX) {
            return false;
        }
        let mut sum = Window::default();
        looked.iter().for_each(|(_, window, _)| sum.merge(window));
        let lasts = looked[..looked.len() - 1].iter().any(|(_, _, shaken)| *shaken);
        let is_certain = |symptom: &Symptom| {
            symptom.nats >= self.config.surprise_nats
                && (lasts || symptom.at_entry || symptom.signal != Signal::Errors)
                && is_shaken(alone, symptom, STILL_NATS)
        };
        let length = DurationNs(looked.len() as i64 * self.window().0);
        self.symptoms(&sum, length).iter().any(is_certain)
    }

    /// The first shaken one of the last windows, or the first of them.
    fn shaken_since(&self, look: usize) -> Option<Timestamp> {
        let looked = &self.last[self.last.len().saturating_sub(look)..];
        let first = looked.iter().find(|(_, _, shaken)| *shaken).or(looked.first());
        first.map(|(start, ..)| *start)
    }

    /// What the last 30, 60 and 120 s show at the places that are shaken in the last window, the strongest first.
    pub(super) fn long_look(&self) -> Vec<Symptom> {
        let stirred = self.stirred();
        // How much it drifts by itself is not known before it was watched as long.
        if self.baseline.seconds() < self.window().as_secs_f64() * LONG_WINDOWS as f64 {
            return Vec::new();
        }
        // What is old dilutes what began lately.
        let looks = LONG_LOOKS.into_iter().flat_map(|windows| self.at(&stirred, windows));
        let mut found: Vec<Symptom> = Vec::new();
        for symptom in looks {
            match found.iter_mut().find(|known| is_same(known, &symptom)) {
                Some(known) if known.nats < symptom.nats => *known = symptom,
                Some(_) => {}
                None => found.push(symptom),
            }
        }
        found.sort_by(|a, b| b.nats.total_cmp(&a.nats));
        found
    }

    /// What is uneven in the last 30, 60 and 120 s where hardly anything passes, the strongest first.
    pub(super) fn uneven_look(&self) -> Vec<Stretch> {
        if !self.is_thin() || self.baseline.seconds() < self.window().as_secs_f64() * LONG_WINDOWS as f64 {
            return Vec::new();
        }
        let mut latest: Vec<&(Timestamp, Window)> = self.latest(LONG_WINDOWS).collect();
        latest.reverse();
        let looks = LONG_LOOKS.into_iter().flat_map(|look| self.uneven_in(&latest, look));
        let mut found: Vec<Stretch> = looks.collect();
        found.sort_by(|a, b| b.what.nats.total_cmp(&a.what.nats));
        found
    }

    /// Whether hardly anything passes, now and at rest: a big system of which little is heard is no small one.
    pub(super) fn is_thin(&self) -> bool {
        let spans: u64 = self.latest(LOOK_WINDOWS_MAX).map(|(_, window)| window.spans).sum();
        let look = self.window().as_secs_f64() * LOOK_WINDOWS_MAX as f64;
        let usual = self.baseline.total().spans as f64 / self.baseline.seconds().max(1e-9) * look;
        spans <= THIN_SPANS_MAX && usual <= THIN_SPANS_MAX as f64
    }

    /// The same of so many of the last windows. What the last third of them does not show is over.
    fn uneven_in(&self, latest: &[&(Timestamp, Window)], look: usize) -> Vec<Stretch> {
        let windows: Vec<&Window> = latest.iter().map(|(_, window)| window).collect();
        let mut found = uneven(&windows, look, self.window(), &self.baseline);
        let looked = &latest[latest.len().saturating_sub(look)..];
        found.retain(|one| 3 * (one.until + 1) >= 2 * looked.len());
        let stretch = |what: Uneven| Stretch {
            first: looked[what.since].0,
            last: looked[what.until].0,
            what,
        };
        found.into_iter().map(stretch).collect()
    }

    /// What the last three windows show at the places of an incident that are shaken in the last one.
    pub(super) fn still(&self, ongoing: &Ongoing) -> Vec<Symptom> {
        let mut stirred = self.stirred();
        stirred.retain(|(signal, place)| ongoing.is_marked(*signal, *place));
        self.at(&stirred, LOOKS[0])
    }

    /// Where the last window is shaken, however slightly.
    fn stirred(&self) -> Vec<(Signal, Place)> {
        let last = self.last.last();
        let names = self.builder.names();
        last.map(|(_, window, _)| stirred(window, &self.baseline, STIR_NATS, PLACES_MAX, names))
            .unwrap_or_default()
    }

    /// What so many of the last windows show at those places.
    fn at(&self, stirred: &[(Signal, Place)], windows: usize) -> Vec<Symptom> {
        if stirred.is_empty() {
            return Vec::new();
        }
        let places = places(stirred);
        let mut sum = Window::default();
        let mut length = DurationNs(0);
        for (_, window) in self.latest(windows) {
            add_at(&mut sum, window, places.iter().copied());
            length.0 += self.window().0;
        }
        let mut found = symptoms(&sum, length, &self.baseline, self.builder.names());
        found.retain(|symptom| stirred.contains(&(symptom.signal, symptom.place)));
        found
    }

    /// Whether a place was shaken again and again over half a minute.
    fn lasts(&self, symptom: &Symptom) -> bool {
        let names = self.builder.names();
        let shaken = self.latest(LONG_WINDOWS).enumerate().filter(|(_, (_, window))| {
            let mut one = Window::default();
            add_at(&mut one, window, [symptom.place]);
            stirred(&one, &self.baseline, STIR_NATS, PLACES_MAX, names).contains(&(symptom.signal, symptom.place))
        });
        let (count, oldest) = shaken.fold((0, 0), |(count, _), (age, _)| (count + 1, age));
        count >= LASTING_WINDOWS && oldest >= LASTING_SINCE
    }

    fn latest(&self, windows: usize) -> impl Iterator<Item = &(Timestamp, Window)> {
        let latest = self.recent.latest(windows);
        latest.take_while(|(start, _)| *start >= self.fresh)
    }

    /// What began before is over.
    pub(super) fn look_no_further_than(&mut self, start: Timestamp) {
        self.last.clear();
        self.fresh = start;
    }

    /// The start of the stretch up to now in which a symptom is strongest. Source: the change point of a cumulative sum (Page,
    /// Biometrika 1954).
    fn began(&self, symptom: &Symptom) -> Timestamp {
        let mut sum = Window::default();
        let mut length = DurationNs(0);
        let mut best = (0.0, Timestamp(i64::MAX));
        for (start, window) in self.latest(LONG_WINDOWS) {
            add_at(&mut sum, window, [symptom.place]);
            length.0 += self.window().0;
            let found = symptoms(&sum, length, &self.baseline, self.builder.names());
            let same = found.iter().find(|found| is_same(found, symptom));
            let nats = same.map_or(0.0, |found| found.nats);
            if nats > best.0 {
                best = (nats, *start);
            }
        }
        best.1
    }
}

/// The places, each once: one may be stirred in two respects, and must not count twice.
fn places(stirred: &[(Signal, Place)]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (_, place) in stirred {
        if !places.contains(place) {
            places.push(*place);
        }
    }
    places
}

/// Adds what a window holds of some places, and which calls it holds at all.
fn add_at(sum: &mut Window, window: &Window, places: impl IntoIterator<Item = Place>) {
    for key in window.edges.keys() {
        sum.edges.entry(*key).or_default();
    }
    for place in places {
        match place {
            Place::Operation(key) => {
                if let Some(op) = window.ops.get(&key) {
                    sum.ops.entry(key).or_default().merge(op);
                }
            }
            Place::Edge(key) => {
                if let Some(edge) = window.edges.get(&key) {
                    sum.edges.entry(key).or_default().merge(edge);
                }
            }
            Place::Service(_) => {}
        }
    }
}

fn is_same(one: &Symptom, other: &Symptom) -> bool {
    one.signal == other.signal && one.place == other.place
}

/// Whether a symptom is among those of a window, so strong at least.
fn is_shaken(alone: &[Symptom], symptom: &Symptom, nats: f64) -> bool {
    alone.iter().any(|now| now.nats >= nats && is_same(now, symptom))
}

/// Forgets windows that no whole look needs any more: long ones are for where hardly anything passes.
pub(super) fn shorten(last: &mut Vec<(Timestamp, Window, bool)>) {
    let spans: u64 = last.iter().map(|(_, window, _)| window.spans).sum();
    let kept = if spans > THIN_SPANS_MAX { LOOKS[0] } else { LOOKS[1] };
    last.drain(..last.len().saturating_sub(kept));
}

#[cfg(test)]
mod tests {
    use super::*;
    use epicenter_graph::Names;

    #[test]
    fn a_place_that_is_stirred_in_two_respects_counts_once() {
        let (one, other) = (Place::Service(Names::NONE), Place::Service(Names::OVERFLOW));
        let stirred = [(Signal::Errors, one), (Signal::Latency, one), (Signal::Errors, other)];
        assert_eq!(places(&stirred), [one, other]);
    }
}
