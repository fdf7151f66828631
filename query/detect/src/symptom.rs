//! Symptoms on entry points: what those outside feel.

use crate::baseline::Baseline;
use crate::rate::surprise;
use epicenter_graph::{OpKey, Window};

/// Surprise from which errors are a symptom, in nats.
const ERROR_NATS_MIN: f64 = 10.0;
/// And by how much their share must have grown.
const ERROR_GROWTH_MIN: f64 = 0.03;
/// Failed requests needed.
const ERRORS_MIN: u64 = 3;
/// Requests needed to speak of latency.
const LATENCY_COUNT_MIN: u64 = 8;
/// Requests expected before their absence says anything.
const SILENCE_EXPECTED_MIN: f64 = 15.0;

/// What an entry point suffers from.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Channel {
    /// It fails.
    Errors,
    /// It is slow.
    Latency,
    /// Nothing comes.
    Silence,
}

/// One entry point in trouble.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Symptom {
    /// The entry point.
    pub op: OpKey,
    /// What it suffers from.
    pub channel: Channel,
    /// How sure that is: nats of errors, distance of latency, requests missed.
    pub strength: f64,
    /// Now: share of failures, or nanoseconds, or requests a second.
    pub value: f64,
    /// The same at rest.
    pub rest: f64,
}

/// The symptoms of a stretch of `seconds`, in no particular order.
pub fn entry_symptoms(baseline: &Baseline, now: &Window, seconds: f64) -> Vec<Symptom> {
    let mut found = Vec::new();
    for (key, base) in &baseline.ops {
        if base.roots * 2 < base.count {
            continue;
        }
        let Some(stats) = now.ops.get(key) else {
            let expected = base.rate_median * seconds;
            if expected >= SILENCE_EXPECTED_MIN {
                found.push(Symptom {
                    op: *key,
                    channel: Channel::Silence,
                    strength: expected,
                    value: 0.0,
                    rest: base.rate_median,
                });
            }
            continue;
        };
        let share = stats.errors as f64 / stats.count as f64;
        let nats = surprise(stats.errors, stats.count, base.error_rate);
        if stats.errors >= ERRORS_MIN && share >= base.error_rate + ERROR_GROWTH_MIN && nats >= ERROR_NATS_MIN {
            found.push(Symptom { op: *key, channel: Channel::Errors, strength: nats, value: share, rest: base.error_rate });
        }
        if stats.duration.count() >= LATENCY_COUNT_MIN
            && let Some(shift) = base.duration.shift(&stats.duration)
        {
            found.push(Symptom {
                op: *key,
                channel: Channel::Latency,
                strength: shift.distance,
                value: shift.now_ns,
                rest: base.duration.median_ns,
            });
        }
    }
    found
}
