//! One settled trace into the counts of a window: who called whom, where the time went, who complained first.
//!
//! *Self time* is a span's duration less the union of its children. Of a call with a child of another service nothing
//! is self time: what remains belongs to the edge (its *gap*). An internal span also leaves out the time of client
//! spans of its service that start while it runs and hang beside it under the same parent, as reactive frameworks
//! make them. Where calls have no spans, only their answers, the edge knows how long those take, and has no gap: the way there is
//! time of the caller's own.

mod count;
mod tree;

use crate::answers::Answers;
use crate::links::Links;
use crate::names::{NameId, Names};
use crate::packed::Packer;
use crate::record::Record;
use crate::weight::Weight;
use crate::window::{Callee, DimensionKey, DimensionStats, Window};
use epicenter_schema::TraceId;
use hashbrown::HashMap;
use tree::is_swallowed;

/// What a span is to the graph, worked out once.
struct Facts {
    /// Time that no child explains, in nanoseconds.
    remaining: i64,
    /// Whether a span of another service is below.
    answered: bool,
    /// Whether it is a call to somebody known, so that its time and errors belong to the edge.
    on_edge: bool,
    /// Whether its service is entered through it.
    entry: bool,
    /// Whether it complains and nothing below does.
    own: bool,
    /// The same, and it is its service's complaint and not its callee's.
    own_of_service: bool,
}

/// Walks traces one after the other; what a walk needs is kept for the next.
#[derive(Debug, Default)]
pub(crate) struct Walker {
    trace: TraceId,
    spans: Vec<Record>,
    by_id: HashMap<[u8; 8], u32>,
    parent: Vec<Option<u32>>,
    /// Children of each span, by start: those of span `n` are at `first[n]..first[n + 1]`.
    children: Vec<u32>,
    first: Vec<u32>,
    /// Whether anything below complains.
    below: Vec<bool>,
    /// Whether any span says that it has no parent. Where none does, the caller above the first one is not traced.
    has_root: bool,
    pieces: Vec<(i64, i64)>,
    seen: Vec<(NameId, NameId)>,
    /// Sums by the number of the sender, and which are not empty.
    by_source: Vec<DimensionStats>,
    touched: Vec<u32>,
    /// Whether a span of this window links to one that is not known.
    pub(crate) has_loose_links: bool,
}

/// What is known from other traces.
pub(crate) struct Known<'a> {
    pub(crate) answers: &'a mut Answers,
    pub(crate) links: &'a Links,
}

impl Walker {
    /// Adds a trace to a window.
    pub(crate) fn count(
        &mut self,
        trace: TraceId,
        spans: impl Iterator<Item = Record>,
        known: &mut Known<'_>,
        window: &mut Window,
    ) {
        self.trace = trace;
        self.spans.clear();
        self.spans.extend(spans);
        let received = self.spans.len();
        self.spans.sort_unstable_by_key(|span| {
            (
                span.start,
                u64::from_be_bytes(span.span_id),
                span.duration,
                span.kind,
                span.error,
            )
        });
        self.spans.dedup();
        window.accounts.repeated += (received - self.spans.len()) as u64;
        self.find_parents();
        self.find_children();
        self.infer_kinds();
        self.trace_complaints();
        window.traces += 1;
        window.spans += self.spans.len() as u64;
        window.accounts.counted += self.spans.len() as u64;
        for index in 0..self.spans.len() {
            self.count_span(index, known, window);
        }
    }

    /// Adds the sums by sender to the window: once, after its last trace.
    pub(crate) fn count_dimensions(&mut self, packer: &Packer, window: &mut Window) {
        self.touched.sort_unstable();
        for number in self.touched.drain(..) {
            let stats = std::mem::take(&mut self.by_source[number as usize]);
            let source = packer.source(number);
            for (dimension, value) in source.dimensions() {
                let key = DimensionKey {
                    service: source.service,
                    dimension,
                    value,
                };
                window.add_dimension(key, &stats);
            }
        }
    }

    fn count_span(&mut self, index: usize, known: &mut Known<'_>, window: &mut Window) {
        let span = self.spans[index];
        let parent = self.parent[index].map(|parent| self.spans[parent as usize]);
        window.accounts.orphaned += u64::from(span.parent.is_some() && parent.is_none());
        window.accounts.sampled += u64::from(span.weight != Weight::ONE);
        let kids = self.kids(index);
        let mut records = kids.iter().map(|k| &self.spans[*k as usize]);
        let remote = records.clone().find(|kid| kid.service != span.service).copied();
        let in_process = remote.is_none() && records.any(Record::answers);
        // What neither calls nor answers and holds one answer alone is a call that does not say so; and so is what holds
        // nothing but a call in another service's name, as some libraries make them.
        let is_alone = kids.len() == 1 && remote.is_some_and(|kid| !span.answers() || kid.calls());
        // Unless the same work asks others too, at other times.
        let is_alone = is_alone && !known.answers.asks_several(span.service, span.name);
        let asks_another = |remote: &Record| {
            let mut kids = kids.iter().map(|kid| &self.spans[*kid as usize]);
            kids.any(|kid| kid.service != remote.service && kid.service != span.service)
        };
        if !span.calls() && !span.answers() && kids.len() > 1 && remote.as_ref().is_some_and(asks_another) {
            known.answers.learn_several(span.service, span.name);
        }
        let is_edge = (span.calls() && !in_process) || is_alone;
        let on_edge = is_edge && (remote.is_some() || span.peer != Names::NONE);
        let own = span.complains && !self.below[index] && !is_swallowed(&self.spans, self.parent[index], &span);
        let is_top = parent.is_none_or(|parent| parent.service != span.service);
        let facts = Facts {
            remaining: span.duration - self.covered(index),
            answered: remote.is_some(),
            on_edge,
            entry: is_top && !span.calls(),
            own,
            // A failed call whose callee is known is the edge's complaint, counted there.
            own_of_service: own && !(on_edge && span.error),
        };
        if is_edge && let Some(callee) = callee(&span, remote.as_ref(), known.answers) {
            self.count_edge(index, callee, &facts, window);
        }
        if remote.is_some() && !is_edge && !span.calls() {
            self.count_answers(index, window);
        }
        self.count_message(&span, parent.as_ref(), known.links, window);
        self.count_operation(index, &facts, known.answers, window);
        self.count_sender(&span, &facts);
    }
}

fn callee(span: &Record, remote: Option<&Record>, answers: &mut Answers) -> Option<Callee> {
    if let Some(remote) = remote {
        if span.calls() {
            answers.learn(span.service, span.peer, remote.service);
        }
        return Some(Callee::Service(remote.service));
    }
    if span.peer == Names::NONE {
        return None;
    }
    Some(match answers.find(span.service, span.peer) {
        Some(service) => Callee::Service(service),
        None => Callee::Peer(span.peer_kind, span.peer),
    })
}
