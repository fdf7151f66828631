//! Structure: the set of children of an operation changed. A call is missing, or new.
//!
//! For each operation and each child it may have, the share of spans that have it now is compared with the range of
//! that share at rest; blame = n KL(now, nearest end of the range) in nats, the largest of an operation counts. When a
//! child is missing because the children end early, the service of the child that is last now and was not at rest is
//! blamed: its answer made the caller stop. Source: DESIGN 6.5.

use crate::Scene;
use crate::blame::Ledger;
use crate::verdict::Evidence;
use crate::words::percent;
use epicenter_detect::stats::{divergence, mean_share};
use epicenter_graph::{NameId, OpKey, OpStats};
use std::collections::BTreeSet;

/// Spans at rest below which nothing is known of an operation's children.
const SPANS_AT_REST_MIN: u64 = 20;
/// Nats below which a change is chance.
const NATS_MIN: f64 = 4.0;
/// Change of share below which nothing is said.
const CHANGE_MIN: f64 = 0.1;

pub(crate) fn blame(scene: &Scene<'_>, ledger: &mut Ledger) {
    let at_rest = |key: &OpKey| {
        let rest = scene.baseline.total().ops.get(key);
        rest.filter(|rest| rest.count >= SPANS_AT_REST_MIN)
    };
    // Only operations with a child that moved are sorted and asked for their periods.
    let moved = |key: &OpKey, op: &OpStats| at_rest(key).is_some_and(|rest| children(op, rest).next().is_some());
    for (key, op) in scene.ops(|key, op| op.count > 0 && moved(key, op)) {
        let Some(rest) = at_rest(&key) else { continue };
        let mut children: Vec<(NameId, NameId)> = children(op, rest).collect();
        children.sort_unstable_by_key(|(service, name)| (scene.name(*service), scene.name(*name)));
        for child in children {
            change(scene, &key, (op, rest), child, ledger);
        }
    }
}

/// The children that so many more or fewer spans have than at rest that it may mean something.
fn children<'a>(op: &'a OpStats, rest: &'a OpStats) -> impl Iterator<Item = (NameId, NameId)> + 'a {
    let all = op.children.beside(&rest.children);
    let moved = all.filter(|(_, now, at_rest)| {
        let share = *now as f64 / op.count.max(1) as f64;
        let usual = *at_rest as f64 / rest.count.max(1) as f64;
        if (share - usual).abs() < CHANGE_MIN / 2.0 {
            return false;
        }
        // The ends of the range lie on either side of the mean, so that the nats against them are no more.
        let mean = mean_share(*at_rest, rest.count);
        (share - mean).abs() >= CHANGE_MIN && op.count as f64 * divergence(share, mean) >= NATS_MIN
    });
    moved.map(|(child, ..)| child)
}

fn change(
    scene: &Scene<'_>,
    key: &OpKey,
    (op, rest): (&OpStats, &OpStats),
    child: (NameId, NameId),
    ledger: &mut Ledger,
) {
    let having = |op: &OpStats| op.children.get(&child).copied().unwrap_or(0);
    let Some(usual) = scene.baseline.op_share(key, |op| (having(op), op.count), op.count) else {
        return;
    };
    let now = having(op) as f64 / op.count.max(1) as f64;
    if usual.low <= now && now <= usual.high {
        return;
    }
    let least = 0.5 / (rest.count as f64 + 1.0);
    let reference = now.clamp(usual.low, usual.high).clamp(least, 1.0 - least);
    let nats = op.count as f64 * divergence(now, reference);
    if nats < NATS_MIN {
        return;
    }
    let (culprit, how) = match last_before_stop(scene, key, (op, rest), usual.mean - now) {
        Some(last) if now < usual.mean => (last, "the work ends early, after"),
        _ => (key.service, "the calls change in"),
    };
    let text = format!(
        "{} of {} in {} have the step {} of {}, usually {}; {how} {}",
        percent(now),
        scene.name(key.name),
        scene.name(key.service),
        scene.name(child.1),
        scene.name(child.0),
        percent(usual.mean),
        scene.name(culprit)
    );
    let evidence = Evidence {
        kind: "structure".to_owned(),
        text,
        value: now,
        baseline: usual.mean,
        trace_ids: op.slowest.traces().collect(),
    };
    ledger.at_least(scene.service(culprit), nats, evidence);
}

/// The other service whose child is now the last one in more than half of the spans that miss something, and twice as
/// often as at rest.
fn last_before_stop(scene: &Scene<'_>, key: &OpKey, (op, rest): (&OpStats, &OpStats), missing: f64) -> Option<NameId> {
    let share =
        |op: &OpStats, last: &NameId| op.last_child.get(last).copied().unwrap_or(0) as f64 / op.count.max(1) as f64;
    let lasts: BTreeSet<(&str, NameId)> = op.last_child.keys().map(|id| (scene.name(*id), *id)).collect();
    lasts
        .into_iter()
        .filter(|(name, id)| !name.is_empty() && *id != key.service)
        .map(|(_, id)| (share(op, &id), share(rest, &id), id))
        .filter(|(now, usual, _)| now - usual > 0.5 * missing && *now > 2.0 * usual + 0.05)
        .max_by(|a, b| (a.0 - a.1).total_cmp(&(b.0 - b.1)))
        .map(|(_, _, id)| id)
}
