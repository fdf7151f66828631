//! A recorded failure: what was observed after a recording at rest is judged as one stretch at the end.
//!
//! Since when it fails, and who was shaken when, is noted as windows close: the windows themselves are soon forgotten.

use super::Engine;
use crate::incident::{Change, Incident};
use epicenter_detect::{Signal, Symptom};
use epicenter_graph::Window;
use epicenter_localize::Diagnosis;
use epicenter_schema::{DurationNs, Timestamp};

/// Everything observed after a recording at rest.
#[derive(Debug, Default)]
pub(super) struct Observed {
    sum: Window,
    between: Option<(Timestamp, Timestamp)>,
    /// Start of the first window that is beyond doubt by itself.
    certain: Option<Timestamp>,
}

impl Engine {
    /// Takes the next window of it, with its symptoms, the strongest first.
    pub(super) fn note_recorded(&mut self, start: Timestamp, window: &Window, alone: &[Symptom]) {
        // Load is not compared between recordings: who is not there tells nothing.
        let heard = alone.iter().filter(|symptom| symptom.signal != Signal::Silence);
        let heard: Vec<Symptom> = heard.copied().collect();
        // A recording is one failure: who is calm in between is not shaken anew.
        self.onset.note(start, &heard, DurationNs(i64::MAX));
        let is_certain = heard.first().is_some_and(|s| s.nats >= self.config.surprise_nats);
        let end = start + self.window();
        let observed = &mut self.observed;
        observed.sum.merge(window);
        let first = observed.between.map_or(start, |(first, _)| first.min(start));
        observed.between = Some((first, end));
        if is_certain {
            observed.certain.get_or_insert(start);
        }
    }

    /// Judges all of it.
    pub(super) fn judge_whole(&mut self, changes: &mut Vec<Change>) {
        let Some((start, end)) = self.observed.between else {
            return;
        };
        let diagnosis = self.diagnose(&self.observed.sum, end - start, None);
        let Some(diagnosis) = diagnosis.filter(Diagnosis::is_felt) else {
            return;
        };
        self.counters.incidents += 1;
        let incident = Incident::new(self.observed.certain.unwrap_or(start), end, diagnosis);
        self.incidents.push(incident.clone());
        changes.push(Change::Opened(incident));
    }
}
