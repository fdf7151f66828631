//! What makes an incident plain: part of the incident's JSON, field beside field. Incidents that were written before
//! these fields were known read as if nothing was known.

use super::incident::EntityDto;
use epicenter_incident::Explanation;
use serde::{Deserialize, Serialize};

/// The fields.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct ExplanationDto {
    /// From the entry point that suffers most down to the first suspect.
    pub chain: Vec<EntityDto>,
    /// Traces to compare.
    pub exemplars: ExemplarsDto,
    /// How far it spreads.
    pub blast_radius: BlastRadiusDto,
}

/// One bad trace and one good one; null where none is known.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct ExemplarsDto {
    /// Goes through the culprit, and is failed or slow.
    pub bad: Option<String>,
    /// Goes the same way at rest.
    pub good: Option<String>,
}

/// How far it spreads.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct BlastRadiusDto {
    /// Services that suffer.
    pub services: usize,
    /// Entry points at which requests suffer.
    pub entry_points: usize,
    /// Share of all requests at entry points that suffer, from 0 to 1.
    pub requests: f64,
}

impl From<&Explanation> for ExplanationDto {
    fn from(explanation: &Explanation) -> Self {
        let (exemplars, radius) = (explanation.exemplars, explanation.blast_radius);
        Self {
            chain: explanation.chain.iter().map(EntityDto::from).collect(),
            exemplars: ExemplarsDto {
                bad: exemplars.bad.map(|trace| trace.to_string()),
                good: exemplars.good.map(|trace| trace.to_string()),
            },
            blast_radius: BlastRadiusDto {
                services: radius.services,
                entry_points: radius.entry_points,
                requests: radius.requests,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_before_reads_as_unknown() {
        let found: ExplanationDto = serde_json::from_str(r#"{"exemplars":{"bad":"ab"}}"#).expect("reads");
        assert_eq!(found.exemplars.bad.as_deref(), Some("ab"));
        assert_eq!((found.exemplars.good, found.chain), (None, Vec::new()));
        assert_eq!(found.blast_radius, BlastRadiusDto::default());
    }
}
