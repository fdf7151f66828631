//! Gathers the spans of a trace until the trace has settled, in whatever order and in however many batches they come.
//!
//! Windows are handed out twice: soon, to be judged, and when nothing can be added to them any more.

mod admitted;
mod counters;
mod hurry;
mod judge;

pub use counters::Counters;

use crate::answers::Answers;
use crate::clock::{Clocks, Shift};
use crate::hold::Held;
use crate::links::Links;
use crate::names::Names;
use crate::packed::{Packed, Packer};
use crate::sender::{Sender, Senders};
use crate::trace::Walker;
use crate::window::{Room, Window};
use admitted::Admitted;
use epicenter_schema::{DurationNs, SpanBatch, SpanKind, SpanRef, Spans, Timestamp, TraceId};
use hashbrown::HashMap;

/// Spans held at once; beyond it the oldest traces are settled early.
const OPEN_SPANS_MAX: usize = 2_000_000;
/// Spans of judged windows that are held for late ones to join; beyond it the oldest windows settle early.
const HELD_SPANS_MAX: usize = 1_000_000;
/// Spans of a batch that are packed before they are put with their traces.
const SPANS_AT_ONCE: usize = 64;
/// Spans of one trace that are looked at; the rest are counted.
const TRACE_SPANS_MAX: usize = 50_000;
/// A trace that is still growing this long after its first span ended is counted as far as it came, so that a job of
/// hours, or ids used twice, hide nothing.
const TRACE_GROWS_MAX: DurationNs = DurationNs::from_secs(60);
/// How late a span may come and still be counted.
const LATE_MAX: DurationNs = DurationNs::from_secs(60);
/// Windows for which a late span waits for others of its trace that are not late.
const LATE_WAITS_WINDOWS: i64 = 2;

/// A window that nothing can be added to any more.
#[derive(Debug)]
pub struct Settled {
    /// Its start.
    pub start: Timestamp,
    /// The window where it differs from what [`Builder::advance`] handed out; none where it is that one.
    pub window: Option<Window>,
}

struct Open {
    spans: Vec<Packed>,
    /// When the first of its spans ended, and the last.
    first_end: i64,
    end: i64,
    /// Where all of its spans are late: until when they wait for one that is not.
    late_until: Option<i64>,
    /// Whether all of its spans may be much too late.
    is_doubtful: bool,
}

/// Spans in, windows out.
pub struct Builder {
    names: Names,
    operations: Admitted,
    peers: Admitted,
    answers: Answers,
    packer: Packer,
    /// Of a batch; kept for its room.
    senders: Senders,
    packed: Vec<(TraceId, Packed, bool)>,
    clocks: Clocks,
    links: Links,
    walker: Walker,
    open: HashMap<TraceId, Open>,
    open_spans: usize,
    held: Held,
    settled: Vec<Settled>,
    window_ns: i64,
    grows_ns: i64,
    /// Start of the first window that was not handed out.
    frontier: Option<i64>,
    /// How much the last window held.
    room: Room,
    counters: Counters,
    /// Of the counters, spans that no window was told of yet.
    dropped: u64,
}

impl Builder {
    /// A builder of windows of that length.
    pub fn new(window: DurationNs) -> Self {
        let window_ns = window.0.max(1);
        let grows_ns = TRACE_GROWS_MAX.0 / window_ns * window_ns;
        Self {
            names: Names::default(),
            operations: Admitted::default(),
            peers: Admitted::default(),
            answers: Answers::default(),
            packer: Packer::default(),
            senders: Senders::default(),
            packed: Vec::new(),
            clocks: Clocks::default(),
            links: Links::default(),
            walker: Walker::default(),
            open: HashMap::new(),
            open_spans: 0,
            held: Held::new(window_ns, grows_ns),
            settled: Vec::new(),
            window_ns,
            grows_ns,
            frontier: None,
            room: Room::default(),
            counters: Counters::default(),
            dropped: 0,
        }
    }

    /// The names of everything seen.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What became of the spans.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes spans in whose time of arrival is not known: their clocks are believed.
    pub fn observe(&mut self, batch: &SpanBatch) {
        self.take_in(&batch.spans(), None, |_| DurationNs(0));
    }

    /// Takes spans in that were received then. Clocks that cannot be right are set by it.
    pub fn observe_received(&mut self, batch: &SpanBatch, received: Timestamp) {
        self.take_in(&batch.spans(), Some(received), |_| DurationNs(0));
    }

    /// Takes spans in whose clocks are known to be off: each is moved by so much.
    pub fn observe_moved(&mut self, batch: &SpanBatch, by: impl Fn(SpanRef<'_>) -> DurationNs) {
        self.take_in(&batch.spans(), None, by);
    }

    fn take_in(&mut self, spans: &Spans<'_>, received: Option<Timestamp>, moved: impl Fn(SpanRef<'_>) -> DurationNs) {
        let mut senders = std::mem::take(&mut self.senders);
        senders.clear();
        let shifts = received.and_then(|received| self.shifts(spans, received, &mut senders));
        let mut packed = std::mem::take(&mut self.packed);
        // Two passes over a few spans at a time: in each the processor waits for the memory of several at once.
        for from in (0..spans.len()).step_by(SPANS_AT_ONCE) {
            for row in from..spans.len().min(from + SPANS_AT_ONCE) {
                let span = spans.get(row);
                let sender = self.packer.sender(span, &mut self.names, &mut senders);
                let shift = match &shifts {
                    Some(shifts) => shifts.get(&sender.number).copied().unwrap_or_default(),
                    None => Shift::default(),
                };
                packed.push((
                    span.trace_id(),
                    self.pack(span, sender, shift.by + moved(span).0),
                    shift.is_doubtful,
                ));
            }
            for (trace, span, is_doubtful) in packed.drain(..) {
                self.join(trace, span, is_doubtful);
            }
        }
        self.counters.observed += spans.len() as u64;
        self.packed = packed;
        self.senders = senders;
        if self.open_spans > OPEN_SPANS_MAX {
            self.hurry();
        }
    }

    /// By how much the spans of each sender are to be moved; none where no clock of the batch is in doubt.
    fn shifts(&mut self, spans: &Spans<'_>, received: Timestamp, senders: &mut Senders) -> Option<HashMap<u32, Shift>> {
        let (mut first, mut last) = (Timestamp(i64::MAX), Timestamp(i64::MIN));
        for span in spans.iter() {
            first = first.min(span.end());
            last = last.max(span.end());
        }
        if spans.is_empty() || !self.clocks.are_doubtful(first, last, received) {
            return None;
        }
        let mut delays: HashMap<u32, i64> = HashMap::new();
        for span in spans.iter() {
            let sender = self.packer.sender(span, &mut self.names, senders);
            let delay = (received - span.end()).0;
            delays
                .entry(sender.number)
                .and_modify(|least| *least = (*least).min(delay))
                .or_insert(delay);
        }
        // In order: which clocks are doubted when too many are may not depend on how a map lies in memory.
        let mut delays: Vec<(u32, i64)> = delays.into_iter().collect();
        delays.sort_unstable();
        let clocks = &mut self.clocks;
        let shifts = delays
            .into_iter()
            .map(|(sender, delay)| (sender, clocks.shift(sender, delay, received)));
        Some(shifts.collect())
    }

    fn pack(&mut self, span: SpanRef<'_>, sender: Sender, shift: i64) -> Packed {
        let packed = self
            .packer
            .pack(span, sender, shift, &mut self.names, |service, name, is_peer| {
                let admitted = if is_peer { &mut self.peers } else { &mut self.operations };
                admitted.admit(service, name)
            });
        if matches!(span.kind(), SpanKind::Producer | SpanKind::Consumer) {
            self.take_message(span, &packed);
        }
        packed
    }

    /// Puts a span with the others of its trace.
    fn join(&mut self, trace: TraceId, packed: Packed, is_doubtful: bool) {
        let end = packed.end();
        let is_late = is_doubtful || self.frontier.is_some_and(|frontier| end < frontier);
        let waits = LATE_WAITS_WINDOWS * self.window_ns;
        let open = self.open.entry(trace).or_insert_with(|| Open {
            spans: Vec::new(),
            first_end: i64::MAX,
            end,
            late_until: Some(self.frontier.unwrap_or(end).saturating_add(waits)),
            is_doubtful: true,
        });
        if open.spans.len() >= TRACE_SPANS_MAX {
            self.counters.oversized += 1;
            self.dropped += 1;
            return;
        }
        if !is_late {
            open.late_until = None;
        }
        open.is_doubtful &= is_doubtful;
        if self.held.takes(end) {
            open.first_end = open.first_end.min(end);
        }
        open.end = open.end.max(end);
        if open.spans.len() == open.spans.capacity() {
            // Traces are many and small: room that doubles would be half empty.
            open.spans.reserve_exact(open.spans.len() / 3 + 4);
        }
        open.spans.push(packed);
        self.open_spans += 1;
    }

    /// Remembers what connects a message that was sent in one trace and handled in another.
    fn take_message(&mut self, span: SpanRef<'_>, packed: &Packed) {
        let record = self.packer.unpack(packed);
        let key = (span.trace_id(), span.span_id());
        if record.publishes() {
            self.links.sent(key, record.peer);
        } else if span.kind() == SpanKind::Consumer
            && record.peer == Names::NONE
            && let Some(link) = span.links().next()
        {
            self.links.took(key, (link.trace_id, link.span_id));
        }
    }

    /// Hands out the windows that end at or before `watermark`, with their starts, in order, empty ones left out. What
    /// comes for them from now on is counted when they settle.
    pub fn advance(&mut self, watermark: Timestamp) -> Vec<(Timestamp, Window)> {
        let boundary = self.window_start(watermark.0);
        if self.frontier.is_some_and(|frontier| boundary <= frontier) {
            return Vec::new();
        }
        let windows = self.judge(boundary);
        self.frontier = Some(boundary);
        let hold = LATE_MAX.0.saturating_add(self.grows_ns);
        self.settle(boundary.saturating_sub(hold), HELD_SPANS_MAX);
        windows
    }

    /// Hands out and settles everything. What comes after may be of another time.
    pub fn finish(&mut self) -> Vec<(Timestamp, Window)> {
        let windows = self.judge(i64::MAX);
        self.frontier = None;
        self.settle(i64::MAX, 0);
        let answers = std::mem::take(&mut self.held.answers);
        self.held = Held::new(self.window_ns, self.grows_ns);
        self.held.answers = answers;
        windows
    }

    /// The windows that have settled since this was asked last, in order.
    pub fn take_settled(&mut self) -> Vec<Settled> {
        std::mem::take(&mut self.settled)
    }

    fn window_start(&self, at: i64) -> i64 {
        at.div_euclid(self.window_ns) * self.window_ns
    }
}

#[cfg(test)]
mod tests;
