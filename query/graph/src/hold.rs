//! Windows that were judged and may still change: their spans are held until nothing that belongs to them can come any
//! more. What came late is then counted with the rest of its trace.
//!
//! A trace is counted where the last of its spans ended, of those that ended within [`Held::grows`] windows of the first.
//! That depends on the spans alone, so a settled window is the same in whatever order they came. A window that nothing
//! was added to, and before which the same was learned, is the one that was judged: it is not counted again.

use crate::answers::{Answers, Learned};
use crate::packed::Packed;
use epicenter_schema::TraceId;
use hashbrown::HashMap;
use std::collections::BTreeMap;

/// A trace with its spans, and when the last of them ended.
pub(crate) type Group = (i64, TraceId, Vec<Packed>);

/// Traces in the order in which they are counted: all spans one after the other, and how many are of which trace.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    spans: Vec<Packed>,
    traces: Vec<(TraceId, u32)>,
}

impl Judged {
    /// Of traces in any order.
    pub(crate) fn new(mut groups: Vec<Group>) -> Self {
        sort(&mut groups);
        let mut judged = Self {
            spans: Vec::with_capacity(groups.iter().map(|(_, _, spans)| spans.len()).sum()),
            traces: Vec::with_capacity(groups.len()),
        };
        for (_, trace, spans) in groups {
            judged.traces.push((trace, spans.len() as u32));
            judged.spans.extend_from_slice(&spans);
        }
        judged
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }

    /// Each trace with its spans.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TraceId, &[Packed])> {
        let mut rest = self.spans.as_slice();
        self.traces.iter().map(move |(trace, count)| {
            let (spans, others) = rest.split_at(*count as usize);
            rest = others;
            (*trace, spans)
        })
    }
}

/// The spans of a window.
#[derive(Debug)]
enum Traces {
    /// As they were judged.
    Judged(Judged),
    /// Something was added.
    Changed(HashMap<TraceId, Vec<Packed>>),
}

#[derive(Debug)]
struct Kept {
    traces: Traces,
    /// What was known before it was judged, and what it taught.
    known: u128,
    learned: Vec<Learned>,
    late: u64,
    /// It was judged with something that is counted elsewhere, or without something that is known now.
    is_stale: bool,
}

/// What became of a window.
pub(crate) enum Outcome {
    /// It is the one that was judged.
    Same,
    /// It is made of these traces, in this order, so many of whose spans came late.
    Changed(Vec<Group>, u64),
}

/// The windows that may still change.
#[derive(Debug)]
pub(crate) struct Held {
    windows: BTreeMap<i64, Kept>,
    /// The window that holds a trace, and those of a trace in several.
    index: HashMap<TraceId, i64>,
    split: HashMap<TraceId, Vec<i64>>,
    /// What is known before the first of the windows.
    pub(crate) answers: Answers,
    spans: usize,
    window_ns: i64,
    grows_ns: i64,
    /// Start of the first window that may still change.
    floor: i64,
}

impl Held {
    /// For windows of that length and traces that grow for so long, both in nanoseconds.
    pub(crate) fn new(window_ns: i64, grows_ns: i64) -> Self {
        Self {
            windows: BTreeMap::new(),
            index: HashMap::new(),
            split: HashMap::new(),
            answers: Answers::default(),
            spans: 0,
            window_ns,
            grows_ns,
            floor: i64::MIN,
        }
    }

    /// Start of the first window that may still change.
    pub(crate) fn floor(&self) -> i64 {
        self.floor
    }

    /// Whether a span that ended then can still be counted.
    pub(crate) fn takes(&self, end: i64) -> bool {
        end >= self.floor
    }

    /// Keeps a window that was judged.
    pub(crate) fn keep(&mut self, start: i64, judged: Judged, known: u128, learned: Vec<Learned>, is_stale: bool) {
        let Judged { spans, traces } = judged;
        // Those of which another window holds a part.
        let ids = traces.iter().map(|(trace, _)| *trace);
        let split: Vec<TraceId> = ids
            .filter(|trace| *self.index.entry(*trace).or_insert(start) != start)
            .collect();
        self.spans += spans.len();
        let late = self.windows.remove(&start);
        let kept = Kept {
            traces: Traces::Judged(Judged { spans, traces }),
            known,
            learned,
            late: 0,
            is_stale,
        };
        self.windows.insert(start, kept);
        for trace in split {
            self.add_part(trace, start);
        }
        // Something came for it before it was judged: a rest of a trace whose beginning was late.
        if let Some(late) = late {
            let count = late.late;
            let Traces::Changed(traces) = late.traces else { return };
            for (trace, spans) in traces {
                self.spans -= spans.len();
                self.put(trace, start, spans);
            }
            if let Some(kept) = self.windows.get_mut(&start) {
                kept.late = count;
            }
        }
    }

    /// Adds a late span to the window in which it ended.
    pub(crate) fn put_late(&mut self, trace: TraceId, span: Packed) {
        let start = self.start(span.end()).max(self.floor);
        self.put(trace, start, vec![span]);
        if let Some(kept) = self.windows.get_mut(&start) {
            kept.late += 1;
        }
    }

    /// The next window that nothing can be added to any more when time has come to `boundary`; also the first one, when
    /// more than `spans_max` spans are held.
    pub(crate) fn next(&mut self, boundary: i64, spans_max: usize) -> Option<(i64, Outcome)> {
        let (start, _) = self.windows.first_key_value()?;
        let start = *start;
        let settles = start.saturating_add(self.window_ns) <= boundary || self.spans > spans_max;
        if !settles {
            return None;
        }
        let kept = self.windows.remove(&start)?;
        self.floor = start.saturating_add(self.window_ns);
        let is_same = !kept.is_stale && kept.known == self.answers.digest();
        let traces: Vec<(TraceId, Vec<Packed>)> = match kept.traces {
            Traces::Judged(judged) if is_same => {
                self.spans -= judged.spans.len();
                for (trace, _) in judged.traces {
                    self.index.remove(&trace);
                }
                for learned in kept.learned {
                    self.answers.take(learned);
                }
                self.answers.take_news();
                return Some((start, Outcome::Same));
            }
            Traces::Judged(judged) => by_trace(&judged).collect(),
            Traces::Changed(traces) => traces.into_iter().collect(),
        };
        let mut groups = Vec::with_capacity(traces.len());
        for (trace, spans) in traces {
            groups.extend(self.regroup(start, trace, spans));
        }
        sort(&mut groups);
        Some((start, Outcome::Changed(groups, kept.late)))
    }

    /// What of a trace is counted in the window; the rest goes on to later ones.
    fn regroup(&mut self, start: i64, trace: TraceId, mut spans: Vec<Packed>) -> Option<Group> {
        self.index.remove(&trace);
        for part in self.split.remove(&trace).unwrap_or_default() {
            if let Some(Traces::Changed(traces)) = self.windows.get_mut(&part).map(|kept| &mut kept.traces)
                && let Some(more) = traces.remove(&trace)
            {
                spans.extend(more);
            }
        }
        self.spans -= spans.len();
        let rest = split_off(
            &mut spans,
            self.window_ns,
            self.grows_ns,
            start.saturating_sub(self.grows_ns),
        );
        for span in rest {
            self.put(trace, self.start(span.end()).max(self.floor), vec![span]);
        }
        let end = spans.iter().map(Packed::end).max()?;
        if self.start(end) > start {
            self.put(trace, self.start(end), spans);
            return None;
        }
        Some((end, trace, spans))
    }

    fn start(&self, end: i64) -> i64 {
        end.div_euclid(self.window_ns) * self.window_ns
    }

    fn put(&mut self, trace: TraceId, start: i64, spans: Vec<Packed>) {
        self.spans += spans.len();
        self.change(start).entry(trace).or_default().extend(spans);
        self.add_part(trace, start);
    }

    /// Takes note that a window holds spans of a trace. All parts of a trace in several are counted again.
    fn add_part(&mut self, trace: TraceId, start: i64) {
        let first = *self.index.entry(trace).or_insert(start);
        if first == start {
            return;
        }
        let parts = self.split.entry(trace).or_insert_with(|| vec![first]);
        if !parts.contains(&start) {
            parts.push(start);
        }
        self.change(first);
        self.change(start);
    }

    /// The traces of a window, to be changed.
    fn change(&mut self, start: i64) -> &mut HashMap<TraceId, Vec<Packed>> {
        let kept = self.windows.entry(start).or_insert_with(|| Kept {
            traces: Traces::Changed(HashMap::new()),
            known: 0,
            learned: Vec::new(),
            late: 0,
            is_stale: true,
        });
        kept.is_stale = true;
        if let Traces::Judged(judged) = &kept.traces {
            kept.traces = Traces::Changed(by_trace(judged).collect());
        }
        match &mut kept.traces {
            Traces::Changed(traces) => traces,
            Traces::Judged(..) => unreachable!("it was just changed"),
        }
    }
}

/// The order in which traces are counted: what one teaches the next may use.
pub(crate) fn sort(groups: &mut [Group]) {
    groups.sort_unstable_by_key(|(end, trace, _)| (*end, u128::from_be_bytes(trace.0)));
}

fn by_trace(judged: &Judged) -> impl Iterator<Item = (TraceId, Vec<Packed>)> {
    judged.iter().map(|(trace, spans)| (trace, spans.to_vec()))
}

/// Takes from a trace what ended too long after the first of its spans to be counted with it. Spans that ended before
/// `earliest`, the start of a window, came too late to be the first.
pub(crate) fn split_off(spans: &mut Vec<Packed>, window_ns: i64, grows_ns: i64, earliest: i64) -> Vec<Packed> {
    let window = |end: i64| end.div_euclid(window_ns) * window_ns;
    let ends = || spans.iter().map(Packed::end);
    let Some(first) = ends().filter(|end| *end >= earliest).min().map(window) else {
        return Vec::new();
    };
    let last = first.saturating_add(grows_ns);
    if ends().max().is_none_or(|end| window(end) <= last) {
        return Vec::new();
    }
    spans.extract_if(.., |span| window(span.end()) > last).collect()
}
