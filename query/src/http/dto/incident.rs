//! Incidents.

use epicenter_incident::{Incident, State};
use serde::{Deserialize, Serialize};

/// `{"incidents":[..]}`
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct IncidentsDto {
    /// The incidents.
    pub incidents: Vec<IncidentDto>,
}

/// One incident.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct IncidentDto {
    /// Never changes.
    pub id: String,
    /// `open` or `resolved`.
    pub state: String,
    /// Start of the first window with symptoms.
    pub started_unix_nano: String,
    /// When it was noticed, in event time.
    pub detected_unix_nano: String,
    /// Since when it is over.
    pub resolved_unix_nano: Option<String>,
    /// The kind of failure.
    pub cause: CauseDto,
    /// Best first; scores sum to at most 1.
    pub suspects: Vec<SuspectDto>,
    /// Who suffers, most first.
    pub affected: Vec<AffectedDto>,
    /// Where people feel it.
    pub entry_points: Vec<String>,
}

/// The kind of failure, and how sure that is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CauseDto {
    /// One of the cause kinds.
    pub kind: String,
    /// From 0 to 1.
    pub confidence: f64,
}

/// Somebody who may be to blame.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct SuspectDto {
    /// Who.
    pub entity: EntityDto,
    /// From 0 to 1.
    pub score: f64,
    /// Why, the weightiest first.
    pub evidence: Vec<EvidenceDto>,
}

/// Something that can break.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EntityDto {
    /// One of the entity kinds.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The service it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// One observation.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EvidenceDto {
    /// What was observed.
    pub kind: String,
    /// In words.
    pub text: String,
    /// The figure now.
    pub value: f64,
    /// The figure at rest.
    pub baseline: f64,
    /// Traces that show it.
    pub trace_ids: Vec<String>,
}

/// A service that suffers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AffectedDto {
    /// Its name.
    pub service: String,
    /// From 0 to 1.
    pub impact: f64,
}

impl IncidentDto {
    /// When it started, for ordering.
    pub(crate) fn started(&self) -> i64 {
        self.started_unix_nano.parse().unwrap_or(0)
    }
}

impl From<&[Incident]> for IncidentsDto {
    fn from(incidents: &[Incident]) -> Self {
        Self { incidents: incidents.iter().map(IncidentDto::from).collect() }
    }
}

impl From<&epicenter_incident::Entity> for EntityDto {
    fn from(entity: &epicenter_incident::Entity) -> Self {
        Self { kind: entity.kind.as_str().to_owned(), name: entity.name.clone(), service: entity.service.clone() }
    }
}

impl From<&Incident> for IncidentDto {
    fn from(incident: &Incident) -> Self {
        let suspects = incident.suspects.iter().map(|suspect| SuspectDto {
            entity: EntityDto::from(&suspect.entity),
            score: finite(suspect.score),
            evidence: suspect
                .evidence
                .iter()
                .map(|evidence| EvidenceDto {
                    kind: evidence.kind.to_string(),
                    text: evidence.text.clone(),
                    value: finite(evidence.value),
                    baseline: finite(evidence.baseline),
                    trace_ids: evidence.trace_ids.iter().map(ToString::to_string).collect(),
                })
                .collect(),
        });
        Self {
            id: incident.id.clone(),
            state: match incident.state {
                State::Open => "open",
                State::Resolved => "resolved",
            }
            .to_owned(),
            started_unix_nano: incident.started.0.to_string(),
            detected_unix_nano: incident.detected.0.to_string(),
            resolved_unix_nano: incident.resolved.map(|at| at.0.to_string()),
            cause: CauseDto {
                kind: incident.cause.kind.as_str().to_owned(),
                confidence: finite(incident.cause.confidence),
            },
            suspects: suspects.collect(),
            affected: incident
                .affected
                .iter()
                .map(|a| AffectedDto { service: a.service.clone(), impact: finite(a.impact) })
                .collect(),
            entry_points: incident.entry_points.clone(),
        }
    }
}

/// JSON has no infinities.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}
