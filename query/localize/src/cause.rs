//! The kind of cause, from what speaks against the best suspect.

use crate::blame::Ledger;
use crate::channel::{Channel, Findings};
use crate::verdict::{Cause, CauseKind, Diagnosis, Evidence};
use crate::words::rate;
use crate::{Scene, cache};
use epicenter_detect::surges;
use epicenter_graph::{Entity, EntityKind};

/// Growth of its own work from which a callee is late itself, whatever the gap.
const OWN_GROWTH_MIN: f64 = 3.0;
/// Share of failing calls from which something that sends no spans is unavailable, not slow.
const UNAVAILABLE_MIN: f64 = 0.75;

pub(crate) fn name(scene: &Scene<'_>, findings: &Findings, channel: Channel, diagnosis: &mut Diagnosis) {
    let Some(best) = diagnosis.suspects.first() else { return };
    let entity = best.entity.clone();
    let score = best.score;
    let kind = kind(scene, findings, channel, &entity);
    diagnosis.cause = Cause {
        kind,
        confidence: score.clamp(0.0, 1.0),
    };
    if !findings.is_mesh && !cache::breakdown(scene, diagnosis) {
        surge(scene, diagnosis);
    }
}

/// What speaks against an entity, of both ledgers.
struct Traits {
    /// Nats of errors of its own, of calls that nobody answers, and of calls that fail though they are answered.
    errors: f64,
    unanswered: f64,
    failed_calls: f64,
    /// Nanoseconds of its own work and of the way to it.
    own_ns: f64,
    gap_ns: f64,
    /// How many times as long its own work takes.
    own_growth: f64,
}

impl Traits {
    fn of(findings: &Findings, entity: &Entity) -> Self {
        let weight = |ledger: &Ledger, kind| ledger.cases.get(entity).map_or(0.0, |case| case.weight_of(kind));
        let reasons = findings
            .latency
            .cases
            .get(entity)
            .into_iter()
            .flat_map(|case| &case.reasons);
        let growth = reasons
            .map(|reason| &reason.evidence)
            .filter(|evidence| evidence.kind == "self_time")
            .map(|evidence| evidence.value / evidence.baseline.max(1.0));
        Self {
            errors: weight(&findings.errors, "errors"),
            unanswered: weight(&findings.errors, "unanswered") + weight(&findings.errors, "silence"),
            failed_calls: weight(&findings.errors, "failed_calls"),
            own_ns: weight(&findings.latency, "self_time"),
            gap_ns: weight(&findings.latency, "edge_gap"),
            own_growth: growth.fold(0.0, f64::max),
        }
    }

    /// Of a callee that is late: whether it is the callee itself, not the way to it. A line in front of the callee shows as
    /// a gap too, so a small share of work of its own that takes far longer is enough.
    fn is_late_itself(&self) -> bool {
        self.is_far_slower() || (self.own_ns > 0.0 && 2.0 * self.own_ns >= self.gap_ns)
    }

    fn is_far_slower(&self) -> bool {
        self.own_ns > 0.0 && self.own_growth >= OWN_GROWTH_MIN
    }
}

fn kind(scene: &Scene<'_>, findings: &Findings, channel: Channel, entity: &Entity) -> CauseKind {
    let traits = Traits::of(findings, entity);
    let calls = traits.unanswered + traits.failed_calls;
    let (fails, is_late) = (traits.errors + calls > 0.0, traits.own_ns + traits.gap_ns > 0.0);
    if !fails && !is_late {
        return match findings.structure.cases.contains_key(entity) {
            true => CauseKind::Errors,
            false => CauseKind::Unknown,
        };
    }
    // What it is accused of may be in the other ledger: those who wait for what is late fail.
    let fails = if channel == Channel::Faults {
        fails
    } else {
        fails && !is_late
    };
    // Who is far slower than usual refuses what it has no room for: that is what being slow leads to.
    if fails && calls <= traits.errors && !traits.is_far_slower() {
        return CauseKind::Errors;
    }
    // Of a callee that sends no spans, the gap is all there is: its own work and the way to it look alike.
    if entity.kind != EntityKind::Service {
        return store(scene, entity);
    }
    // It answers, and its callers have given up by then, or not.
    let answers = if traits.is_far_slower() {
        true
    } else if fails {
        traits.failed_calls > traits.unanswered && is_late
    } else {
        traits.is_late_itself() || traits.unanswered <= traits.failed_calls
    };
    if !answers {
        CauseKind::Unavailable
    } else if traits.is_late_itself() {
        CauseKind::Slow
    } else {
        CauseKind::Network
    }
}

/// Something that sends no spans: it is merely slow while a part of the calls is answered, and late.
fn store(scene: &Scene<'_>, entity: &Entity) -> CauseKind {
    let (mut calls, mut failed) = (0.0, 0.0);
    for (key, edge) in &scene.window.edges {
        if scene.callee(key.callee) == *entity {
            calls += edge.count as f64;
            failed += edge.errors as f64;
        }
    }
    if failed >= UNAVAILABLE_MIN * calls {
        CauseKind::Unavailable
    } else {
        CauseKind::Slow
    }
}

/// Far more arrives at an entry than at rest: the entry comes first, what saturates second.
fn surge(scene: &Scene<'_>, diagnosis: &mut Diagnosis) {
    if !matches!(
        diagnosis.cause.kind,
        CauseKind::Slow | CauseKind::Network | CauseKind::Errors | CauseKind::Unavailable
    ) {
        return;
    }
    if !scene.same_load {
        return;
    }
    let Some(surge) = surges(scene.window, scene.length, scene.baseline, scene.names)
        .into_iter()
        .next()
    else {
        return;
    };
    let evidence = Evidence {
        kind: "traffic".to_owned(),
        text: format!(
            "{} arrive at {} of {}, usually {}",
            rate(surge.rate_per_s),
            scene.name(surge.op.name),
            scene.name(surge.op.service),
            rate(surge.usual_per_s)
        ),
        value: surge.rate_per_s,
        baseline: surge.usual_per_s,
        trace_ids: Vec::new(),
    };
    diagnosis.cause = Cause {
        kind: CauseKind::TrafficSurge,
        confidence: diagnosis.cause.confidence.max(0.6),
    };
    diagnosis.promote(scene.service(surge.op.service), evidence);
}
