//! Opening incidents, following the open ones, and telling them apart.
//!
//! What shakes at the same time is taken for one event, unless its culprit cannot have to do with it: then, after the
//! first culprit, what that one explains is taken away, and the rest, if it lasts and is beyond doubt, is an incident of
//! its own.

use super::doubt::{DOUBT_NATS, DROP_NATS, Doubt};
use super::looks::Stretch;
use super::ongoing::Ongoing;
use super::{Engine, nanoseconds};
use crate::incident::{Change, Incident, State};
use epicenter_detect::sampling::thinning;
use epicenter_detect::{Baseline, Symptom};
use epicenter_graph::{NameId, Window};
use epicenter_localize::{Diagnosis, Scene, diagnose, related, restrict};
use epicenter_schema::{DurationNs, Timestamp};
use std::collections::BTreeSet;

/// Incidents remembered; the oldest is forgotten.
const INCIDENTS_MAX: usize = 200;
/// Windows after the opening in which the answer is looked at again each time.
const SETTLING_WINDOWS: u64 = 24;
/// After that, each so many windows.
const REVIEW_WINDOWS: u64 = 6;
/// Share of the usual spans that must be heard for an incident to be over.
const HEARD_MIN: f64 = 0.3;

impl Engine {
    /// Judges the last window: opens, follows and closes incidents, or learns.
    pub(super) fn judge(&mut self, start: Timestamp, alone: &[Symptom], shaken: bool, changes: &mut Vec<Change>) {
        let uneven = self.uneven_look();
        if self.ongoing.is_empty() {
            self.watch(start, alone, shaken, &uneven, changes);
            return;
        }
        let mut at = 0;
        // One may take in those after it.
        while at < self.ongoing.len() {
            let mut others = self.explained_by_others(Some(at));
            let mut ongoing = self.ongoing.remove(at);
            others.extend(&ongoing.elsewhere);
            self.follow(&mut ongoing, start, alone, &uneven, &others, changes);
            self.ongoing.insert(at, ongoing);
            at += 1;
        }
        let ongoing = std::mem::take(&mut self.ongoing).into_iter();
        let (over, open): (Vec<_>, _) = ongoing.partition(|one| self.is_over(&one.id));
        self.ongoing = open;
        for other in &mut self.ongoing {
            let theirs = over.iter().flat_map(|one| one.related.union(&one.merged));
            other.elsewhere.extend(theirs);
        }
        self.give_up(changes);
        if self.ongoing.is_empty() {
            self.look_no_further_than(start + self.window());
            self.beside = None;
        } else {
            let alone = self.opening(alone.to_vec());
            self.watch_beside(start, &alone, changes);
        }
    }

    /// Whether an incident is over, or forgotten.
    fn is_over(&self, id: &str) -> bool {
        self.known(id).is_none_or(|incident| incident.state == State::Resolved)
    }

    pub(super) fn known(&self, id: &str) -> Option<&Incident> {
        self.incidents.iter().rev().find(|incident| incident.id == id)
    }

    /// Services whose troubles open incidents explain, but for one of them.
    pub(super) fn explained_by_others(&self, but: Option<usize>) -> BTreeSet<NameId> {
        let others = self.ongoing.iter().enumerate().filter(|(at, _)| Some(*at) != but);
        let explained = others.flat_map(|(_, ongoing)| ongoing.related.union(&ongoing.merged));
        explained.copied().collect()
    }

    /// No incident is open: opens one, or learns.
    fn watch(
        &mut self,
        start: Timestamp,
        alone: &[Symptom],
        shaken: bool,
        uneven: &[Stretch],
        changes: &mut Vec<Change>,
    ) {
        let step = self.window();
        let alone = self.opening(alone.to_vec());
        let long = self.long_look();
        let is_long = long.first().map_or(0.0, |symptom| symptom.nats);
        let is_uneven = uneven.first().map_or(0.0, |one| one.what.nats);
        let doubt = self.doubt.take(is_long, is_uneven);
        let mut is_opening = false;
        if let Some(first) = self.opens(&alone, &long, uneven) {
            let (window, count) = self.recent.between(first, start + step);
            let length = DurationNs(count as i64 * step.0);
            if let Some(diagnosis) = self.diagnose(&window, length, None) {
                self.learning.drop_in_hand();
                self.doubt = Doubt::default();
                self.open((first, start), window, length, diagnosis, &alone, changes);
                if let Some(mut ongoing) = self.ongoing.pop() {
                    ongoing.mark_spots(&self.uneven_of(&ongoing, uneven), self.config.surprise_nats);
                    self.ongoing.push(ongoing);
                }
                return;
            }
            // What is uneven alone and says nothing is in doubt for a while only.
            is_opening = self.opens(&alone, &long, &[]).is_some();
        }
        if is_opening {
            // Nobody to name.
        } else if doubt >= DROP_NATS {
            self.learning.drop_in_hand();
        } else if !shaken
            && doubt < DOUBT_NATS
            && let Some((_, window, _)) = self.last.last()
        {
            self.learning.add(window, step, &mut self.baseline);
            self.held_up = DurationNs(0);
            return;
        }
        self.hold_up(start + step);
    }

    pub(super) fn open(
        &mut self,
        (first, start): (Timestamp, Timestamp),
        window: Window,
        length: DurationNs,
        diagnosis: Diagnosis,
        alone: &[Symptom],
        changes: &mut Vec<Change>,
    ) {
        self.counters.incidents += 1;
        let others = self.explained_by_others(None);
        let related = self.related(&window, length, &diagnosis);
        let detected = start + self.window();
        let mut incident = Incident::new(first, detected, diagnosis);
        if self.incidents.iter().any(|known| known.id == incident.id) {
            incident.id = format!("{}-{}", incident.id, self.counters.incidents);
        }
        self.incidents.push(incident.clone());
        if self.incidents.len() > INCIDENTS_MAX {
            let over = self
                .incidents
                .iter()
                .position(|incident| incident.state == State::Resolved);
            self.incidents.remove(over.unwrap_or(0));
        }
        let together = self.symptoms(&window, length);
        let whole = self.is_thin().then(|| {
            let mut whole = Window::default();
            whole.merge_dimensions(&window);
            (whole, length)
        });
        let mut ongoing = Ongoing::new(incident.id.clone(), window, length, related, detected);
        ongoing.whole = whole;
        ongoing.number = self.counters.incidents;
        ongoing.mark(&together, self.config.surprise_nats, &others);
        ongoing.mark(alone, self.config.surprise_nats, &others);
        ongoing.spread(&together);
        ongoing.spread(alone);
        self.ongoing.push(ongoing);
        changes.push(Change::Opened(incident));
    }

    /// Feeds an open incident, looks at its answer again, or closes it.
    fn follow(
        &mut self,
        ongoing: &mut Ongoing,
        start: Timestamp,
        alone: &[Symptom],
        uneven: &[Stretch],
        others: &BTreeSet<NameId>,
        changes: &mut Vec<Change>,
    ) {
        let step = self.window();
        ongoing.age += 1;
        ongoing.spread(alone);
        ongoing.mark(alone, self.config.surprise_nats, others);
        let uneven = self.uneven_of(ongoing, uneven);
        ongoing.mark_spots(&uneven, self.config.surprise_nats);
        let shaken = ongoing.is_shaken_by(alone, others)
            || ongoing.is_shaken_by(&self.still(ongoing), others)
            || ongoing.is_uneven_still(&uneven, start);
        let seconds = self.baseline.seconds().max(1e-9);
        let Some((_, window, _)) = self.last.last() else { return };
        let rest = self.baseline.total();
        let usual = rest.spans as f64 / seconds * step.as_secs_f64() * thinning(window, rest);
        let heard = window.spans as f64 >= HEARD_MIN * usual;
        if let Some((whole, length)) = ongoing.whole.as_mut().filter(|_| ongoing.age <= SETTLING_WINDOWS) {
            whole.merge_dimensions(window);
            length.0 += step.0;
        }
        if shaken {
            ongoing.window.merge(window);
            ongoing.length.0 += step.0;
            ongoing.shaken_windows += 1;
            ongoing.shaken_age = ongoing.age;
            ongoing.relapse();
        } else {
            ongoing.pass(window, &self.baseline);
        }
        if shaken || !heard || self.still_surges(&ongoing.id, window) {
            ongoing.calm = DurationNs(0);
            ongoing.calm_since = start + step;
        } else {
            ongoing.calm.0 += step.0;
        }
        let calm = nanoseconds(self.config.calm).max(ongoing.calm_needed(step));
        if ongoing.calm >= calm && ongoing.is_tried() {
            let since = ongoing.calm_since;
            self.resolve(&ongoing.id, since, changes);
            return;
        }
        // Between the windows that show it more is heard of copies and machines. When it is old and calm it may be mended, and
        // what is heard then says nothing of it.
        let is_review = ongoing.age.is_multiple_of(REVIEW_WINDOWS);
        let is_young = ongoing.age <= SETTLING_WINDOWS;
        if (shaken && (is_young || is_review)) || (is_young && is_review) {
            self.look_again(ongoing, alone, others, changes);
        }
    }

    /// Gives up all open incidents when the youngest is old: what they show is the new rest. One cannot be given up alone,
    /// because what is learned then is the system as a whole, and would end and hide a younger one.
    fn give_up(&mut self, changes: &mut Vec<Change>) {
        let (step, limit) = (self.window(), nanoseconds(self.config.give_up));
        let is_old = |one: &Ongoing| (one.age as i64).saturating_mul(step.0) >= limit.0;
        if self.ongoing.is_empty() || !self.ongoing.iter().all(is_old) {
            return;
        }
        for ongoing in std::mem::take(&mut self.ongoing) {
            self.resolve(&ongoing.id, ongoing.calm_since, changes);
        }
        self.baseline = Baseline::default();
    }

    pub(super) fn resolve(&mut self, id: &str, since: Timestamp, changes: &mut Vec<Change>) {
        if let Some(incident) = self.incident(id) {
            incident.state = State::Resolved;
            incident.resolved = Some(since);
            changes.push(Change::Resolved(incident.clone()));
        }
    }

    pub(super) fn incident(&mut self, id: &str) -> Option<&mut Incident> {
        self.incidents.iter_mut().rev().find(|incident| incident.id == id)
    }

    /// Whom the culprit may make suffer, also by way of what sends no spans and waits for it unseen.
    pub(super) fn related(&self, window: &Window, length: DurationNs, diagnosis: &Diagnosis) -> BTreeSet<NameId> {
        let scene = self.scene(window, length, None);
        related(&scene, diagnosis.ways())
    }

    pub(super) fn diagnose(
        &self,
        window: &Window,
        length: DurationNs,
        explained: Option<&BTreeSet<NameId>>,
    ) -> Option<Diagnosis> {
        self.diagnose_within(self.scene(window, length, explained))
    }

    /// The same of a scene.
    pub(super) fn diagnose_within(&self, scene: Scene<'_>) -> Option<Diagnosis> {
        let mut diagnosis = diagnose(&scene)?;
        self.onset.date(&mut diagnosis.affected, self.builder.names());
        Some(diagnosis)
    }

    /// Leaves out of an answer what has nothing to do with its culprit.
    pub(super) fn restrict(&self, window: &Window, length: DurationNs, diagnosis: &mut Diagnosis) {
        restrict(&self.scene(window, length, None), diagnosis);
        self.onset.date(&mut diagnosis.affected, self.builder.names());
    }

    pub(super) fn scene<'a>(
        &'a self,
        window: &'a Window,
        length: DurationNs,
        explained: Option<&'a BTreeSet<NameId>>,
    ) -> Scene<'a> {
        Scene {
            window,
            length,
            baseline: &self.baseline,
            names: self.builder.names(),
            same_load: !self.recorded,
            whole: None,
            explained,
        }
    }
}
