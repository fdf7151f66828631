//! `simulate`: a random system from a seed, healthy, then broken, then mended, as an OTLP file for `epicenter analyze`, with
//! the truth beside it; played live to a server as well, when told to.

use anyhow::{Context, Result};
use clap::Parser;
use epicenter_lab::experiment::{self, Plan, Without, pair};
use epicenter_lab::fault::Kind;
use epicenter_lab::replay;
use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Simulates a random system that breaks, and writes its spans and the truth")]
struct Args {
    /// The same seed gives the same bytes
    #[arg(long)]
    seed: u64,
    /// Folder for `spans.pb.zst` and `truth.json`; made if it is not there
    #[arg(long, value_name = "DIR", required_unless_present = "kind")]
    out: Option<PathBuf>,
    /// Play it live afterwards, in real time, to a server's OTLP over gRPC
    #[arg(long, value_name = "URL")]
    play: Option<String>,
    /// Only say what kind of change the seed stands for
    #[arg(long)]
    kind: bool,
    /// 24 hours without a fault, at a modest rate
    #[arg(long, conflicts_with_all = ["fault", "faults"])]
    day: bool,
    /// What happens, instead of what the seed says
    #[arg(long, value_enum, value_name = "KIND")]
    fault: Option<Kind>,
    /// Faults at once; the kind of the first of two is what the seed says of pairs
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2))]
    faults: u8,
    /// How long everything is healthy at first
    #[arg(long, value_name = "TIME")]
    healthy: Option<humantime::Duration>,
    /// How long the change lasts
    #[arg(long, value_name = "TIME")]
    broken: Option<humantime::Duration>,
    /// How long is watched afterwards
    #[arg(long, value_name = "TIME")]
    after: Option<humantime::Duration>,
    /// Head sampling: one trace in N is kept, with the threshold in its trace state
    #[arg(long, default_value_t = 1, value_name = "N")]
    keep: u64,
    /// Share of services that send nothing; every second of them breaks the context as well
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    untraced: f64,
    /// Clocks of machines are off by up to this, either way
    #[arg(long, default_value = "0s", value_name = "TIME")]
    clock_skew: humantime::Duration,
    /// What spans do not say; may be given more than once, or with commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    without: Vec<Without>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut plan = if args.day {
        Plan::day(args.seed)
    } else if args.faults == 2 {
        Plan::pair_of(args.seed)
    } else {
        Plan::of(args.seed)
    };
    if let Some(kind) = args.fault {
        plan = Plan::of_kind(args.seed, kind);
    }
    let Some(out) = args.out.filter(|_| !args.kind) else {
        writeln!(std::io::stdout().lock(), "{}", plan.kind.name())?;
        return Ok(());
    };
    let set = |time: Option<humantime::Duration>, place: &mut std::time::Duration| {
        if let Some(time) = time {
            *place = time.into();
        }
    };
    set(args.healthy, &mut plan.healthy);
    set(args.broken, &mut plan.broken);
    set(args.after, &mut plan.after);
    plan.keep_one_in = args.keep;
    plan.untraced = args.untraced;
    plan.clock_skew = args.clock_skew.into();
    plan.without = args.without;
    std::fs::create_dir_all(&out).with_context(|| format!("could not make {}", out.display()))?;
    let truth = if args.faults == 2 {
        serde_json::to_string(&pair::run(&plan, &out)?)?
    } else {
        serde_json::to_string(&experiment::run(&plan, &out)?)?
    };
    writeln!(std::io::stdout().lock(), "{truth}")?;
    let Some(endpoint) = args.play else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let file = out.join(experiment::SPANS);
    let played = runtime.block_on(replay::replay(&file, &endpoint, plan.epoch_ns(), now_unix_nano()))?;
    let line = serde_json::json!({
        "spans": played.spans,
        "requests_failed": played.failed,
        "moved_ns": played.moved_ns.to_string(),
    });
    writeln!(std::io::stdout().lock(), "{line}")?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a live server expects spans of now; the lab stands outside of it"
)]
fn now_unix_nano() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
