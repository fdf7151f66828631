//! A span into the counts of its edge, flow, operation and sender.

use super::{Facts, Walker};
use crate::answers::Answers;
use crate::links::Links;
use crate::names::Names;
use crate::record::Record;
use crate::window::{Callee, DimensionStats, Direction, EdgeKey, FlowKey, OpKey, Window};
use epicenter_schema::{SpanId, SpanKind};

fn edge_key(caller: &Record, callee: Callee) -> EdgeKey {
    EdgeKey {
        caller: caller.service,
        via: caller.name,
        callee,
    }
}

impl Walker {
    pub(super) fn count_edge(&self, index: usize, callee: Callee, facts: &Facts, window: &mut Window) {
        let span = &self.spans[index];
        let Some(edge) = window.edge(edge_key(span, callee)) else {
            return;
        };
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

    /// Counts the calls of a span that have no spans of their own, by those of other services that answer them.
    pub(super) fn count_answers(&mut self, index: usize, window: &mut Window) {
        let span = self.spans[index];
        for kid in self.kids(index) {
            let kid = &self.spans[*kid as usize];
            if kid.service == span.service || kid.calls() {
                continue;
            }
            let key = edge_key(&span, Callee::Service(kid.service));
            let Some(edge) = window.edge(key) else { continue };
            edge.count += 1;
            edge.protocol.add(kid.protocol, 1);
            edge.system.add(kid.peer_system, 1);
            let is_awaited = kid.kind != SpanKind::Consumer;
            edge.weighed.add(span.weight, kid.error && is_awaited);
            if !is_awaited {
                edge.queued += 1;
                continue;
            }
            edge.errors += u64::from(kid.error);
            edge.client.add(kid.duration);
            edge.slowest.offer(kid.duration, self.trace);
            if kid.error {
                edge.failed.offer(kid.duration, self.trace);
            }
        }
    }

    /// Counts a span that puts messages into a queue, or that takes them out.
    pub(super) fn count_message(&mut self, span: &Record, parent: Option<&Record>, links: &Links, window: &mut Window) {
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

    pub(super) fn count_operation(&mut self, index: usize, facts: &Facts, answers: &Answers, window: &mut Window) {
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

    pub(super) fn count_sender(&mut self, span: &Record, facts: &Facts) {
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
}
