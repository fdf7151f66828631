//! The operations whose requests suffer, and how far their work gets.

use super::{ASKING, LEFT_MAX};
use crate::Scene;
use crate::survey::Survey;
use epicenter_detect::UsualRequests;
use epicenter_graph::{Callee, EdgeKey, NameId, OpKey, OpStats};
use epicenter_schema::SpanKind;
use hashbrown::HashMap;
use std::collections::BTreeMap;

/// Share of requests that fail, are late or complain beyond the usual, and growth of their own work, from which an operation
/// suffers.
const RISE_MIN: f64 = 0.05;
const GROWTH_MIN: f64 = 1.5;
/// Share of the requests at rest in which somebody else is asked, for it to tell how far the work gets.
const USUALLY_MIN: f64 = 0.5;

/// An operation whose requests suffer: its spans of each kind, now and at rest, in the order of the kinds.
#[derive(Default)]
pub(super) struct Suffering<'a>(BTreeMap<SpanKind, (&'a OpStats, &'a OpStats)>);

impl Suffering<'_> {
    /// Whether it still asks anybody else whom it usually asks; none where there is nobody else.
    pub(super) fn asks_others(&self, but: EdgeKey) -> Option<bool> {
        let mut asks = None;
        for (op, rest) in self.0.values() {
            for (child, now, at_rest) in op.children.beside(&rest.children) {
                let usual = at_rest as f64 / rest.count.max(1) as f64;
                let is_other = child.0 != but.caller && Callee::Service(child.0) != but.callee;
                if is_other && usual >= USUALLY_MIN {
                    let is_asked = now as f64 > LEFT_MAX * usual * op.count as f64;
                    asks = Some(asks.unwrap_or(false) || is_asked);
                }
            }
        }
        asks
    }

    /// Share of the requests at rest in which a service is the last that is asked.
    pub(super) fn is_last(&self, service: NameId) -> f64 {
        let last = |rest: &OpStats| {
            let last = rest.last_child.get(&service).copied().unwrap_or(0);
            last as f64 / rest.count.max(1) as f64
        };
        self.0.values().map(|(_, rest)| last(rest)).fold(0.0, f64::max)
    }
}

/// The operations whose requests fail or take longer, by service and name.
pub(super) fn suffering<'a>(scene: &Scene<'a>, survey: &Survey<'a>) -> HashMap<(NameId, NameId), Suffering<'a>> {
    let failing = survey.ops.complaining.iter();
    let failing = failing.filter(|(_, op, more)| *more >= RISE_MIN * op.count as f64);
    let is_longer = |(key, op, _): &&(OpKey, &OpStats, f64)| {
        let usual = scene.baseline.usual_requests(key);
        usual.is_some_and(|usual: &UsualRequests| op.self_time.typical() >= GROWTH_MIN * usual.work_ns)
    };
    let longer = survey.ops.longer.iter().filter(is_longer);
    let felt = survey.ops.suffering.iter().filter(|(_, _, impact)| *impact >= RISE_MIN);
    let asking = failing
        .chain(longer)
        .chain(felt)
        .filter(|(key, ..)| ASKING.contains(&key.kind));
    let rest = &scene.baseline.total().ops;
    let mut suffering: HashMap<(NameId, NameId), Suffering<'a>> = HashMap::new();
    for (key, now, _) in asking {
        if let Some(rest) = rest.get(key) {
            let of = suffering.entry((key.service, key.name)).or_default();
            of.0.insert(key.kind, (*now, rest));
        }
    }
    suffering
}
