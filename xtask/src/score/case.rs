//! One recorded failure: where its spans are, what is true, and what the program says of it.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A data set: the system at rest and its failures.
pub(super) struct Set {
    pub(super) name: String,
    pub(super) cases: Vec<Case>,
}

/// A failure and its truth.
pub(super) struct Case {
    set: String,
    name: String,
    fault: String,
    culprits: Vec<String>,
    baseline: PathBuf,
    spans: PathBuf,
}

/// What came of a case.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) set: String,
    pub(super) case: String,
    pub(super) fault: String,
    pub(super) culprits: Vec<String>,
    /// Services in the order of suspicion, each once.
    pub(super) ranking: Vec<String>,
    /// Kind of cause given by the incident that is ranked first.
    pub(super) cause: String,
}

#[derive(Deserialize)]
struct Truth {
    case: String,
    fault: String,
    root_cause_services: Vec<String>,
}

#[derive(Deserialize)]
struct Incidents {
    incidents: Vec<Incident>,
}

#[derive(Deserialize)]
struct Incident {
    cause: Cause,
    suspects: Vec<Suspect>,
}

#[derive(Deserialize)]
struct Cause {
    kind: String,
}

#[derive(Deserialize)]
struct Suspect {
    entity: Entity,
    score: f64,
}

#[derive(Deserialize)]
struct Entity {
    name: String,
    service: Option<String>,
}

/// The data sets below a folder, by name; only those named, if any are.
///
/// # Errors
/// A set whose truth cannot be read, or a named set that is absent.
pub(super) fn find_sets(folder: &Path, only: &[String]) -> Result<Vec<Set>> {
    let mut sets = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(sets);
    };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let truth = folder.join("cases.jsonl");
        if truth.is_file() && (only.is_empty() || only.contains(&name)) {
            sets.push(Set {
                cases: read_cases(&name, &folder, &truth)?,
                name,
            });
        }
    }
    for name in only {
        ensure!(
            sets.iter().any(|set| set.name == *name),
            "there is no data set {name} in {}",
            folder.display()
        );
    }
    Ok(sets)
}

fn read_cases(set: &str, folder: &Path, truth: &Path) -> Result<Vec<Case>> {
    let text = std::fs::read_to_string(truth).with_context(|| format!("could not read {}", truth.display()))?;
    let mut cases = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let truth: Truth = serde_json::from_str(line).with_context(|| format!("{}: {line}", truth.display()))?;
        cases.push(Case {
            set: set.to_owned(),
            baseline: folder.join("normal.jsonl.zst"),
            spans: folder.join(format!("{}.jsonl.zst", truth.case)),
            name: truth.case,
            fault: truth.fault,
            culprits: truth.root_cause_services,
        });
    }
    Ok(cases)
}

impl Case {
    /// Runs the program on the case.
    pub(super) fn analyze(&self, program: &Path) -> Result<Outcome> {
        let output = Command::new(program)
            .arg("analyze")
            .arg("--json")
            .arg("--baseline")
            .arg(&self.baseline)
            .arg(&self.spans)
            .output()
            .with_context(|| format!("could not run {}", program.display()))?;
        ensure!(
            output.status.success(),
            "analyze failed on {}: {}",
            self.spans.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        let incidents: Incidents =
            serde_json::from_slice(&output.stdout).with_context(|| format!("what analyze said of {}", self.name))?;
        let (ranking, cause) = rank(incidents);
        Ok(Outcome {
            set: self.set.clone(),
            case: self.name.clone(),
            fault: self.fault.clone(),
            culprits: self.culprits.clone(),
            ranking,
            cause,
        })
    }
}

impl Outcome {
    /// Place of the first true culprit, from 1.
    pub(super) fn place(&self) -> Option<usize> {
        self.ranking
            .iter()
            .position(|service| self.culprits.contains(service))
            .map(|index| index + 1)
    }
}

/// Suspects of all incidents by falling score, as services: an entity that belongs to a service stands for it.
fn rank(incidents: Incidents) -> (Vec<String>, String) {
    let mut suspects: Vec<(f64, String, String)> = Vec::new();
    for incident in incidents.incidents {
        for suspect in incident.suspects {
            let service = suspect.entity.service.unwrap_or(suspect.entity.name);
            suspects.push((suspect.score, service, incident.cause.kind.clone()));
        }
    }
    suspects.sort_by(|a, b| b.0.total_cmp(&a.0));
    let cause = suspects
        .first()
        .map_or_else(|| "none".to_owned(), |(_, _, kind)| kind.clone());
    let mut ranking: Vec<String> = Vec::new();
    for (_, service, _) in suspects {
        if !ranking.contains(&service) {
            ranking.push(service);
        }
    }
    (ranking, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_services_over_all_incidents_and_counts_each_once() {
        let json = r#"{"incidents":[
            {"cause":{"kind":"slow"},"suspects":[
                {"entity":{"kind":"service","name":"b"},"score":0.3},
                {"entity":{"kind":"instance","name":"a-1","service":"a"},"score":0.2}]},
            {"cause":{"kind":"errors"},"suspects":[
                {"entity":{"kind":"service","name":"c"},"score":0.9},
                {"entity":{"kind":"operation","name":"GET /","service":"c"},"score":0.1}]}]}"#;
        let (ranking, cause) = rank(serde_json::from_str(json).expect("parses"));
        assert_eq!(ranking, ["c", "b", "a"]);
        assert_eq!(cause, "errors");
    }
}
