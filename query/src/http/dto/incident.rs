//! Incidents.

use super::explanation::ExplanationDto;
use super::recall::{NoteDto, SimilarDto};
use crate::live::likeness;
use epicenter_incident::{Incident, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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
    /// The way to the culprit, traces to compare, and how far it spreads.
    #[serde(flatten)]
    pub explanation: ExplanationDto,
    /// What people wrote about it, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NoteDto>,
    /// Earlier incidents like it, the most alike first; at most 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub similar: Vec<SimilarDto>,
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
    /// Share of the damage at the entry points that it can account for, from 0 to 1.
    #[serde(default)]
    pub share: f64,
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
    /// Start of the first window with a symptom of it; null where no window alone shows one.
    #[serde(default)]
    pub first_shaken_unix_nano: Option<String>,
}

/// [`IncidentsDto`] of incidents that are elsewhere.
#[derive(Serialize)]
pub(crate) struct ListingDto<'a> {
    incidents: Vec<&'a IncidentDto>,
}

impl IncidentsDto {
    /// The same JSON without a copy.
    pub(crate) fn listing(incidents: &[Arc<IncidentDto>]) -> ListingDto<'_> {
        ListingDto {
            incidents: incidents.iter().map(Arc::as_ref).collect(),
        }
    }
}

impl IncidentDto {
    /// Whether it is still going on.
    pub(crate) fn is_open(&self) -> bool {
        self.state == "open"
    }

    /// When it started, for ordering.
    pub(crate) fn started(&self) -> i64 {
        self.started_unix_nano.parse().unwrap_or(0)
    }
}

impl From<&[Incident]> for IncidentsDto {
    fn from(incidents: &[Incident]) -> Self {
        // Nothing is remembered here but these.
        let all: Vec<Arc<IncidentDto>> = incidents.iter().map(|one| Arc::new(one.into())).collect();
        let recall = |one: &Arc<IncidentDto>| IncidentDto {
            similar: likeness::similar(one, all.iter()),
            ..IncidentDto::clone(one)
        };
        Self {
            incidents: all.iter().map(recall).collect(),
        }
    }
}

impl From<&epicenter_incident::Entity> for EntityDto {
    fn from(entity: &epicenter_incident::Entity) -> Self {
        Self {
            kind: entity.kind.as_str().to_owned(),
            name: entity.name.clone(),
            service: entity.service.clone(),
        }
    }
}

impl From<&Incident> for IncidentDto {
    fn from(incident: &Incident) -> Self {
        let scores = shares(incident.suspects.iter().map(|suspect| suspect.score));
        let suspects = incident.suspects.iter().zip(scores).map(|(suspect, score)| SuspectDto {
            entity: EntityDto::from(&suspect.entity),
            score,
            share: finite(suspect.share),
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
                .map(|a| AffectedDto {
                    service: a.service.clone(),
                    impact: finite(a.impact),
                    first_shaken_unix_nano: a.first_shaken.map(|at| at.0.to_string()),
                })
                .collect(),
            entry_points: incident.entry_points.clone(),
            explanation: ExplanationDto::from(&incident.explanation),
            notes: Vec::new(),
            similar: Vec::new(),
        }
    }
}

/// Scores from 0 to 1 in the order given, whose sum, taken in that order, is at most 1.
fn shares(scores: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut shares: Vec<f64> = scores.map(|score| finite(score).clamp(0.0, 1.0)).collect();
    let total: f64 = shares.iter().sum();
    if total > 1.0 {
        shares.iter_mut().for_each(|share| *share /= total);
    }
    let mut sum = 0.0;
    for share in &mut shares {
        // What is left is exact, or rounding could lift the sum above 1 by a hair.
        if sum + *share > 1.0 {
            *share = (1.0 - sum - f64::EPSILON).max(0.0);
        }
        sum += *share;
    }
    shares
}

/// JSON has no infinities.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use epicenter_incident::{
        Affected, BlastRadius, Cause, CauseKind, Compared, Entity, Evidence, Explanation, Suspect,
    };
    use epicenter_schema::{Timestamp, TraceId};
    use expect_test::expect;

    fn incident() -> Incident {
        Incident {
            id: "1700000000000-payment".to_owned(),
            state: State::Resolved,
            started: Timestamp(1_700_000_000_000_000_001),
            detected: Timestamp(1_700_000_005_000_000_000),
            resolved: Some(Timestamp(1_700_000_060_000_000_000)),
            cause: Cause {
                kind: CauseKind::Unavailable,
                confidence: 0.75,
            },
            suspects: vec![Suspect {
                entity: Entity::service("payment"),
                score: 0.5,
                share: 0.875,
                evidence: vec![Evidence {
                    kind: "unanswered".into(),
                    text: "9 of 10 calls get no answer".to_owned(),
                    value: 0.9,
                    baseline: f64::INFINITY,
                    trace_ids: vec![TraceId([0xab; 16])],
                }],
            }],
            affected: vec![Affected {
                service: "gateway".to_owned(),
                impact: 0.25,
                first_shaken: Some(Timestamp(1_700_000_000_000_000_000)),
            }],
            entry_points: vec!["gateway GET /".to_owned()],
            explanation: Explanation {
                chain: vec![Entity::service("gateway"), Entity::service("payment")],
                exemplars: Compared {
                    bad: Some(TraceId([0xab; 16])),
                    good: None,
                },
                blast_radius: BlastRadius {
                    services: 1,
                    entry_points: 1,
                    requests: 0.25,
                },
            },
        }
    }

    #[test]
    fn of_several_the_later_names_the_earlier_one_like_it() {
        let mut later = incident();
        later.id = "1700000100000-payment".to_owned();
        later.started = Timestamp(1_700_000_100_000_000_000);
        let told = IncidentsDto::from(&[incident(), later][..]).incidents;
        assert!(told[0].similar.is_empty());
        assert_eq!(told[1].similar.len(), 1);
        assert_eq!(told[1].similar[0].id, told[0].id);
    }

    #[test]
    fn an_incident_is_the_json_that_is_promised() {
        let json = serde_json::to_string_pretty(&IncidentsDto::from(&[incident()][..])).expect("JSON");
        expect![[r#"
            {
              "incidents": [
                {
                  "id": "1700000000000-payment",
                  "state": "resolved",
                  "started_unix_nano": "1700000000000000001",
                  "detected_unix_nano": "1700000005000000000",
                  "resolved_unix_nano": "1700000060000000000",
                  "cause": {
                    "kind": "unavailable",
                    "confidence": 0.75
                  },
                  "suspects": [
                    {
                      "entity": {
                        "kind": "service",
                        "name": "payment"
                      },
                      "score": 0.5,
                      "share": 0.875,
                      "evidence": [
                        {
                          "kind": "unanswered",
                          "text": "9 of 10 calls get no answer",
                          "value": 0.9,
                          "baseline": 0.0,
                          "trace_ids": [
                            "abababababababababababababababab"
                          ]
                        }
                      ]
                    }
                  ],
                  "affected": [
                    {
                      "service": "gateway",
                      "impact": 0.25,
                      "first_shaken_unix_nano": "1700000000000000000"
                    }
                  ],
                  "entry_points": [
                    "gateway GET /"
                  ],
                  "chain": [
                    {
                      "kind": "service",
                      "name": "gateway"
                    },
                    {
                      "kind": "service",
                      "name": "payment"
                    }
                  ],
                  "exemplars": {
                    "bad": "abababababababababababababababab",
                    "good": null
                  },
                  "blast_radius": {
                    "services": 1,
                    "entry_points": 1,
                    "requests": 0.25
                  }
                }
              ]
            }"#]]
        .assert_eq(&json);
        let back: IncidentsDto = serde_json::from_str(&json).expect("reads back");
        assert_eq!(serde_json::to_string_pretty(&back).expect("JSON"), json);
    }

    #[test]
    fn shares_sum_to_at_most_one() {
        for scores in [
            vec![],
            vec![1.0],
            vec![0.5, 0.5, 0.5],
            vec![0.1; 10],
            vec![0.1, 0.2, 0.3, 0.4],
            vec![1.0 / 3.0; 3],
            vec![1.0 / 49.0; 49],
            vec![f64::NAN, f64::INFINITY, -1.0, 2.0],
        ] {
            let found = shares(scores.iter().copied());
            assert!(found.iter().sum::<f64>() <= 1.0, "{scores:?} {found:?}");
            assert!(
                found.iter().all(|share| (0.0..=1.0).contains(share)),
                "{scores:?} {found:?}"
            );
        }
        assert_eq!(shares([0.5, 0.25].into_iter()), [0.5, 0.25]);
    }
}
