//! One seed, one run: a random system, healthy at first, then a change, then its recovery, written to files with the truth
//! beside them.
//!
//! A fault that nobody feels is no fault, and a harmless change that somebody feels is not harmless: the change is tried
//! on a shorter run first, and on the whole run too, and drawn again until it is what it should be.
//!
//! `play` runs it and writes it down, `pair` has two faults at once.

pub mod pair;
mod play;

use crate::fault::truth::Truth;
use crate::fault::{self, Campaign, Kind};
use crate::felt::{self, Felt};
use crate::sim::SECOND;
use crate::system;
use crate::telemetry::{Bare, Degrade};
use anyhow::{Context, Result, bail};
use play::Blow;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

pub use crate::telemetry::Without;

/// Systems drawn for one seed until one can break as wanted.
const SYSTEMS_MAX: u32 = 40;
/// Targets drawn in one system.
const TARGETS_MAX: u32 = 6;
/// The shorter run: healthy, then the change.
const TRIAL: Campaign = Campaign {
    begin: 60 * SECOND,
    end: 120 * SECOND,
    over: 120 * SECOND,
};
/// Simulations begin at this time, 2026-01-05 00:00 UTC, one day later for every seed.
const EPOCH_S: u64 = 1_767_571_200;
const DAY_S: u64 = 86_400;
/// Spans a second of a system that is watched for a day.
const DAY_SPANS_PER_S: f64 = 60.0;
/// Name of the file with the spans.
pub const SPANS: &str = "spans.pb.zst";
/// Name of the file with the truth.
pub const TRUTH: &str = "truth.json";

/// What is simulated and how it is written.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The same seed and plan give the same bytes.
    pub seed: u64,
    /// What happens. Even and odd seeds go through all kinds alike, so that either half sees all of them.
    pub kind: Kind,
    /// How long everything is healthy at first.
    pub healthy: Duration,
    /// How long the change lasts.
    pub broken: Duration,
    /// How long is watched afterwards.
    pub after: Duration,
    /// One trace in so many is kept; 1 keeps all.
    pub keep_one_in: u64,
    /// Share of services that send nothing.
    pub untraced: f64,
    /// Clocks of machines are off by up to this, either way.
    pub clock_skew: Duration,
    /// What spans do not say.
    pub without: Vec<Without>,
}

impl Plan {
    /// A run of a seed as it is scored: eight minutes, or twenty when nothing is wrong.
    pub fn of(seed: u64) -> Self {
        let kinds = Kind::all();
        let turn = usize::try_from(seed / 2).unwrap_or(0);
        Self::of_kind(seed, kinds[turn % kinds.len()])
    }

    /// The same with another kind of change.
    pub fn of_kind(seed: u64, kind: Kind) -> Self {
        let mut plan = Self {
            seed,
            kind,
            healthy: Duration::from_secs(240),
            broken: Duration::from_secs(150),
            after: Duration::from_secs(90),
            keep_one_in: 1,
            untraced: 0.0,
            clock_skew: Duration::ZERO,
            without: Vec::new(),
        };
        if plan.kind.is_harmless() {
            plan.broken = Duration::from_secs(720);
            plan.after = Duration::from_secs(240);
        }
        plan
    }

    /// A day without a fault, at a modest rate.
    pub fn day(seed: u64) -> Self {
        Self {
            kind: Kind::Day,
            healthy: Duration::from_secs(3 * 3600),
            broken: Duration::from_secs(20 * 3600),
            after: Duration::from_secs(3600),
            ..Self::of(seed)
        }
    }

    fn when(&self) -> Campaign {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 4);
        let begin = nanoseconds(self.healthy);
        let end = begin + nanoseconds(self.broken);
        Campaign {
            begin,
            end,
            over: end + nanoseconds(self.after),
        }
    }

    /// When the simulation begins, in nanoseconds since 1970.
    pub fn epoch_ns(&self) -> u64 {
        (EPOCH_S + (self.seed % 10_000) * DAY_S) * SECOND
    }

    fn degrade(&self) -> Degrade {
        Degrade {
            keep_one_in: self.keep_one_in,
            untraced: self.untraced,
            clock_skew: u64::try_from(self.clock_skew.as_nanos()).unwrap_or(u64::MAX / 4),
            bare: Bare::new(&self.without),
        }
    }
}

/// Simulates a plan into a folder, which must exist: [`SPANS`] and [`TRUTH`].
///
/// # Errors
/// A folder that cannot be written, a value out of its range, or a seed none of whose systems can break as wanted.
pub fn run(plan: &Plan, folder: &Path) -> Result<Truth> {
    plan.degrade().check()?;
    let kind = plan.kind;
    let mut rng = fastrand::Rng::with_seed(plan.seed ^ 0x00e9_1ce7_7e41_ab00);
    for _ in 0..SYSTEMS_MAX {
        let mut system = system::draw(&mut rng);
        if kind == Kind::Day {
            system.slow_down(DAY_SPANS_PER_S);
        }
        for attempt in 0..TARGETS_MAX {
            let Some(fault) = fault::choose(kind, &system, attempt, &mut rng) else {
                break;
            };
            let mut changed = system.clone();
            fault::prepare(&fault, &mut changed);
            let entries = changed.entries.len();
            let draws = rng.u64(..);
            let is_long = plan.when().over > 2 * TRIAL.over;
            let try_it = || {
                let blow = Blow::new(fault.clone(), TRIAL);
                felt::judge(&play::trial(&changed, &[&blow], TRIAL.over, draws), entries, TRIAL)
            };
            if is_long && !kind.is_harmless() && !fits(kind, &try_it()) {
                continue;
            }
            let blows = [Blow::new(fault.clone(), plan.when())];
            let played = play::play(plan, &changed, &blows, plan.when().over, draws, folder)?;
            let felt = felt::judge(&played.answers, entries, plan.when());
            if fits(kind, &felt) {
                let truth = played.tell(plan, &changed, &blows[0], &felt);
                write_truth(folder, &truth)?;
                return Ok(truth);
            }
        }
    }
    bail!(
        "seed {}: no system of {SYSTEMS_MAX} could show {}",
        plan.seed,
        kind.name()
    )
}

fn write_truth(folder: &Path, truth: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(truth)?;
    let path = folder.join(TRUTH);
    std::fs::write(&path, text + "\n").with_context(|| format!("could not write {}", path.display()))
}

fn fits(kind: Kind, felt: &Felt) -> bool {
    if kind.is_harmless() {
        felt.is_harmless()
    } else {
        felt.is_felt()
    }
}

#[cfg(test)]
mod tests;
