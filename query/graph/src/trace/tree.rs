//! The tree of a trace: parents and children, where the first complaint is, and which time no child explains.

use super::Walker;
use crate::answers::Answers;
use crate::names::{NameId, Names};
use crate::record::Record;
use epicenter_schema::SpanKind;

/// Deepest nesting followed when complaints are traced downwards.
const DEPTH_MAX: usize = 256;
/// Traces of at most so many spans are searched for parents, not indexed.
const SEARCHED_MAX: usize = 24;

/// Whether a complaint is that of the failed call above it, told once more: instrumentation of the network library hangs
/// internal spans (connecting, resolving a name) below the call. The call knows whom it called; they do not.
pub(super) fn is_swallowed(spans: &[Record], parent: Option<u32>, span: &Record) -> bool {
    let Some(parent) = parent.map(|parent| &spans[parent as usize]) else {
        return false;
    };
    span.kind == SpanKind::Internal && parent.calls() && parent.error && parent.service == span.service
}

impl Walker {
    pub(super) fn kids(&self, index: usize) -> &[u32] {
        &self.children[self.first[index] as usize..self.first[index + 1] as usize]
    }

    pub(super) fn find_parents(&mut self) {
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

    pub(super) fn find_children(&mut self) {
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

    /// Works out the kind of spans that tell none: what hangs below another service, or below nothing, is entered; what
    /// names a callee, does no more of its service's work below, and hangs below a span of its service that is no call, or below
    /// one that is lost, is a call, answered or not.
    pub(super) fn infer_kinds(&mut self) {
        for index in 0..self.spans.len() {
            let span = &self.spans[index];
            if span.kind != SpanKind::Unspecified {
                continue;
            }
            let is_its_own = |kid: &u32| self.spans[*kid as usize].service == span.service;
            let may_call = span.peer != Names::NONE && !self.kids(index).iter().any(is_its_own);
            let parent = self.parent[index].map(|parent| &self.spans[parent as usize]);
            let inferred = match parent {
                Some(parent) if parent.service != span.service => SpanKind::Server,
                Some(parent) if may_call && !parent.calls() => SpanKind::Client,
                Some(_) => continue,
                None if may_call && span.parent.is_some() => SpanKind::Client,
                None => SpanKind::Server,
            };
            self.spans[index].kind = inferred;
        }
    }

    pub(super) fn trace_complaints(&mut self) {
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

    /// Whether the request enters the system here.
    pub(super) fn is_root(&self, index: usize) -> bool {
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

    /// The service that does the work of a child: the remote one for a call, otherwise its own. An answer that hangs below who asked,
    /// whose call has no span, is no call itself.
    pub(super) fn doer(&self, child: u32, answers: &Answers) -> (NameId, NameId) {
        let span = &self.spans[child as usize];
        let parent = self.parent[child as usize].map(|parent| &self.spans[parent as usize]);
        if !span.calls() && parent.is_some_and(|parent| parent.service != span.service) {
            return (span.service, span.name);
        }
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
    pub(super) fn covered(&mut self, index: usize) -> i64 {
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
