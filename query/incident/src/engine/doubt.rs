//! What is too unlikely to be learned as rest, and not certain enough to be an incident.

use super::looks::LONG_WINDOWS;
use super::{Engine, nanoseconds};
use epicenter_detect::Baseline;
use epicenter_schema::{DurationNs, Timestamp};

/// Surprise of several windows together from which nothing is learned: what is taken for rest must not hold it.
pub(super) const DOUBT_NATS: f64 = 6.0;
/// The same from which what is in hand is not learned either.
pub(super) const DROP_NATS: f64 = 10.0;
/// Windows one after the other in which unevenness counts: when the longest look holds nothing else and no incident opened
/// of it, there is nobody to name, and it is how the system is.
const UNEVEN_WINDOWS: usize = 2 * LONG_WINDOWS;

/// For how many windows something was uneven.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    uneven: usize,
}

impl Doubt {
    /// The doubt in the next window, of what several show at places that are shaken, and of what is uneven.
    pub(super) fn take(&mut self, long: f64, uneven: f64) -> f64 {
        self.uneven = if uneven >= DOUBT_NATS { self.uneven + 1 } else { 0 };
        if self.uneven <= UNEVEN_WINDOWS {
            long.max(uneven)
        } else {
            long
        }
    }
}

impl Engine {
    /// Nothing was learned of a window though no incident is open: there is doubt, or nobody who could be named. When that
    /// lasts as long as an incident may, it is the new rest.
    pub(super) fn hold_up(&mut self, end: Timestamp) {
        self.held_up.0 += self.window().0;
        if self.held_up >= nanoseconds(self.config.give_up) {
            self.held_up = DurationNs(0);
            self.learning.drop_in_hand();
            self.baseline = Baseline::default();
            self.look_no_further_than(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_uneven_for_long_and_nobodys_fault_is_learned() {
        let mut doubt = Doubt::default();
        for _ in 0..UNEVEN_WINDOWS {
            assert_eq!(doubt.take(0.0, 20.0), 20.0);
        }
        assert_eq!(doubt.take(1.0, 20.0), 1.0);
        assert_eq!(doubt.take(1.0, 0.0), 1.0);
        assert_eq!(doubt.take(0.0, 20.0), 20.0, "it begins anew");
    }
}
