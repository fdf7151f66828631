//! What the engine remembers of time: recent windows, and what is being learned as rest.
//!
//! A period is learned one period late: when an incident opens, the period in which it may have begun is still in hand
//! and is dropped, so an outage never becomes normal.

use epicenter_detect::Baseline;
use epicenter_graph::Window;
use epicenter_schema::{DurationNs, Timestamp};
use std::collections::VecDeque;

/// Windows remembered: twenty minutes at five seconds.
const WINDOWS_MAX: usize = 240;
/// Operations and edges remembered in all windows together; a large system is remembered for a shorter time.
const KEYS_MAX: usize = 500_000;
/// Spans that a first period must hold to be a baseline at all.
const FIRST_SPANS_MIN: u64 = 20;
/// Spans to be expected of a period from which it is no chance that none came: odds of one in a thousand.
const EXPECTED_SPANS: f64 = 7.0;

/// Recent windows in the order of time, without gaps.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    windows: VecDeque<(Timestamp, Window)>,
    keys: usize,
}

impl Recent {
    /// Remembers the next window; gives back those that are forgotten for it.
    pub(crate) fn push(&mut self, start: Timestamp, window: Window) -> Vec<(Timestamp, Window)> {
        self.keys += keys(&window);
        self.windows.push_back((start, window));
        let mut forgotten = Vec::new();
        while self.windows.len() > WINDOWS_MAX || (self.keys > KEYS_MAX && self.windows.len() > 1) {
            if let Some((start, window)) = self.windows.pop_front() {
                self.keys -= keys(&window);
                forgotten.push((start, window));
            }
        }
        forgotten
    }

    /// A window as it is remembered.
    pub(crate) fn get(&self, start: Timestamp) -> Option<&Window> {
        let at = self.windows.binary_search_by_key(&start, |(start, _)| *start).ok()?;
        Some(&self.windows[at].1)
    }

    /// Puts a window in the place of the one that starts then, if that is remembered; what was lost stays lost.
    pub(crate) fn replace(&mut self, start: Timestamp, mut window: Window) {
        let Ok(at) = self.windows.binary_search_by_key(&start, |(start, _)| *start) else {
            return;
        };
        let known = &mut self.windows[at].1;
        window.accounts.dropped = known.accounts.dropped;
        self.keys = self.keys + keys(&window) - keys(known);
        *known = window;
    }

    pub(crate) fn last_start(&self) -> Option<Timestamp> {
        self.windows.back().map(|(start, _)| *start)
    }

    pub(crate) fn first_start(&self) -> Option<Timestamp> {
        self.windows.front().map(|(start, _)| *start)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Timestamp, Window)> {
        self.windows.iter()
    }

    /// The newest windows, so many at most, the newest first.
    pub(crate) fn latest(&self, count: usize) -> impl Iterator<Item = &(Timestamp, Window)> {
        self.windows.iter().rev().take(count)
    }

    /// Windows that start in `[from, to)` as one, and how many they are.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp) -> (Window, usize) {
        let mut sum = Window::default();
        let mut count = 0;
        for (_, window) in self.windows.iter().filter(|(start, _)| from <= *start && *start < to) {
            sum.merge(window);
            count += 1;
        }
        (sum, count)
    }
}

/// Values of dimensions take a quarter of the room.
fn keys(window: &Window) -> usize {
    window.ops.len() + window.edges.len() + window.flows.len() + window.dimensions.len() / 4
}

/// Whether nothing was heard for so long that it is no chance.
fn is_unheard(window: &Window, length: DurationNs, baseline: &Baseline) -> bool {
    let usual = baseline.total().spans as f64 / baseline.seconds().max(1e-9);
    window.spans == 0 && usual * length.as_secs_f64() >= EXPECTED_SPANS
}

/// Windows on their way into the baseline.
#[derive(Debug)]
pub(crate) struct Learning {
    period: DurationNs,
    open: Window,
    open_length: DurationNs,
    held: Option<(Window, DurationNs)>,
}

impl Learning {
    pub(crate) fn new(period: DurationNs) -> Self {
        Self {
            period,
            open: Window::default(),
            open_length: DurationNs(0),
            held: None,
        }
    }

    /// Adds a calm window.
    pub(crate) fn add(&mut self, window: &Window, length: DurationNs, baseline: &mut Baseline) {
        // Before the first span there is no system to learn.
        if baseline.is_empty() && self.open.spans == 0 && window.spans == 0 {
            return;
        }
        self.open.merge(window);
        self.open_length.0 += length.0;
        if self.open_length < self.period || (baseline.is_empty() && self.open.spans < FIRST_SPANS_MIN) {
            return;
        }
        let period = (std::mem::take(&mut self.open), std::mem::take(&mut self.open_length));
        if baseline.is_empty() {
            baseline.push(period.0, period.1);
        } else if is_unheard(&period.0, period.1, baseline) {
            // A night or a cut in which nothing is heard tells nothing of the system, and must not push out what does.
        } else if let Some((window, length)) = self.held.replace(period) {
            baseline.push(window, length);
        }
    }

    /// Learns what is in hand at once: the recording of a system known to be at rest is over.
    pub(crate) fn flush(&mut self, baseline: &mut Baseline) {
        if let Some((window, length)) = self.held.take() {
            baseline.push(window, length);
        }
        let (open, length) = (std::mem::take(&mut self.open), std::mem::take(&mut self.open_length));
        if open.spans > 0 && (2 * length.0 >= self.period.0 || baseline.is_empty()) {
            baseline.push(open, length);
        }
    }

    /// Forgets what is in hand.
    pub(crate) fn drop_in_hand(&mut self) {
        *self = Self::new(self.period);
    }
}
