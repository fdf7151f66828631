//! `cargo xtask test`: everything that a clean checkout must pass, in an order that fails early and compiles nothing
//! twice. Ends with how long each step took and with one line, `N passed, N failed`.

pub(crate) mod prerequisites;
mod tally;

use crate::{process, tidy, web, workspace};
use anyhow::{Result, bail};
use std::io::Write;
use std::time::Duration;
pub(crate) use tally::Tally;

/// Options of `test`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Only this step; may be given more than once. The names are those that the summary shows
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
}

/// One step: its name, and what it does. It returns what was counted; an error is one more failure.
struct Step {
    name: &'static str,
    run: fn() -> Result<Outcome>,
}

/// What a step that could be run to its end has to say.
struct Outcome {
    tally: Tally,
    success: bool,
}

impl Outcome {
    /// A step that is one check by itself.
    fn one(success: bool) -> Self {
        Self {
            tally: Tally {
                passed: u64::from(success),
                failed: u64::from(!success),
            },
            success,
        }
    }

    /// A step that counts: a failure that its own count does not show is counted all the same.
    fn counted(mut tally: Tally, success: bool) -> Self {
        if !success && tally.failed == 0 {
            tally.failed = 1;
        }
        Self { tally, success }
    }
}

const STEPS: [Step; 9] = [
    Step {
        name: "prerequisites",
        run: needed,
    },
    Step { name: "fmt", run: fmt },
    Step {
        name: "tidy",
        run: house,
    },
    Step {
        name: "ui-build",
        run: ui_build,
    },
    Step {
        name: "ui-lint",
        run: ui_lint,
    },
    Step {
        name: "ui-unit",
        run: ui_unit,
    },
    Step {
        name: "ui-e2e",
        run: ui_e2e,
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "cargo-test",
        run: cargo_test,
    },
];

/// Runs the steps until one fails, and sums up.
pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(unknown) = args
        .only
        .iter()
        .find(|name| STEPS.iter().all(|step| step.name != **name))
    {
        let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        bail!("there is no step {unknown}; the steps are {}", names.join(", "));
    }
    let mut total = Tally::default();
    let mut report = Vec::new();
    let mut failed = None;
    for step in STEPS
        .iter()
        .filter(|step| args.only.is_empty() || args.only.iter().any(|name| name == step.name))
    {
        eprintln!("\n── {} ──", step.name);
        let clock = stopwatch();
        let outcome = (step.run)().unwrap_or_else(|error| {
            eprintln!("{}: {error:#}", step.name);
            Outcome::one(false)
        });
        report.push((step.name, clock(), outcome.tally, outcome.success));
        total += outcome.tally;
        if !outcome.success {
            failed = Some(step.name);
            break;
        }
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n── summary ──")?;
    for (name, took, tally, success) in report {
        let mark = if success { "ok  " } else { "FAIL" };
        writeln!(
            out,
            "{mark} {name:<14} {:>7.1} s   {} passed, {} failed",
            took.as_secs_f64(),
            tally.passed,
            tally.failed
        )?;
    }
    writeln!(out, "{} passed, {} failed", total.passed, total.failed)?;
    out.flush()?;
    match failed {
        Some(name) => bail!("the step {name} failed; run it alone with: cargo xtask test --only {name}"),
        None => Ok(()),
    }
}

/// Starts now; the returned function tells the time since.
fn stopwatch() -> impl Fn() -> Duration {
    let start = std::time::Instant::now();
    move || start.elapsed()
}

fn needed() -> Result<Outcome> {
    prerequisites::for_testing()?;
    Ok(Outcome::one(true))
}

fn fmt() -> Result<Outcome> {
    cargo_check(&["fmt", "--all", "--check"])
}

fn house() -> Result<Outcome> {
    let tally = tidy::check_repository()?;
    Ok(Outcome::counted(tally, tally.failed == 0))
}

fn ui_build() -> Result<Outcome> {
    web::install()?;
    web::build()?;
    Ok(Outcome::one(true))
}

fn ui_lint() -> Result<Outcome> {
    web::npm(&["run", "--silent", "lint"])?;
    Ok(Outcome::one(true))
}

fn ui_unit() -> Result<Outcome> {
    let output = web::npm(&["run", "--silent", "test"])?;
    let tally = tally::vitest(&output);
    if tally.passed == 0 {
        bail!("vitest ran no test, or its closing line is not understood any more");
    }
    Ok(Outcome::counted(tally, true))
}

/// The page in a real browser against a mock of the server; the journey `ui` drives it against the real one.
fn ui_e2e() -> Result<Outcome> {
    let output = web::npm(&["run", "--silent", "e2e:mock"])?;
    let tally = tally::playwright(&output);
    if tally.passed == 0 {
        bail!("playwright ran no test, or its closing line is not understood any more");
    }
    Ok(Outcome::counted(tally, true))
}

fn clippy() -> Result<Outcome> {
    cargo_check(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ])
}

/// Units, properties, goldens and contracts beside the code, and the journeys of `tests/it` with the debug binary.
fn cargo_test() -> Result<Outcome> {
    let finished = process::run(
        workspace::cargo()
            .args(["test", "--workspace", "--locked", "--no-fail-fast"])
            .current_dir(workspace::root()),
    )?;
    let tally = tally::cargo(&finished.output);
    if finished.success && tally.passed == 0 {
        bail!("cargo ran no test, or its closing lines are not understood any more");
    }
    Ok(Outcome::counted(tally, finished.success))
}

fn cargo_check(args: &[&str]) -> Result<Outcome> {
    let finished = process::run(workspace::cargo().args(args).current_dir(workspace::root()))?;
    Ok(Outcome::one(finished.success))
}
