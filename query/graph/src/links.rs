//! Which queue a message went into, by the span that sent it: consumers whose trace is another one only link to that.

use crate::names::NameId;
use epicenter_schema::{SpanId, TraceId};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Producer spans, and consumer spans with a link, remembered; the oldest are forgotten first.
const SPANS_MAX: usize = 200_000;

/// A span of any trace.
pub(crate) type SpanKey = (TraceId, SpanId);

/// Values by span, of the spans of late.
#[derive(Debug)]
struct Late<T> {
    values: HashMap<SpanKey, T>,
    order: VecDeque<SpanKey>,
}

impl<T: Copy> Late<T> {
    fn new() -> Self {
        Self {
            values: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    fn put(&mut self, span: SpanKey, value: T) {
        if self.values.insert(span, value).is_some() {
            return;
        }
        self.order.push_back(span);
        if self.order.len() > SPANS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
    }
}

/// The producer spans of late, and which of them were linked to.
#[derive(Debug)]
pub(crate) struct Links {
    producers: Late<NameId>,
    consumers: Late<SpanKey>,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            producers: Late::new(),
            consumers: Late::new(),
        }
    }
}

impl Links {
    /// Remembers where a span put its message.
    pub(crate) fn sent(&mut self, producer: SpanKey, queue: NameId) {
        self.producers.put(producer, queue);
    }

    /// Remembers which message a span that does not name its queue took.
    pub(crate) fn took(&mut self, consumer: SpanKey, producer: SpanKey) {
        self.consumers.put(consumer, producer);
    }

    /// Whether a span took a message by a link, and if it did, out of which queue, where that is known.
    pub(crate) fn queue_of(&self, consumer: SpanKey) -> Option<Option<NameId>> {
        let producer = self.consumers.values.get(&consumer)?;
        Some(self.producers.values.get(producer).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Names;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut links = Links::default();
        let queue = Names::default().intern("orders");
        let span = |trace: u8, number: usize| (TraceId([trace; 16]), SpanId((number as u64).to_be_bytes()));
        for number in 0..=SPANS_MAX {
            links.sent(span(1, number), queue);
            links.sent(span(1, number), queue);
        }
        links.took(span(2, 0), span(1, 0));
        links.took(span(2, 1), span(1, 1));
        assert_eq!(links.queue_of(span(2, 0)), Some(None));
        assert_eq!(links.queue_of(span(2, 1)), Some(Some(queue)));
        assert_eq!(links.queue_of(span(3, 1)), None);
        assert_eq!(links.producers.order.len(), SPANS_MAX);
    }
}
