//! A recording of the system at rest, from another time: what is learned of it, before anything is observed.

use super::Engine;
use crate::memory::Learning;
use epicenter_graph::Window;
use epicenter_schema::{DurationNs, SpanBatch, Timestamp};

/// Length of the periods learned from a recording of the system at rest.
const RECORDED_PERIOD: DurationNs = DurationNs::from_secs(60);
/// How far a recording at rest may be out of order.
const RECORDED_LATENESS: DurationNs = DurationNs::from_secs(60);

/// A recording at rest that is being read.
pub(super) struct Recording {
    learning: Learning,
    newest: Timestamp,
    last: Option<Timestamp>,
}

impl Engine {
    /// Takes spans of the system at rest, from another time. All of them before the first [`Engine::observe`].
    pub fn learn(&mut self, batch: &SpanBatch) {
        self.builder.observe(batch);
        let newest = typical_end(batch);
        let recording = self.recording.get_or_insert_with(|| Recording {
            learning: Learning::new(RECORDED_PERIOD),
            newest: Timestamp(i64::MIN),
            last: None,
        });
        recording.newest = recording.newest.max(newest.unwrap_or(recording.newest));
        if recording.newest.0 != i64::MIN {
            let closed = self.builder.advance(recording.newest - RECORDED_LATENESS);
            self.learn_windows(closed);
        }
    }

    fn learn_windows(&mut self, closed: Vec<(Timestamp, Window)>) {
        let step = self.window();
        let Some(recording) = &mut self.recording else { return };
        for (start, window) in closed {
            let since = recording.last.map_or(step, |last| {
                DurationNs((start - last).0.clamp(step.0, RECORDED_PERIOD.0))
            });
            recording.last = Some(start);
            recording.learning.add(&window, since, &mut self.baseline);
        }
    }

    pub(super) fn end_recording(&mut self) {
        if self.recording.is_none() {
            return;
        }
        let closed = self.builder.finish();
        self.learn_windows(closed);
        if let Some(mut recording) = self.recording.take() {
            recording.learning.flush(&mut self.baseline);
            self.recorded = true;
        }
    }
}

/// The median of the ends: one span with a broken clock does not move it.
fn typical_end(batch: &SpanBatch) -> Option<Timestamp> {
    let mut ends: Vec<Timestamp> = batch.spans().iter().map(|span| span.end()).collect();
    let middle = ends.len() / 2;
    (!ends.is_empty()).then(|| *ends.select_nth_unstable(middle).1)
}
