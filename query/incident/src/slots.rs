//! What is remembered for good: windows that have settled, added up to half minutes, by name and with the health of
//! that time.

use epicenter_graph::{Summary, Window};
use epicenter_schema::{DurationNs, Timestamp};
use std::collections::VecDeque;

/// Length of a slot, in whole windows.
const SLOT: DurationNs = DurationNs::from_secs(30);
/// Slots that wait to be taken; the oldest are forgotten when nobody does.
const SLOTS_MAX: usize = 64;

/// A stretch of time as it is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// When it began.
    pub start: Timestamp,
    /// What happened in it; as long as the slot.
    pub summary: Summary,
}

/// Settled windows on their way.
#[derive(Debug)]
pub(crate) struct Slots {
    length: DurationNs,
    open: Option<(Timestamp, Window)>,
    /// End of the last window that was added.
    settled: Option<Timestamp>,
    ready: VecDeque<Slot>,
}

impl Slots {
    /// For windows of that length.
    pub(crate) fn new(step: DurationNs) -> Self {
        Self {
            length: DurationNs((SLOT.0 / step.0).max(1) * step.0),
            open: None,
            settled: None,
            ready: VecDeque::new(),
        }
    }

    /// Whether a window that starts then was not added yet.
    pub(crate) fn misses(&self, start: Timestamp) -> bool {
        self.settled.is_none_or(|settled| start >= settled)
    }

    /// Start of the slot that a time is in.
    pub(crate) fn slot_of(&self, at: Timestamp) -> Timestamp {
        Timestamp(at.0.div_euclid(self.length.0) * self.length.0)
    }

    /// How long a slot is.
    pub(crate) fn length(&self) -> DurationNs {
        self.length
    }

    /// Adds the next window. A slot that it ends is given back: its start and its sum.
    pub(crate) fn add(&mut self, start: Timestamp, end: Timestamp, window: &Window) -> Option<(Timestamp, Window)> {
        let done = self.close(start);
        let slot = self.slot_of(start);
        let (_, sum) = self.open.get_or_insert_with(|| (slot, Window::default()));
        sum.merge(window);
        self.settled = Some(end);
        done
    }

    /// Everything before that time was added: the open slot, when it ended.
    pub(crate) fn close(&mut self, before: Timestamp) -> Option<(Timestamp, Window)> {
        let length = self.length;
        self.open.take_if(|(slot, _)| *slot + length <= before)
    }

    pub(crate) fn put(&mut self, slot: Slot) {
        self.ready.push_back(slot);
        if self.ready.len() > SLOTS_MAX {
            self.ready.pop_front();
        }
    }

    pub(crate) fn take(&mut self) -> Vec<Slot> {
        self.ready.drain(..).collect()
    }
}
