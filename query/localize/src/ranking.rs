//! Two sides of blame as one ranking. Only who is named gets its reasons copied: of a large system thousands are suspected.

use crate::blame::{Ledger, REASONS_MAX, Reason};
use crate::verdict::Suspect;
use epicenter_graph::Entity;
use std::collections::BTreeMap;

/// Ledgers that speak together, with the share of the score that is theirs.
pub(crate) struct Side<'a> {
    pub(crate) ledgers: &'a [&'a Ledger],
    pub(crate) share: f64,
}

impl Side<'_> {
    fn scores(&self) -> BTreeMap<&Entity, f64> {
        let mut scores: BTreeMap<&Entity, f64> = BTreeMap::new();
        for (entity, case) in self.ledgers.iter().flat_map(|ledger| &ledger.cases) {
            *scores.entry(entity).or_default() += case.score;
        }
        scores
    }

    /// The weightiest reasons of an entity.
    fn reasons(&self, entity: &Entity) -> Vec<&Reason> {
        let cases = self.ledgers.iter().filter_map(|ledger| ledger.cases.get(entity));
        let mut reasons: Vec<&Reason> = cases.flat_map(|case| &case.reasons).collect();
        reasons.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        reasons.truncate(REASONS_MAX);
        reasons
    }
}

/// The first `max` suspects, best first, ties by entity; their scores are parts of 1.
pub(crate) fn suspects(sides: &[Side<'_>], max: usize) -> Vec<Suspect> {
    let mut scores: BTreeMap<&Entity, f64> = BTreeMap::new();
    for side in sides {
        let of_side = side.scores();
        let total: f64 = of_side.values().sum();
        for (entity, score) in of_side.into_iter().filter(|(_, score)| *score > 0.0) {
            *scores.entry(entity).or_default() += side.share * score / total;
        }
    }
    let mut ranked: Vec<(&Entity, f64)> = scores.into_iter().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(max);
    let suspect = |(entity, score): (&Entity, f64)| {
        let reasons = sides.iter().flat_map(|side| side.reasons(entity));
        Suspect {
            entity: entity.clone(),
            score,
            share: 0.0,
            evidence: reasons.map(|reason| reason.evidence.clone()).collect(),
        }
    };
    ranked.into_iter().map(suspect).collect()
}
