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
use epicenter_detect::Share;
use epicenter_detect::stats::{divergence, mean_share};
use epicenter_graph::{Callee, Entity, NameId, OpKey, OpStats};
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeSet;

/// Spans at rest below which nothing is known of an operation's children.
const SPANS_AT_REST_MIN: u64 = 20;
/// Nats below which a change is chance.
const NATS_MIN: f64 = 4.0;
/// Children whose periods are asked, those that moved most: in a large system thousands move by chance.
const MOVED_MAX: usize = 1_000;
/// Change of share below which nothing is said.
const CHANGE_MIN: f64 = 0.1;

/// A child that other shares of the spans of an operation have than at rest.
#[derive(Debug)]
pub(crate) struct Moved<'a> {
    key: OpKey,
    op: &'a OpStats,
    rest: &'a OpStats,
    child: (NameId, NameId),
    /// At most so many, whatever the periods say.
    nats: f64,
}

/// What of an operation may have moved beyond chance.
pub(crate) fn moved<'a>(scene: &Scene<'a>, key: OpKey, op: &'a OpStats, found: &mut Vec<Moved<'a>>) {
    let rest = scene.baseline.total().ops.get(&key);
    if let Some(rest) = rest.filter(|rest| rest.count >= SPANS_AT_REST_MIN && op.count > 0) {
        let moved = |(child, nats)| Moved {
            key,
            op,
            rest,
            child,
            nats,
        };
        found.extend(children(op, rest).map(moved));
    }
}

pub(crate) fn blame(scene: &Scene<'_>, mut moved: Vec<Moved<'_>>, ledger: &mut Ledger) {
    let name = |moved: &Moved<'_>| {
        let Moved { key, child, .. } = moved;
        (scene.op_name(key), scene.names.get(child.0), scene.names.get(child.1))
    };
    moved.sort_unstable_by(|a, b| b.nats.total_cmp(&a.nats).then_with(|| name(a).cmp(&name(b))));
    moved.truncate(MOVED_MAX);
    let accused: Vec<_> = moved.iter().filter_map(|moved| accuse(scene, moved)).collect();
    let entities = entities(scene, accused.iter().map(|(culprit, ..)| *culprit).collect());
    for (culprit, nats, evidence) in accused {
        let entity = entities.get(&culprit).cloned();
        ledger.at_least(entity.unwrap_or_else(|| scene.service(culprit)), nats, evidence);
    }
}

/// Those of the names that are of something that sends no spans.
fn entities(scene: &Scene<'_>, named: HashSet<NameId>) -> HashMap<NameId, Entity> {
    if named.is_empty() {
        return HashMap::new();
    }
    let mut peers: HashMap<NameId, Callee> = HashMap::new();
    for key in scene.window.edges.keys() {
        if let Callee::Peer(_, peer) = key.callee
            && named.contains(&peer)
        {
            let known = peers.entry(peer).or_insert(key.callee);
            *known = key.callee.min(*known);
        }
    }
    if !peers.is_empty() {
        let heard = scene.window.ops.keys().chain(scene.baseline.total().ops.keys());
        let services: HashSet<NameId> = heard.map(|key| key.service).collect();
        peers.retain(|peer, _| !services.contains(peer));
    }
    let entity = |(peer, callee)| (peer, scene.callee(callee));
    peers.into_iter().map(entity).collect()
}

/// The children that so many more or fewer spans have than at rest that it may mean something.
fn children<'a>(op: &'a OpStats, rest: &'a OpStats) -> impl Iterator<Item = ((NameId, NameId), f64)> + 'a {
    let all = op.children.beside(&rest.children);
    let (per_span, per_span_at_rest) = (1.0 / op.count.max(1) as f64, 1.0 / rest.count.max(1) as f64);
    all.filter_map(move |(child, now, at_rest)| {
        let share = now as f64 * per_span;
        let usual = at_rest as f64 * per_span_at_rest;
        if (share - usual).abs() < CHANGE_MIN / 2.0 {
            return None;
        }
        // The ends of the range lie on either side of the mean, so that the nats against them are no more.
        let mean = mean_share(at_rest, rest.count);
        let nats = op.count as f64 * divergence(share, mean);
        ((share - mean).abs() >= CHANGE_MIN && nats >= NATS_MIN).then_some((child, nats))
    })
}

/// Who is suspected for a child that is missing or new, with how much and why.
fn accuse(scene: &Scene<'_>, moved: &Moved<'_>) -> Option<(NameId, f64, Evidence)> {
    let Moved {
        key, op, rest, child, ..
    } = moved;
    let having = |op: &OpStats| op.children.get(child).copied().unwrap_or(0);
    let range = scene.baseline.op_share(key, |op| (having(op), op.count), op.count);
    let Share {
        mean: usual, low, high, ..
    } = range?;
    let now = having(op) as f64 / op.count.max(1) as f64;
    if low <= now && now <= high {
        return None;
    }
    let least = 0.5 / (rest.count as f64 + 1.0);
    let reference = now.clamp(low, high).clamp(least, 1.0 - least);
    let nats = op.count as f64 * divergence(now, reference);
    if nats < NATS_MIN {
        return None;
    }
    let (culprit, how) = match last_before_stop(scene, moved, usual - now) {
        Some(last) if now < usual => (last, "the work ends early, after"),
        _ => (key.service, "the calls change in"),
    };
    let text = format!(
        "{} of {} in {} have the step {} of {}, usually {}; {how} {}",
        percent(now),
        scene.name(key.name),
        scene.name(key.service),
        scene.name(child.1),
        scene.name(child.0),
        percent(usual),
        scene.name(culprit)
    );
    let evidence = Evidence {
        kind: "structure".to_owned(),
        text,
        value: now,
        baseline: usual,
        trace_ids: op.slowest.traces().collect(),
    };
    Some((culprit, nats, evidence))
}

/// The other service whose child is now the last one in more than half of the spans that miss something, and twice as
/// often as at rest.
fn last_before_stop(scene: &Scene<'_>, Moved { key, op, rest, .. }: &Moved<'_>, missing: f64) -> Option<NameId> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stage;
    use epicenter_graph::EntityKind;

    /// Guarantees: a store after which the work ends early is named as a store, and what sends spans is a service though some
    /// calls to it go unanswered.
    #[test]
    fn what_sends_no_spans_is_named_as_what_it_is() {
        let mut stage = Stage::default();
        for callee in ["db:orders", "host:legacy", "host:mail"] {
            stage.calls(("cart", "call", callee), 10, 2, 2);
        }
        stage.op("mail", "POST /send").count += 10;
        let named: HashSet<NameId> = ["orders", "mail", "cart"].map(|name| stage.id(name)).into();
        let expected = [(stage.id("orders"), Entity::new(EntityKind::Database, "orders"))];
        assert_eq!(entities(&stage.scene(), named), expected.into());
    }
}
