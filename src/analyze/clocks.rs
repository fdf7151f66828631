//! Machines in recorded files whose clocks are wrong.
//!
//! A file does not say when its spans were received, but a stretch of it can be read ahead. Calls between machines tell how
//! far their clocks are apart ([`super::pairs`]), within milliseconds and in whatever order the file is: whoever is more
//! than a second from the middle of all is moved there. It matters that all are: a trace is counted where the last of its
//! spans ended, so one clock that is half a minute ahead puts a fault there that begins with the others' spans.
//!
//! Machines that call nobody else, and the time between groups that do not call one another, are told by the order of
//! the file, which is that in which spans were received. Each machine's batches end at some distance from the time that all
//! machines together have come to; where that distance is more than half a minute and stays the same, the clock is off. A
//! distance that changes is a file in another order, whose clocks are believed.
//!
//! The common time: the median of what each machine's own distance makes of the last batches. Where it is far behind the
//! newest of them, because batches are rare, the order says nothing.

use super::pairs::{self, machine_of};
use super::read::middle_end;
use epicenter_schema::{DurationNs, SpanBatch, SpanRef, Timestamp};
use std::collections::{HashMap, VecDeque};

/// Batches read ahead, and spans in them.
const AHEAD_BATCHES_MAX: usize = 4_096;
const AHEAD_SPANS_MAX: usize = 100_000;
/// Machines that are told apart; the clocks of more are believed.
const MACHINES_MAX: usize = 10_000;
/// Distances within which they are the same: spans are sent in batches.
const SAME: i64 = 15_000_000_000;
/// Distances up to this are no wrong clock, where the order of the file tells; where calls do, up to that.
const RIGHT: i64 = 30_000_000_000;
const RIGHT_BY_CALLS: i64 = 1_000_000_000;
/// Batches of a machine before its clock is called wrong, and how long a clock that calls told of must be somewhere else
/// before it was set.
const BATCHES_MIN: u32 = 3;
const SET: i64 = 10_000_000_000;
/// Last batches whose median is the common time, and how far it may be behind the newest of them.
const RECENT: usize = 31;
const LAG_MAX: i64 = 10_000_000_000;

/// What is known of a machine's clock.
#[derive(Clone, Copy, Debug)]
struct Machine {
    /// How far its batches end from the common time: at first or by calls, and the least and the most since.
    distance: i64,
    least: i64,
    most: i64,
    batches: u32,
    /// Whether calls tell the distance.
    by_calls: bool,
    /// Where its last batches are far from there: the first such distance, since when, and how many.
    astray: Option<(i64, i64, u32)>,
}

impl Machine {
    fn is_steady(&self) -> bool {
        self.batches >= BATCHES_MIN && self.most - self.least <= SAME
    }

    /// Takes note of a distance, while time has come to `now`.
    fn note(&mut self, distance: i64, now: i64) {
        self.batches = self.batches.saturating_add(1);
        if !self.by_calls {
            self.least = self.least.min(distance);
            self.most = self.most.max(distance);
        } else if (distance - self.distance).abs() <= RIGHT {
            self.astray = None;
        } else {
            let (first, since, count) = match self.astray {
                Some(same) if (distance - same.0).abs() <= SAME => same,
                _ => (distance, now, 0),
            };
            self.astray = Some((first, since, count + 1));
            if count + 1 >= BATCHES_MIN && now - since >= SET {
                // It was set: from now on the order tells.
                *self = Self::new(first);
                self.batches = count + 1;
            }
        }
    }

    fn new(distance: i64) -> Self {
        Self {
            distance,
            least: distance,
            most: distance,
            batches: 0,
            by_calls: false,
            astray: None,
        }
    }
}

/// The clocks of the machines in a recording.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    machines: HashMap<String, Machine>,
    recent: VecDeque<i64>,
    /// The common time, by the clock of the first machine, and how far that one is from the middle of all.
    now: i64,
    middle: i64,
    /// Whether the clock of any machine may be wrong.
    are_doubtful: bool,
}

impl Clocks {
    /// Whether all clocks seem to be right.
    pub(super) fn are_right(&self) -> bool {
        !self.are_doubtful
    }

    /// By how much a span is to be moved.
    pub(super) fn by(&self, span: SpanRef<'_>) -> DurationNs {
        DurationNs(self.moved(machine_of(span)))
    }

    /// Where a batch stands in time.
    pub(super) fn typical_end(&self, batch: &SpanBatch) -> Option<Timestamp> {
        let spans = batch.spans();
        let end = |span: SpanRef<'_>| match self.are_doubtful {
            false => span.end(),
            true => span.end() + self.by(span),
        };
        middle_end(spans.iter().map(end).collect())
    }

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
            self.machines.insert(machine.to_owned(), Machine::new(end - now));
            self.find_middle();
        }
        let Some(known) = self.machines.get_mut(machine) else {
            return;
        };
        known.note(end - now, now);
        let limit = if known.by_calls { RIGHT_BY_CALLS } else { RIGHT };
        self.are_doubtful |= (known.distance - self.middle).abs() > limit;
        self.recent.push_back(end - known.distance);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        self.now = self.now.max(median(self.recent.iter().copied().collect()));
    }

    fn find_middle(&mut self) {
        self.middle = median(self.machines.values().map(|machine| machine.distance).collect());
    }

    /// From the first batch again, with what is known of the machines by now, and what calls tell.
    fn begin_again(&mut self, groups: Vec<pairs::Group>) {
        self.recent.clear();
        for machine in self.machines.values_mut() {
            machine.batches = if machine.is_steady() { machine.batches } else { 0 };
            (machine.least, machine.most) = (machine.distance, machine.distance);
        }
        for group in groups {
            // The distances of those whose order tells place the group; else most of its clocks are right.
            let steady = group.iter().filter_map(|(name, offset)| {
                let machine = self.machines.get(name).filter(|machine| machine.is_steady())?;
                Some(machine.distance - offset)
            });
            let steady: Vec<i64> = steady.collect();
            let place = if steady.len() * 2 >= group.len() {
                median(steady)
            } else {
                self.middle - median(group.iter().map(|(_, offset)| *offset).collect())
            };
            for (name, offset) in group {
                let Some(machine) = self.machines.get_mut(&name) else {
                    continue;
                };
                // In a file that is sorted by what the clocks say, spans that are moved far come too late or too soon.
                if (machine.distance - (place + offset)).abs() <= RIGHT {
                    let batches = machine.batches;
                    *machine = Machine::new(place + offset);
                    (machine.batches, machine.by_calls) = (batches, true);
                }
            }
        }
        self.find_middle();
    }

    /// By how much the spans of a machine are to be moved, in nanoseconds.
    fn moved(&self, machine: &str) -> i64 {
        let Some(known) = self.machines.get(machine) else {
            return 0;
        };
        let off = known.distance - self.middle;
        // Where batches are rare the common time is far behind, and says nothing.
        let newest = self.recent.iter().max().copied().unwrap_or(self.now);
        let is_wrong = if known.by_calls {
            off.abs() > RIGHT_BY_CALLS
        } else {
            off.abs() > RIGHT && known.is_steady() && newest - self.now <= LAG_MAX
        };
        if is_wrong { -off } else { 0 }
    }
}

/// Reads ahead and hands batches on in their order, each with what is known of the clocks by then.
pub(super) struct Corrected<F: FnMut(&SpanBatch, &Clocks)> {
    clocks: Clocks,
    ahead: Option<VecDeque<SpanBatch>>,
    spans: usize,
    take: F,
}

impl<F: FnMut(&SpanBatch, &Clocks)> Corrected<F> {
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
        note(&mut self.clocks, batch);
        ahead.push_back(batch.clone());
        self.spans += batch.len();
        if ahead.len() >= AHEAD_BATCHES_MAX || self.spans >= AHEAD_SPANS_MAX {
            self.finish();
        }
    }

    /// Hands on what was read ahead.
    pub(super) fn finish(&mut self) {
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

/// Takes note of a batch of the machine that sent its first span.
fn note(clocks: &mut Clocks, batch: &SpanBatch) {
    let spans = batch.spans();
    let ends = spans.iter().map(|span| span.end()).collect();
    if let (Some(first), Some(end)) = (spans.iter().next(), middle_end(ends)) {
        clocks.note(machine_of(first), end.0);
    }
}

fn median(mut values: Vec<i64>) -> i64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0;
    }
    *values.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests;
