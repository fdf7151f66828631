//! One settled trace into the counts of a window: who called whom, where the time went, who complained first.
//!
//! *Self time* is a span's duration less the union of its children. Of a span with a child of another service nothing
//! is self time: what remains belongs to the edge (its *gap*). An internal span also leaves out the time of client
//! spans of its service that start while it runs and hang beside it under the same parent, as reactive frameworks
//! make them.

use crate::names::{NameId, Names};
use crate::record::Record;
use crate::window::{Callee, Dimension, DimensionKey, EdgeKey, OpKey, Window};
use epicenter_schema::{SpanKind, TraceId};
use hashbrown::HashMap;

/// Deepest nesting followed when complaints are traced downwards.
const DEPTH_MAX: usize = 256;

struct Tree<'a> {
    trace: TraceId,
    spans: &'a [Record],
    /// Children of each span, by start.
    children: Vec<Vec<u32>>,
    parent: Vec<Option<u32>>,
    /// Whether anything below complains.
    below: Vec<bool>,
    /// Whether any span says that it has no parent. Where none does, the caller above the first one is not traced.
    has_root: bool,
}

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

/// Learns which service answers under which name, from calls that were answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    by_peer: HashMap<(NameId, NameId), NameId>,
}

/// Callers times peer names remembered.
const ANSWERS_MAX: usize = 200_000;

impl Answers {
    fn learn(&mut self, caller: NameId, peer: NameId, callee: NameId) {
        if peer != Names::NONE && (self.by_peer.len() < ANSWERS_MAX || self.by_peer.contains_key(&(caller, peer))) {
            self.by_peer.insert((caller, peer), callee);
        }
    }

    fn find(&self, caller: NameId, peer: NameId) -> Option<NameId> {
        self.by_peer.get(&(caller, peer)).copied()
    }
}

/// Adds a trace to a window.
pub(crate) fn count(trace: TraceId, spans: &mut [Record], answers: &mut Answers, window: &mut Window) {
    spans.sort_unstable_by_key(|span| (span.start, span.span_id));
    let tree = Tree::new(trace, spans);
    window.traces += 1;
    window.spans += spans.len() as u64;
    for index in 0..spans.len() {
        tree.count_span(index, answers, window);
    }
}

/// Whether a complaint is that of the failed call above it, told once more: instrumentation of the network library hangs
/// internal spans (connecting, resolving a name) below the call. The call knows whom it called; they do not.
fn is_swallowed(spans: &[Record], parent: Option<u32>, span: &Record) -> bool {
    let Some(parent) = parent.map(|parent| &spans[parent as usize]) else {
        return false;
    };
    span.kind == SpanKind::Internal && parent.calls() && parent.error && parent.service == span.service
}

impl<'a> Tree<'a> {
    fn new(trace: TraceId, spans: &'a [Record]) -> Self {
        let mut by_id: HashMap<[u8; 8], u32> = HashMap::with_capacity(spans.len());
        for (index, span) in spans.iter().enumerate() {
            by_id.entry(span.span_id).or_insert(index as u32);
        }
        let parent: Vec<Option<u32>> = spans
            .iter()
            .enumerate()
            .map(|(index, span)| {
                by_id
                    .get(&span.parent?)
                    .copied()
                    .filter(|parent| *parent != index as u32)
            })
            .collect();
        let mut children = vec![Vec::new(); spans.len()];
        for (index, parent) in parent.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent as usize].push(index as u32);
            }
        }
        let mut below = vec![false; spans.len()];
        for (index, span) in spans.iter().enumerate() {
            if span.complains && !is_swallowed(spans, parent[index], span) {
                let mut at = parent[index];
                for _ in 0..DEPTH_MAX {
                    let Some(above) = at else { break };
                    if std::mem::replace(&mut below[above as usize], true) {
                        break;
                    }
                    at = parent[above as usize];
                }
            }
        }
        Self {
            trace,
            spans,
            children,
            parent,
            below,
            has_root: spans.iter().any(|span| span.parent.is_none()),
        }
    }

    fn count_span(&self, index: usize, answers: &mut Answers, window: &mut Window) {
        let span = &self.spans[index];
        let kids = &self.children[index];
        let mut records = kids.iter().map(|k| &self.spans[*k as usize]);
        let remote = records.clone().find(|kid| kid.service != span.service);
        let in_process = remote.is_none() && records.any(Record::answers);
        let is_edge = (span.calls() && !in_process) || (remote.is_some() && kids.len() == 1);
        let on_edge = is_edge && (remote.is_some() || span.peer != Names::NONE);
        let own = span.complains && !self.below[index] && !is_swallowed(self.spans, self.parent[index], span);
        let is_top = self.parent[index].is_none_or(|p| self.spans[p as usize].service != span.service);
        let facts = Facts {
            remaining: span.duration - self.covered(index),
            answered: remote.is_some(),
            on_edge,
            entry: is_top && !span.calls(),
            own,
            // A failed call whose callee is known is the edge's complaint, counted there.
            own_of_service: own && !(on_edge && span.error),
        };
        if let Some(callee) = self.callee(span, remote, answers).filter(|_| is_edge) {
            self.count_edge(index, callee, &facts, window);
        }
        self.count_operation(index, &facts, answers, window);
        count_dimensions(span, &facts, window);
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
        edge.own_errors += u64::from(span.error && !self.below[index]);
        edge.unanswered += u64::from(!facts.answered);
        edge.unanswered_errors += u64::from(!facts.answered && span.error);
        edge.loose += u64::from(span.parent.is_none() && self.children[index].is_empty());
        edge.client.add(span.duration);
        edge.gap.add(facts.remaining);
        edge.protocol = edge.protocol.or(Some(span.protocol).filter(|p| *p != Names::NONE));
        edge.system = edge.system.or(Some(span.peer_system).filter(|s| *s != Names::NONE));
        edge.slowest.offer(facts.remaining, self.trace);
        if span.error {
            edge.failed.offer(span.duration, self.trace);
        }
    }

    fn count_operation(&self, index: usize, facts: &Facts, answers: &Answers, window: &mut Window) {
        let span = &self.spans[index];
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
            op.duration.add(span.duration);
        }
        if !facts.on_edge {
            op.self_time.add(facts.remaining);
            op.slowest.offer(facts.remaining, self.trace);
        }
        if facts.own {
            op.failed.offer(span.duration, self.trace);
        }
        let kids = &self.children[index];
        let mut seen: Vec<(NameId, NameId)> = kids.iter().map(|k| self.doer(*k, answers)).collect();
        let last = seen.last().map_or(Names::NONE, |(service, _)| *service);
        *op.last_child.entry(last).or_default() += 1;
        seen.sort_unstable();
        seen.dedup();
        for (service, name) in seen {
            op.child(service, name);
        }
    }

    fn is_root(&self, index: usize) -> bool {
        let span = &self.spans[index];
        span.parent.is_none() || (!self.has_root && self.parent[index].is_none() && span.answers())
    }

    /// The service that does the work of a child: the remote one for a call, otherwise its own.
    fn doer(&self, child: u32, answers: &Answers) -> (NameId, NameId) {
        let span = &self.spans[child as usize];
        let remote = self.children[child as usize]
            .iter()
            .map(|k| self.spans[*k as usize].service)
            .find(|s| *s != span.service);
        let service = match remote {
            Some(service) => service,
            None if span.calls() && span.peer != Names::NONE => {
                answers.find(span.service, span.peer).unwrap_or(span.peer)
            }
            None => span.service,
        };
        (service, span.name)
    }

    fn callee(&self, span: &Record, remote: Option<&Record>, answers: &mut Answers) -> Option<Callee> {
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

    /// Length of the union of the children within the span, in nanoseconds.
    fn covered(&self, index: usize) -> i64 {
        let span = &self.spans[index];
        let (start, end) = (span.start, span.end());
        let mut pieces: Vec<(i64, i64)> = Vec::with_capacity(self.children[index].len());
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
        for child in &self.children[index] {
            add(&self.spans[*child as usize]);
        }
        if span.kind == SpanKind::Internal
            && let Some(parent) = self.parent[index]
        {
            for sibling in &self.children[parent as usize] {
                let other = &self.spans[*sibling as usize];
                if *sibling as usize != index && other.service == span.service && other.calls() && other.start >= start
                {
                    add(other);
                }
            }
        }
        pieces.sort_unstable();
        let (mut covered, mut reached) = (0, start);
        for (from, to) in pieces {
            if to > reached {
                covered += to - from.max(reached);
                reached = to;
            }
        }
        covered
    }
}

fn count_dimensions(span: &Record, facts: &Facts, window: &mut Window) {
    let values = [
        (Dimension::Instance, span.instance),
        (Dimension::Node, span.node),
        (Dimension::Version, span.version),
    ];
    for (dimension, value) in values {
        let key = DimensionKey {
            service: span.service,
            dimension,
            value,
        };
        if value == Names::NONE {
            continue;
        }
        let Some(stats) = window.dimension(key) else { continue };
        stats.entries += u64::from(facts.entry);
        stats.entry_errors += u64::from(facts.entry && span.error);
        stats.own_complaints += u64::from(facts.own_of_service);
        if !facts.on_edge {
            stats.self_ns += facts.remaining.max(0).unsigned_abs();
        }
    }
}
