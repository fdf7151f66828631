//! Machines in recorded files whose clocks are wrong.
//!
//! A file does not say when its spans were received, but a stretch of it can be read ahead. Calls between machines tell how
//! far their clocks are apart ([`super::pairs`]), within milliseconds and in whatever order the file is: whoever is more
//! than a second from the middle of those it is joined with by calls is moved there. It matters that all are: a trace is
//! counted where the last of its spans ended, so one clock that is half a minute ahead puts a fault there that begins with
//! the others' spans.
//!
//! Machines that call nobody else, and the time between groups that do not call one another, are told by the order of
//! the file, which is that in which spans were received. What each machine has in a batch ends at some distance from the
//! time that all machines together have come to; where that distance is more than half a minute and stays the same, the
//! clock is off. A distance that changes is a file in another order, whose clocks are believed.
//!
//! The common time: the median of what each machine's own distance makes of the last batches. Where it is far behind the
//! newest of them, because batches are rare, the order says nothing.

mod ahead;

pub(super) use self::ahead::Corrected;

use super::pairs::{self, MACHINES_MAX, machine_of};
use super::read::middle_end;
use epicenter_schema::{DurationNs, SpanBatch, SpanRef, Timestamp};
use std::collections::{HashMap, VecDeque};

/// Distances within which they are the same: spans are sent in batches.
const SAME: i64 = 15_000_000_000;
/// Distances up to this are no wrong clock, where the order of the file tells.
const RIGHT: i64 = 30_000_000_000;
/// Batches of a machine before its clock is called wrong, and how long a clock that calls told of must be somewhere else
/// before it was set.
const BATCHES_MIN: u32 = 3;
const SET: i64 = 10_000_000_000;
/// Machines in a batch that tell what time it is for the others in it.
const MIXED_MIN: usize = 3;
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
    /// How far it is off, where calls tell.
    by_calls: Option<i64>,
    /// Where its last batches are far from there: the first such distance, since when, and how many.
    astray: Option<(i64, i64, u32)>,
}

impl Machine {
    fn is_steady(&self) -> bool {
        self.batches >= BATCHES_MIN && self.most.saturating_sub(self.least) <= SAME
    }

    /// Takes note of a distance, while time has come to `now`, or, where that is late, to nobody knows when.
    fn note(&mut self, distance: i64, now: i64, is_late: bool) {
        self.batches = self.batches.saturating_add(1);
        if self.by_calls.is_none() {
            self.least = self.least.min(distance);
            self.most = self.most.max(distance);
        } else if is_late || is_near(distance, self.distance, RIGHT) {
            self.astray = None;
        } else {
            let (first, since, count) = match self.astray {
                Some(same) if is_near(distance, same.0, SAME) => same,
                _ => (distance, now, 0),
            };
            self.astray = Some((first, since, count + 1));
            if count + 1 >= BATCHES_MIN && now.saturating_sub(since) >= SET {
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
            by_calls: None,
            astray: None,
        }
    }
}

/// The clocks of the machines in a recording.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    machines: HashMap<String, Machine>,
    recent: VecDeque<i64>,
    batches: u32,
    /// The common time, by the clock of the first machine, and how far that one is from the middle of all.
    now: i64,
    middle: i64,
    /// How many machines there were when the middle was found.
    middle_of: usize,
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

    /// Takes note of a batch: of each machine that has spans in it, and where they end.
    fn note(&mut self, ends: &[(&str, i64)]) {
        if ends.is_empty() {
            return;
        }
        self.batches = self.batches.saturating_add(1);
        if self.recent.is_empty() {
            let time = |(machine, end): &(&str, i64)| {
                let known = self.machines.get(*machine);
                end.saturating_sub(known.map_or(0, |known| known.distance))
            };
            self.now = median(ends.iter().map(time).collect());
        }
        // First to what time those come that are known: a batch that mixes machines tells it at once.
        let known = |(machine, end): &(&str, i64)| Some(end.saturating_sub(self.machines.get(*machine)?.distance));
        let times: Vec<i64> = ends.iter().filter_map(known).collect();
        self.recent.extend(&times);
        self.come_to_now();
        let is_late = self.is_late();
        let now = if times.len() >= MIXED_MIN {
            median(times)
        } else {
            self.now
        };
        for (machine, end) in ends {
            let distance = end.saturating_sub(now);
            if !self.machines.contains_key(*machine) && self.machines.len() < MACHINES_MAX {
                self.machines.insert((*machine).to_owned(), Machine::new(distance));
                self.recent.push_back(now);
            }
            if let Some(known) = self.machines.get_mut(*machine) {
                known.note(distance, now, is_late);
            }
        }
        self.come_to_now();
        // The middle of many machines is hardly changed by a few.
        if self.machines.len() > self.middle_of + self.middle_of / 8 {
            self.find_middle();
        }
        self.are_doubtful |= ends.iter().any(|(machine, _)| {
            let known = self.machines.get(*machine);
            known.is_some_and(|known| self.is_doubtful(known))
        });
    }

    fn come_to_now(&mut self) {
        while self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        if !self.recent.is_empty() {
            self.now = self.now.max(median(self.recent.iter().copied().collect()));
        }
    }

    /// Where batches are rare the common time is far behind, and says nothing. The newest of them may come of a clock that
    /// was set: from the middle to the upper quartile it is half as far.
    fn is_late(&self) -> bool {
        let mut recent: Vec<i64> = self.recent.iter().copied().collect();
        recent.sort_unstable();
        let upper = recent.get(recent.len() * 3 / 4).copied().unwrap_or(self.now);
        upper.saturating_sub(self.now) > LAG_MAX / 2
    }

    fn find_middle(&mut self) {
        self.middle = median(self.machines.values().map(|machine| machine.distance).collect());
        self.middle_of = self.machines.len();
    }

    fn is_doubtful(&self, known: &Machine) -> bool {
        known
            .by_calls
            .map_or_else(|| !is_near(known.distance, self.middle, RIGHT), |off| off != 0)
    }

    /// From the first batch again, with what is known of the machines by now, and what calls tell.
    fn begin_again(&mut self, groups: Vec<pairs::Group>) {
        self.find_middle();
        // A document that is one batch is in no order that calls could contradict.
        let is_in_order = self.batches >= BATCHES_MIN;
        for group in groups {
            // The order places the group, where it tells of half of it. It does not tell of seconds.
            let steady = group.iter().filter_map(|(name, off)| {
                let machine = self.machines.get(name).filter(|machine| machine.is_steady())?;
                Some(machine.distance.saturating_sub(*off))
            });
            let steady: Vec<i64> = steady.collect();
            let is_told = steady.len() * 2 >= group.len();
            let place = if is_told { median(steady) } else { self.middle };
            let is_right = self.is_late() || is_near(place, self.middle, RIGHT);
            let group_off = if is_right { 0 } else { place.saturating_sub(self.middle) };
            for (name, off) in group {
                let distance = place.saturating_add(off);
                let batches = match self.machines.get(&name) {
                    // In a file that is sorted by what the clocks say, spans that are moved far come too late or too soon.
                    Some(known) if is_in_order && !is_near(known.distance, distance, RIGHT) => continue,
                    Some(known) => known.batches,
                    None if self.machines.len() >= MACHINES_MAX => continue,
                    None => 0,
                };
                let by_calls = Some(off.saturating_add(group_off));
                let known = Machine {
                    batches,
                    by_calls,
                    ..Machine::new(distance)
                };
                self.machines.insert(name, known);
            }
        }
        self.recent.clear();
        for machine in self.machines.values_mut() {
            machine.batches = if machine.is_steady() { machine.batches } else { 0 };
            (machine.least, machine.most) = (machine.distance, machine.distance);
        }
        self.find_middle();
        self.are_doubtful = self.machines.values().any(|known| self.is_doubtful(known));
    }

    /// By how much the spans of a machine are to be moved, in nanoseconds.
    fn moved(&self, machine: &str) -> i64 {
        let Some(known) = self.machines.get(machine) else {
            return 0;
        };
        if let Some(off) = known.by_calls {
            return off.saturating_neg();
        }
        let is_wrong = !is_near(known.distance, self.middle, RIGHT) && known.is_steady() && !self.is_late();
        if is_wrong {
            self.middle.saturating_sub(known.distance)
        } else {
            0
        }
    }
}

fn is_near(one: i64, other: i64, within: i64) -> bool {
    one.saturating_sub(other).saturating_abs() <= within
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
