//! The report that a person on call reads: the culprit first, then why, who is shaken, the way in, and what else it
//! might be. Plain text, no colour, so that it can be pasted into a chat as it is.

use super::Seen;
use epicenter_incident::{Affected, CauseKind, Incident, Suspect};
use epicenter_schema::Timestamp;
use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

/// Services listed as shaken, evidence a suspect, and other suspects shown; the JSON has them all.
const SHAKEN_MAX: usize = 12;
const EVIDENCE_MAX: usize = 6;
const OTHERS_MAX: usize = 4;

/// The whole report.
pub(super) fn render(incidents: &[Incident], seen: &Seen, without_baseline: bool) -> String {
    let mut out = String::new();
    if incidents.is_empty() {
        out.push_str("Nothing broke: no entry point left the range of its baseline.\n");
    }
    for (index, incident) in incidents.iter().enumerate() {
        if incidents.len() > 1 {
            let _ = writeln!(out, "Incident {} of {}", index + 1, incidents.len());
        }
        one(&mut out, incident);
        out.push('\n');
    }
    foot(&mut out, seen, without_baseline);
    out
}

fn one(out: &mut String, incident: &Incident) {
    let _ = writeln!(out, "{}", headline(incident));
    let kind = incident.cause.kind.as_str();
    let _ = writeln!(
        out,
        "  what     {kind}, {:.0} % sure",
        incident.cause.confidence * 100.0
    );
    let _ = match incident.resolved {
        Some(end) => writeln!(
            out,
            "  when     {} to {}, {}",
            clock_time(incident.started),
            clock_time(end),
            length(incident.started, end)
        ),
        None => writeln!(
            out,
            "  when     since {}, not over at the end",
            clock_time(incident.started)
        ),
    };
    if let Some(culprit) = incident.suspects.first() {
        evidence(out, culprit);
    }
    way(out, incident);
    shaken(out, incident);
    if !incident.entry_points.is_empty() {
        let _ = writeln!(out, "  felt at  {}", incident.entry_points.join(", "));
    }
    let others: Vec<String> = incident
        .suspects
        .iter()
        .skip(1)
        .take(OTHERS_MAX)
        .map(|s| format!("{} {} {:.0} %", s.entity.kind.as_str(), s.entity.name, s.score * 100.0))
        .collect();
    if !others.is_empty() {
        let _ = writeln!(
            out,
            "  or else  {}{}",
            others.join(", "),
            more(incident.suspects.len() - 1, OTHERS_MAX)
        );
    }
}

/// The way down to the culprit, and a good trace to lay beside a bad one.
fn way(out: &mut String, incident: &Incident) {
    let explanation = &incident.explanation;
    if explanation.chain.len() > 1 {
        let names: Vec<&str> = explanation.chain.iter().map(|entity| entity.name.as_str()).collect();
        let _ = writeln!(out, "  the way  {}", names.join(" -> "));
    }
    if let (Some(bad), Some(good)) = (explanation.exemplars.bad, explanation.exemplars.good) {
        let _ = writeln!(out, "  compare  bad trace {bad} with good trace {good}");
    }
}

/// Who is shaken and since when, after the start, and what part of all requests that is.
fn shaken(out: &mut String, incident: &Incident) {
    if incident.affected.is_empty() {
        return;
    }
    let one = |affected: &Affected| {
        let later = affected
            .first_shaken
            .map_or(0, |at| (at - incident.started).0 / 1_000_000_000);
        let since = if later > 0 {
            format!(" after {later} s")
        } else {
            String::new()
        };
        format!("{} {:.0} %{since}", affected.service, affected.impact * 100.0)
    };
    let shaken: Vec<String> = incident.affected.iter().take(SHAKEN_MAX).map(one).collect();
    let _ = writeln!(
        out,
        "  shaken   {}{}",
        shaken.join(", "),
        more(incident.affected.len(), SHAKEN_MAX)
    );
    let radius = incident.explanation.blast_radius;
    if radius.requests > 0.0 {
        let _ = writeln!(
            out,
            "  spread   {:.0} % of all requests suffer",
            radius.requests * 100.0
        );
    }
}

fn evidence(out: &mut String, culprit: &Suspect) {
    for (index, evidence) in culprit.evidence.iter().take(EVIDENCE_MAX).enumerate() {
        let label = if index == 0 { "why" } else { "" };
        let _ = writeln!(out, "  {label:<8} {}", evidence.text);
        if let Some(trace) = evidence.trace_ids.first() {
            let _ = writeln!(out, "           e.g. trace {trace}");
        }
    }
}

/// One plain sentence: what broke.
fn headline(incident: &Incident) -> String {
    let Some(culprit) = incident.suspects.first() else {
        return "Something is wrong, and the evidence does not say where".to_owned();
    };
    let entity = &culprit.entity;
    let name = match (&entity.service, entity.kind.as_str()) {
        (Some(service), kind @ ("instance" | "operation" | "version")) => {
            format!("{kind} {} of {service}", entity.name)
        }
        (_, "service") => entity.name.clone(),
        (_, kind) => format!("{kind} {}", entity.name),
    };
    let sure = format!("{:.0} % of the suspicion", culprit.score * 100.0);
    let what = match incident.cause.kind {
        CauseKind::Unavailable => format!("{name} does not answer"),
        CauseKind::Errors => format!("{name} answers with errors of its own"),
        CauseKind::Slow => format!("{name} is slow of its own accord"),
        CauseKind::CacheBreakdown => format!("The cache stopped absorbing calls: {name}"),
        CauseKind::TrafficSurge => format!("More traffic arrives than {name} can hold"),
        CauseKind::Infrastructure => format!("{name} is broken, its siblings are healthy"),
        CauseKind::Network => format!("The network at {name} is slow or loses calls"),
        CauseKind::BadDeploy => format!("A bad deploy of {name}"),
        CauseKind::Unknown => format!("Something is wrong, most likely at {name}"),
    };
    format!("{what} ({sure})")
}

fn foot(out: &mut String, seen: &Seen, without_baseline: bool) {
    let _ = write!(out, "Read {} spans", grouped(seen.spans));
    if let Some((start, end)) = seen.between {
        let _ = write!(out, " from {} to {}", clock_time(start), clock_time(end));
    }
    if seen.refused > 0 {
        let _ = write!(out, "; {} could not be used", grouped(seen.refused));
    }
    out.push_str(".\n");
    if without_baseline {
        out.push_str("No --baseline was given: the first minutes of the files were taken as the system at rest.\n");
    }
}

fn more(total: usize, shown: usize) -> String {
    if total > shown {
        format!(" and {} more", total - shown)
    } else {
        String::new()
    }
}

fn clock_time(at: Timestamp) -> String {
    let since = Duration::from_nanos(u64::try_from(at.0).unwrap_or(0));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

fn length(from: Timestamp, to: Timestamp) -> String {
    let secs = ((to - from).0 / 1_000_000_000).max(0).unsigned_abs();
    humantime::format_duration(Duration::from_secs(secs)).to_string()
}

/// A whole number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
