//! What happens when more spans wait than there is room for.

use super::Builder;

impl Builder {
    /// Gives up the older half of what is held.
    pub(super) fn hurry(&mut self) {
        let mut ends: Vec<i64> = self.open.values().map(|open| open.end).collect();
        let middle = ends.len() / 2;
        let cut = *ends.select_nth_unstable(middle).1;
        let before = self.open.len();
        let mut dropped = 0;
        self.open.retain(|_, open| {
            let keep = open.end > cut;
            dropped += if keep { 0 } else { open.spans.len() };
            keep
        });
        self.open_spans -= dropped;
        self.counters.hurried += (before - self.open.len()) as u64;
        self.counters.hurried_spans += dropped as u64;
        self.dropped += dropped as u64;
    }
}
