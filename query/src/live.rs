//! The live loop: the log's tail into the pure engine, changes of incidents out to disk, to the APIs and to the outbox.
//!
//! After a restart the tail replays what was sealed lately and the log, so the engine rebuilds its windows and comes to the same incidents.
//! While it does so nothing is told; when it is done, what it found is compared with what is remembered: `restart`.
//!
//! The loop judges and waits for the disk, so it has a thread of its own and holds up nobody who serves or receives.

pub(crate) mod files;
mod history;
pub(crate) mod likeness;
pub(crate) mod past;
mod restart;

pub(crate) use history::{Event, History, NOTES_MAX, Noted};
pub(crate) use past::Past;

use crate::alert::Outbox;
use crate::http::dto::graph::GraphDto;
use crate::http::dto::incident::IncidentDto;
use crate::metrics::Metrics;
use epicenter_incident::{Change, Counters, Engine, GraphSnapshot, Incident, Slot, Summary};
use epicenter_schema::{DurationNs, Timestamp};
use epicenter_storage::{Clock, Tail, TailItem};
use past::files::Within;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the watermark moves when nothing arrives. Silence is an observation too.
const TICK: Duration = Duration::from_millis(500);
/// Length of the graph's window unless asked for otherwise.
const GRAPH_WINDOW: DurationNs = DurationNs::from_secs(30);

/// What the live loop knows, for the APIs.
pub(crate) struct Live {
    engine: Mutex<Engine>,
    /// The graph of now as JSON, and the number of windows judged when it was made: it only changes with them.
    graph: Mutex<Option<(u64, Arc<str>)>>,
    pub(crate) history: History,
    pub(crate) past: Past,
    /// Whether the past is being written.
    keeping: AtomicBool,
}

impl Live {
    pub(crate) fn new(engine: Engine, history: History, past: Past) -> Self {
        Self {
            engine: Mutex::new(engine),
            graph: Mutex::new(None),
            history,
            past,
            keeping: AtomicBool::new(false),
        }
    }

    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The graph at a time: of the windows in memory, else of what is kept of the past. Waits for a judgement under way
    /// and for the disk: not for a thread that serves.
    pub(crate) fn graph(&self, at: Option<Timestamp>, window: Option<DurationNs>) -> GraphSnapshot {
        let engine = self.engine();
        let length = window.unwrap_or(GRAPH_WINDOW);
        let until = at.or_else(|| engine.known_until()).unwrap_or_default();
        let from = until - length;
        if engine.remembers(from) {
            return engine.graph(at, window);
        }
        let young = engine.young_slots(self.past.taken());
        drop(engine);
        let mut sum: Option<Summary> = self.past.between(from, until);
        for slot in young.into_iter().filter(|slot| slot.is_in(from.0, until.0)) {
            match &mut sum {
                Some(sum) => sum.merge(&slot.summary),
                None => sum = Some(slot.summary),
            }
        }
        let sum = sum.unwrap_or_else(|| Summary {
            length,
            ..Summary::default()
        });
        GraphSnapshot::new(&sum, until, [])
    }

    /// The slots that are not on disk yet, up to now.
    pub(crate) fn young_slots(&self) -> Vec<Slot> {
        self.engine().young_slots(self.past.taken())
    }

    /// The graph of now, as JSON. Made once for each window, however many look at it. Blocks like `graph`.
    pub(crate) fn graph_now(&self) -> Result<Arc<str>, serde_json::Error> {
        let mut made = self.graph.lock().unwrap_or_else(PoisonError::into_inner);
        let engine = self.engine();
        let windows = engine.counters().windows;
        if let Some((at, json)) = &*made
            && *at == windows
        {
            return Ok(Arc::clone(json));
        }
        let snapshot = engine.graph(None, None);
        drop(engine);
        let json: Arc<str> = serde_json::to_string(&GraphDto::from(&snapshot))?.into();
        *made = Some((windows, Arc::clone(&json)));
        Ok(json)
    }

    pub(crate) fn counters(&self) -> Counters {
        self.engine().counters()
    }

    fn incidents(&self) -> Vec<IncidentDto> {
        self.engine().incidents().iter().map(IncidentDto::from).collect()
    }
}

/// The loop itself.
pub(crate) struct Loop {
    pub(crate) live: Arc<Live>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Clock,
    pub(crate) lateness: Duration,
    /// The incidents that the engine found again after a restart under other ids: the id there, the id to the world.
    pub(crate) adopted: Vec<(String, String)>,
}

impl Loop {
    /// Runs until told to stop, or until the store is closed.
    pub(crate) async fn run(mut self, tail: Tail, shutdown: CancellationToken) {
        self.follow(tail, shutdown).await;
        self.live.past.keep();
    }

    async fn follow(&mut self, mut tail: Tail, shutdown: CancellationToken) {
        let mut replaying = true;
        let mut heard = tokio::time::Instant::now();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if replaying && !tail.is_replaying() {
                replaying = false;
                self.caught_up();
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                item = tail.next() => {
                    let Some(item) = item else { return };
                    heard = tokio::time::Instant::now();
                    self.take(&item);
                }
                // While much arrives the log's own time leads, see `take`; the clock does when it is quiet.
                _ = tick.tick() => if !replaying && heard.elapsed() >= TICK {
                    self.advance((self.clock)() - nanoseconds(self.lateness), false);
                }
            }
        }
    }

    fn take(&self, item: &TailItem) {
        let behind = ((self.clock)() - item.received).0.max(0).unsigned_abs();
        self.metrics.set_live_behind_ns(behind);
        self.observe(item);
        self.advance(item.received - nanoseconds(self.lateness), item.replayed);
    }

    fn observe(&self, item: &TailItem) {
        self.survive("taking spans in", || {
            let mut engine = self.live.engine();
            if item.replayed {
                // Of what was sealed it is not known when each span was received.
                engine.observe(&item.batch);
            } else {
                engine.observe_received(&item.batch, item.received);
            }
        });
    }

    fn advance(&self, watermark: Timestamp, replaying: bool) {
        let changes = self.survive("judging a window", || self.live.engine().advance(watermark));
        self.keep_past();
        if replaying {
            return;
        }
        for change in changes.unwrap_or_default() {
            match change {
                Change::Opened(incident) => self.note(self.known_as(&incident), Some(Event::Opened)),
                Change::Updated(incident) => self.note(self.known_as(&incident), None),
                Change::Resolved(incident) => self.note(self.known_as(&incident), Some(Event::Resolved)),
            }
        }
    }

    /// Hands what has settled on to the disk, on another thread.
    fn keep_past(&self) {
        let slots = self.live.engine().take_slots();
        if slots.is_empty() || !self.live.past.put(slots) || self.live.keeping.swap(true, Ordering::AcqRel) {
            return;
        }
        let live = Arc::clone(&self.live);
        tokio::task::spawn_blocking(move || {
            live.past.keep();
            live.keeping.store(false, Ordering::Release);
        });
    }

    /// A defect in the judgement must not stop the receiving of spans, nor come again with each restart: it is counted,
    /// told in the log, and the loop goes on.
    fn survive<T>(&self, what: &str, work: impl FnOnce() -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(work));
        if done.is_err() {
            self.metrics.live_panicked();
            tracing::error!(what, "the live loop met a defect, it goes on without what caused it");
        }
        done.ok()
    }

    /// An incident under the id that the world knows it by.
    fn known_as(&self, incident: &Incident) -> IncidentDto {
        let mut dto = IncidentDto::from(incident);
        if let Some((_, known)) = self.adopted.iter().find(|(id, _)| *id == dto.id) {
            restart::keep_identity(&mut dto, known, self.live.history.get(known).as_deref());
        }
        dto
    }

    /// The past has been replayed: brings what is remembered up to date with it, and tells what was never told.
    fn caught_up(&mut self) {
        let verdict = restart::compare(&self.live.history.all(), self.live.incidents(), (self.clock)());
        self.adopted = verdict.adopted;
        for (incident, event) in verdict.news {
            self.note(incident, event);
        }
        self.metrics.set_live_replayed();
    }

    /// Puts a page in the outbox, then remembers the incident: a crash in between repeats the page under the same event
    /// id instead of losing it. What was announced before is not announced again.
    fn note(&self, mut incident: IncidentDto, event: Option<Event>) {
        self.live.history.recall(&mut incident);
        let event = event.filter(|event| !self.live.history.was_announced(&incident.id, *event));
        if let Some(event) = event {
            match event {
                Event::Opened => self.metrics.incident_opened(),
                Event::Resolved => self.metrics.incident_resolved(),
            }
            let culprit = incident.suspects.first().map_or("unknown", |s| s.entity.name.as_str());
            tracing::info!(
                id = incident.id,
                culprit,
                cause = incident.cause.kind,
                event = event.as_str(),
                "incident"
            );
            self.outbox.put(event, &incident);
        }
        if let Err(error) = self.live.history.put(incident, event) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "could not remember an incident"
            );
        }
        self.metrics.set_incidents_open(self.live.history.open_count());
    }
}

fn nanoseconds(duration: Duration) -> DurationNs {
    DurationNs(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}
