//! Senders whose clocks are wrong by more than spans are ever late.
//!
//! A span that ended after it was received was timed by a clock that is ahead. A sender of which for some time
//! everything ended longer ago than a span may be late, by about the same, has a clock that is behind; one that sends a
//! backlog catches up and is not taken for it. The spans of such a sender are moved, all by the same length, so that they
//! lie where they were received; until that is certain they only count with others of their trace. Only
//! lengths are compared between hosts anyhow. Clocks that are right within these
//! bounds are left alone, so the order in which spans arrive does not matter.

use epicenter_schema::{DurationNs, Timestamp};
use hashbrown::HashMap;

/// A span may seem to end so much after it was received before its clock is called wrong.
const AHEAD: i64 = DurationNs::from_secs(2).0;
/// Spans later than this are not merely late.
const BEHIND: i64 = DurationNs::from_secs(60).0;
/// How long a sender must be behind by the same before it is believed.
const CONFIRM: i64 = DurationNs::from_secs(10).0;
/// Differences within which a delay is the same: spans are sent in batches.
const SAME: i64 = DurationNs::from_secs(15).0;
/// Senders with a wrong clock that are known at once; clocks beyond it are believed.
const SUSPECTS_MAX: usize = 100_000;

#[derive(Clone, Copy, Debug)]
struct Suspect {
    since: i64,
    /// The delay at that time. What drains slowly moves away from it, though each step be small.
    first: i64,
    /// The smallest time from the end of a span until it was received.
    delay: i64,
    shift: i64,
}

/// What is to be done to the spans of a sender.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Shift {
    /// By how much they are to be moved, in nanoseconds.
    pub(crate) by: i64,
    /// Whether they may as well be much too late: by themselves they are not to be believed.
    pub(crate) is_doubtful: bool,
}

/// What is known of the clocks of senders.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    suspects: HashMap<u32, Suspect>,
}

impl Clocks {
    /// Whether the clocks of a batch have to be looked at one by one; `first` and `last` are the first and the last end
    /// of its spans.
    pub(crate) fn are_doubtful(&self, first: Timestamp, last: Timestamp, received: Timestamp) -> bool {
        !self.suspects.is_empty() || (last - received).0 > AHEAD || (received - first).0 > BEHIND
    }

    /// Takes note of the smallest delay of a sender's spans in a batch, and tells what is to be done to them.
    pub(crate) fn shift(&mut self, source: u32, delay: i64, received: Timestamp) -> Shift {
        let is_wrong = !(-AHEAD..=BEHIND).contains(&delay);
        if !is_wrong {
            self.suspects.remove(&source);
            return Shift::default();
        }
        if !self.suspects.contains_key(&source) && self.suspects.len() >= SUSPECTS_MAX {
            return Shift::default();
        }
        let fresh = Suspect {
            since: received.0,
            first: delay,
            delay,
            shift: if delay < 0 { delay } else { 0 },
        };
        let suspect = self.suspects.entry(source).or_insert(fresh);
        if (delay - suspect.first).abs() > SAME {
            *suspect = fresh;
        }
        suspect.delay = suspect.delay.min(delay);
        let is_behind_for_long = suspect.delay > 0 && received.0.saturating_sub(suspect.since) >= CONFIRM;
        // Once set a shift stays, so that the spans of a trace keep their places to one another.
        if is_behind_for_long && suspect.shift == 0 {
            suspect.shift = suspect.delay;
        }
        let is_doubtful = suspect.shift == 0;
        let by = if is_doubtful { suspect.delay } else { suspect.shift };
        Shift { by, is_doubtful }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn clocks_ahead_at_once_and_clocks_behind_when_it_lasts() {
        let mut clocks = Clocks::default();
        let mut shift = |delay_s: i64, at_s: i64| {
            let shift = clocks.shift(7, delay_s * S, Timestamp(at_s * S));
            (shift.by / S, shift.is_doubtful)
        };
        assert_eq!(shift(-300, 0), (-300, false));
        let next = shift(-296, 5);
        assert_eq!(next, (-300, false), "it was sent later, the clock is the same");
        assert_eq!(shift(3, 10), (0, false), "it was set right");
        assert_eq!(shift(300, 20), (300, true));
        assert_eq!(shift(304, 25), (300, true));
        assert_eq!(shift(302, 31), (300, false));
        assert_eq!(shift(2, 40), (0, false));
    }

    #[test]
    fn a_backlog_is_no_wrong_clock() {
        let mut clocks = Clocks::default();
        for (delay_s, at_s) in [(300, 0), (240, 4), (180, 8), (120, 12), (70, 15)] {
            let shift = clocks.shift(1, delay_s * S, Timestamp(at_s * S));
            assert!(shift.is_doubtful, "{delay_s}");
        }
    }

    #[test]
    fn a_backlog_that_drains_slowly_is_no_wrong_clock() {
        let mut clocks = Clocks::default();
        for (delay_s, at_s) in [(300, 0), (290, 5), (280, 10), (270, 15), (260, 20)] {
            let shift = clocks.shift(1, delay_s * S, Timestamp(at_s * S));
            assert!(shift.is_doubtful, "{delay_s}");
        }
    }

    #[test]
    fn clocks_that_are_right_are_not_looked_at() {
        let mut clocks = Clocks::default();
        let doubtful = |clocks: &Clocks, first: i64, last: i64| {
            clocks.are_doubtful(Timestamp(first * S), Timestamp(last * S), Timestamp(100 * S))
        };
        assert!(!doubtful(&clocks, 50, 100));
        assert!(doubtful(&clocks, 50, 110));
        assert!(doubtful(&clocks, 10, 100));
        clocks.shift(1, -90 * S, Timestamp(100 * S));
        assert!(doubtful(&clocks, 50, 100));
    }
}
