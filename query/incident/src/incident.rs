//! An incident: one stretch of time in which something was wrong, with one answer to what.

use epicenter_localize::{Affected, Cause, Diagnosis, Explanation, Suspect};
use epicenter_schema::Timestamp;

/// Whether it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Still going on.
    Open,
    /// Over.
    Resolved,
}

/// Something was wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Made of the start and the first culprit; never changes.
    pub id: String,
    /// Whether it is over.
    pub state: State,
    /// Start of the first window with symptoms.
    pub started: Timestamp,
    /// End of the window that raised it.
    pub detected: Timestamp,
    /// Since when everything was calm again.
    pub resolved: Option<Timestamp>,
    /// What kind of thing happened.
    pub cause: Cause,
    /// Who did it, best first; scores sum to at most 1.
    pub suspects: Vec<Suspect>,
    /// Who suffers, the most first.
    pub affected: Vec<Affected>,
    /// Where people feel it: `service operation`.
    pub entry_points: Vec<String>,
    /// What makes the answer plain.
    pub explanation: Explanation,
}

/// What became of an incident.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is new.
    Opened(Incident),
    /// Its answer is another one now.
    Updated(Incident),
    /// It is over.
    Resolved(Incident),
}

impl Incident {
    pub(crate) fn new(started: Timestamp, detected: Timestamp, diagnosis: Diagnosis) -> Self {
        let culprit = diagnosis
            .culprit()
            .map_or_else(|| "unknown".to_owned(), |entity| slug(&entity.name));
        let mut incident = Self {
            id: format!("{}-{culprit}", started.0.div_euclid(1_000_000)),
            state: State::Open,
            started,
            detected,
            resolved: None,
            cause: Cause::default(),
            suspects: Vec::new(),
            affected: Vec::new(),
            entry_points: Vec::new(),
            explanation: Explanation::default(),
        };
        incident.take(diagnosis);
        incident
    }

    pub(crate) fn take(&mut self, diagnosis: Diagnosis) {
        self.cause = diagnosis.cause;
        self.suspects = diagnosis.suspects;
        self.affected = diagnosis.affected;
        self.entry_points = diagnosis.entry_points;
        self.explanation = diagnosis.explanation;
    }
}

/// Longest part of an id that comes from a name.
const SLUG_CHARS_MAX: usize = 40;

fn slug(name: &str) -> String {
    let safe = name.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    let text: String = safe.take(SLUG_CHARS_MAX).collect();
    text.trim_matches('-').to_owned()
}
