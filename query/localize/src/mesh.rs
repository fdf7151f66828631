//! Spans without parents, as sidecars of a mesh send them: client and server spans are not linked, so they are compared
//! in sum.
//!
//! With dI(s) the change of the typical inbound duration of a service, dE(c, t) that of the calls from c to t, and r the
//! calls per inbound request at rest (between 1 and 3):
//! self excess(s) = dI(s) - sum r dE(s, t); gap excess(c, t) = dE(c, t) - max(dI(t), sum r dE(t, u)), each times the
//! count and the logarithm of the growth, where the value grew by half. A slow edge is blamed by incidence as in [`crate::edge_gap`]. Errors: those of
//! an edge beyond the callee's inbound ones belong to the callee; inbound ones beyond those of its own calls, and
//! beyond the share of its calls that is so late that one gives up on them, belong to the service itself.

mod flows;

use crate::Scene;
use crate::blame::Ledger;
use crate::edge_gap::{Excess, culprits};
use crate::verdict::Evidence;
use crate::words::{duration, percent};
use epicenter_detect::stats::excess_of_share;
use epicenter_graph::Entity;
use epicenter_schema::TraceId;
use flows::{Flow, flows};
use std::collections::{BTreeMap, BTreeSet};

/// A value must be this many times the usual one.
const TIMES_MIN: f64 = 1.5;
/// Added to durations before they are divided, so that nothing that is too short to be felt grows by a large ratio.
const GROWTH_FLOOR_NS: f64 = 1e6;
/// Calls are late, so that callers give up on them, when they take so many times what this quantile is at rest.
const LATE_TIMES: f64 = 3.0;
const LATE_QUANTILE: f64 = 0.99;
/// At most so many calls per inbound request are taken to wait one after the other.
const CALLS_MAX: f64 = 3.0;
/// Share of failures that is not explained below which nothing is said.
const SHARE_MIN: f64 = 0.02;
/// Usual share of failures where nothing is known of the past.
const UNKNOWN_SHARE: f64 = 0.02;
/// Traces told of one flow.
const TRACES_MAX: usize = 4;
const VALUES_NOW_MIN: u64 = 2;
const VALUES_AT_REST_MIN: u64 = 5;

/// A flow now against the same at rest.
struct Change<'a> {
    now: &'a Flow,
    count_at_rest: u64,
    /// Typical duration at rest, now, and the change beyond the median and beyond what is high at rest.
    usual: f64,
    value: f64,
    shift: f64,
    beyond: f64,
    /// What hardly any takes longer than at rest.
    slow_at_rest: f64,
    /// Share of failures now and usually.
    errors: f64,
    errors_usual: f64,
}

impl Change<'_> {
    /// How striking the growth is: the logarithm of its ratio. A value that is four times the usual in a place that
    /// drifts by itself weighs less than one a hundred times the usual.
    fn growth(&self) -> f64 {
        ((self.value + GROWTH_FLOOR_NS) / (self.usual.max(0.0) + GROWTH_FLOOR_NS))
            .max(1.0)
            .ln()
    }
}

pub(crate) fn blame(scene: &Scene<'_>, latency: &mut Ledger, faults: &mut Ledger) {
    let (now, rest) = (flows(scene, scene.window), flows(scene, scene.baseline.total()));
    let inbound: BTreeMap<&Entity, Change<'_>> = now
        .inbound
        .iter()
        .filter_map(|(s, flow)| Some((s, change(scene, flow, rest.inbound.get(s)?)?)))
        .collect();
    let calls: BTreeMap<&(Entity, Entity), Change<'_>> = now
        .calls
        .iter()
        .filter_map(|(e, flow)| Some((e, change(scene, flow, rest.calls.get(e)?)?)))
        .collect();
    slow_services(&inbound, &calls, latency);
    slow_edges(&inbound, &calls, latency);
    failures(&inbound, &calls, faults);
}

fn slow_services(
    inbound: &BTreeMap<&Entity, Change<'_>>,
    calls: &BTreeMap<&(Entity, Entity), Change<'_>>,
    latency: &mut Ledger,
) {
    for (service, change) in inbound {
        let waited = waits(service, inbound, calls);
        let own = change.beyond - waited;
        if own <= 0.0 || change.value <= TIMES_MIN * change.usual {
            continue;
        }
        let text = format!(
            "{} answers in {}, usually {}; waiting for others explains {} of it",
            service.name,
            duration(change.value),
            duration(change.usual),
            duration(waited)
        );
        let evidence = evidence("self_time", text, change.value, change.usual, &change.now.slowest);
        latency.add(
            (*service).clone(),
            own * change.now.count as f64 * change.growth(),
            evidence,
        );
    }
}

/// Growth of what a service waits for, per inbound request.
fn waits(
    service: &Entity,
    inbound: &BTreeMap<&Entity, Change<'_>>,
    calls: &BTreeMap<&(Entity, Entity), Change<'_>>,
) -> f64 {
    let requests = inbound.get(service).map_or(1, |change| change.count_at_rest).max(1) as f64;
    calls
        .iter()
        .filter(|((caller, _), change)| caller == service && change.shift > 0.0)
        .map(|(_, change)| (change.count_at_rest as f64 / requests).clamp(1.0, CALLS_MAX) * change.shift)
        .sum()
}

fn slow_edges(
    inbound: &BTreeMap<&Entity, Change<'_>>,
    calls: &BTreeMap<&(Entity, Entity), Change<'_>>,
    latency: &mut Ledger,
) {
    let pairs: BTreeSet<(Entity, Entity)> = calls.keys().map(|pair| (*pair).clone()).collect();
    let mut excess = BTreeMap::new();
    for (pair, change) in calls {
        let inside = inbound.get(&pair.1).map_or(0.0, |callee| callee.shift.max(0.0));
        let inside = inside.max(waits(&pair.1, inbound, calls));
        let gap = change.beyond - inside;
        if gap <= 0.0 || change.value <= TIMES_MIN * change.usual {
            continue;
        }
        let text = format!(
            "calls {} -> {} take {}, usually {}; the callee's own time explains {} of it",
            pair.0.name,
            pair.1.name,
            duration(change.value),
            duration(change.usual),
            duration(inside)
        );
        let evidence = evidence("edge_gap", text, change.value, change.usual, &change.now.slowest);
        excess.insert(
            (*pair).clone(),
            Excess {
                weight: gap * change.now.count as f64 * change.growth(),
                evidence,
            },
        );
    }
    let mut culprits = culprits(&pairs, &excess);
    for (pair, e) in excess {
        let culprit = culprits.remove(&pair).unwrap_or(pair.1);
        latency.add(culprit, e.weight, e.evidence);
    }
}

fn failures(
    inbound: &BTreeMap<&Entity, Change<'_>>,
    calls: &BTreeMap<&(Entity, Entity), Change<'_>>,
    faults: &mut Ledger,
) {
    let rise = |change: &Change<'_>| (change.errors - change.errors_usual).max(0.0);
    for (pair, change) in calls {
        let own = rise(change) - inbound.get(&pair.1).map_or(0.0, rise);
        if own <= SHARE_MIN {
            continue;
        }
        let text = format!(
            "{} of the calls {} -> {} fail, usually {}; the callee itself reports {}",
            percent(change.errors),
            pair.0.name,
            pair.1.name,
            percent(change.errors_usual),
            percent(inbound.get(&pair.1).map_or(0.0, |callee| callee.errors))
        );
        let hits = ((change.errors_usual + own) * change.now.count as f64).round() as u64;
        let nats = excess_of_share(hits, change.now.count, change.errors_usual);
        let kind = if inbound.contains_key(&pair.1) {
            "failed_calls"
        } else {
            "unanswered"
        };
        faults.add(
            pair.1.clone(),
            nats,
            evidence(kind, text, change.errors, change.errors_usual, &change.now.failed),
        );
    }
    for (service, change) in inbound {
        let requests = change.count_at_rest.max(1) as f64;
        let below = calls
            .iter()
            .filter(|((caller, _), _)| caller == *service)
            .map(|(_, call)| (rise(call).max(late(call)) * (call.count_at_rest as f64 / requests).max(1.0)).min(1.0))
            .fold(0.0, f64::max);
        let own = rise(change) - below;
        if own <= SHARE_MIN {
            continue;
        }
        let text = format!(
            "{} of the requests of {} fail, usually {}; failures of what it calls explain {}",
            percent(change.errors),
            service.name,
            percent(change.errors_usual),
            percent(below)
        );
        let hits = ((change.errors_usual + own) * change.now.count as f64).round() as u64;
        let nats = excess_of_share(hits, change.now.count, change.errors_usual);
        let evidence = evidence("errors", text, change.errors, change.errors_usual, &change.now.failed);
        faults.add((*service).clone(), nats, evidence);
    }
}

/// Share of calls that wait far longer than any at rest: who gives up on them fails because of them.
fn late(call: &Change<'_>) -> f64 {
    if call.value <= LATE_TIMES * call.usual {
        return 0.0;
    }
    call.now.sketch.share_above(LATE_TIMES * call.slow_at_rest)
}

fn evidence(kind: &str, text: String, value: f64, baseline: f64, traces: &[TraceId]) -> Evidence {
    Evidence {
        kind: kind.to_owned(),
        text,
        value,
        baseline,
        trace_ids: traces.iter().take(TRACES_MAX).copied().collect(),
    }
}

fn change<'a>(scene: &Scene<'_>, now: &'a Flow, rest: &Flow) -> Option<Change<'a>> {
    if now.count < VALUES_NOW_MIN || rest.count < VALUES_AT_REST_MIN {
        return None;
    }
    let range = match rest.edges.is_empty() {
        true => scene.baseline.ops_range(&rest.ops, |op| &op.duration, now.count)?,
        false => scene
            .baseline
            .edges_range(&rest.edges, |edge| &edge.client, now.count)?,
    };
    let (usual, value) = (range.median, now.sketch.typical());
    let errors_usual = (rest.errors as f64 + 0.5) / (rest.count as f64 + 1.0);
    Some(Change {
        now,
        count_at_rest: rest.count,
        usual,
        value,
        shift: value - usual,
        beyond: value - range.high.max(usual),
        slow_at_rest: rest.sketch.quantile(LATE_QUANTILE),
        errors: now.errors as f64 / now.count as f64,
        errors_usual: if rest.count < 10 {
            errors_usual.max(UNKNOWN_SHARE)
        } else {
            errors_usual
        },
    })
}
