//! Self time: what a span spends that none of its children explains.
//!
//! Blame of a service = sum over its operations of (typical self time now - what is high at rest) times spans, in
//! nanoseconds, where the typical self time is out of its range. Calls to others hold no self time: they belong to
//! the edge. Source: DESIGN 6.1; the typical value is [`epicenter_graph::Sketch::typical`].

use crate::Scene;
use crate::blame::Ledger;
use crate::verdict::Evidence;
use crate::words::duration;
use epicenter_graph::{OpKey, OpStats};

/// Values at rest below which nothing is known of an operation.
pub(crate) const VALUES_AT_REST_MIN: u64 = 10;
/// Values now below which nothing is said.
pub(crate) const VALUES_NOW_MIN: u64 = 2;

/// Growth against everything at rest together, below which the periods are not looked at one by one.
pub(crate) const GREW_MIN: f64 = 1.1;

pub(crate) fn blame(scene: &Scene<'_>, ledger: &mut Ledger) {
    let grew = |key: &OpKey, op: &OpStats| {
        op.self_time.count() >= VALUES_NOW_MIN
            && scene
                .baseline
                .usual_work_ns(key)
                .is_some_and(|usual| op.self_time.typical() >= GREW_MIN * usual)
    };
    for (key, op) in scene.ops(grew) {
        let count = op.self_time.count();
        let Some(range) = scene.baseline.op_range(&key, |op| &op.self_time, count) else {
            continue;
        };
        let now = op.self_time.typical();
        if range.count < VALUES_AT_REST_MIN || !range.is_exceeded_by(now) {
            continue;
        }
        let text = format!(
            "{} spends {} of its own in {}, usually {}",
            scene.name(key.service),
            duration(now),
            scene.name(key.name),
            duration(range.median)
        );
        let evidence = Evidence {
            kind: "self_time".to_owned(),
            text,
            value: now,
            baseline: range.median,
            trace_ids: op.slowest.traces().collect(),
        };
        ledger.add(scene.service(key.service), (now - range.high) * count as f64, evidence);
    }
}
