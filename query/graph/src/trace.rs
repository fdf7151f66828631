//! One settled trace into the counts of a window: who called whom, where the time went, who complained first.
//!
//! *Self time* is a span's duration less the union of its children. Of a span with a child of another service nothing
//! is self time: what remains belongs to the edge (its *gap*). An internal span also leaves out the time of client
//! spans of its service that start while it runs and hang beside it under the same parent, as reactive frameworks
//! make them.

use crate::answers::Answers;
use crate::links::Links;
use crate::names::{NameId, Names};
use crate::packed::Packer;
use crate::record::Record;
use crate::weight::Weight;
use crate::window::{Callee, DimensionKey, DimensionStats, Direction, EdgeKey, FlowKey, OpKey, Window};
use epicenter_schema::{SpanId, SpanKind, TraceId};
use hashbrown::HashMap;

/// Deepest nesting followed when complaints are traced downwards.
const DEPTH_MAX: usize = 256;
/// Traces of at most so many spans are searched for parents, not indexed.
const SEARCHED_MAX: usize = 24;

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

/// Whether a complaint is that of the failed call above it, told once more: instrumentation of the network library hangs
/// internal spans (connecting, resolving a name) below the call. The call knows whom it called; they do not.
fn is_swallowed(spans: &[Record], parent: Option<u32>, span: &Record) -> bool {
    let Some(parent) = parent.map(|parent| &spans[parent as usize]) else {
        return false;
    };
    span.kind == SpanKind::Internal && parent.calls() && parent.error && parent.service == span.service
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

    fn kids(&self, index: usize) -> &[u32] {
        &self.children[self.first[index] as usize..self.first[index + 1] as usize]
    }

    fn find_parents(&mut self) {
        let spans = &self.spans;
        self.parent.clear();
        self.has_root = spans.iter().any(|span| span.parent.is_none());
        let is_searched = spans.len() <= SEARCHED_MAX;
        if !is_searched {
            self.by_id.clear();
            for (index, span) in spans.iter().enumerate() {
                self.by_id.entry(span.span_id).or_insert(index as u32);
            }
        }
        for (index, span) in spans.iter().enumerate() {
            let parent = span.parent.and_then(|parent| {
                if is_searched {
                    let at = spans.iter().position(|other| other.span_id == parent);
                    at.map(|at| at as u32)
                } else {
                    self.by_id.get(&parent).copied()
                }
            });
            self.parent.push(parent.filter(|parent| *parent != index as u32));
        }
    }

    fn find_children(&mut self) {
        let count = self.spans.len();
        self.first.clear();
        self.first.resize(count + 2, 0);
        // Counted two places further on; after placing, each has become the start of its own.
        for parent in self.parent.iter().flatten() {
            self.first[*parent as usize + 2] += 1;
        }
        for index in 2..self.first.len() {
            self.first[index] += self.first[index - 1];
        }
        self.children.clear();
        self.children.resize(self.first[count + 1] as usize, 0);
        for (index, parent) in self.parent.iter().enumerate() {
            if let Some(parent) = parent {
                let at = &mut self.first[*parent as usize + 1];
                self.children[*at as usize] = index as u32;
                *at += 1;
            }
        }
    }

    fn trace_complaints(&mut self) {
        self.below.clear();
        self.below.resize(self.spans.len(), false);
        for (index, span) in self.spans.iter().enumerate() {
            if span.complains && !is_swallowed(&self.spans, self.parent[index], span) {
                let mut at = self.parent[index];
                for _ in 0..DEPTH_MAX {
                    let Some(above) = at else { break };
                    if std::mem::replace(&mut self.below[above as usize], true) {
                        break;
                    }
                    at = self.parent[above as usize];
                }
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
        let is_edge = (span.calls() && !in_process) || (remote.is_some() && kids.len() == 1);
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
        self.count_message(&span, parent.as_ref(), known.links, window);
        self.count_operation(index, &facts, known.answers, window);
        self.count_sender(&span, &facts);
    }

    fn count_edge(&self, index: usize, callee: Callee, facts: &Facts, window: &mut Window) {
        let span = &self.spans[index];
        let key = EdgeKey {
            caller: span.service,
            via: span.name,
            callee,
        };
        let Some(edge) = window.edge(key) else { return };
        edge.count += 1;
        edge.errors += u64::from(span.error);
        edge.weighed.add(span.weight, span.error);
        edge.own_errors += u64::from(span.error && !self.below[index]);
        edge.unanswered += u64::from(!facts.answered);
        edge.unanswered_errors += u64::from(!facts.answered && span.error);
        edge.loose += u64::from(span.parent.is_none() && self.kids(index).is_empty());
        edge.queued += u64::from(span.publishes());
        edge.client.add(span.duration);
        edge.gap.add(facts.remaining);
        edge.protocol.add(span.protocol, 1);
        edge.system.add(span.peer_system, 1);
        edge.slowest.offer(facts.remaining, self.trace);
        if span.error {
            edge.failed.offer(span.duration, self.trace);
        }
    }

    /// Counts a span that puts messages into a queue, or that takes them out.
    fn count_message(&mut self, span: &Record, parent: Option<&Record>, links: &Links, window: &mut Window) {
        let is_top = parent.is_none_or(|parent| parent.service != span.service);
        let (direction, queue) = if span.publishes() {
            (Direction::Publish, span.peer)
        } else if span.kind == SpanKind::Consumer && is_top {
            let queue = match parent.filter(|parent| parent.publishes()) {
                _ if span.peer != Names::NONE => span.peer,
                Some(parent) => parent.peer,
                None => match links.queue_of((self.trace, SpanId(span.span_id))) {
                    Some(Some(queue)) => queue,
                    unknown => {
                        self.has_loose_links |= unknown.is_some();
                        return;
                    }
                },
            };
            (Direction::Deliver, queue)
        } else {
            return;
        };
        let key = FlowKey {
            service: span.service,
            queue,
            direction,
        };
        let Some(flow) = window.flow(key) else { return };
        flow.count += 1;
        flow.errors += u64::from(span.error);
        flow.weighed.add(span.weight, span.error);
        flow.duration.add(span.duration);
        flow.system.add(span.peer_system, 1);
        flow.slowest.offer(span.duration, self.trace);
        if span.error {
            flow.failed.offer(span.duration, self.trace);
        }
    }

    fn count_operation(&mut self, index: usize, facts: &Facts, answers: &Answers, window: &mut Window) {
        let span = self.spans[index];
        let key = OpKey {
            service: span.service,
            name: span.name,
            kind: span.kind,
        };
        let Some(op) = window.op(key) else { return };
        op.count += 1;
        op.errors += u64::from(span.error);
        op.own_complaints += u64::from(facts.own_of_service);
        op.roots += u64::from(self.is_root(index));
        if facts.entry {
            op.entries += 1;
            op.entry_errors += u64::from(span.error);
            op.weighed.add(span.weight, span.error);
            op.duration.add(span.duration);
            if !span.error {
                op.good.offer(span.duration, self.trace);
            }
        }
        if !facts.on_edge {
            op.self_time.add(facts.remaining);
            op.slowest.offer(facts.remaining, self.trace);
        }
        if facts.own {
            op.failed.offer(span.duration, self.trace);
        }
        let mut seen = std::mem::take(&mut self.seen);
        seen.clear();
        seen.extend(self.kids(index).iter().map(|kid| self.doer(*kid, answers)));
        let last = seen.last().map_or(Names::NONE, |(service, _)| *service);
        op.last_child(last);
        seen.sort_unstable();
        seen.dedup();
        for (service, name) in &seen {
            op.child(*service, *name);
        }
        self.seen = seen;
    }

    fn count_sender(&mut self, span: &Record, facts: &Facts) {
        let number = span.source as usize;
        if self.by_source.len() <= number {
            self.by_source.resize(number + 1, DimensionStats::default());
        }
        let stats = &mut self.by_source[number];
        if stats.spans == 0 {
            self.touched.push(span.source);
        }
        stats.spans += 1;
        stats.own_complaints += u64::from(facts.own_of_service);
        if facts.entry {
            stats.entries += 1;
            stats.entry_errors += u64::from(span.error);
            stats.weighed.add(span.weight, span.error);
        }
        if !facts.on_edge {
            stats.self_ns += facts.remaining.max(0).unsigned_abs();
        }
    }

    /// Whether the request enters the system here.
    fn is_root(&self, index: usize) -> bool {
        let span = &self.spans[index];
        match self.parent[index] {
            None if span.parent.is_none() => !self.is_from_outside(index),
            None => !self.has_root && span.answers(),
            Some(parent) => span.kind == SpanKind::Server && self.is_from_outside(parent as usize),
        }
    }

    /// Whether it is the call of somebody who has nothing else to do with the request, and that is answered: a browser, a
    /// generator of load, a clock. The request enters the system where it is answered.
    fn is_from_outside(&self, index: usize) -> bool {
        let span = &self.spans[index];
        let answers = |kid: &u32| {
            let kid = &self.spans[*kid as usize];
            kid.kind == SpanKind::Server && kid.service != span.service
        };
        span.parent.is_none() && span.kind == SpanKind::Client && self.kids(index).iter().any(answers)
    }

    /// The service that does the work of a child: the remote one for a call, otherwise its own.
    fn doer(&self, child: u32, answers: &Answers) -> (NameId, NameId) {
        let span = &self.spans[child as usize];
        let mut services = self
            .kids(child as usize)
            .iter()
            .map(|k| self.spans[*k as usize].service);
        let service = match services.find(|service| *service != span.service) {
            Some(service) => service,
            None if span.calls() && span.peer != Names::NONE => {
                answers.find(span.service, span.peer).unwrap_or(span.peer)
            }
            None => span.service,
        };
        (service, span.name)
    }

    /// Length of the union of the children within the span, in nanoseconds.
    fn covered(&mut self, index: usize) -> i64 {
        let mut pieces = std::mem::take(&mut self.pieces);
        pieces.clear();
        let span = &self.spans[index];
        let (start, end) = (span.start, span.end());
        let mut add = |other: &Record| {
            let is_inside = start <= other.start && other.end() <= end;
            let piece = if !is_inside && other.service != span.service && other.duration <= span.duration {
                // Another host's clock: only lengths compare. An answer lies in the middle of its call.
                let way = (span.duration - other.duration) / 2;
                (start + way, end - way)
            } else {
                (other.start.max(start), other.end().min(end))
            };
            if piece.1 > piece.0 {
                pieces.push(piece);
            }
        };
        for child in self.kids(index) {
            add(&self.spans[*child as usize]);
        }
        if span.kind == SpanKind::Internal
            && let Some(parent) = self.parent[index]
        {
            for sibling in self.kids(parent as usize) {
                let other = &self.spans[*sibling as usize];
                if *sibling as usize != index && other.service == span.service && other.calls() && other.start >= start
                {
                    add(other);
                }
            }
        }
        pieces.sort_unstable();
        let (mut covered, mut reached) = (0, start);
        for (from, to) in &pieces {
            if *to > reached {
                covered += to - from.max(&reached);
                reached = *to;
            }
        }
        self.pieces = pieces;
        covered
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
