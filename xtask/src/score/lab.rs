//! `cargo xtask score --lab`: how often the localizer is right on simulated systems whose truth is known.
//!
//! Every seed is simulated into a scratch folder, judged by the release `epicenter analyze --json` without a baseline, as a
//! live server would judge it in event time, and compared with the truth, which the program never sees. Even seeds may be
//! looked at, odd seeds are only scored; their figures are never put together.

mod kept;
mod pairs;
mod table;
mod verdict;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::process::Command;
use verdict::Verdict;

/// Seeds of one run at most.
const SEEDS_MAX: u64 = 100_000;

/// Options of `score --lab`.
#[derive(clap::Args, Debug)]
#[group(id = "simulated")]
pub(super) struct Args {
    /// Score simulated systems instead of the data sets
    #[arg(long)]
    lab: bool,
    /// Seeds of the simulated systems, from A up to but not including B; 48 go through all kinds once, for either half
    #[arg(long, value_name = "A..B", value_parser = seeds, default_value = "0..192")]
    seeds: (u64, u64),
    /// Half of the seeds: even ones, to look at, or odd ones, only to score
    #[arg(long, value_enum, default_value_t)]
    what: What,
    /// Faults at once in one system
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2))]
    faults: u8,
    /// Only this kind of fault; may be given more than once
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// What is spoiled before it is judged
    #[arg(long, value_enum)]
    degrade: Option<Degrade>,
    /// An `epicenter` that is built already, for the lab with `simulate` beside it, instead of building them
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// A day without a fault instead, 24 simulated hours for every seed
    #[arg(long)]
    day: bool,
    /// Fail when a figure is below the kept one
    #[arg(long)]
    check: bool,
    /// Keep the figures of this run, to be checked against later
    #[arg(long, conflicts_with = "check")]
    accept: bool,
}

/// A half of the seeds.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum What {
    /// Even seeds
    #[default]
    Look,
    /// Odd seeds
    Scored,
}

/// How telemetry is spoiled.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Degrade {
    /// One trace in 16 is kept
    Keep,
    /// One service in ten sends nothing
    Untraced,
    /// Clocks are off by up to three minutes
    Skew,
    /// No span has a kind
    Kinds,
    /// Calls over HTTP and gRPC have no spans of their own
    Calls,
    /// No span has a status
    Status,
    /// Names hold identifiers instead of routes
    Routes,
    /// Attributes have the names of old conventions
    Names,
}

impl Degrade {
    fn options(self) -> [&'static str; 2] {
        match self {
            Self::Keep => ["--keep", "16"],
            Self::Untraced => ["--untraced", "0.1"],
            Self::Skew => ["--clock-skew", "180s"],
            Self::Kinds => ["--without", "kinds"],
            Self::Calls => ["--without", "calls"],
            Self::Status => ["--without", "status"],
            Self::Routes => ["--without", "routes"],
            Self::Names => ["--without", "names"],
        }
    }
}

impl Args {
    pub(super) fn is_wanted(&self) -> bool {
        self.lab
    }

    /// The program to be scored, built if it was not given.
    pub(super) fn program(&self) -> Result<PathBuf> {
        match &self.program {
            Some(program) => Ok(program.clone()),
            None => crate::workspace::release_build(),
        }
    }

    /// Name of the figures in the kept table: which seeds, and what was done to them.
    fn name(&self) -> String {
        let what = match self.what {
            What::Look => "look",
            What::Scored => "scored",
        };
        let mut name = format!("{what} {}..{}", self.seeds.0, self.seeds.1);
        if self.faults == 2 {
            name += ", 2 faults";
        }
        if let Some(degrade) = self.degrade.and_then(|degrade| degrade.to_possible_value()) {
            name += ", ";
            name += degrade.get_name();
        }
        if self.day {
            name += ", a day";
        }
        name
    }

    fn chosen(&self) -> Vec<u64> {
        let rest = match self.what {
            What::Look => 0,
            What::Scored => 1,
        };
        (self.seeds.0..self.seeds.1).filter(|seed| seed % 2 == rest).collect()
    }
}

fn seeds(text: &str) -> Result<(u64, u64)> {
    let (from, to) = text.split_once("..").context("expected A..B, such as 0..192")?;
    let seeds = (from.trim().parse()?, to.trim().parse()?);
    ensure!(seeds.0 < seeds.1, "{text}: there is no seed in it");
    ensure!(seeds.1 - seeds.0 <= SEEDS_MAX, "{text}: at most {SEEDS_MAX} seeds");
    Ok(seeds)
}

/// What is common to the runs of all seeds.
struct Bench<'a> {
    args: &'a Args,
    program: PathBuf,
    simulator: PathBuf,
    scratch: Scratch,
}

/// Simulates, judges, compares, prints.
pub(super) fn run(args: &Args, jobs: usize, misses: bool) -> Result<()> {
    let is_part = !args.kind.is_empty();
    ensure!(
        !(args.accept || args.check) || !is_part,
        "figures are kept of all kinds together, without --kind"
    );
    ensure!(
        args.faults == 1 || !is_part && !args.day,
        "--faults 2 goes through all kinds by itself, and not with --day"
    );
    let program = args.program()?;
    let bench = Bench {
        args,
        simulator: program.with_file_name("simulate"),
        program,
        scratch: Scratch::make(&crate::workspace::target()?)?,
    };
    let chosen = args.chosen();
    eprintln!("score: {} simulated systems, {}", chosen.len(), args.name());
    let (rendered, missed, figures) = if args.faults == 2 {
        let verdicts = super::side_by_side(&chosen, jobs, |seed| bench.one(*seed, pairs::judge))?;
        let verdicts: Vec<pairs::Verdict> = verdicts.into_iter().flatten().collect();
        (
            pairs::table::render(&verdicts),
            pairs::table::misses(&verdicts),
            pairs::table::figures(&verdicts),
        )
    } else {
        let verdicts = super::side_by_side(&chosen, jobs, |seed| bench.one(*seed, verdict::judge))?;
        let verdicts: Vec<Verdict> = verdicts.into_iter().flatten().collect();
        ensure!(!verdicts.is_empty(), "none of these seeds has a fault of that kind");
        (
            table::render(&verdicts),
            table::misses(&verdicts),
            table::sum(&verdicts).figures(),
        )
    };
    eprintln!();
    super::print(&rendered)?;
    if misses {
        super::print(&missed)?;
    }
    if args.accept {
        kept::write(&args.name(), &figures)?;
    }
    if args.check {
        kept::check(&args.name(), &figures)?;
    }
    Ok(())
}

impl Bench<'_> {
    /// One seed; `None` when it is of a kind that is not wanted.
    fn one<T: DeserializeOwned, V>(&self, seed: u64, judge: impl Fn(T, &[u8], bool) -> Result<V>) -> Result<Option<V>> {
        let folder = self.scratch.0.join(seed.to_string());
        let verdict = self.simulate(seed, &folder).and_then(|truth| {
            let Some(truth) = truth else { return Ok(None) };
            let said = analyze(&self.program, &folder.join("spans.pb.zst"))?;
            judge(truth, &said, matches!(self.args.degrade, Some(Degrade::Skew))).map(Some)
        });
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        verdict.with_context(|| format!("seed {seed}"))
    }

    fn simulate<T: DeserializeOwned>(&self, seed: u64, folder: &Path) -> Result<Option<T>> {
        let (args, simulator) = (self.args, &self.simulator);
        let mut command = Command::new(simulator);
        command.arg("--seed").arg(seed.to_string()).arg("--out").arg(folder);
        if args.faults == 2 {
            command.args(["--faults", "2"]);
        } else if args.day {
            command.arg("--day");
        } else if !args.kind.is_empty() {
            let kind = output(Command::new(simulator).args(["--seed", &seed.to_string(), "--kind"]))?;
            if !args.kind.contains(&String::from_utf8_lossy(&kind).trim().to_owned()) {
                return Ok(None);
            }
        }
        if let Some(degrade) = args.degrade {
            command.args(degrade.options());
        }
        output(&mut command)?;
        let truth = std::fs::read(folder.join("truth.json"))?;
        Ok(Some(serde_json::from_slice(&truth).context("truth.json")?))
    }
}

fn analyze(program: &Path, spans: &Path) -> Result<Vec<u8>> {
    output(Command::new(program).args(["analyze", "--json"]).arg(spans))
}

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("could not run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

/// A folder that is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn make(target: &Path) -> Result<Self> {
        let folder = target.join(format!("lab-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("score: could not remove {}: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_fit_together() {
        let command = clap::Command::new("score");
        <super::super::Args as clap::Args>::augment_args(command).debug_assert();
    }

    #[test]
    fn a_range_of_seeds_is_half_open_and_not_empty() {
        assert_eq!(seeds("3..9").expect("fine"), (3, 9));
        for wrong in ["3", "9..3", "4..4", "a..b"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
