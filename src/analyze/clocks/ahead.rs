//! Reading ahead: batches are handed on when what is known of the clocks tells of them too.

use super::super::pairs::{self, machine_of};
use super::super::read::middle_end;
use super::Clocks;
use epicenter_schema::{SpanBatch, Timestamp};
use std::collections::{HashMap, VecDeque};

/// Batches read ahead, and spans in them.
const AHEAD_BATCHES_MAX: usize = 4_096;
const AHEAD_SPANS_MAX: usize = 100_000;

/// Reads ahead and hands batches on in their order, each with what is known of the clocks by then.
pub(in super::super) struct Corrected<F: FnMut(&SpanBatch, &Clocks)> {
    clocks: Clocks,
    ahead: Option<VecDeque<SpanBatch>>,
    spans: usize,
    take: F,
}

impl<F: FnMut(&SpanBatch, &Clocks)> Corrected<F> {
    pub(in super::super) fn new(take: F) -> Self {
        Self {
            clocks: Clocks::default(),
            ahead: Some(VecDeque::new()),
            spans: 0,
            take,
        }
    }

    pub(in super::super) fn push(&mut self, batch: &SpanBatch) {
        let Some(ahead) = &mut self.ahead else {
            self.hand(batch);
            return;
        };
        // What is read ahead is noted twice: first to know the machines, then again in its turn.
        note(&mut self.clocks, batch);
        ahead.push_back(batch.clone());
        self.spans += batch.len();
        if ahead.len() >= AHEAD_BATCHES_MAX || self.spans >= AHEAD_SPANS_MAX {
            self.finish();
        }
    }

    /// Hands on what was read ahead.
    pub(in super::super) fn finish(&mut self) {
        let Some(ahead) = self.ahead.take() else { return };
        self.clocks.begin_again(pairs::groups(ahead.iter()));
        for batch in ahead {
            self.hand(&batch);
        }
    }

    fn hand(&mut self, batch: &SpanBatch) {
        note(&mut self.clocks, batch);
        (self.take)(batch, &self.clocks);
    }
}

/// Takes note of where the spans of each machine in a batch end: a record may hold those of many.
fn note(clocks: &mut Clocks, batch: &SpanBatch) {
    let mut ends: Vec<(&str, Vec<Timestamp>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let spans = batch.spans();
    for span in spans.iter() {
        let machine = machine_of(span);
        let place = *places.entry(machine).or_insert(ends.len());
        if place == ends.len() {
            ends.push((machine, Vec::new()));
        }
        ends[place].1.push(span.end());
    }
    let ends = ends
        .into_iter()
        .filter_map(|(machine, ends)| Some((machine, middle_end(ends)?.0)));
    clocks.note(&ends.collect::<Vec<_>>());
}
