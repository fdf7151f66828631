//! What a person wants to know beside the culprit: the way from where it is felt down to it, how much of the damage each
//! suspect accounts for, one bad trace beside a good one, and how far it spreads. Nothing here changes who is named.

mod chain;
mod exemplar;
mod share;
mod ways;

use crate::Scene;
use crate::verdict::Diagnosis;
use epicenter_graph::{Entity, OpKey, OpStats};
use epicenter_schema::TraceId;
pub(crate) use ways::Ways;

/// What makes an answer plain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// From the entry point that suffers most down to the first suspect.
    pub chain: Vec<Entity>,
    /// A trace that shows it, and one to compare it with.
    pub exemplars: Compared,
    /// How far it spreads.
    pub blast_radius: BlastRadius,
}

/// One bad trace and one good one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Compared {
    /// Goes through the culprit, and is failed or slow.
    pub bad: Option<TraceId>,
    /// Goes the same way at rest, neither failed nor slow.
    pub good: Option<TraceId>,
}

/// How far something spreads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BlastRadius {
    /// Services that suffer.
    pub services: usize,
    /// Entry points at which requests suffer.
    pub entry_points: usize,
    /// Share of all requests at entry points that suffer, 0 to 1.
    pub requests: f64,
}

/// An operation at which services are entered, with the share of its requests that suffers.
pub(crate) type Suffering<'a> = (OpKey, &'a OpStats, f64);

/// Explains a diagnosis whose suspects are final, from the ways and who suffers ([`crate::shaken`]). Cost: one walk up from
/// each suspect.
pub(crate) fn explain(scene: &Scene<'_>, ways: &Ways, suffering: &[Suffering<'_>], diagnosis: &mut Diagnosis) {
    for suspect in &mut diagnosis.suspects {
        suspect.share = share::of(scene, ways, suffering, &suspect.entity);
    }
    let explanation = &mut diagnosis.explanation;
    if let Some(suspect) = diagnosis.suspects.first() {
        explanation.chain = chain::of(scene, ways, suffering, &suspect.entity);
        explanation.exemplars = exemplar::of(scene, suspect, &explanation.chain);
    }
}

#[cfg(test)]
mod tests;
