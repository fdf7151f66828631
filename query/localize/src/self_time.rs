//! Self time: what a span spends that none of its children explains.
//!
//! Blame of a service = sum over its operations of (typical self time now - what is high at rest) times spans, in
//! nanoseconds, where the typical self time is out of its range. Calls to others hold no self time: they belong to
//! the edge. Source: DESIGN 6.1; the typical value is [`epicenter_graph::Sketch::typical`].

use crate::Scene;
use crate::blame::Ledger;
use crate::spread::spread;
use crate::verdict::Evidence;
use crate::words::duration;
use epicenter_detect::{Range, UsualRequests};
use epicenter_graph::{OpKey, OpStats};

/// Values at rest below which nothing is known of an operation.
pub(crate) const VALUES_AT_REST_MIN: u64 = 10;
/// Values now below which nothing is said.
pub(crate) const VALUES_NOW_MIN: u64 = 2;

/// Growth against everything at rest together, below which the periods are not looked at one by one.
pub(crate) const GREW_MIN: f64 = 1.1;

/// What is lost against everything at rest together, in nanoseconds, where the self time grew.
pub(crate) fn lost(op: &OpStats, rest: Option<&UsualRequests>) -> Option<f64> {
    let rest = rest.filter(|_| op.self_time.count() >= VALUES_NOW_MIN)?;
    let now = op.self_time.typical();
    (now >= GREW_MIN * rest.work_ns).then(|| (now - rest.work_ns) * op.self_time.count() as f64)
}

/// An operation whose self time is out of its range.
struct Longer<'a> {
    key: OpKey,
    op: &'a OpStats,
    now: f64,
    range: Range,
}

impl<'a> Longer<'a> {
    fn of(scene: &Scene<'_>, key: OpKey, op: &'a OpStats) -> Option<Self> {
        let range = scene
            .baseline
            .op_range(&key, |op| &op.self_time, op.self_time.count())?;
        let now = op.self_time.typical();
        let is_longer = range.count >= VALUES_AT_REST_MIN && range.is_exceeded_by(now);
        is_longer.then_some(Self { key, op, now, range })
    }

    fn evidence(&self, scene: &Scene<'_>) -> Evidence {
        let text = format!(
            "{} spends {} of its own in {}, usually {}",
            scene.name(self.key.service),
            duration(self.now),
            scene.name(self.key.name),
            duration(self.range.median)
        );
        Evidence {
            kind: "self_time".to_owned(),
            text,
            value: self.now,
            baseline: self.range.median,
            trace_ids: self.op.slowest.traces().collect(),
        }
    }
}

pub(crate) fn blame(scene: &Scene<'_>, longer: &[(OpKey, &OpStats, f64)], ledger: &mut Ledger) {
    let found = spread(longer, |part| {
        let found = part.iter().filter_map(|(key, op, _)| Longer::of(scene, *key, op));
        found.collect::<Vec<_>>()
    });
    let mut found: Vec<Longer<'_>> = found.into_iter().flatten().collect();
    found.sort_by_cached_key(|longer| scene.op_name(&longer.key));
    let reasons = spread(&found, |part| {
        let reasons = part.iter().map(|longer| (longer, longer.evidence(scene)));
        reasons.collect::<Vec<_>>()
    });
    for (Longer { key, op, now, range }, evidence) in reasons.into_iter().flatten() {
        let lost = (now - range.high) * op.self_time.count() as f64;
        ledger.add(scene.service(key.service), lost, evidence);
    }
}
