//! Earlier incidents like one: the same culprit, the same kind of cause, the same services and entry points suffering.
//!
//! likeness(a, b) = 0.5 c + 0.2 k + 0.2 J(affected services) + 0.1 J(entry points), where c is 1 for the same first
//! suspect and 0.8 for another copy or operation of the same service, k is 1 for the same kind of cause, and J is the number
//! of those in both over the number of those in either (Jaccard; 1 where neither has any). Pure: incidents in, a list out.

use crate::http::dto::incident::{EntityDto, IncidentDto};
use crate::http::dto::recall::{NoteDto, SimilarDto};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Likeness from which an earlier incident is told: less than the same culprit and one thing more is chance.
const LIKENESS_MIN: f64 = 0.6;
/// Earlier incidents told.
const SIMILAR_MAX: usize = 3;
/// Notes told of each of them, the newest ones: every incident and page carries them.
const NOTES_TOLD_MAX: usize = 10;

/// Those that began earlier and are like this one, the most alike first, of equals the newer first. Cost: one comparison
/// of names for each of `all`.
pub(crate) fn similar<'a>(incident: &IncidentDto, all: impl Iterator<Item = &'a Arc<IncidentDto>>) -> Vec<SimilarDto> {
    let earlier = all.filter(|other| other.id != incident.id && other.started() < incident.started());
    let mut alike: Vec<(f64, &Arc<IncidentDto>)> = earlier
        .map(|other| (likeness(incident, other), other))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .collect();
    alike.sort_by(|(a, one), (b, other)| {
        b.total_cmp(a)
            .then_with(|| other.started().cmp(&one.started()))
            .then_with(|| one.id.cmp(&other.id))
    });
    alike.truncate(SIMILAR_MAX);
    let told = |(likeness, other): (f64, &Arc<IncidentDto>)| SimilarDto {
        id: other.id.clone(),
        started_unix_nano: other.started_unix_nano.clone(),
        resolved_unix_nano: other.resolved_unix_nano.clone(),
        cause: other.cause.kind.clone(),
        culprit: culprit(other).cloned(),
        likeness,
        notes: told_of(&other.notes).to_vec(),
    };
    alike.into_iter().map(told).collect()
}

/// The notes of an earlier incident that are told beside a later one, the oldest first.
pub(crate) fn told_of(notes: &[NoteDto]) -> &[NoteDto] {
    &notes[notes.len().saturating_sub(NOTES_TOLD_MAX)..]
}

fn likeness(a: &IncidentDto, b: &IncidentDto) -> f64 {
    let (Some(one), Some(other)) = (culprit(a), culprit(b)) else {
        return 0.0;
    };
    let same = if one == other {
        1.0
    } else if service(one).is_some() && service(one) == service(other) {
        0.8
    } else {
        return 0.0;
    };
    let kind = if a.cause.kind == b.cause.kind { 1.0 } else { 0.0 };
    let services = |incident: &'_ IncidentDto| -> BTreeSet<String> {
        incident
            .affected
            .iter()
            .map(|affected| affected.service.clone())
            .collect()
    };
    let entries = |incident: &'_ IncidentDto| -> BTreeSet<String> { incident.entry_points.iter().cloned().collect() };
    0.5 * same + 0.2 * kind + 0.2 * overlap(&services(a), &services(b)) + 0.1 * overlap(&entries(a), &entries(b))
}

fn culprit(incident: &IncidentDto) -> Option<&EntityDto> {
    incident.suspects.first().map(|suspect| &suspect.entity)
}

/// The service that an entity is or belongs to.
fn service(entity: &EntityDto) -> Option<&str> {
    if entity.kind == "service" {
        return Some(&entity.name);
    }
    entity.service.as_deref()
}

fn overlap(a: &BTreeSet<String>, b: &BTreeSet<String>) -> f64 {
    let either = a.union(b).count();
    if either == 0 {
        return 1.0;
    }
    a.intersection(b).count() as f64 / either as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::dto::explanation::ExplanationDto;
    use crate::http::dto::incident::{AffectedDto, CauseDto, SuspectDto};

    fn incident(started: u64, culprit: (&str, &str, Option<&str>), cause: &str, affected: &[&str]) -> Arc<IncidentDto> {
        let entity = EntityDto {
            kind: culprit.0.to_owned(),
            name: culprit.1.to_owned(),
            service: culprit.2.map(str::to_owned),
        };
        let suspect = SuspectDto {
            entity,
            score: 1.0,
            share: 1.0,
            evidence: Vec::new(),
        };
        let affected = affected.iter().map(|service| AffectedDto {
            service: (*service).to_owned(),
            impact: 0.5,
            first_shaken_unix_nano: None,
        });
        Arc::new(IncidentDto {
            id: format!("{started}-{}", culprit.1),
            state: "resolved".to_owned(),
            started_unix_nano: started.to_string(),
            detected_unix_nano: started.to_string(),
            resolved_unix_nano: None,
            cause: CauseDto {
                kind: cause.to_owned(),
                confidence: 1.0,
            },
            suspects: vec![suspect],
            affected: affected.collect(),
            entry_points: vec!["front GET /".to_owned()],
            explanation: ExplanationDto::default(),
            notes: Vec::new(),
            similar: Vec::new(),
        })
    }

    const PAYMENT: (&str, &str, Option<&str>) = ("service", "payment", None);

    fn told(now: &Arc<IncidentDto>, all: &[Arc<IncidentDto>]) -> Vec<String> {
        similar(now, all.iter())
            .into_iter()
            .map(|one| format!("{} {:.2}", one.id, one.likeness))
            .collect()
    }

    #[test]
    fn the_same_culprit_and_cause_comes_first_and_others_do_not_come() {
        let all = [
            incident(1, PAYMENT, "unavailable", &["front", "checkout"]),
            incident(2, PAYMENT, "slow", &["front"]),
            incident(3, ("service", "cart", None), "unavailable", &["front", "checkout"]),
            incident(
                4,
                ("instance", "payment-7", Some("payment")),
                "infrastructure",
                &["front"],
            ),
            incident(9, PAYMENT, "unavailable", &["front", "checkout"]),
        ];
        let now = incident(8, PAYMENT, "unavailable", &["front", "checkout"]);
        assert_eq!(
            told(&now, &all),
            ["1-payment 1.00", "2-payment 0.70", "4-payment-7 0.60"]
        );
    }

    #[test]
    fn of_equals_the_newer_ones_and_no_more_than_are_of_use() {
        let all: Vec<_> = (1..7).map(|at| incident(at, PAYMENT, "slow", &["front"])).collect();
        let now = incident(8, PAYMENT, "slow", &["front"]);
        assert_eq!(told(&now, &all), ["6-payment 1.00", "5-payment 1.00", "4-payment 1.00"]);
        assert_eq!(told(&all[0], &all), Vec::<String>::new(), "nothing was earlier");
    }

    #[test]
    fn the_newest_notes_are_told() {
        let mut before = IncidentDto::clone(&incident(1, PAYMENT, "slow", &["front"]));
        before.notes.extend((0..NOTES_TOLD_MAX + 2).map(|number| NoteDto {
            at_unix_nano: number.to_string(),
            author: None,
            text: format!("note {number}"),
        }));
        let told = similar(
            &incident(8, PAYMENT, "slow", &["front"]),
            [Arc::new(before.clone())].iter(),
        );
        assert_eq!(told[0].notes, before.notes[2..]);
    }
}
