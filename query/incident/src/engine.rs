//! The engine: spans and a watermark in, incidents out.
//!
//! Each window that closes is compared with the baseline. Symptoms open an incident, or feed an open one: what shakes
//! at the same time is taken for one event, whose culprit the localizer names, unless that culprit cannot have to do with
//! it (`watch`). While an incident is open nothing is learned. When [`Engine::learn`] was given the system at rest, that is the baseline and nothing else is learned.

mod answer;
mod apart;
mod beside;
mod doubt;
mod looks;
mod ongoing;
mod recorded;
mod recording;
mod recovery;
mod watch;

use crate::config::{Config, nanoseconds};
use crate::counters::Counters;
use crate::incident::{Change, Incident};
use crate::memory::{Learning, Recent};
use crate::onset::Onset;
use crate::review;
use crate::slots::{Slot, Slots};
use beside::Beside;
use doubt::Doubt;
use epicenter_detect::{Baseline, Signal, Symptom, symptoms};
use epicenter_graph::{Builder, GraphSnapshot, Window};
use epicenter_schema::{DurationNs, SpanBatch, SpanRef, Timestamp};
use ongoing::{CALM_NATS, Ongoing};
use recorded::Observed;
use recording::Recording;

/// Empty windows walked one by one when time jumps; a longer jump is a gap in which nothing was watched.
const EMPTY_WINDOWS_MAX: i64 = 120;

/// The judgement. One per stream of spans.
pub struct Engine {
    config: Config,
    builder: Builder,
    baseline: Baseline,
    learning: Learning,
    /// For how long nothing was learned of any window in which no incident was open.
    held_up: DurationNs,
    doubt: Doubt,
    recent: Recent,
    slots: Slots,
    /// Windows of the last looks with their symptoms' presence, the newest last.
    last: Vec<(Timestamp, Window, bool)>,
    /// What began before is over: no look goes back beyond it.
    fresh: Timestamp,
    onset: Onset,
    recording: Option<Recording>,
    recorded: bool,
    /// No more spans come, so that who sends late seems to be silent.
    is_ending: bool,
    /// The open incidents, in the order of their opening, and what is wrong beside them.
    ongoing: Vec<Ongoing>,
    beside: Option<Beside>,
    incidents: Vec<Incident>,
    /// What was observed after a recording at rest.
    observed: Observed,
    counters: Counters,
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
            held_up: DurationNs(0),
            doubt: Doubt::default(),
            recent: Recent::default(),
            last: Vec::new(),
            fresh: Timestamp(i64::MIN),
            onset: Onset::default(),
            recording: None,
            recorded: false,
            is_ending: false,
            ongoing: Vec::new(),
            beside: None,
            incidents: Vec::new(),
            observed: Observed::default(),
            counters: Counters::default(),
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

    /// The same for spans whose clocks are known to be off: each is moved by so much.
    pub fn observe_moved(&mut self, batch: &SpanBatch, by: impl Fn(SpanRef<'_>) -> DurationNs) {
        self.end_recording();
        self.builder.observe_moved(batch, by);
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
        self.is_ending = true;
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

    /// Judges the empty windows between the last one and `until`.
    fn fill_gap(&mut self, until: Timestamp, changes: &mut Vec<Change>) {
        let step = self.window();
        let Some(last) = self.recent.last_start() else { return };
        let missing = (until - last).0 / step.0 - 1;
        if missing > EMPTY_WINDOWS_MAX {
            self.learning.drop_in_hand();
            self.look_no_further_than(until);
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
        let alone = symptoms(&window, step, &self.baseline, self.builder.names());
        if self.recorded {
            self.note_recorded(start, &window, &alone);
            self.recent.push(start, window);
            return;
        }
        let shaken = alone.iter().any(|symptom| symptom.nats >= CALM_NATS);
        let calm = DurationNs(looks::LOOK_WINDOWS_MAX as i64 * step.0);
        if self.ongoing.is_empty() {
            self.onset.forget(start, calm);
        }
        self.onset.note(start, &alone, calm);
        self.last.push((start, window.clone(), shaken));
        looks::shorten(&mut self.last);
        for (start, window) in self.recent.push(start, window) {
            if self.slots.misses(start) {
                let done = self.slots.add(start, start + step, &window);
                self.put_slot(done);
            }
        }
        self.judge(start, &alone, shaken, changes);
    }

    /// The symptoms of which an incident may open: at the end, who sends late seems to be silent.
    fn opening(&self, mut symptoms: Vec<Symptom>) -> Vec<Symptom> {
        if self.is_ending {
            symptoms.retain(|symptom| symptom.signal != Signal::Silence);
        }
        symptoms
    }

    fn symptoms(&self, window: &Window, length: DurationNs) -> Vec<Symptom> {
        self.opening(symptoms(window, length, &self.baseline, self.builder.names()))
    }
}
