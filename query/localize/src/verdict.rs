//! The answer: suspects, best first, each with evidence, and the kind of cause.

use crate::explain::Explanation;
use epicenter_graph::Entity;
use epicenter_schema::{Timestamp, TraceId};
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// It gives no answer: crashed, refused, hung for everyone.
    Unavailable,
    /// It answers, with errors that begin in it.
    Errors,
    /// It answers late of its own accord.
    Slow,
    /// A cache stops absorbing and the store behind drowns.
    CacheBreakdown,
    /// Arrivals at an entry beyond what the system holds.
    TrafficSurge,
    /// One instance or one node, its siblings healthy.
    Infrastructure,
    /// The way between is slow or loses calls, both ends healthy.
    Network,
    /// A new version carries the badness, the old one does not.
    BadDeploy,
    /// Something is wrong and the evidence does not say what.
    #[default]
    Unknown,
}

impl CauseKind {
    /// The word used in APIs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Errors => "errors",
            Self::Slow => "slow",
            Self::CacheBreakdown => "cache_breakdown",
            Self::TrafficSurge => "traffic_surge",
            Self::Infrastructure => "infrastructure",
            Self::Network => "network",
            Self::BadDeploy => "bad_deploy",
            Self::Unknown => "unknown",
        }
    }
}

/// The kind of cause and how sure that is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cause {
    /// What happened.
    pub kind: CauseKind,
    /// 0 to 1.
    pub confidence: f64,
}

/// One observation that speaks against a suspect.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Which method made it: `self_time`, `edge_gap`, `errors`, `structure`, `silence`, `traffic`, `version`, ...
    pub kind: String,
    /// In words.
    pub text: String,
    /// What was measured, in the unit that the text says (durations in nanoseconds).
    pub value: f64,
    /// What is usual.
    pub baseline: f64,
    /// Traces that show it.
    pub trace_ids: Vec<TraceId>,
}

/// Something that may be the culprit.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// What.
    pub entity: epicenter_graph::Entity,
    /// Share of the suspicion, 0 to 1.
    pub score: f64,
    /// Share of the damage at the entry points that it can account for, 0 to 1; those of several may overlap.
    pub share: f64,
    /// Why, the weightiest first.
    pub evidence: Vec<Evidence>,
}

/// A service that suffers.
#[derive(Clone, Debug, PartialEq)]
pub struct Affected {
    /// Its name.
    pub service: String,
    /// Share of its requests that fail or are slow beyond the usual, 0 to 1.
    pub impact: f64,
    /// Start of the first window with a symptom of it, where windows are looked at one by one.
    pub first_shaken: Option<Timestamp>,
}

/// What the methods make of a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnosis {
    /// The kind of cause.
    pub cause: Cause,
    /// Suspects, best first; scores sum to at most 1.
    pub suspects: Vec<Suspect>,
    /// What sends no spans and is taken to wait for the first suspect by calls that nobody sees; twenty at most.
    pub waiting_unseen: Vec<Entity>,
    /// Services that suffer, the most first.
    pub affected: Vec<Affected>,
    /// Where requests that suffer enter: `service operation`, the most first.
    pub entry_points: Vec<String>,
    /// How far beyond doubt it is that something is wrong at all: from 1 on it is felt by many.
    pub strength: f64,
    /// What makes it plain.
    pub explanation: Explanation,
}

/// Strength below which what was found is noise.
const STRENGTH_MIN: f64 = 0.05;

impl Diagnosis {
    /// Whether something is wrong at all, be it little.
    pub fn is_felt(&self) -> bool {
        self.strength >= STRENGTH_MIN
    }

    /// The best suspect's entity.
    pub fn culprit(&self) -> Option<&Entity> {
        self.suspects.first().map(|suspect| &suspect.entity)
    }

    /// By what others suffer: the best suspect, and what waits for it unseen.
    pub fn ways(&self) -> impl Iterator<Item = &Entity> {
        self.culprit().into_iter().chain(&self.waiting_unseen)
    }

    /// Puts an entity first, with one more piece of evidence, and takes its score from the others so that the sum stays.
    pub(crate) fn promote(&mut self, entity: Entity, evidence: Evidence) {
        let best = self.suspects.first().map_or(0.5, |suspect| suspect.score);
        let mut promoted = match self.suspects.iter().position(|suspect| suspect.entity == entity) {
            Some(at) => self.suspects.remove(at),
            None => Suspect {
                entity,
                score: 0.0,
                share: 0.0,
                evidence: Vec::new(),
            },
        };
        promoted.evidence.insert(0, evidence);
        promoted.score = promoted.score.max(best);
        self.suspects.insert(0, promoted);
        let total: f64 = self.suspects.iter().map(|suspect| suspect.score).sum();
        if total > 1.0 {
            for suspect in &mut self.suspects {
                suspect.score /= total;
            }
        }
    }
}
