//! After a restart: what the engine found again in the replayed log against what is remembered. A pure comparison.
//!
//! The engine gives an incident the same id when it sees the same spans. When what is replayed begins later than it did,
//! it may come to another start or first culprit: an open one that it found under another id is then taken for the
//! remembered open one with the same culprit, else for the next one, and keeps the id that people know. What is
//! remembered as open and not found again is over: either its end is in the log, or nobody can watch for it any more.

use super::Event;
use crate::http::dto::incident::{EntityDto, IncidentDto};
use epicenter_schema::Timestamp;
use std::sync::Arc;

/// What a restart changes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Verdict {
    /// Incidents to remember, with what is to be told of each.
    pub(crate) news: Vec<(IncidentDto, Option<Event>)>,
    /// The engine's ids of incidents and the ids that they are known by.
    pub(crate) adopted: Vec<(String, String)>,
}

/// `known` is what is remembered, `found` what the engine knows after the replay, in the order of time.
pub(crate) fn compare(known: &[Arc<IncidentDto>], found: Vec<IncidentDto>, now: Timestamp) -> Verdict {
    let mut verdict = Verdict::default();
    let is_known = |incident: &&IncidentDto| !known.iter().any(|remembered| remembered.id == incident.id);
    let unknown = found.iter().filter(|incident| incident.is_open()).filter(is_known);
    let mut unknown: Vec<IncidentDto> = unknown.cloned().collect();
    let mut lost = Vec::new();
    for remembered in known.iter().filter(|incident| incident.is_open()) {
        match found.iter().find(|incident| incident.id == remembered.id) {
            Some(same) => {
                let event = (!same.is_open()).then_some(Event::Resolved);
                verdict.news.push((same.clone(), event));
            }
            None => lost.push(remembered),
        }
    }
    // One alone is the same one, whatever it is called; of several the culprit must tell.
    let is_one = lost.len() == 1 && unknown.len() == 1;
    for by_culprit in if is_one { &[true, false][..] } else { &[true][..] } {
        lost.retain(|remembered| {
            let is_it = |other: &IncidentDto| !*by_culprit || culprit(other) == culprit(remembered);
            let Some(at) = unknown.iter().position(is_it) else {
                return true;
            };
            let mut other = unknown.remove(at);
            verdict.adopted.push((other.id.clone(), remembered.id.clone()));
            keep_identity(&mut other, &remembered.id, Some(remembered));
            verdict.news.push((other, None));
            false
        });
    }
    for remembered in lost {
        let mut over = IncidentDto::clone(remembered);
        over.state = "resolved".to_owned();
        over.resolved_unix_nano = Some(now.0.to_string());
        verdict.news.push((over, Some(Event::Resolved)));
    }
    // Whatever is open and was never told: the crash came before. Unless it is one that people were told is over, seen
    // from a later start: its last windows are yet to be judged, and nothing is told of it.
    for incident in unknown {
        let ended_since = |remembered: &&Arc<IncidentDto>| {
            let end = remembered.resolved_unix_nano.as_ref();
            let end = end.and_then(|end| end.parse::<i64>().ok());
            end.is_some_and(|end| end > incident.started()) && culprit(remembered) == culprit(&incident)
        };
        let is_free = |remembered: &&Arc<IncidentDto>| !verdict.adopted.iter().any(|(_, id)| *id == remembered.id);
        let same = known
            .iter()
            .filter(is_free)
            .find(ended_since)
            .map(|same| same.id.clone());
        match same {
            Some(same) => verdict.adopted.push((incident.id.clone(), same)),
            None => verdict.news.push((incident, Some(Event::Opened))),
        }
    }
    verdict
}

fn culprit(incident: &IncidentDto) -> Option<&EntityDto> {
    incident.suspects.first().map(|suspect| &suspect.entity)
}

/// Gives an incident the id and the beginning that it is known by.
pub(crate) fn keep_identity(incident: &mut IncidentDto, id: &str, known: Option<&IncidentDto>) {
    id.clone_into(&mut incident.id);
    if let Some(known) = known {
        incident.started_unix_nano.clone_from(&known.started_unix_nano);
        incident.detected_unix_nano.clone_from(&known.detected_unix_nano);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::dto::explanation::ExplanationDto;
    use crate::http::dto::incident::{CauseDto, SuspectDto};

    fn incident(id: &str, state: &str) -> IncidentDto {
        IncidentDto {
            id: id.to_owned(),
            state: state.to_owned(),
            started_unix_nano: id.trim_start_matches(|c: char| !c.is_ascii_digit()).to_owned(),
            detected_unix_nano: "9".to_owned(),
            resolved_unix_nano: (state == "resolved").then(|| "10".to_owned()),
            cause: CauseDto {
                kind: "unavailable".to_owned(),
                confidence: 0.5,
            },
            suspects: Vec::new(),
            affected: Vec::new(),
            entry_points: Vec::new(),
            explanation: ExplanationDto::default(),
            notes: Vec::new(),
            similar: Vec::new(),
        }
    }

    /// `name:state` each; the answer is `id state event` each.
    fn check(known: &[(&str, &str)], found: &[(&str, &str)], expected: &[&str]) -> Verdict {
        let known: Vec<_> = known.iter().map(|(id, state)| Arc::new(incident(id, state))).collect();
        let found = found.iter().map(|(id, state)| incident(id, state)).collect();
        let verdict = compare(&known, found, Timestamp(77));
        let told: Vec<String> = verdict
            .news
            .iter()
            .map(|(incident, event)| {
                format!(
                    "{} {} {}",
                    incident.id,
                    incident.state,
                    event.map_or("-", |event| event.as_str())
                )
            })
            .collect();
        assert_eq!(told, expected);
        verdict
    }

    #[test]
    fn what_is_still_open_is_not_told_again() {
        check(&[("a1", "open")], &[("a1", "open")], &["a1 open -"]);
        check(&[("a1", "resolved")], &[("a1", "resolved")], &[]);
    }

    #[test]
    fn what_ended_meanwhile_is_told_once() {
        check(
            &[("a1", "open")],
            &[("a1", "resolved")],
            &["a1 resolved incident.resolved"],
        );
        let verdict = check(&[("a1", "open")], &[], &["a1 resolved incident.resolved"]);
        assert_eq!(verdict.news[0].0.resolved_unix_nano.as_deref(), Some("77"));
    }

    #[test]
    fn what_was_never_told_is_told() {
        check(&[], &[("a1", "open")], &["a1 open incident.opened"]);
        check(
            &[("a1", "resolved")],
            &[("a1", "resolved"), ("b12", "open")],
            &["b12 open incident.opened"],
        );
    }

    #[test]
    fn what_people_know_to_be_over_is_not_told_as_new() {
        // `a1` ended at 10, after `b2` began.
        let verdict = check(&[("a1", "resolved")], &[("b2", "open")], &[]);
        assert_eq!(verdict.adopted, [("b2".to_owned(), "a1".to_owned())]);
        check(&[("a1", "resolved")], &[("b12", "open")], &["b12 open incident.opened"]);
    }

    #[test]
    fn a_past_that_was_not_told_then_is_not_told_now() {
        check(&[], &[("a1", "resolved")], &[]);
    }

    #[test]
    fn an_open_incident_found_under_another_id_keeps_its_own() {
        let verdict = check(&[("a1", "open")], &[("b2", "open")], &["a1 open -"]);
        assert_eq!(verdict.adopted, [("b2".to_owned(), "a1".to_owned())]);
        assert_eq!(verdict.news[0].0.started_unix_nano, "1");
    }

    #[test]
    fn several_open_incidents_are_told_apart_by_their_culprits() {
        let of = |id: &str, culprit: &str| {
            let mut incident = incident(id, "open");
            incident.suspects.push(SuspectDto {
                entity: EntityDto {
                    kind: "service".to_owned(),
                    name: culprit.to_owned(),
                    service: None,
                },
                score: 0.5,
                share: 0.5,
                evidence: Vec::new(),
            });
            incident
        };
        let known = [Arc::new(of("a1", "cart")), Arc::new(of("b2", "mail"))];
        let verdict = compare(&known, vec![of("c3", "mail"), of("d4", "cart")], Timestamp(77));
        let pair = |engine: &str, known: &str| (engine.to_owned(), known.to_owned());
        assert_eq!(verdict.adopted, [pair("d4", "a1"), pair("c3", "b2")]);
        assert!(
            verdict
                .news
                .iter()
                .all(|(incident, event)| incident.is_open() && event.is_none())
        );
    }
}
