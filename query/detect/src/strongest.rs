//! The strongest of many candidates, when to judge one is dear and a bound on what it may come to is cheap.

use crate::Symptom;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Symptoms kept of one look.
pub(crate) const SYMPTOMS_MAX: usize = 1_000;

/// Something that may be a symptom, of at most so many nats.
pub(crate) struct Candidate<T> {
    pub(crate) bound: f64,
    pub(crate) of: T,
}

/// What `judge` makes of the candidates, in no order; those whose bound lies below [`SYMPTOMS_MAX`] symptoms found
/// already are not judged.
pub(crate) fn strongest<T>(mut candidates: Vec<Candidate<T>>, judge: impl Fn(&T) -> Option<Symptom>) -> Vec<Symptom> {
    candidates.sort_unstable_by(|a, b| b.bound.total_cmp(&a.bound));
    // Nats are positive, so their bits have their order.
    let mut kept: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    let mut found = Vec::new();
    for candidate in &candidates {
        let least = kept.peek().filter(|_| kept.len() >= SYMPTOMS_MAX);
        if least.is_some_and(|least| candidate.bound < f64::from_bits(least.0)) {
            break;
        }
        if let Some(symptom) = judge(&candidate.of) {
            kept.push(Reverse(symptom.nats.max(0.0).to_bits()));
            if kept.len() > SYMPTOMS_MAX {
                kept.pop();
            }
            found.push(symptom);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Place, Signal};
    use epicenter_graph::Names;

    /// Guarantees: what is not judged would not have been among the strongest.
    #[test]
    fn none_of_the_strongest_is_left_out() {
        let nats = |number: &u64| (number * 7919 % 4001) as f64;
        let judge = |number: &u64| {
            (!number.is_multiple_of(5)).then(|| Symptom {
                signal: Signal::Errors,
                place: Place::Service(Names::NONE),
                nats: nats(number),
                value: *number as f64,
                usual: 0.0,
                at_entry: false,
            })
        };
        let candidates = |bound: &dyn Fn(&u64) -> f64| -> Vec<Candidate<u64>> {
            let all = 0..4000u64;
            all.map(|of| Candidate { bound: bound(&of), of }).collect()
        };
        let best = |candidates| {
            let mut found: Vec<Symptom> = strongest(candidates, judge);
            found.sort_by(|a, b| b.nats.total_cmp(&a.nats).then(a.value.total_cmp(&b.value)));
            found.truncate(SYMPTOMS_MAX);
            found
        };
        let all = best(candidates(&|_| f64::INFINITY));
        assert_eq!(all.len(), SYMPTOMS_MAX);
        assert_eq!(best(candidates(&|number| nats(number) * 1.1)), all);
        assert_eq!(best(candidates(&nats)), all);
    }
}
