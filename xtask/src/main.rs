//! Every chore of the repository, as `cargo xtask <chore>`; `cargo xtask help` lists them.

mod bench;
mod children;
mod process;
mod score;
mod test;
mod tidy;
mod up;
mod web;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The chores of Epicenter's repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Build everything, run the server and the demo shop, print the address of the page; Ctrl-C stops it
    Up(up::Args),
    /// Run everything that a clean checkout must pass
    Test(test::Args),
    /// Check the rules of the house: who may depend on whom, purity, sizes, paths in the docs, lock files
    Tidy,
    /// Measure what a span costs
    Bench(bench::Args),
    /// Measure how often the localizer is right, on recorded failures or on simulated ones
    Score(score::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().chore {
        Chore::Up(args) => up::run(&args),
        Chore::Test(args) => test::run(&args),
        Chore::Tidy => tidy::run(),
        Chore::Bench(args) => bench::run(&args),
        Chore::Score(args) => score::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
