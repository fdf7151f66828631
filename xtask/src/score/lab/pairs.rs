//! What was said of a system with two faults at once, held against what is true.
//!
//! An incident is that of the fault that its first suspect names. Faults that are apart are two incidents, one of either. Faults
//! on one call path are one incident that names either; the first one counts. Incidents that began before the first fault are
//! false, and so are those that name nobody right beyond the faults that are missed.

pub(super) mod table;

use super::verdict::{self, Incident, Truth};
use anyhow::{Context, Result};
use serde::Deserialize;

/// The parts of `truth.json` that are compared, of a run with two faults.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PairTruth {
    pub(super) seed: u64,
    pub(super) relation: Relation,
    pub(super) entries_in_common: usize,
    pub(super) faults: [Truth; 2],
}

/// How the second fault stands to the first.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Relation {
    Apart,
    Below,
    Above,
}

/// How one run was judged.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) truth: PairTruth,
    /// What was said of either fault, the one that began first before the other. Of related ones the first incident stands
    /// for the fault that it names, and nothing for the other.
    pub(super) answers: [Option<Answer>; 2],
    /// Incidents of the faults, right or wrong.
    pub(super) incidents: usize,
    /// Incidents of nothing.
    pub(super) false_incidents: usize,
    /// Of related ones: whether the incident that names one has the other among its first three suspects.
    pub(super) names_other: bool,
    /// Every incident in words: when it began after the first fault, its cause and its first suspects.
    pub(super) said: Vec<String>,
}

/// An incident whose first suspect is right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    pub(super) is_cause_right: bool,
    /// From the begin of the fault, of related ones from that of the first, to the page. Nobody can say whose the first shaken
    /// request was.
    pub(super) delay_s: Option<f64>,
}

impl Verdict {
    /// How long after the first fault the second one began, in seconds.
    fn lag_s(&self) -> f64 {
        let [first, second] = self.truth.faults.each_ref().map(|fault| fault.start().unwrap_or(0.0));
        second - first
    }

    pub(super) fn is_related(&self) -> bool {
        self.truth.relation != Relation::Apart
    }

    /// Faults that an incident names.
    pub(super) fn named(&self) -> usize {
        self.answers.iter().flatten().count()
    }

    /// Incidents that there should be.
    pub(super) fn incidents_wanted(&self) -> usize {
        if self.is_related() { 1 } else { 2 }
    }

    /// Whether there are as many incidents as there should be.
    pub(super) fn is_count_right(&self) -> bool {
        self.incidents == self.incidents_wanted()
    }

    /// Whether every incident that there should be names a fault of its own, and there is no other.
    pub(super) fn is_right(&self) -> bool {
        self.is_count_right() && self.named() == self.incidents_wanted() && self.false_incidents == 0
    }
}

/// # Errors
/// An answer that is not the JSON of incidents.
pub(super) fn judge(truth: PairTruth, said: &[u8], is_skewed: bool) -> Result<Verdict> {
    let said = verdict::parse(said)?;
    let [first, second] = &truth.faults;
    let starts = [first.start()?, second.start()?];
    let began = starts[0] - verdict::early_s(is_skewed);
    let mut ours: Vec<(f64, f64, &Incident)> = Vec::new();
    for incident in &said {
        ours.push((incident.started()?, incident.detected()?, incident));
    }
    let all = ours.len();
    ours.retain(|(started, ..)| *started >= began);
    let before = all - ours.len();
    ours.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let names = |incident: &Incident, fault: usize, among: usize| {
        let suspects = incident.suspects.iter().take(among);
        suspects.into_iter().any(|suspect| truth.faults[fault].names(suspect))
    };
    let is_related = truth.relation != Relation::Apart;
    let mut verdict = Verdict {
        answers: [None; 2],
        incidents: ours.len(),
        false_incidents: before,
        names_other: false,
        said: Vec::new(),
        truth: truth.clone(),
    };
    let mut strangers: usize = 0;
    for (at, (_, detected, incident)) in ours.iter().enumerate() {
        let Some(fault) = (0..2).find(|fault| names(incident, *fault, 1)) else {
            strangers += 1;
            continue;
        };
        if verdict.answers[fault].is_some() || is_related && at > 0 {
            continue;
        }
        let since = if is_related { starts[0] } else { starts[fault] };
        verdict.answers[fault] = Some(Answer {
            is_cause_right: truth.faults[fault].is_cause(incident),
            delay_s: (!is_skewed).then_some((detected + verdict::LATENESS_S - since).max(0.0)),
        });
        verdict.names_other = is_related && names(incident, 1 - fault, 3);
    }
    let missed = verdict.incidents_wanted().saturating_sub(verdict.named());
    verdict.false_incidents += strangers.saturating_sub(missed);
    let words = said.iter().map(|incident| {
        let started = incident.started().context("begin")? - starts[0];
        Ok(format!("[{started:+.0} s {}]", incident.words(4)))
    });
    verdict.said = words.collect::<Result<_>>()?;
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(relation: &str) -> PairTruth {
        let fault = |name: &str, start_s: u64| {
            format!(
                r#"{{"seed":1,"fault":"errors","harmless":false,"culprits":[{{"kind":"service","name":"{name}"}}],
                "causes":["errors"],"dimension":null,"severity":"","fault_start_unix_nano":"{start_s}000000000",
                "first_shaken_unix_nano":null,"services":10,"seconds":60}}"#
            )
        };
        let (a, b) = (fault("a", 100), fault("b", 130));
        let text = format!(r#"{{"seed":1,"relation":"{relation}","entries_in_common":0,"faults":[{a},{b}]}}"#);
        serde_json::from_str(&text).expect("parses")
    }

    pub(super) fn incident(start_s: u64, suspects: &[&str]) -> String {
        let suspects = suspects
            .iter()
            .map(|name| format!(r#"{{"entity":{{"kind":"service","name":"{name}"}},"score":0.5}}"#));
        format!(
            r#"{{"started_unix_nano":"{start_s}000000000","detected_unix_nano":"{}000000000",
            "cause":{{"kind":"errors"}},"suspects":[{}]}}"#,
            start_s + 10,
            suspects.collect::<Vec<_>>().join(",")
        )
    }

    pub(super) fn check(relation: &str, incidents: &[String]) -> Verdict {
        let said = format!("{{\"incidents\":[{}]}}", incidents.join(","));
        judge(truth(relation), said.as_bytes(), false).expect("parses")
    }

    #[test]
    fn faults_apart_are_two_incidents_each_with_its_culprit() {
        let verdict = check("apart", &[incident(132, &["b"]), incident(102, &["a", "b"])]);
        assert!(verdict.is_right() && verdict.named() == 2);
        let delays = verdict.answers.map(|answer| answer.and_then(|answer| answer.delay_s));
        assert_eq!(delays, [Some(19.0), Some(19.0)]);
        assert!(verdict.answers[0].is_some_and(|answer| answer.is_cause_right));
    }

    #[test]
    fn one_incident_for_two_faults_apart_misses_one() {
        let verdict = check("apart", &[incident(102, &["b", "a"])]);
        assert!(!verdict.is_right() && !verdict.is_count_right());
        assert_eq!((verdict.named(), verdict.false_incidents), (1, 0));
        assert!(verdict.answers[0].is_none());
    }

    #[test]
    fn who_names_nobody_right_stands_for_a_missed_fault_and_is_false_beyond() {
        let verdict = check("apart", &[incident(102, &["a"]), incident(131, &["x"])]);
        assert_eq!((verdict.named(), verdict.incidents, verdict.false_incidents), (1, 2, 0));
        assert!(verdict.is_count_right() && !verdict.is_right());
        let verdict = check(
            "apart",
            &[
                incident(20, &["a"]),
                incident(102, &["a"]),
                incident(131, &["b"]),
                incident(140, &["x"]),
            ],
        );
        assert_eq!((verdict.named(), verdict.incidents, verdict.false_incidents), (2, 3, 2));
    }

    #[test]
    fn related_faults_are_one_incident_that_names_either_and_knows_the_other() {
        let verdict = check("below", &[incident(102, &["b", "x", "a"])]);
        assert!(verdict.is_right() && verdict.names_other);
        let verdict = check("above", &[incident(102, &["a", "x", "y", "b"])]);
        assert!(verdict.is_right() && !verdict.names_other);
        let verdict = check("below", &[incident(102, &["a"]), incident(132, &["b"])]);
        assert!(!verdict.is_right() && verdict.named() == 1 && verdict.false_incidents == 0);
        let verdict = check("below", &[incident(102, &["x", "a", "b"])]);
        assert!(!verdict.names_other && verdict.named() == 0 && verdict.is_count_right());
    }
}
