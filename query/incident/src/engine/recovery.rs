//! Whether what was bad was tried again and went well. Where hardly anything passes, that nothing bad is seen says little:
//! perhaps nobody came by.
//!
//! Of each place that was beyond doubt the requests since the last bad ones are counted, times the share of them that was bad
//! during the incident: so many bad ones were to be expected. When that is enough at half of the places for none to be no chance, it is over; or when
//! nobody came by for long.

use super::Engine;
use super::ongoing::{CHANCE_NATS, Ongoing};
use epicenter_detect::{Baseline, Place, Signal, surges};
use epicenter_graph::{Sketch, Window};
use epicenter_localize::CauseKind;

/// Windows after which an incident is over though hardly anybody tried again.
const UNTRIED_WINDOWS_MAX: u32 = 36;
/// What takes longer than this quantile at rest is late.
const LATE_QUANTILE: f64 = 0.95;

/// Bad requests to be expected since the last ones, by place, in the order of the marks.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    expected: Vec<f64>,
    windows: u32,
}

impl Ongoing {
    /// A window in which nothing was bad.
    pub(super) fn pass(&mut self, window: &Window, baseline: &Baseline) {
        self.recovery.windows += 1;
        self.recovery.expected.resize(self.marks.len(), 0.0);
        for (expected, mark) in self.recovery.expected.iter_mut().zip(&self.marks) {
            let (count, _) = tried(window, *mark, baseline);
            if count > 0 && *expected < CHANCE_NATS {
                *expected += count as f64 * tried(&self.window, *mark, baseline).1;
            }
        }
    }

    /// Something was bad again.
    pub(super) fn relapse(&mut self) {
        self.recovery = Recovery::default();
    }

    /// Whether enough was tried again.
    pub(super) fn is_tried(&self) -> bool {
        let enough = self
            .recovery
            .expected
            .iter()
            .filter(|expected| **expected >= CHANCE_NATS);
        self.recovery.windows >= UNTRIED_WINDOWS_MAX || 2 * enough.count() >= self.marks.len()
    }
}

impl Engine {
    /// A surge is not over while far more arrives than at rest, however well it is borne.
    pub(super) fn still_surges(&self, id: &str, window: &Window) -> bool {
        let surging = self
            .known(id)
            .filter(|incident| incident.cause.kind == CauseKind::TrafficSurge);
        let Some(entry) = surging.and_then(|incident| incident.suspects.first()) else {
            return false;
        };
        let names = self.builder.names();
        let now = surges(window, self.window(), &self.baseline, names);
        now.iter()
            .any(|surge| names.get(surge.op.service).as_ref() == entry.entity.name)
    }
}

/// Requests at a place, and the share of them that was bad.
fn tried(window: &Window, (signal, place): (Signal, Place), baseline: &Baseline) -> (u64, f64) {
    let rest = baseline.total();
    let share = |errors: u64, count: u64| errors as f64 / count.max(1) as f64;
    let late =
        |now: &Sketch, rest: Option<&Sketch>| rest.map_or(0.0, |rest| now.share_above(rest.quantile(LATE_QUANTILE)));
    match place {
        Place::Operation(key) => {
            let Some(op) = window.ops.get(&key) else {
                return (0, 0.0);
            };
            let bad = match signal {
                Signal::Errors => share(op.entry_errors, op.entries),
                _ => late(&op.duration, rest.ops.get(&key).map(|op| &op.duration)),
            };
            (op.entries, bad)
        }
        Place::Edge(key) => {
            let Some(edge) = window.edges.get(&key) else {
                return (0, 0.0);
            };
            let bad = match signal {
                Signal::Errors => share(edge.errors, edge.count),
                _ => late(&edge.client, rest.edges.get(&key).map(|edge| &edge.client)),
            };
            (edge.count, bad)
        }
        Place::Service(service) => {
            let of_it = window.ops.iter().filter(|(key, _)| key.service == service);
            (of_it.map(|(_, op)| op.entries).sum(), 1.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use epicenter_graph::{Names, OpKey, OpStats};
    use epicenter_schema::{DurationNs, SpanKind, Timestamp};
    use std::collections::BTreeSet;

    const ENTRY: OpKey = OpKey {
        service: Names::NONE,
        name: Names::NONE,
        kind: SpanKind::Server,
    };

    fn window(entries: u64, entry_errors: u64) -> Window {
        let op = OpStats {
            entries,
            entry_errors,
            ..OpStats::default()
        };
        let mut window = Window::default();
        window.ops.insert(ENTRY, op);
        window
    }

    /// Whether it is over after windows with so many good requests each, where half of all requests were bad.
    fn is_tried(good: u64, windows: u32) -> bool {
        let bad = window(20, 10);
        let mut ongoing = Ongoing::new("id".to_owned(), bad, DurationNs(1), BTreeSet::new(), Timestamp(0));
        ongoing.marks.push((Signal::Errors, Place::Operation(ENTRY)));
        for _ in 0..windows {
            ongoing.pass(&window(good, 0), &Baseline::default());
        }
        ongoing.is_tried()
    }

    #[test]
    fn as_many_must_go_well_as_are_no_chance() {
        assert!(is_tried(7, 2));
        assert!(!is_tried(6, 2));
        assert!(!is_tried(0, UNTRIED_WINDOWS_MAX - 1));
        assert!(is_tried(0, UNTRIED_WINDOWS_MAX), "nobody came by for long");
    }
}
