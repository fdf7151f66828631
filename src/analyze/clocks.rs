//! Machines in recorded files whose clocks are wrong by more than spans are ever late.
//!
//! A file does not say when its spans were received, but it has them in the order in which they were. Each machine's
//! batches end at some distance from the time that all machines together have come to; where that distance is more than
//! half a minute and stays the same, the clock is off, and the batch is taken as received at the common time, which lets the
//! engine move its spans. A distance that changes is a file in another order, whose clocks are believed.
//!
//! The common time: the median of what each machine's own distance makes of the last batches. Where it is far behind the
//! newest of them, because batches are rare, all clocks are believed. A stretch of the file is read ahead, so that it
//! rests on many machines from the start.

use super::read::typical_end;
use epicenter_schema::{SpanBatch, Timestamp};
use std::collections::{HashMap, VecDeque};

/// Batches read ahead, and spans in them.
const AHEAD_BATCHES_MAX: usize = 4_096;
const AHEAD_SPANS_MAX: usize = 100_000;
/// Machines that are told apart; the clocks of more are believed.
const MACHINES_MAX: usize = 10_000;
/// Distances within which they are the same: spans are sent in batches.
const SAME: i64 = 15_000_000_000;
/// Distances up to this are no wrong clock.
const RIGHT: i64 = 30_000_000_000;
/// Batches of a machine before its clock is called wrong.
const BATCHES_MIN: u32 = 3;
/// Last batches whose median is the common time, and how far it may be behind the newest of them.
const RECENT: usize = 31;
const LAG_MAX: i64 = 10_000_000_000;

/// What is known of a machine's clock.
#[derive(Clone, Copy, Debug)]
struct Machine {
    /// How far its batches end from the common time: at first, and the least and the most since.
    distance: i64,
    least: i64,
    most: i64,
    batches: u32,
}

/// The clocks of the machines in a recording.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    machines: HashMap<String, Machine>,
    recent: VecDeque<i64>,
    /// The common time, by the clock of the first machine, and how far that one is from the middle of all.
    now: i64,
    middle: i64,
}

impl Clocks {
    /// Takes note of a batch of a machine that ends then.
    fn note(&mut self, machine: &str, end: i64) {
        if self.recent.is_empty() {
            self.now = end - self.machines.get(machine).map_or(0, |known| known.distance);
        }
        let now = self.now;
        if !self.machines.contains_key(machine) {
            if self.machines.len() >= MACHINES_MAX {
                return;
            }
            let distance = end - now;
            let fresh = Machine {
                distance,
                least: distance,
                most: distance,
                batches: 0,
            };
            self.machines.insert(machine.to_owned(), fresh);
            self.middle = median(self.machines.values().map(|machine| machine.distance).collect());
        }
        let Some(known) = self.machines.get_mut(machine) else {
            return;
        };
        let distance = end - now;
        known.least = known.least.min(distance);
        known.most = known.most.max(distance);
        known.batches += 1;
        self.recent.push_back(end - known.distance);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        self.now = self.now.max(median(self.recent.iter().copied().collect()));
    }

    /// From the first batch again, with what is known of the machines by now.
    fn begin_again(&mut self) {
        self.recent.clear();
        for machine in self.machines.values_mut() {
            let is_steady = machine.most - machine.least <= SAME;
            machine.batches = if is_steady { machine.batches } else { 0 };
            (machine.least, machine.most) = (machine.distance, machine.distance);
        }
    }

    /// When a batch was received, where its machine's clock is certainly wrong.
    fn received(&self, machine: &str) -> Option<Timestamp> {
        let known = self.machines.get(machine)?;
        let is_steady = known.batches >= BATCHES_MIN && known.most - known.least <= SAME;
        let is_wrong = (known.distance - self.middle).abs() > RIGHT;
        // Where batches are rare the common time is far behind, and says nothing.
        let newest = self.recent.iter().max().copied().unwrap_or(self.now);
        let is_close = newest - self.now <= LAG_MAX;
        (is_steady && is_wrong && is_close).then_some(Timestamp(self.now + self.middle))
    }
}

/// Reads ahead and hands batches on in their order, each with when it was received if its clock is wrong.
pub(super) struct Corrected<F: FnMut(&SpanBatch, Option<Timestamp>)> {
    clocks: Clocks,
    ahead: Option<VecDeque<SpanBatch>>,
    spans: usize,
    take: F,
}

impl<F: FnMut(&SpanBatch, Option<Timestamp>)> Corrected<F> {
    pub(super) fn new(take: F) -> Self {
        Self {
            clocks: Clocks::default(),
            ahead: Some(VecDeque::new()),
            spans: 0,
            take,
        }
    }

    pub(super) fn push(&mut self, batch: &SpanBatch) {
        let Some(ahead) = &mut self.ahead else {
            self.hand(batch);
            return;
        };
        // What is read ahead is noted twice: first to know the machines, then again in its turn.
        received(&mut self.clocks, batch);
        ahead.push_back(batch.clone());
        self.spans += batch.len();
        if ahead.len() >= AHEAD_BATCHES_MAX || self.spans >= AHEAD_SPANS_MAX {
            self.finish();
        }
    }

    /// Hands on what was read ahead.
    pub(super) fn finish(&mut self) {
        let Some(ahead) = self.ahead.take() else { return };
        self.clocks.begin_again();
        for batch in ahead {
            self.hand(&batch);
        }
    }

    fn hand(&mut self, batch: &SpanBatch) {
        let received = received(&mut self.clocks, batch);
        (self.take)(batch, received);
    }
}

/// Takes note of a batch, and tells when it was received if its clock is wrong.
fn received(clocks: &mut Clocks, batch: &SpanBatch) -> Option<Timestamp> {
    let machine = machine_of(batch)?;
    clocks.note(&machine, typical_end(batch)?.0);
    clocks.received(&machine)
}

/// Whose clock timed a batch: the machine, else the copy, else the service of its first span.
fn machine_of(batch: &SpanBatch) -> Option<String> {
    let spans = batch.spans();
    let first = spans.iter().next()?;
    let name = first.node().or_else(|| first.instance());
    Some(name.unwrap_or_else(|| first.service_name()).to_owned())
}

fn median(mut values: Vec<i64>) -> i64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0;
    }
    *values.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    /// Five machines that send a batch every two seconds, by clocks that are off by so many seconds.
    fn after(seconds: i64, off: [i64; 5]) -> Clocks {
        let mut clocks = Clocks::default();
        for second in (0..seconds).step_by(2) {
            for (number, off) in off.iter().enumerate() {
                clocks.note(&format!("node-{number}"), (1_000 + second + off) * S);
            }
        }
        clocks
    }

    #[test]
    fn a_clock_that_is_off_is_taken_for_the_time_of_the_others() {
        for off in [[0, 0, 1, 0, 120], [-150, 0, 2, 1, 0]] {
            let clocks = after(60, off);
            for (number, off) in off.iter().enumerate() {
                let received = clocks.received(&format!("node-{number}"));
                assert_eq!(received.is_some(), off.abs() > 30, "{number}");
                let error = received.map_or(0, |at| (at.0 - 1_058 * S).abs());
                // Half of the batches that the common time rests on are older.
                assert!(error <= 8 * S, "{error}");
            }
        }
    }

    #[test]
    fn clocks_that_are_right_and_files_in_another_order_are_left_alone() {
        let clocks = after(60, [0, 3, -5, 12, 1]);
        assert!((0..5).all(|number| clocks.received(&format!("node-{number}")).is_none()));
        let mut clocks = Clocks::default();
        for number in 0_i64..200 {
            let machine = format!("node-{}", number % 5);
            clocks.note(&machine, (number * 7919 % 3_600) * S);
        }
        assert!((0..5).all(|number| clocks.received(&format!("node-{number}")).is_none()));
    }
}
