//! Two faults at once in one system: apart, so that each is an event of its own, or one above the other on a call path, so that
//! both are one event.
//!
//! Each must be felt alone, and must make it worse for visitors than the other one alone does: behind a service that is gone
//! nobody can see what else is broken.

use super::play::{self, Blow};
use super::{Plan, SYSTEMS_MAX, TARGETS_MAX, TRIAL, write_truth};
use crate::fault::truth::Truth;
use crate::fault::{self, Campaign, Fault, Kind, Relation};
use crate::felt::{self, Felt};
use crate::sim::SECOND;
use crate::system::{self, System};
use anyhow::{Result, bail};
use serde::Serialize;
use std::path::Path;

/// The second fault begins this long after the first at most, in seconds.
const LAG_MAX_S: u64 = 60;
/// Second faults drawn for one first.
const PARTNERS_MAX: usize = 60;

/// The truth of a run with two faults, as `truth.json`.
#[derive(Clone, Debug, Serialize)]
pub struct PairTruth {
    /// The seed.
    pub seed: u64,
    /// How the second fault stands to the first.
    pub relation: Relation,
    /// Entries that ask for what either fault hits.
    pub entries_in_common: usize,
    /// Either fault, the one that began first before the other. When visitors felt the second one first is not told, since they
    /// cannot know by which they suffer; `shaken` is what each adds to the other.
    pub faults: [Truth; 2],
}

/// Whether the two faults of a seed are to be apart: every second one of even seeds, and of odd ones.
fn is_apart(seed: u64) -> bool {
    (seed / 2).is_multiple_of(2)
}

/// The kind of the first fault. Even and odd seeds go through all that can be apart, or above and below another, in turn.
fn first_kind(seed: u64) -> Kind {
    let kinds = kinds(is_apart(seed));
    let turn = usize::try_from(seed / 4).unwrap_or(0);
    kinds[turn % kinds.len()]
}

/// More requests reach others over what they share, and are never apart.
fn kinds(apart: bool) -> Vec<Kind> {
    let faults = Kind::faults().into_iter();
    faults.filter(|kind| !apart || *kind != Kind::TrafficSurge).collect()
}

impl Plan {
    /// A run of a seed with two faults, for [`run`].
    pub fn pair_of(seed: u64) -> Self {
        Self::of_kind(seed, first_kind(seed))
    }
}

/// A pair of faults, drawn for a system.
struct Pair {
    relation: Relation,
    first: Fault,
    second: Fault,
    in_common: usize,
}

/// What is added to the other one by the first, and by the second.
struct Added(f64, f64);

/// Simulates a plan with a second fault into a folder, which must exist, as [`super::run`] does with one.
///
/// # Errors
/// A folder that cannot be written, a value out of its range, or a seed none of whose systems can break as wanted.
pub fn run(plan: &Plan, folder: &Path) -> Result<PairTruth> {
    plan.degrade().check()?;
    let mut rng = fastrand::Rng::with_seed(plan.seed ^ 0x2fa0_175a_70ce_1173);
    for _ in 0..SYSTEMS_MAX {
        let system = system::draw(&mut rng);
        for attempt in 0..TARGETS_MAX {
            let Some(first) = fault::choose(plan.kind, &system, attempt, &mut rng) else {
                break;
            };
            let Some(pair) = draw_second(first, is_apart(plan.seed), &system, attempt, &mut rng) else {
                continue;
            };
            let mut changed = system.clone();
            fault::prepare(&pair.first, &mut changed);
            fault::prepare(&pair.second, &mut changed);
            let (draws, lag) = (rng.u64(..), rng.u64(..=LAG_MAX_S * SECOND));
            if let Some(added) = try_it(&pair, &changed, draws)
                && let Some(truth) = play_it(plan, &pair, &added, &changed, (draws, lag), folder)?
            {
                write_truth(folder, &truth)?;
                return Ok(truth);
            }
        }
    }
    bail!(
        "seed {}: no system of {SYSTEMS_MAX} could show {} and another fault",
        plan.seed,
        plan.kind.name()
    )
}

/// A fault that stands to the first as wanted. Of those that are apart one with which it has no entries in common, or as few as
/// can be found.
fn draw_second(first: Fault, apart: bool, system: &System, attempt: u32, rng: &mut fastrand::Rng) -> Option<Pair> {
    let kinds = kinds(apart);
    let mut best: Option<Pair> = None;
    for _ in 0..PARTNERS_MAX {
        let kind = kinds[rng.usize(..kinds.len())];
        let Some(second) = fault::choose(kind, system, attempt, rng) else {
            continue;
        };
        let relation = fault::relation(&first, &second, system);
        let Some(relation) = relation.filter(|relation| (*relation == Relation::Apart) == apart) else {
            continue;
        };
        let in_common = fault::entries_in_common(&first, &second, system);
        if best.as_ref().is_none_or(|best| in_common < best.in_common) {
            best = Some(Pair {
                relation,
                first: first.clone(),
                second,
                in_common,
            });
        }
        // Those on one path have entries in common by nature.
        if !apart || in_common == 0 {
            break;
        }
    }
    best
}

/// Three shorter runs, with either fault alone and with both, of which nothing is written; `None` when one of them is not felt,
/// alone or beside the other.
fn try_it(pair: &Pair, system: &System, draws: u64) -> Option<Added> {
    let [first, second] = [&pair.first, &pair.second].map(|fault| Blow::new(fault.clone(), TRIAL));
    let felt = |blows: &[&Blow]| {
        let answers = play::trial(system, blows, TRIAL.over, draws);
        felt::judge(&answers, system.entries.len(), TRIAL)
    };
    let one = Some(felt(&[&first])).filter(Felt::is_felt)?;
    let other = Some(felt(&[&second])).filter(Felt::is_felt)?;
    let both = felt(&[&first, &second]);
    Some(Added(felt::adds(&both, &other)?, felt::adds(&both, &one)?))
}

/// The whole run; `None` when it is not felt.
fn play_it(
    plan: &Plan,
    pair: &Pair,
    added: &Added,
    system: &System,
    (draws, lag): (u64, u64),
    folder: &Path,
) -> Result<Option<PairTruth>> {
    let first = plan.when();
    let second = Campaign {
        begin: first.begin + lag,
        end: first.end + lag,
        over: first.over + lag,
    };
    let blows = [
        Blow::new(pair.first.clone(), first),
        Blow::new(pair.second.clone(), second),
    ];
    let played = play::play(plan, system, &blows, second.over, draws, folder)?;
    let felt = felt::judge(&played.answers, system.entries.len(), first);
    if !felt.is_felt() {
        return Ok(None);
    }
    let tell = |blow: &Blow, worst: f64, first: Option<u64>| {
        let mut felt = Felt::default();
        (felt.worst, felt.first) = (worst, first);
        played.tell(plan, system, blow, &felt)
    };
    Ok(Some(PairTruth {
        seed: plan.seed,
        relation: pair.relation,
        entries_in_common: pair.in_common,
        faults: [tell(&blows[0], added.0, felt.first), tell(&blows[1], added.1, None)],
    }))
}
