//! What was said of a simulated system, held against what is true.
//!
//! The incident that counts for a fault is the first that began with it or later. Incidents that began before are false, and
//! so is every incident of a run without a fault.

use anyhow::{Context, Result};
use serde::Deserialize;

const SECOND: f64 = 1e9;
/// A live server judges a window this long after its end, by default, so that late spans can come in; `analyze` gives the
/// end of the window.
pub(super) const LATENESS_S: f64 = 7.0;
/// An incident may begin this much before the fault: windows are seconds long.
const EARLY_S: f64 = 15.0;
/// The same, when clocks are off by minutes.
const EARLY_SKEWED_S: f64 = 240.0;

/// The parts of `truth.json` that are compared.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Truth {
    pub(super) seed: u64,
    pub(super) fault: String,
    harmless: bool,
    pub(super) culprits: Vec<Named>,
    pub(super) causes: Vec<String>,
    dimension: Option<Named>,
    pub(super) severity: String,
    fault_start_unix_nano: String,
    first_shaken_unix_nano: Option<String>,
    pub(super) services: usize,
    seconds: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Named {
    kind: String,
    pub(super) name: String,
}

#[derive(Deserialize)]
struct Said {
    incidents: Vec<Incident>,
}

/// An incident, as `analyze --json` gives it.
#[derive(Clone, Deserialize)]
pub(super) struct Incident {
    started_unix_nano: String,
    detected_unix_nano: String,
    cause: Cause,
    pub(super) suspects: Vec<Suspect>,
}

#[derive(Clone, Deserialize)]
struct Cause {
    kind: String,
}

#[derive(Clone, Deserialize)]
pub(super) struct Suspect {
    entity: Entity,
    #[serde(default)]
    evidence: Vec<Evidence>,
}

#[derive(Clone, Deserialize)]
struct Entity {
    kind: String,
    name: String,
    service: Option<String>,
}

#[derive(Clone, Deserialize)]
struct Evidence {
    text: String,
}

impl Truth {
    /// When the fault began, in seconds.
    pub(super) fn start(&self) -> Result<f64> {
        seconds(&self.fault_start_unix_nano)
    }

    /// Whether a suspect is one of the culprits.
    pub(super) fn names(&self, suspect: &Suspect) -> bool {
        self.culprits.iter().any(|culprit| is_named(&suspect.entity, culprit))
    }

    /// Whether an incident has a right cause.
    pub(super) fn is_cause(&self, incident: &Incident) -> bool {
        self.causes.contains(&incident.cause.kind)
    }
}

impl Incident {
    /// When it began, in seconds.
    pub(super) fn started(&self) -> Result<f64> {
        seconds(&self.started_unix_nano)
    }

    /// The end of the window in which it opened, in seconds.
    pub(super) fn detected(&self) -> Result<f64> {
        seconds(&self.detected_unix_nano)
    }

    /// Its cause and first suspects.
    pub(super) fn words(&self, suspects: usize) -> String {
        let suspects = self.suspects.iter().take(suspects);
        let suspects: Vec<String> = suspects.map(|suspect| words(&suspect.entity)).collect();
        format!("{}: {}", self.cause.kind, suspects.join(", "))
    }
}

/// How one run was judged.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) truth: Truth,
    /// Place of the first true culprit, from 1.
    pub(super) place: Option<usize>,
    pub(super) cause: Option<String>,
    /// Whether the copy, machine or version is right; `None` where none carries it.
    pub(super) dimension: Option<bool>,
    /// Incidents of the fault.
    pub(super) incidents: usize,
    /// Incidents of nothing.
    pub(super) false_incidents: usize,
    /// From the first shaken request to the page, as a live server would send it.
    pub(super) delay_s: Option<f64>,
    /// The first suspects, in words.
    pub(super) said: Vec<String>,
}

impl Verdict {
    pub(super) fn is_fault(&self) -> bool {
        !self.truth.harmless
    }

    pub(super) fn is_cause_right(&self) -> bool {
        self.cause
            .as_ref()
            .is_some_and(|cause| self.truth.causes.contains(cause))
    }

    /// Hours in which nothing was wrong.
    pub(super) fn calm_hours(&self) -> f64 {
        if self.truth.harmless {
            self.truth.seconds as f64 / 3600.0
        } else {
            0.0
        }
    }
}

/// # Errors
/// An answer that is not the JSON of incidents.
pub(super) fn judge(truth: Truth, said: &[u8], is_skewed: bool) -> Result<Verdict> {
    let start = truth.start()?;
    let early = early_s(is_skewed);
    let mut ours: Vec<(f64, f64, Incident)> = Vec::new();
    let mut false_incidents = 0;
    for incident in parse(said)? {
        let (began, detected) = (incident.started()? - start, incident.detected()?);
        if truth.harmless || began < -early {
            false_incidents += 1;
        } else {
            ours.push((began, detected, incident));
        }
    }
    ours.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let shaken = truth.first_shaken_unix_nano.as_deref().map(seconds).transpose()?;
    let first = ours.first();
    let suspects = first.map_or(&[][..], |(.., incident)| &incident.suspects);
    let place = suspects.iter().position(|suspect| truth.names(suspect));
    Ok(Verdict {
        place: place.map(|index| index + 1),
        cause: first.map(|(.., incident)| incident.cause.kind.clone()),
        dimension: truth
            .dimension
            .as_ref()
            .map(|dimension| suspects.first().is_some_and(|suspect| carries(suspect, dimension))),
        incidents: ours.len(),
        false_incidents,
        delay_s: match (first, shaken) {
            (Some((_, detected, _)), Some(shaken)) if !is_skewed => Some((detected + LATENESS_S - shaken).max(0.0)),
            _ => None,
        },
        said: suspects.iter().take(4).map(|suspect| words(&suspect.entity)).collect(),
        truth,
    })
}

/// The incidents in what `analyze --json` said.
///
/// # Errors
/// An answer that is not the JSON of incidents.
pub(super) fn parse(said: &[u8]) -> Result<Vec<Incident>> {
    let said: Said = serde_json::from_slice(said).context("what analyze said")?;
    Ok(said.incidents)
}

/// How much before the fault an incident may begin.
pub(super) fn early_s(is_skewed: bool) -> f64 {
    if is_skewed { EARLY_SKEWED_S } else { EARLY_S }
}

fn seconds(unix_nano: &str) -> Result<f64> {
    let nanoseconds: u64 = unix_nano.parse().with_context(|| format!("a time: {unix_nano:?}"))?;
    Ok(nanoseconds as f64 / SECOND)
}

/// Whether an entity is a culprit. What belongs to a service stands for it; an edge belongs to nobody.
fn is_named(entity: &Entity, culprit: &Named) -> bool {
    match culprit.kind.as_str() {
        "service" => {
            entity.kind != "edge" && (entity.name == culprit.name || entity.service.as_ref() == Some(&culprit.name))
        }
        "edge" => entity.kind == "edge" && entity.name == culprit.name,
        _ => entity.kind != "edge" && entity.name == culprit.name,
    }
}

/// Whether the suspect is that copy or machine, or is or names that version.
fn carries(suspect: &Suspect, dimension: &Named) -> bool {
    let is_it = suspect.entity.kind == dimension.kind && suspect.entity.name == dimension.name;
    let names_it = || {
        suspect
            .evidence
            .iter()
            .any(|evidence| evidence.text.contains(&dimension.name))
    };
    is_it || dimension.kind == "version" && names_it()
}

fn words(entity: &Entity) -> String {
    match &entity.service {
        Some(service) if *service != entity.name => format!("{} {} of {service}", entity.kind, entity.name),
        _ => format!("{} {}", entity.kind, entity.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(culprits: &str, dimension: &str) -> Truth {
        let text = format!(
            r#"{{"seed":1,"fault":"bad_pod","harmless":false,"culprits":{culprits},"causes":["infrastructure"],
            "dimension":{dimension},"severity":"","fault_start_unix_nano":"100000000000",
            "first_shaken_unix_nano":"101000000000","services":10,"seconds":60}}"#
        );
        serde_json::from_str(&text).expect("parses")
    }

    fn incident(start_s: u64, entity: &str) -> String {
        format!(
            r#"{{"started_unix_nano":"{start_s}000000000","detected_unix_nano":"{}000000000",
            "cause":{{"kind":"infrastructure"}},"suspects":[{{"entity":{entity},"score":0.5,
            "evidence":[{{"text":"80 % fail on 1.2.3 of a"}}]}}]}}"#,
            start_s + 10
        )
    }

    fn check(truth: Truth, incidents: &[String]) -> Verdict {
        let said = format!("{{\"incidents\":[{}]}}", incidents.join(","));
        judge(truth, said.as_bytes(), false).expect("parses")
    }

    #[test]
    fn the_first_incident_of_the_fault_counts_and_earlier_ones_are_false() {
        let pod = r#"{"kind":"instance","name":"a-1","service":"a"}"#;
        let verdict = check(
            truth(
                r#"[{"kind":"service","name":"a"}]"#,
                r#"{"kind":"instance","name":"a-1"}"#,
            ),
            &[
                incident(130, r#"{"kind":"service","name":"b"}"#),
                incident(102, pod),
                incident(20, pod),
            ],
        );
        assert_eq!((verdict.place, verdict.dimension), (Some(1), Some(true)));
        assert_eq!((verdict.incidents, verdict.false_incidents), (2, 1));
        assert!(verdict.is_cause_right());
        assert_eq!(verdict.delay_s, Some(18.0));
    }

    #[test]
    fn a_version_may_be_named_in_the_evidence_and_an_edge_is_not_its_caller() {
        let versions = truth(
            r#"[{"kind":"service","name":"a"}]"#,
            r#"{"kind":"version","name":"1.2.3"}"#,
        );
        let by_words = check(versions.clone(), &[incident(102, r#"{"kind":"service","name":"a"}"#)]);
        assert_eq!((by_words.place, by_words.dimension), (Some(1), Some(true)));
        let edge = check(
            versions,
            &[incident(102, r#"{"kind":"edge","name":"a -> b","service":"a"}"#)],
        );
        assert_eq!(edge.place, None);
    }

    #[test]
    fn nothing_said_is_a_miss() {
        let verdict = check(truth("[]", "null"), &[]);
        assert_eq!((verdict.place, verdict.incidents, verdict.delay_s), (None, 0, None));
        assert!(!verdict.is_cause_right());
    }
}
