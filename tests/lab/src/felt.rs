//! Whether visitors felt it: requests that failed or were much slower than usual, before and during a change.

use crate::fault::Campaign;
use crate::sim::{Answer, SECOND};
use std::collections::BTreeMap;

/// Requests before this are those of a system that has just started.
const WARM: u64 = 15 * SECOND;
/// Slower than this many times the 99th percentile at rest is shaken.
const TIMES: f64 = 1.5;
/// Share of an entry's requests, beyond the usual, from which a change is felt there.
const SHARE_MIN: f64 = 0.1;
/// And at least so many requests.
const SHAKEN_MIN: usize = 10;
/// Share of all requests, beyond the usual, up to which a harmless change is harmless.
const HARMLESS_MAX: f64 = 0.005;
/// Share of the requests that end within a step up to which a harmless change is harmless, if there are this many.
const MOMENT_SHARE_MAX: f64 = 0.1;
const MOMENT_SHAKEN_MIN: u32 = 4;
/// Steps in which the first shaken request is looked for: one alone may be chance.
const STEP: u64 = 5 * SECOND;

/// What came of a run for its visitors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Felt {
    /// Share of shaken requests during the change, beyond the usual one, at the entry that suffered most.
    pub(crate) worst: f64,
    /// The same at every entry; 0 where too few were shaken to say.
    pub(crate) by_entry: Vec<f64>,
    /// The same over all entries.
    pub(crate) overall: f64,
    is_felt: bool,
    /// Whether there was a moment in which many requests were shaken.
    had_bad_moment: bool,
    /// End of the first shaken request of the first step with clearly more of them than usual.
    pub(crate) first: Option<u64>,
}

impl Felt {
    /// Whether it is a fault worth finding.
    pub(crate) fn is_felt(&self) -> bool {
        self.is_felt && self.first.is_some()
    }

    /// Whether visitors noticed nothing.
    pub(crate) fn is_harmless(&self) -> bool {
        self.overall < HARMLESS_MAX && !self.is_felt && !self.had_bad_moment
    }
}

/// Whether some entry suffers clearly more, by shares of [`Felt::by_entry`], than it does without something.
pub(crate) fn adds(with: &Felt, without: &Felt) -> Option<f64> {
    let more = with
        .by_entry
        .iter()
        .zip(&without.by_entry)
        .map(|(with, without)| with - without);
    more.max_by(f64::total_cmp).filter(|more| *more >= SHARE_MIN)
}

/// Compares the time before a change with the time in it.
pub(crate) fn judge(answers: &[Answer], entries: usize, when: Campaign) -> Felt {
    let limits: Vec<u64> = (0..entries).map(|entry| limit(answers, entry, when)).collect();
    let is_shaken = |answer: &Answer| !answer.is_ok || answer.end - answer.start > limits[answer.entry];
    let is_rest = |answer: &Answer| answer.start >= WARM && answer.end < when.begin;
    let is_in = |answer: &Answer| answer.end >= when.begin && answer.start < when.end;
    let share = |of: &dyn Fn(&Answer) -> bool| {
        let (mut all, mut shaken) = (0, 0);
        for answer in answers.iter().filter(|answer| of(answer)) {
            all += 1;
            shaken += usize::from(is_shaken(answer));
        }
        (shaken as f64 / f64::from(all).max(1.0), shaken)
    };
    let mut felt = Felt::default();
    for entry in 0..entries {
        let (usual, _) = share(&|answer| answer.entry == entry && is_rest(answer));
        let (now, shaken) = share(&|answer| answer.entry == entry && is_in(answer));
        felt.is_felt |= now - usual >= SHARE_MIN && shaken >= SHAKEN_MIN;
        let more = if shaken >= SHAKEN_MIN { now - usual } else { 0.0 };
        felt.by_entry.push(more);
        felt.worst = felt.worst.max(more);
    }
    let (usual, shaken_at_rest) = share(&is_rest);
    let (now, _) = share(&is_in);
    felt.overall = now - usual;
    let rest = when.begin.saturating_sub(WARM).max(1);
    let usual_a_step = shaken_at_rest as f64 * STEP as f64 / rest as f64;
    let mut shaken: Vec<u64> = answers
        .iter()
        .filter(|answer| is_in(answer) && is_shaken(answer))
        .map(|answer| answer.end)
        .collect();
    shaken.sort_unstable();
    felt.first = first(&shaken, usual_a_step);
    felt.had_bad_moment = had_bad_moment(answers, &is_shaken);
    felt
}

/// Whether many requests of one step, at any time after the start, were shaken.
fn had_bad_moment(answers: &[Answer], is_shaken: &dyn Fn(&Answer) -> bool) -> bool {
    let mut steps: BTreeMap<u64, (u32, u32)> = BTreeMap::new();
    for answer in answers.iter().filter(|answer| answer.start >= WARM) {
        let (all, shaken) = steps.entry(answer.end / STEP).or_default();
        *all += 1;
        *shaken += u32::from(is_shaken(answer));
    }
    steps
        .values()
        .any(|(all, shaken)| *shaken >= MOMENT_SHAKEN_MIN && f64::from(*shaken) > MOMENT_SHARE_MAX * f64::from(*all))
}

fn limit(answers: &[Answer], entry: usize, when: Campaign) -> u64 {
    let mut times: Vec<u64> = answers
        .iter()
        .filter(|answer| answer.entry == entry && answer.start >= WARM && answer.end < when.begin && answer.is_ok)
        .map(|answer| answer.end - answer.start)
        .collect();
    times.sort_unstable();
    let at = (times.len() * 99 / 100).min(times.len().saturating_sub(1));
    times.get(at).map_or(SECOND, |time| (*time as f64 * TIMES) as u64)
}

fn first(shaken: &[u64], usual_a_step: f64) -> Option<u64> {
    let enough = (usual_a_step + 4.0 * usual_a_step.sqrt()).max(2.0) as usize + 1;
    (0..shaken.len())
        .find(|at| {
            shaken
                .get(at + enough - 1)
                .is_some_and(|last| last - shaken[*at] <= STEP)
        })
        .map(|at| shaken[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHEN: Campaign = Campaign {
        begin: 100 * SECOND,
        end: 200 * SECOND,
        over: 300 * SECOND,
    };

    /// One request every 100 ms at one entry; `bad` says which of them last two seconds instead of ten milliseconds.
    fn check(bad: impl Fn(u64) -> bool) -> Felt {
        let answers: Vec<Answer> = (0..3000)
            .map(|number| {
                let start = number * SECOND / 10;
                let length = if bad(number) { 2 * SECOND } else { SECOND / 100 };
                Answer {
                    entry: 0,
                    start,
                    end: start + length,
                    is_ok: true,
                }
            })
            .collect();
        judge(&answers, 1, WHEN)
    }

    #[test]
    fn a_calm_run_is_harmless_and_a_bad_stretch_is_felt_from_its_first_request() {
        assert!(check(|_| false).is_harmless());
        // A noise of one in a hundred, before and after, is no change.
        assert!(!check(|number| number % 101 == 0).is_felt());
        let felt = check(|number| (1200..1900).contains(&number) || number == 1010);
        assert!(felt.is_felt() && !felt.is_harmless());
        assert_eq!(felt.first, Some(122 * SECOND));
        // Few of all requests, but all of one moment.
        let moment = check(|number| (1500..1520).contains(&number));
        assert!(!moment.is_felt() && !moment.is_harmless());
    }
}
