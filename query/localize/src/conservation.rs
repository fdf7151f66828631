//! Conservation of errors: an error belongs to the deepest span that has it.
//!
//! Complaints (failed, or logged an error) with no complaint below belong to the service of the span; a failed call
//! with no complaint behind it belongs to the callee, instrumented or not. Blame = n KL(now, usual) in nats, against
//! the usual share, so that steady noise does not win. Source: DESIGN 6.3.

use crate::Scene;
use crate::blame::Ledger;
use crate::survey::Survey;
use crate::verdict::Evidence;
use crate::words::percent;
use epicenter_detect::stats::excess_of_share;
use epicenter_detect::{UsualCalls, UsualRequests};
use epicenter_graph::{EdgeKey, EdgeStats, OpKey, OpStats};

/// Percent points above the usual below which nothing is said.
const RISE_MIN: f64 = 0.05;
/// Usual share where nothing is known of the past.
const UNKNOWN_SHARE: f64 = 0.05;

/// How many more spans complain with no complaint below than usual, if any do.
pub(crate) fn more_complaints(op: &OpStats, rest: Option<&UsualRequests>) -> Option<f64> {
    let usual = rest.map_or(0.0, |rest| rest.own_complaints as f64 / rest.count.max(1) as f64);
    more(op.own_complaints, op.count, usual)
}

/// The same of failed calls. Calls that are compared in sum only have no complaints below them.
pub(crate) fn more_errors(edge: &EdgeStats, rest: Option<&UsualCalls>) -> Option<f64> {
    let usual = rest.map_or(0.0, |rest| rest.own_errors as f64 / rest.count.max(1) as f64);
    more(edge.own_errors, edge.count, usual).filter(|_| 2 * edge.loose <= edge.count)
}

fn more(hits: u64, count: u64, usual: f64) -> Option<f64> {
    let more = hits as f64 - usual * count as f64;
    (more > 0.0).then_some(more)
}

pub(crate) fn blame(scene: &Scene<'_>, survey: &Survey<'_>, ledger: &mut Ledger) {
    operations(scene, &survey.ops.complaining, ledger);
    calls(scene, &survey.edges.failing, ledger);
}

fn operations(scene: &Scene<'_>, complaining: &[(OpKey, &OpStats, f64)], ledger: &mut Ledger) {
    for (key, op) in scene.ops_by_name(complaining.iter().map(|(key, op, _)| (*key, *op))) {
        let usual = scene
            .baseline
            .mean_share(|w| w.ops.get(&key).map(|op| (op.own_complaints, op.count)))
            .unwrap_or(UNKNOWN_SHARE);
        let now = op.own_complaints as f64 / op.count.max(1) as f64;
        if now < usual + RISE_MIN {
            continue;
        }
        let evidence = Evidence {
            kind: "errors".to_owned(),
            text: format!(
                "{} of {} in {} fail or log errors with nothing failing below them, usually {}",
                percent(now),
                scene.name(key.name),
                scene.name(key.service),
                percent(usual)
            ),
            value: now,
            baseline: usual,
            trace_ids: op.failed.traces().collect(),
        };
        ledger.add(
            scene.service(key.service),
            excess_of_share(op.own_complaints, op.count, usual),
            evidence,
        );
    }
}

fn calls(scene: &Scene<'_>, failing: &[(EdgeKey, &EdgeStats, f64)], ledger: &mut Ledger) {
    for (key, edge) in scene.edges_by_name(failing.iter().map(|(key, edge, _)| (*key, *edge))) {
        let usual = scene
            .baseline
            .mean_share(|w| w.edges.get(&key).map(|edge| (edge.own_errors, edge.count)))
            .unwrap_or(UNKNOWN_SHARE);
        let now = edge.own_errors as f64 / edge.count.max(1) as f64;
        if now < usual + RISE_MIN {
            continue;
        }
        let callee = scene.callee(key.callee);
        let answered = edge.own_errors.saturating_sub(edge.unanswered_errors);
        let (kind, how) = if edge.unanswered_errors >= answered {
            ("unanswered", "fail and nothing answers them")
        } else {
            ("failed_calls", "fail though the callee reports no failure")
        };
        let evidence = Evidence {
            kind: kind.to_owned(),
            text: format!(
                "{} of the calls {} -> {} {how}, usually {}",
                percent(now),
                scene.name(key.caller),
                callee.name,
                percent(usual)
            ),
            value: now,
            baseline: usual,
            trace_ids: edge.failed.traces().collect(),
        };
        ledger.add(callee, excess_of_share(edge.own_errors, edge.count, usual), evidence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Stage;
    use epicenter_graph::{Entity, EntityKind};

    /// Guarantees: who asks the same store now and then by itself does not hide that the calls of requests fail.
    #[test]
    fn a_few_calls_without_parent_hide_no_edge() {
        let mut stage = Stage::default();
        stage.calls(("cart", "SELECT", "db:orders"), 1000, 2, 2);
        stage.rest();
        stage.calls(("cart", "SELECT", "db:orders"), 1000, 2, 2);
        let edge = stage.edge("cart", "SELECT", "db:orders");
        (edge.errors, edge.own_errors, edge.loose) = (999, 999, 1);
        let scene = stage.scene();
        let mut ledger = Ledger::default();
        blame(&scene, &Survey::of(&scene), &mut ledger);
        let orders = Entity::new(EntityKind::Database, "orders");
        assert!(ledger.cases[&orders].score > 100.0, "{ledger:?}");
    }
}
