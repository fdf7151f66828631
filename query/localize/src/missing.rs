//! Answers that are missing: calls that have no spans of their own, only those of who answers.
//!
//! Where the caller's library makes no spans, a call that nobody answers leaves nothing behind: the caller's request fails or takes
//! long, and a service that usually works for it does not appear. For each operation whose requests suffer, and each service that
//! usually answers its calls, expected = usual answers a request x requests now; blame of the service = nats of so few. It is
//! believed when nearly everybody who asks the service misses it; when nearly all is missing, or a copy is gone; and when the caller
//! gets as far as asking: it still asks others, or has nobody else to ask, or several callers miss the same service. Of several
//! that a caller misses it is the one of which most is missing, then that which most operations miss, then that which comes
//! earliest in the work, being least often the last. Source: conservation of calls, DESIGN 6.3 and 6.9.

mod suffering;

use crate::blame::Ledger;
use crate::survey::Survey;
use crate::verdict::Evidence;
use crate::words::percent;
use crate::{Scene, fallen};
use epicenter_detect::UsualCalls;
use epicenter_detect::stats::lack_of_count;
use epicenter_graph::{Callee, EdgeKey, Entity, NameId, OpKey};
use epicenter_schema::SpanKind;
use hashbrown::{HashMap, HashSet};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use suffering::{Suffering, suffering};

/// Answers to be expected of a service to an operation, below which nothing is said.
const EXPECTED_MIN: f64 = 4.0;
/// Share of the answers to be expected above which none are missing.
const LEFT_MAX: f64 = 0.9;
/// Share that must be missing where no copy is gone, or nothing tells that the caller gets as far as asking.
const NEARLY_ALL: f64 = 0.75;
/// Shares that differ by less than one of so many steps are the same.
const STEPS: f64 = 20.0;
/// Nats from which so few answers are beyond chance.
const NATS_MIN: f64 = 10.0;
/// Share of the answers to be expected that must be those to operations that miss the service.
const EVERYBODY_MIN: f64 = 0.8;
/// Kinds of spans below which calls are made that have no spans.
const ASKING: [SpanKind; 4] = [
    SpanKind::Server,
    SpanKind::Consumer,
    SpanKind::Internal,
    SpanKind::Unspecified,
];

/// Calls at rest that are told by answers alone, with the service that answers.
type Told<'a> = (&'a EdgeKey, NameId, &'a UsualCalls);
/// The operations whose requests suffer, by service and name.
type AllSuffering<'a> = HashMap<(NameId, NameId), Suffering<'a>>;

/// Answers of one service to one operation.
#[derive(Clone, Copy, Debug)]
struct Answers {
    key: EdgeKey,
    service: NameId,
    expected: f64,
    now: u64,
}

impl Answers {
    fn of(scene: &Scene<'_>, (key, service, usual): Told<'_>) -> Option<Self> {
        let asking = ASKING.map(|kind| OpKey {
            service: key.caller,
            name: key.via,
            kind,
        });
        let requests = |asking: &OpKey| scene.window.ops.get(asking).map_or(0, |op| op.count);
        let at_rest = |asking: &OpKey| scene.baseline.usual_requests(asking).map_or(0, |op| op.count);
        let requests: u64 = asking.iter().map(requests).sum();
        let at_rest: u64 = asking.iter().map(at_rest).sum();
        let expected = usual.count as f64 / at_rest.max(1) as f64 * requests as f64;
        let now = scene.window.edges.get(key).map_or(0, |edge| edge.client.count());
        (expected >= EXPECTED_MIN).then_some(Self {
            key: *key,
            service,
            expected,
            now,
        })
    }

    fn are_missing(&self) -> bool {
        self.now as f64 <= LEFT_MAX * self.expected
    }

    fn missing(&self) -> f64 {
        self.expected - self.now as f64
    }
}

/// What is missing.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    /// By edge.
    answers: Vec<Answers>,
    /// Services that are asked by hardly anybody but operations whose requests suffer, and do not get as far.
    not_reached: HashSet<NameId>,
}

impl Missing {
    /// Cost: one pass over the edges at rest, and three over those whose calls have no spans; where a part is missing, one over the
    /// dimensions.
    pub(crate) fn of(scene: &Scene<'_>, survey: &Survey<'_>) -> Self {
        let told = told_by_answers(scene);
        if told.is_empty() {
            return Self::default();
        }
        let suffering = suffering(scene, survey);
        if suffering.is_empty() {
            return Self::default();
        }
        let asked = told.iter().filter(|(key, ..)| suffers(&suffering, key));
        let missed = asked.filter_map(|told| Answers::of(scene, *told));
        let missed = missed.filter(Answers::are_missing);
        // By who should answer: all that do for anybody.
        let mut services: HashMap<NameId, Vec<Answers>> = missed.map(|one| (one.service, Vec::new())).collect();
        for told in &told {
            if let Some(of) = services.get_mut(&told.1) {
                of.extend(Answers::of(scene, *told));
            }
        }
        let gone = OnceCell::new();
        let has_gone_copies = |service| {
            let gone = gone.get_or_init(|| fallen::with_gone_copies(scene));
            gone.contains(&service)
        };
        let mut by_caller: HashMap<NameId, Vec<Candidate>> = HashMap::new();
        for of in services.into_values() {
            for candidate in candidates(of, &suffering, has_gone_copies) {
                by_caller
                    .entry(candidate.answers.key.caller)
                    .or_default()
                    .push(candidate);
            }
        }
        let answers: Vec<Answers> = by_caller.into_values().flat_map(|of| first_of(scene, of)).collect();
        let not_reached = not_reached(&told, &suffering, &answers);
        Self { answers, not_reached }
    }

    /// Whether hardly anybody gets as far as asking a service, as requests suffer before that.
    pub(crate) fn is_not_reached(&self, service: NameId) -> bool {
        self.not_reached.contains(&service)
    }

    /// The calls that nobody answers.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (EdgeKey, f64)> + '_ {
        self.answers.iter().map(|one| (one.key, one.missing()))
    }

    pub(crate) fn blame(&self, scene: &Scene<'_>, ledger: &mut Ledger) {
        let mut pairs: BTreeMap<(&str, &str), Vec<Answers>> = BTreeMap::new();
        for one in &self.answers {
            let pair = (scene.name(one.key.caller), scene.name(one.service));
            pairs.entry(pair).or_default().push(*one);
        }
        for ((caller, callee), mut of) in pairs {
            put_in_order(&mut of);
            let (expected, now) = sum(&of);
            let share = 1.0 - now as f64 / expected;
            let evidence = Evidence {
                kind: "unanswered".to_owned(),
                text: format!("{} of the answers of {callee} to {caller} are missing", percent(share)),
                value: share,
                baseline: 0.0,
                trace_ids: Vec::new(),
            };
            ledger.add(Entity::service(callee), lack_of_count(now, expected), evidence);
        }
    }
}

fn told_by_answers<'a>(scene: &Scene<'a>) -> Vec<Told<'a>> {
    let told = scene
        .baseline
        .usual_edges()
        .filter_map(|(key, calls)| match key.callee {
            Callee::Service(service) if service != key.caller && calls.are_told_by_answers() => {
                Some((key, service, calls))
            }
            _ => None,
        });
    told.collect()
}

fn suffers(suffering: &AllSuffering<'_>, key: &EdgeKey) -> bool {
    suffering.contains_key(&(key.caller, key.via))
}

/// The operations that miss a service, if that is believed. `of` is all that it answers to anybody.
fn candidates(
    mut of: Vec<Answers>,
    suffering: &AllSuffering<'_>,
    has_gone_copies: impl Fn(NameId) -> bool,
) -> Vec<Candidate> {
    put_in_order(&mut of);
    let missing: Vec<Answers> = of.iter().filter(|one| one.are_missing()).copied().collect();
    let (expected, now) = sum(&missing);
    let everybody_does = expected >= EVERYBODY_MIN * sum(&of).0;
    if !everybody_does || lack_of_count(now, expected) < NATS_MIN {
        return Vec::new();
    }
    let share = 1.0 - now as f64 / expected;
    if share < NEARLY_ALL && !has_gone_copies(of[0].service) {
        return Vec::new();
    }
    let callers: HashSet<NameId> = missing.iter().map(|one| one.key.caller).collect();
    let candidate = |one: &Answers| {
        let op = suffering.get(&(one.key.caller, one.key.via))?;
        let gets_so_far = match op.asks_others(one.key) {
            _ if callers.len() > 1 => true,
            Some(asks) => asks,
            None => share >= NEARLY_ALL,
        };
        gets_so_far.then(|| Candidate {
            answers: *one,
            share: (share * STEPS).round() as u32,
            operations: missing.len(),
            is_last: op.is_last(one.service),
        })
    };
    missing.iter().filter_map(candidate).collect()
}

/// Of several services that a caller misses, the answers of the first.
fn first_of(scene: &Scene<'_>, candidates: Vec<Candidate>) -> Vec<Answers> {
    let before = |a: &&Candidate, b: &&Candidate| {
        let order = b.share.cmp(&a.share).then(b.operations.cmp(&a.operations));
        let order = order.then(a.is_last.total_cmp(&b.is_last));
        order.then_with(|| scene.name(a.answers.service).cmp(scene.name(b.answers.service)))
    };
    let first = candidates.iter().min_by(before).map(|one| one.answers.service);
    let all = candidates.into_iter().map(|one| one.answers);
    all.filter(|one| Some(one.service) == first).collect()
}

/// Services that hardly anybody asks but operations whose requests suffer, of those that are not missing themselves.
fn not_reached(told: &[Told<'_>], suffering: &AllSuffering<'_>, missing: &[Answers]) -> HashSet<NameId> {
    let missing: HashSet<NameId> = missing.iter().map(|one| one.service).collect();
    // Calls of all, and of those.
    let mut asked: HashMap<NameId, (u64, u64)> = HashMap::new();
    for (key, service, calls) in told.iter().filter(|(_, service, _)| !missing.contains(service)) {
        let (all, lost) = asked.entry(*service).or_default();
        *all += calls.count;
        *lost += if suffers(suffering, key) { calls.count } else { 0 };
    }
    let is_not_reached = |(_, (all, lost)): &(NameId, (u64, u64))| *lost as f64 >= EVERYBODY_MIN * *all as f64;
    let not_reached = asked.into_iter().filter(is_not_reached);
    not_reached.map(|(service, _)| service).collect()
}

/// A sum of fractions depends on their order.
fn put_in_order(of: &mut [Answers]) {
    of.sort_by(|a, b| a.expected.total_cmp(&b.expected).then(a.now.cmp(&b.now)));
}

/// Answers to be expected, and answers now.
fn sum(of: &[Answers]) -> (f64, u64) {
    of.iter()
        .fold((0.0, 0), |sum, one| (sum.0 + one.expected, sum.1 + one.now))
}

/// A service that an operation may miss.
struct Candidate {
    answers: Answers,
    /// The share of its answers that all miss, in [`STEPS`].
    share: u32,
    /// How many operations miss it.
    operations: usize,
    /// How often at rest it is the last that is asked.
    is_last: f64,
}
