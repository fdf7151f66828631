//! `cargo xtask score`: how often the localizer is right, on recorded failures with known truth.
//!
//! Every case of every data set is given to `epicenter analyze --json`, with the set's normal hours as the baseline,
//! exactly as a user would run it. The truth is read here and never reaches the program. Printed are AC@k, the share
//! of cases with a true culprit among the first k suspects, and Avg@5, the mean of AC@1 to AC@5, by set and fault kind.
//!
//! With `--lab` the failures are simulated ones, see `lab`.
//!
//! Source: the measures of MicroRank (WWW'21) and of the root cause analysis benchmarks since.

mod case;
mod lab;
mod table;

use anyhow::{Result, ensure};
use case::Case;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Options of `score`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Folder with one sub-folder a data set
    #[arg(
        long,
        env = "EPICENTER_DATASETS",
        default_value = "../shared/datasets",
        value_name = "DIR"
    )]
    datasets: PathBuf,
    /// Only this data set; may be given more than once
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    #[command(flatten)]
    lab: lab::Args,
    /// Analyses that run side by side
    #[arg(long, default_value_t = 2, value_name = "N")]
    jobs: usize,
    /// List every case that is not a hit at the first place, with what was said instead
    #[arg(long)]
    misses: bool,
    /// Write the table into this file, between its lines `<!-- score:begin -->` and `<!-- score:end -->`
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Builds the program in release mode and scores it on every data set that is there.
pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.jobs > 0, "--jobs must be at least 1");
    if args.lab.is_wanted() {
        return lab::run(&args.lab, args.jobs, args.misses);
    }
    let sets = case::find_sets(&args.datasets, &args.only)?;
    if sets.is_empty() {
        eprintln!(
            "score: skipped, no data set is in {} (choose another folder with --datasets)",
            args.datasets.display()
        );
        return Ok(());
    }
    let program = args.lab.program()?;
    let mut outcomes = Vec::new();
    for set in &sets {
        eprintln!("score: {} cases of {}", set.cases.len(), set.name);
        let analyze = |case: &Case| case.analyze(&program);
        outcomes.extend(side_by_side(&set.cases, args.jobs, analyze)?);
    }
    let table = table::render(&outcomes);
    eprintln!();
    print(&table)?;
    if args.misses {
        print(&table::misses(&outcomes))?;
    }
    if let Some(file) = &args.write {
        table::write_between_marks(file, &table)?;
    }
    Ok(())
}

fn print(text: &str) -> Result<()> {
    Ok(std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?)
}

/// Does something with every item, `jobs` of them side by side; what came of them is in the order of the items.
fn side_by_side<T: Sync, R: Send>(items: &[T], jobs: usize, work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<R>)>> = Mutex::new(Vec::new());
    let bar = indicatif::ProgressBar::new(items.len() as u64);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let outcome = work(item);
                    bar.inc(1);
                    if let Ok(mut done) = done.lock() {
                        done.push((index, outcome));
                    }
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut done = done.into_inner().map_err(|_| anyhow::anyhow!("a job panicked"))?;
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
