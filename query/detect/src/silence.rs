//! A service that used to be heard and is not any more, while others are.
//!
//! When nobody is heard at all, the spans are lost on the way or the night is quiet: that is no symptom of a service.

use crate::stats::lack_of_count;
use crate::{Baseline, Place, Signal, Symptom};
use epicenter_graph::{NameId, Names, Window};
use epicenter_schema::DurationNs;
use std::collections::BTreeMap;

/// Share of all spans of the usual rate that must still arrive for a silence to mean anything.
const REST_MIN: f64 = 0.1;

pub(crate) fn detect(
    window: &Window,
    length: DurationNs,
    baseline: &Baseline,
    names: &Names,
    found: &mut Vec<Symptom>,
) {
    let seconds = length.as_secs_f64();
    let expected_spans = baseline.total().spans as f64 / baseline.seconds().max(1e-9) * seconds;
    if (window.spans as f64) < REST_MIN * expected_spans || window.spans == 0 {
        return;
    }
    let now = heard(window, names);
    for (service, (count, is_entry, id)) in heard(baseline.total(), names) {
        let expected = count as f64 / baseline.seconds().max(1e-9) * seconds;
        if now.contains_key(service) {
            continue;
        }
        let nats = lack_of_count(0, expected);
        found.push(Symptom {
            signal: Signal::Silence,
            place: Place::Service(id),
            nats,
            value: 0.0,
            usual: expected,
            at_entry: is_entry,
        });
    }
}

/// Entry spans by service, whether any was a root, and the service's number.
fn heard<'a>(window: &Window, names: &'a Names) -> BTreeMap<&'a str, (u64, bool, NameId)> {
    let mut heard = BTreeMap::new();
    for (key, op) in &window.ops {
        if op.entries > 0 {
            let entry = heard
                .entry(names.get(key.service).as_ref())
                .or_insert((0, false, key.service));
            entry.0 += op.entries;
            entry.1 |= op.roots > 0;
        }
    }
    heard
}
