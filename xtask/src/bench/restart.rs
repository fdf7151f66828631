//! `cargo xtask bench restart`: how long a server that was killed with a long log takes until it serves again.

use super::bed::{Bed, Plan, folder_bytes, mib, say};
use super::procfs;
use anyhow::{Context, Result, ensure};
use std::time::Instant;

/// Settings with which nothing is sealed, so that everything stays in the log. Such a log cannot come about by itself: what
/// is not sealed is bounded.
const CONFIG: &str = "[storage]\nseal_after = \"1h\"\nseal_spans = 4194304\nunsealed_bytes_max = \"8GiB\"\n";

/// Options of `bench restart`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Spans to leave in the log; the default is a GiB of them
    #[arg(long, default_value_t = 1_447_000, value_name = "N")]
    spans: u64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let bed = Bed::prepare(None)?;
    let result = measure(args, &bed);
    bed.remove()?;
    result
}

fn measure(args: &Args, bed: &Bed) -> Result<()> {
    let config = bed.data().join("epicenter.toml");
    std::fs::write(&config, CONFIG).context("could not write the configuration")?;
    let flags = ["--config", config.to_str().context("a plain path")?];
    let (mut server, ready) = bed.serve(&flags)?;
    let plan = Plan {
        spans: args.spans,
        connections: 4,
        shape: "shop",
        transport: "grpc",
        rate: 0,
    };
    let (said, _) = bed.load(&ready, &plan)?.finish(server.id())?;
    server.kill()?;
    let log = folder_bytes(&bed.data().join("log"))?;

    let begun = Instant::now();
    let (mut server, ready) = bed.serve(&flags)?;
    let took = begun.elapsed();
    let memory = procfs::memory_peak_bytes(server.id())?;
    let query = "SELECT count(*) AS n FROM spans";
    let answer: serde_json::Value = bed.ask(&ready, &["sql", "--query", query])?;
    let found = answer["rows"][0]["n"].as_u64();
    ensure!(server.stop()?, "the server did not stop cleanly");

    say("spans in the log; its size", &format!("{}; {}", said.spans, mib(log)));
    say("from start to ready", &format!("{:.1} s", took.as_secs_f64()));
    say("memory then", &mib(memory));
    ensure!(
        found == Some(said.spans),
        "{} spans were acknowledged, {found:?} are there",
        said.spans
    );
    Ok(())
}
