//! Gathers the spans of a trace until the trace has settled, in whatever order and in however many batches they come.

use crate::names::{NameId, Names};
use crate::packed::{Last, Packed, Packer};
use crate::record::Record;
use crate::trace::{self, Answers};
use crate::window::Window;
use epicenter_schema::{DurationNs, SpanBatch, Timestamp, TraceId};
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;

/// Spans held at once; beyond it the oldest traces are settled early.
const OPEN_SPANS_MAX: usize = 2_000_000;
/// Spans of one trace that are looked at; the rest are counted.
const TRACE_SPANS_MAX: usize = 50_000;
/// Operations of one service, and peers of one service, that are told apart.
const NAMES_OF_A_SERVICE_MAX: usize = 1_000;
/// A trace that is still growing this long after its first span ended is counted as far as it came, so that a job of
/// hours, or ids used twice, hide nothing.
const TRACE_GROWS_MAX: DurationNs = DurationNs::from_secs(60);

/// What became of the spans, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Spans taken in.
    pub observed: u64,
    /// Spans that came after the window of their end had closed; they are counted nowhere else.
    pub late: u64,
    /// Spans beyond the largest trace that is looked at.
    pub oversized: u64,
    /// Traces settled early because too many spans were held.
    pub hurried: u64,
}

/// Names that a service may have of one sort. Ids and addresses in span names would make a graph of their own.
#[derive(Clone, Debug, Default)]
struct Admitted {
    names: HashSet<(NameId, NameId)>,
    counts: HashMap<NameId, usize>,
}

impl Admitted {
    /// The name, or the one that stands for all beyond the limit.
    fn admit(&mut self, service: NameId, name: NameId) -> NameId {
        if self.names.contains(&(service, name)) {
            return name;
        }
        let count = self.counts.entry(service).or_default();
        if *count >= NAMES_OF_A_SERVICE_MAX {
            return Names::OVERFLOW;
        }
        *count += 1;
        self.names.insert((service, name));
        name
    }
}

struct Open {
    spans: Vec<Packed>,
    /// When the first of its spans ended, and the last.
    first_end: i64,
    end: i64,
}

/// Spans in, windows out.
pub struct Builder {
    names: Names,
    operations: Admitted,
    peers: Admitted,
    answers: Answers,
    packer: Packer,
    open: HashMap<TraceId, Open>,
    held: usize,
    window_ns: i64,
    /// Start of the first window that is still open.
    frontier: Option<i64>,
    counters: Counters,
}

impl Builder {
    /// A builder of windows of that length.
    pub fn new(window: DurationNs) -> Self {
        Self {
            names: Names::default(),
            operations: Admitted::default(),
            peers: Admitted::default(),
            answers: Answers::default(),
            packer: Packer::default(),
            open: HashMap::new(),
            held: 0,
            window_ns: window.0.max(1),
            frontier: None,
            counters: Counters::default(),
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

    /// Takes spans in. Spans whose end lies in a window that was handed out are late and counted only.
    pub fn observe(&mut self, batch: &SpanBatch) {
        let spans = batch.spans();
        let mut last = Last::default();
        for span in spans.iter() {
            self.counters.observed += 1;
            let record = self
                .packer
                .pack(span, &mut self.names, &mut last, |service, name, is_peer| {
                    let admitted = if is_peer { &mut self.peers } else { &mut self.operations };
                    admitted.admit(service, name)
                });
            if self.frontier.is_some_and(|frontier| record.end() < frontier)
                && !self.open.contains_key(&span.trace_id())
            {
                self.counters.late += 1;
                continue;
            }
            let end = record.end();
            let open = self.open.entry(span.trace_id()).or_insert_with(|| Open {
                spans: Vec::new(),
                first_end: end,
                end,
            });
            open.first_end = open.first_end.min(end);
            if open.spans.len() >= TRACE_SPANS_MAX {
                self.counters.oversized += 1;
                continue;
            }
            open.end = open.end.max(end);
            if open.spans.len() == open.spans.capacity() {
                // Traces are many and small: room that doubles would be half empty.
                open.spans.reserve_exact(open.spans.len() / 3 + 4);
            }
            open.spans.push(record);
            self.held += 1;
        }
        if self.held > OPEN_SPANS_MAX {
            self.hurry();
        }
    }

    /// Settles every trace that ended before the last window boundary at or before `watermark`, and returns the windows
    /// up to there with their starts, in order, empty ones left out.
    pub fn advance(&mut self, watermark: Timestamp) -> Vec<(Timestamp, Window)> {
        let boundary = watermark.0.div_euclid(self.window_ns) * self.window_ns;
        if self.frontier.is_some_and(|frontier| boundary <= frontier) {
            return Vec::new();
        }
        self.frontier = Some(boundary);
        self.settle(boundary)
    }

    /// Settles everything. What comes after may be of another time.
    pub fn finish(&mut self) -> Vec<(Timestamp, Window)> {
        self.frontier = None;
        self.settle(i64::MAX)
    }

    fn settle(&mut self, boundary: i64) -> Vec<(Timestamp, Window)> {
        let mut settled: Vec<(i64, TraceId, Vec<Packed>)> = self
            .open
            .extract_if(|_, open| open.end < boundary || open.first_end < boundary.saturating_sub(TRACE_GROWS_MAX.0))
            .map(|(trace, open)| (open.end.min(boundary.saturating_sub(1)), trace, open.spans))
            .collect();
        settled.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.0.cmp(&b.1.0)));
        let mut windows: BTreeMap<i64, Window> = BTreeMap::new();
        let mut records: Vec<Record> = Vec::new();
        for (end, trace, spans) in settled {
            self.held -= spans.len();
            records.clear();
            records.extend(spans.iter().map(|span| self.packer.unpack(span)));
            let window = windows
                .entry(end.div_euclid(self.window_ns) * self.window_ns)
                .or_default();
            trace::count(trace, &mut records, &mut self.answers, window);
        }
        windows
            .into_iter()
            .map(|(start, window)| (Timestamp(start), window))
            .collect()
    }

    /// Gives up the older half of what is held.
    fn hurry(&mut self) {
        let mut ends: Vec<i64> = self.open.values().map(|open| open.end).collect();
        let middle = ends.len() / 2;
        let cut = *ends.select_nth_unstable(middle).1;
        let before = self.open.len();
        let mut dropped = 0;
        self.open.retain(|_, open| {
            let keep = open.end > cut;
            dropped += if keep { 0 } else { open.spans.len() };
            keep
        });
        self.held -= dropped;
        self.counters.hurried += (before - self.open.len()) as u64;
    }
}

#[cfg(test)]
mod tests;
