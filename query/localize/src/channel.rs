//! Which ledger speaks: the one of the objective that broke at the entries. Summing all signals drowns the right one.
//!
//! Source: DESIGN 6.6. Faults (errors and structure, in nats) speak when they are beyond doubt and either the entries
//! fail or the time lost is small against what requests take; otherwise the time lost (nanoseconds) speaks.

use crate::blame::Ledger;
use crate::calls::BadCalls;
use crate::explain::{self, Explanation, Ways};
use crate::missing::Missing;
use crate::ranking::{self, Side};
use crate::related::Explained;
use crate::shaken::{self, Entries};
use crate::spread::beside;
use crate::survey::Survey;
use crate::verdict::Diagnosis;
use crate::{Scene, back_pressure, cause, conservation, dimension, edge_gap, mesh, self_time, silence, structure};
use epicenter_graph::Entity;

/// Nats from which faults are beyond doubt.
const FAULT_NATS: f64 = 15.0;
/// Nats from which faults are noticed at all.
const NOTICED_NATS: f64 = 4.0;
/// Time lost per request, as a share of what a request takes at rest, from which it is felt.
const FELT: f64 = 0.10;
/// Rise of the share of failing entries that is felt.
const FAILING: f64 = 0.05;
/// Share of the score left to the other ledger.
const OTHER: f64 = 0.1;
/// Of what waits for the first suspect unseen, so many are told.
const WAITING_MAX: usize = 20;
/// Suspects named.
const SUSPECTS_MAX: usize = 10;

/// What the methods found, before one of them speaks.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) latency: Ledger,
    pub(crate) errors: Ledger,
    pub(crate) structure: Ledger,
    pub(crate) entries: Entries,
    /// Requests that enter the system.
    pub(crate) roots: u64,
    pub(crate) is_mesh: bool,
}

impl Findings {
    /// Whether requests fail at the entries, beyond doubt. Then missing calls are what failures leave behind: who gives
    /// up after a failed call makes no further ones.
    fn fails(&self) -> bool {
        self.entries.error_rise >= FAILING && self.errors.best() >= FAULT_NATS
    }
}

/// Which ledger speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Latency,
    Faults,
}

/// Names the culprit of what is wrong in a scene; `None` when no method finds anything. Cost: one look at each
/// operation and edge ([`crate::survey`]), and their periods at rest where something is out of the ordinary.
pub fn diagnose(scene: &Scene<'_>) -> Option<Diagnosis> {
    let mut survey = Survey::of(scene);
    let mut findings = Findings {
        entries: shaken::entries(&survey.ops.entrances),
        roots: survey.ops.roots.max(1),
        is_mesh: survey.edges.is_mesh(),
        ..Findings::default()
    };
    let missing = match findings.is_mesh {
        true => Missing::default(),
        false => Missing::of(scene, &survey),
    };
    for (key, calls) in missing.calls() {
        let bad = survey.edges.bad.entry(key).or_default();
        *bad = bad.max(calls);
    }
    let (moved, suffering) = (
        std::mem::take(&mut survey.ops.moved),
        std::mem::take(&mut survey.ops.suffering),
    );
    let structure_and_ways = || {
        let mut ledger = Ledger::default();
        if !findings.is_mesh {
            structure::blame(scene, moved, &mut ledger);
        }
        let suffering = shaken::by_name(scene, suffering);
        let listed = shaken::list(scene, &survey, &suffering, |_| true);
        (ledger, Ways::of(scene, &survey.edges), suffering, listed)
    };
    let mut unseen = Vec::new();
    let time_and_errors = || blame(scene, &survey, &missing, findings.is_mesh, &mut unseen);
    let many = survey.edges.calls.len();
    let ((latency, errors), (structure, ways, suffering, listed)) = beside(many, time_and_errors, structure_and_ways);
    (findings.latency, findings.errors, findings.structure) = (latency, errors, structure);
    if let Some(services) = scene.explained {
        let explained = Explained::new(scene, services);
        let ledgers = [&mut findings.latency, &mut findings.errors, &mut findings.structure];
        for ledger in ledgers {
            ledger.cases.retain(|entity, _| !explained.holds(scene, entity));
        }
    }
    let (channel, strength) = choose(&findings);
    let faults = [&findings.errors, &findings.structure];
    let faults = if findings.fails() { &faults[..1] } else { &faults[..] };
    let latency = [&findings.latency];
    let (first, second) = match channel {
        Channel::Latency => (&latency[..], faults),
        Channel::Faults => (faults, &latency[..]),
    };
    let side = |ledgers, share| Side { ledgers, share };
    let suspects = ranking::suspects(&[side(first, 1.0 - OTHER), side(second, OTHER)], SUSPECTS_MAX);
    if suspects.is_empty() {
        return None;
    }
    let (affected, entry_points, blast_radius) = listed;
    let of_first = unseen.into_iter().filter(|(_, culprit)| *culprit == suspects[0].entity);
    let mut diagnosis = Diagnosis {
        waiting_unseen: of_first.take(WAITING_MAX).map(|(waiting, _)| waiting).collect(),
        suspects,
        affected,
        entry_points,
        strength,
        explanation: Explanation {
            blast_radius,
            ..Explanation::default()
        },
        ..Diagnosis::default()
    };
    cause::name(scene, &findings, channel, &mut diagnosis);
    dimension::narrow(scene, channel, &mut diagnosis);
    explain::explain(scene, &ways, &suffering, &mut diagnosis);
    Some(diagnosis)
}

/// Who is blamed for time that is lost, and who for errors; `unseen` gets who is taken to wait for whom by calls that nobody sees.
fn blame(
    scene: &Scene<'_>,
    survey: &Survey<'_>,
    missing: &Missing,
    is_mesh: bool,
    unseen: &mut Vec<(Entity, Entity)>,
) -> (Ledger, Ledger) {
    let (mut latency, mut errors) = (Ledger::default(), Ledger::default());
    if is_mesh {
        mesh::blame(scene, &mut latency, &mut errors);
    } else {
        self_time::blame(scene, &survey.ops.longer, &mut latency);
        edge_gap::blame(scene, &survey.edges.longer, &mut latency);
        conservation::blame(scene, survey, &mut errors);
        missing.blame(scene, &mut errors);
        silence::blame(scene, &survey.edges.unanswered, missing, &mut errors);
        *unseen = back_pressure::hand_down(|| BadCalls::of(scene, &survey.edges), &mut latency, &mut errors);
    }
    (latency, errors)
}

/// The channel, and how far what is wrong is beyond doubt.
fn choose(findings: &Findings) -> (Channel, f64) {
    let (errors, structure) = (findings.errors.best(), findings.structure.best());
    let faults = errors.max(structure);
    let lost = findings.latency.best();
    let usual_ns = findings.entries.usual_ns;
    // Where nothing is known of the entries, time lost is felt, and no more.
    let relative = match usual_ns > 0.0 {
        true => lost / findings.roots as f64 / usual_ns,
        false if lost > 0.0 => FELT,
        false => 0.0,
    };
    let doubtful = if faults < NOTICED_NATS {
        0.0
    } else {
        faults / FAULT_NATS
    };
    let strength = doubtful.max(relative / FELT);
    let certain = errors + structure >= FAULT_NATS;
    let is_slower_than_it_fails = relative >= FELT || relative / FELT > doubtful;
    let channel = if lost == 0.0 || !is_slower_than_it_fails || (certain && (relative < FELT || findings.fails())) {
        Channel::Faults
    } else {
        Channel::Latency
    };
    (channel, strength)
}
