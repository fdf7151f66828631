//! The engine: spans and a watermark in, incidents out.
//!
//! Each window that closes is compared with the baseline. Symptoms open an incident, or feed the open one: what shakes
//! at the same time is taken for one event, whose culprit the localizer names. While an incident is open nothing is
//! learned. When [`Engine::learn`] was given the system at rest, that is the baseline and nothing else is learned.

use crate::config::{Config, nanoseconds};
use crate::counters::Counters;
use crate::incident::{Change, Incident, State};
use crate::memory::{Learning, Recent};
use crate::onset::Onset;
use crate::review;
use crate::slots::{Slot, Slots};
use epicenter_detect::{Baseline, Place, Signal, Symptom, symptoms};
use epicenter_graph::{Builder, GraphSnapshot, Window};
use epicenter_localize::{Diagnosis, Scene, diagnose};
use epicenter_schema::{DurationNs, SpanBatch, Timestamp};

/// Incidents remembered; the oldest is forgotten.
const INCIDENTS_MAX: usize = 200;
/// Empty windows walked one by one when time jumps; a longer jump is a gap in which nothing was watched.
const EMPTY_WINDOWS_MAX: i64 = 120;
/// Length of the periods learned from a recording of the system at rest.
const RECORDED_PERIOD: DurationNs = DurationNs::from_secs(60);
/// How far a recording at rest may be out of order.
const RECORDED_LATENESS: DurationNs = DurationNs::from_secs(60);
/// Windows looked at together, so that little traffic adds up.
const LOOK_WINDOWS: usize = 3;
/// Surprise below which a single window is calm, in nats.
const CALM_NATS: f64 = 6.0;
/// Surprise that a single window must add to what several windows show.
const STILL_NATS: f64 = 3.0;
/// Places that belong to an open incident.
const MARKS_MAX: usize = 1_000;
/// Windows after the opening in which the answer is looked at again each time.
const SETTLING_WINDOWS: u64 = 24;
/// After that, each so many windows.
const REVIEW_WINDOWS: u64 = 6;

/// What is going on.
#[derive(Debug)]
struct Ongoing {
    /// The windows with symptoms as one, and how long they are together.
    window: Window,
    length: DurationNs,
    /// What was beyond doubt at some time: only there a lesser symptom says that it goes on.
    marks: Vec<(Signal, Place)>,
    /// Windows since it opened.
    age: u64,
    calm: DurationNs,
    calm_since: Timestamp,
}

/// The judgement. One per stream of spans.
pub struct Engine {
    config: Config,
    builder: Builder,
    baseline: Baseline,
    learning: Learning,
    recent: Recent,
    slots: Slots,
    /// Windows of the last looks with their symptoms' presence, the newest last.
    last: Vec<(Timestamp, Window, bool)>,
    onset: Onset,
    recording: Option<Recording>,
    recorded: bool,
    ongoing: Option<Ongoing>,
    incidents: Vec<Incident>,
    /// Everything observed after a recording at rest.
    observed: Window,
    observed_between: Option<(Timestamp, Timestamp)>,
    counters: Counters,
}

/// A recording at rest that is being read.
struct Recording {
    learning: Learning,
    newest: Timestamp,
    last: Option<Timestamp>,
}

impl Engine {
    /// An engine that has seen nothing. `config` is taken as valid.
    pub fn new(config: Config) -> Self {
        Self {
            builder: Builder::new(nanoseconds(config.window)),
            learning: Learning::new(nanoseconds(config.warm_up)),
            slots: Slots::new(nanoseconds(config.window)),
            config,
            baseline: Baseline::default(),
            recent: Recent::default(),
            last: Vec::new(),
            onset: Onset::default(),
            recording: None,
            recorded: false,
            ongoing: None,
            incidents: Vec::new(),
            observed: Window::default(),
            observed_between: None,
            counters: Counters::default(),
        }
    }

    /// Takes spans of the system at rest, from another time. All of them before the first [`Engine::observe`].
    pub fn learn(&mut self, batch: &SpanBatch) {
        self.builder.observe(batch);
        let newest = typical_end(batch);
        let recording = self.recording.get_or_insert_with(|| Recording {
            learning: Learning::new(RECORDED_PERIOD),
            newest: Timestamp(i64::MIN),
            last: None,
        });
        recording.newest = recording.newest.max(newest.unwrap_or(recording.newest));
        if recording.newest.0 != i64::MIN {
            let closed = self.builder.advance(recording.newest - RECORDED_LATENESS);
            self.learn_windows(closed);
        }
    }

    /// Takes spans in. Cost: about a microsecond a span; nothing is judged before [`Engine::advance`].
    pub fn observe(&mut self, batch: &SpanBatch) {
        self.end_recording();
        self.builder.observe(batch);
    }

    /// The same for spans that were received then, by whose clocks they are not believed where these cannot be right.
    pub fn observe_received(&mut self, batch: &SpanBatch, received: Timestamp) {
        self.end_recording();
        self.builder.observe_received(batch, received);
    }

    /// Time has come this far: closes every window that ended before, judges them in order, and tells what became of
    /// incidents. May be called with the wall clock, less the lateness that spans are allowed, when no spans come.
    pub fn advance(&mut self, watermark: Timestamp) -> Vec<Change> {
        self.end_recording();
        let closed = self.builder.advance(watermark);
        let mut changes = Vec::new();
        for (start, window) in closed {
            self.fill_gap(start, &mut changes);
            self.close(start, window, &mut changes);
        }
        let frontier = Timestamp(watermark.0.div_euclid(self.window().0) * self.window().0);
        self.fill_gap(frontier, &mut changes);
        self.settle();
        changes
    }

    /// No more spans will come: closes everything observed. After [`Engine::learn`] the whole of what was observed is
    /// judged as one stretch, because a recorded failure is there from the start and may be too thin for windows.
    pub fn finish(&mut self) -> Vec<Change> {
        self.end_recording();
        let mut changes = Vec::new();
        for (start, window) in self.builder.finish() {
            self.fill_gap(start, &mut changes);
            self.close(start, window, &mut changes);
        }
        if self.recorded {
            self.judge_whole(&mut changes);
        }
        self.settle();
        changes
    }

    /// Open and recent incidents, in the order of their start.
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// The graph of the `window` that ends at `at`; by default the last half minute known. A time that is not
    /// remembered gives an empty graph.
    pub fn graph(&self, at: Option<Timestamp>, window: Option<DurationNs>) -> GraphSnapshot {
        review::graph(self.review(), at, window)
    }

    /// End of the last window known.
    pub fn known_until(&self) -> Option<Timestamp> {
        self.recent.last_start().map(|start| start + self.window())
    }

    /// Whether [`Engine::graph`] knows all windows from then on.
    pub fn remembers(&self, since: Timestamp) -> bool {
        self.recent.first_start().is_some_and(|first| first <= since)
    }

    /// What is to be remembered for good since this was asked last, in order.
    pub fn take_slots(&mut self) -> Vec<Slot> {
        self.slots.take()
    }

    /// What is still to be remembered of the time from `after` on, as far as it is known; the last slot may be short.
    pub fn young_slots(&self, after: Timestamp) -> Vec<Slot> {
        review::young(self.review(), &self.slots, after)
    }

    /// What became of the spans.
    pub fn counters(&self) -> Counters {
        let spans = self.builder.counters();
        Counters {
            observed: spans.observed,
            late: spans.late,
            late_counted: spans.late_counted,
            oversized: spans.oversized,
            hurried: spans.hurried,
            hurried_spans: spans.hurried_spans,
            hurried_windows: spans.hurried_windows,
            ..self.counters
        }
    }

    fn review(&self) -> review::View<'_> {
        review::View {
            recent: &self.recent,
            baseline: &self.baseline,
            names: self.builder.names(),
            step: self.window(),
            incidents: &self.incidents,
        }
    }

    /// Takes the windows that nothing can be added to any more.
    fn settle(&mut self) {
        for settled in self.builder.take_settled() {
            if self.recorded {
                continue;
            }
            if let Some(window) = settled.window {
                self.recent.replace(settled.start, window);
            }
            if self.slots.misses(settled.start)
                && let Some(window) = self.recent.get(settled.start)
            {
                let done = self.slots.add(settled.start, settled.start + self.window(), window);
                self.put_slot(done);
            }
        }
    }

    fn put_slot(&mut self, done: Option<(Timestamp, Window)>) {
        if let Some((start, sum)) = done {
            let length = self.slots.length();
            let summary = review::summary(&self.review(), &sum, length, start + length);
            self.slots.put(Slot { start, summary });
        }
    }

    fn window(&self) -> DurationNs {
        nanoseconds(self.config.window)
    }

    fn learn_windows(&mut self, closed: Vec<(Timestamp, Window)>) {
        let step = self.window();
        let Some(recording) = &mut self.recording else { return };
        for (start, window) in closed {
            let since = recording.last.map_or(step, |last| {
                DurationNs((start - last).0.clamp(step.0, RECORDED_PERIOD.0))
            });
            recording.last = Some(start);
            recording.learning.add(&window, since, &mut self.baseline);
        }
    }

    fn end_recording(&mut self) {
        if self.recording.is_none() {
            return;
        }
        let closed = self.builder.finish();
        self.learn_windows(closed);
        if let Some(mut recording) = self.recording.take() {
            recording.learning.flush(&mut self.baseline);
            self.recorded = true;
        }
    }

    /// Judges the empty windows between the last one and `until`.
    fn fill_gap(&mut self, until: Timestamp, changes: &mut Vec<Change>) {
        let step = self.window();
        let Some(last) = self.recent.last_start() else { return };
        let missing = (until - last).0 / step.0 - 1;
        if missing > EMPTY_WINDOWS_MAX {
            self.learning.drop_in_hand();
            self.last.clear();
        }
        for back in (1..=missing.min(EMPTY_WINDOWS_MAX)).rev() {
            self.close(until - DurationNs(back * step.0), Window::default(), changes);
        }
    }

    fn close(&mut self, start: Timestamp, window: Window, changes: &mut Vec<Change>) {
        let step = self.window();
        self.counters.windows += 1;
        self.counters.overflowed += window.overflowed;
        self.counters.orphaned += window.accounts.orphaned;
        self.counters.sampled += window.accounts.sampled;
        self.counters.repeated += window.accounts.repeated;
        self.counters.unanswered += window.edges.values().map(|edge| edge.unanswered).sum::<u64>();
        if self.recorded {
            self.observed.merge(&window);
            let first = self.observed_between.map_or(start, |(first, _)| first.min(start));
            self.observed_between = Some((first, start + step));
        }
        if self.recorded {
            self.recent.push(start, window);
            return;
        }
        let alone = symptoms(&window, step, &self.baseline, self.builder.names());
        let shaken = alone.iter().any(|symptom| symptom.nats >= CALM_NATS);
        if self.ongoing.is_none() {
            self.onset.forget(start, DurationNs(LOOK_WINDOWS as i64 * step.0));
        }
        self.onset.note(start, &alone);
        self.last.push((start, window.clone(), shaken));
        if self.last.len() > LOOK_WINDOWS {
            self.last.remove(0);
        }
        for (start, window) in self.recent.push(start, window) {
            if self.slots.misses(start) {
                let done = self.slots.add(start, start + step, &window);
                self.put_slot(done);
            }
        }
        match self.ongoing.take() {
            Some(ongoing) => self.follow(ongoing, start, &alone, changes),
            None => self.watch(start, &alone, shaken, changes),
        }
    }

    /// No incident is open: opens one, or learns.
    fn watch(&mut self, start: Timestamp, alone: &[Symptom], shaken: bool, changes: &mut Vec<Change>) {
        let step = self.window();
        if !self.opens(alone) {
            if !shaken && let Some((_, window, _)) = self.last.last() {
                self.learning.add(window, step, &mut self.baseline);
            }
            return;
        }
        let first = self
            .last
            .iter()
            .find(|(_, _, shaken)| *shaken)
            .map_or(start, |(start, ..)| *start);
        let mut window = Window::default();
        let mut length = DurationNs(0);
        for (_, bad, _) in self.last.iter().filter(|(at, _, _)| *at >= first) {
            window.merge(bad);
            length.0 += step.0;
        }
        let Some(diagnosis) = self.diagnose(&window, length) else {
            return;
        };
        self.learning.drop_in_hand();
        self.counters.incidents += 1;
        let incident = Incident::new(first, start + step, diagnosis);
        self.incidents.push(incident.clone());
        if self.incidents.len() > INCIDENTS_MAX {
            self.incidents.remove(0);
        }
        let mut marks = Vec::new();
        let together = symptoms(&window, length, &self.baseline, self.builder.names());
        self.mark(&mut marks, &together);
        self.mark(&mut marks, alone);
        self.ongoing = Some(Ongoing {
            window,
            length,
            marks,
            age: 0,
            calm: DurationNs(0),
            calm_since: start,
        });
        changes.push(Change::Opened(incident));
    }

    /// Whether the symptoms of the last window, or of the last few together, are beyond doubt.
    fn opens(&self, alone: &[Symptom]) -> bool {
        let certain = self.config.surprise_nats;
        if alone
            .iter()
            .any(|symptom| symptom.signal == Signal::Errors && symptom.nats >= certain)
        {
            return true;
        }
        if !alone.iter().any(|symptom| symptom.nats >= STILL_NATS) || self.last.len() < 2 {
            return false;
        }
        let mut window = Window::default();
        for (_, last, _) in &self.last {
            window.merge(last);
        }
        let length = DurationNs(self.window().0 * self.last.len() as i64);
        let together = symptoms(&window, length, &self.baseline, self.builder.names());
        together.iter().any(|symptom| {
            symptom.nats >= certain
                && alone
                    .iter()
                    .any(|now| now.signal == symptom.signal && now.place == symptom.place && now.nats >= STILL_NATS)
        })
    }

    /// Remembers the places that are wrong beyond doubt.
    fn mark(&self, marks: &mut Vec<(Signal, Place)>, symptoms: &[Symptom]) {
        for symptom in symptoms.iter().filter(|s| s.nats >= self.config.surprise_nats) {
            let mark = (symptom.signal, symptom.place);
            if marks.len() < MARKS_MAX && !marks.contains(&mark) {
                marks.push(mark);
            }
        }
    }

    /// An incident is open: feeds it, looks at its answer again, or closes it.
    fn follow(&mut self, mut ongoing: Ongoing, start: Timestamp, alone: &[Symptom], changes: &mut Vec<Change>) {
        let step = self.window();
        ongoing.age += 1;
        self.mark(&mut ongoing.marks, alone);
        let shaken = alone
            .iter()
            .any(|symptom| symptom.nats >= CALM_NATS && ongoing.marks.contains(&(symptom.signal, symptom.place)));
        let seconds = self.baseline.seconds().max(1e-9);
        let usual = self.baseline.total().spans as f64 / seconds * step.as_secs_f64();
        let Some((_, window, _)) = self.last.last() else { return };
        let heard = window.spans as f64 >= 0.3 * usual;
        if shaken {
            ongoing.window.merge(window);
            ongoing.length.0 += step.0;
        }
        if shaken || !heard {
            ongoing.calm = DurationNs(0);
            ongoing.calm_since = start + step;
        } else {
            ongoing.calm.0 += step.0;
        }
        let given_up = ongoing.age as i64 * step.0 >= nanoseconds(self.config.give_up).0;
        if ongoing.calm >= nanoseconds(self.config.calm) || given_up {
            if let Some(incident) = self.incidents.last_mut() {
                incident.state = State::Resolved;
                incident.resolved = Some(ongoing.calm_since);
                changes.push(Change::Resolved(incident.clone()));
            }
            if given_up {
                self.baseline = Baseline::default();
            }
            self.last.clear();
            return;
        }
        if shaken && (ongoing.age <= SETTLING_WINDOWS || ongoing.age.is_multiple_of(REVIEW_WINDOWS)) {
            self.look_again(&ongoing, changes);
        }
        self.ongoing = Some(ongoing);
    }

    fn look_again(&mut self, ongoing: &Ongoing, changes: &mut Vec<Change>) {
        let Some(diagnosis) = self.diagnose(&ongoing.window, ongoing.length) else {
            return;
        };
        let Some(incident) = self.incidents.last_mut() else {
            return;
        };
        let same = incident.suspects.first().map(|suspect| &suspect.entity) == diagnosis.culprit()
            && incident.cause.kind == diagnosis.cause.kind
            && incident.affected.len() == diagnosis.affected.len();
        incident.take(diagnosis);
        if !same {
            changes.push(Change::Updated(incident.clone()));
        }
    }

    fn diagnose(&self, window: &Window, length: DurationNs) -> Option<Diagnosis> {
        let mut diagnosis = diagnose(&Scene {
            window,
            length,
            baseline: &self.baseline,
            names: self.builder.names(),
            same_load: !self.recorded,
        })?;
        self.onset.date(&mut diagnosis.affected, self.builder.names());
        Some(diagnosis)
    }

    fn judge_whole(&mut self, changes: &mut Vec<Change>) {
        let Some((start, end)) = self.observed_between else {
            return;
        };
        let certain = self.config.surprise_nats;
        let names = self.builder.names();
        let first = self
            .onset
            .look_back(&self.recent, self.window(), &self.baseline, names, certain);
        let Some(diagnosis) = self.diagnose(&self.observed, end - start).filter(Diagnosis::is_felt) else {
            return;
        };
        self.counters.incidents += 1;
        let incident = Incident::new(first.unwrap_or(start), end, diagnosis);
        self.incidents.push(incident.clone());
        changes.push(Change::Opened(incident));
    }
}

/// The median of the ends: one span with a broken clock does not move it.
fn typical_end(batch: &SpanBatch) -> Option<Timestamp> {
    let mut ends: Vec<Timestamp> = batch.spans().iter().map(|span| span.end()).collect();
    let middle = ends.len() / 2;
    (!ends.is_empty()).then(|| *ends.select_nth_unstable(middle).1)
}
