//! A ledger of blame: who is suspected by one family of methods, how much, and why.

use crate::verdict::Evidence;
use epicenter_graph::Entity;
use std::collections::BTreeMap;

/// Observations kept of one suspect; the weightiest.
pub(crate) const REASONS_MAX: usize = 12;

/// One observation with its weight.
#[derive(Debug)]
pub(crate) struct Reason {
    pub(crate) weight: f64,
    pub(crate) evidence: Evidence,
}

/// What speaks against one entity.
#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) score: f64,
    pub(crate) reasons: Vec<Reason>,
    /// Sum of the weights of all reasons of a kind, also of those that are not kept.
    weights: Vec<(String, f64)>,
}

/// Who is suspected, and how much, in the unit of the method.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) cases: BTreeMap<Entity, Case>,
}

impl Case {
    pub(crate) fn note(&mut self, weight: f64, evidence: Evidence) {
        match self.weights.iter_mut().find(|(kind, _)| *kind == evidence.kind) {
            Some((_, sum)) => *sum += weight,
            None => self.weights.push((evidence.kind.clone(), weight)),
        }
        self.reasons.push(Reason { weight, evidence });
        self.reasons.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        self.reasons.truncate(REASONS_MAX);
    }

    /// Sum of the weights of the reasons of a kind.
    pub(crate) fn weight_of(&self, kind: &str) -> f64 {
        let of_kind = self.weights.iter().find(|(known, _)| known == kind);
        of_kind.map_or(0.0, |(_, sum)| *sum)
    }
}

impl Ledger {
    /// Adds to the score.
    pub(crate) fn add(&mut self, entity: Entity, weight: f64, evidence: Evidence) {
        let case = self.cases.entry(entity).or_default();
        case.score += weight;
        case.note(weight, evidence);
    }

    /// Raises the score to at least this.
    pub(crate) fn at_least(&mut self, entity: Entity, weight: f64, evidence: Evidence) {
        let case = self.cases.entry(entity).or_default();
        case.score = case.score.max(weight);
        case.note(weight, evidence);
    }

    /// By falling score; ties by entity.
    pub(crate) fn ranked(&self) -> Vec<(&Entity, &Case)> {
        let mut ranked: Vec<_> = self.cases.iter().filter(|(_, case)| case.score > 0.0).collect();
        ranked.sort_by(|a, b| b.1.score.total_cmp(&a.1.score));
        ranked
    }

    pub(crate) fn best(&self) -> f64 {
        self.cases.values().map(|case| case.score).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_of_a_kind_counts_reasons_that_are_not_kept() {
        let evidence = |kind: &str| Evidence {
            kind: kind.to_owned(),
            text: String::new(),
            value: 1.0,
            baseline: 0.0,
            trace_ids: Vec::new(),
        };
        let mut ledger = Ledger::default();
        let catalog = Entity::service("catalog");
        for _ in 0..20 {
            ledger.add(catalog.clone(), 10.0, evidence("self_time"));
        }
        ledger.add(catalog.clone(), 70.0, evidence("edge_gap"));
        let case = &ledger.cases[&catalog];
        assert_eq!(case.reasons.len(), REASONS_MAX);
        assert_eq!(case.weight_of("self_time"), 200.0);
        assert_eq!(case.weight_of("edge_gap"), 70.0);
        assert_eq!(case.weight_of("silence"), 0.0);
    }
}
