//! `cargo xtask bench query`: what looking for a trace costs in a table of millions of spans, cold and warm, and how soon
//! after its acknowledgement a span is seen while others arrive.

use super::bed::{Bed, Plan, folder_bytes, say};
use crate::children::Ready;
use anyhow::{Result, ensure};
use serde::Deserialize;
use std::path::PathBuf;

/// Longest load that runs beside the look at what is visible, in seconds.
const BESIDE_S: u64 = 120;

/// Options of `bench query`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Spans in the table
    #[arg(long, default_value_t = 10_000_000, value_name = "N")]
    spans: u64,
    /// What the spans look like: shop (12 attributes, 1.5 events) or calls (10 attributes)
    #[arg(long, default_value = "calls", value_name = "SHAPE")]
    shape: String,
    /// Traces drawn over the time that is kept, each of which is asked for in every way
    #[arg(long, default_value_t = 200, value_name = "N")]
    samples: u64,
    /// Spans a second that arrive while it is looked how soon they are seen
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    rate: u64,
    /// Folder for the server's data, emptied by nobody: what it holds is asked for too; default: a new one below the
    /// target folder, removed at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Times in milliseconds.
#[derive(Debug, Deserialize)]
struct Times {
    ms_p50: f64,
    ms_p99: f64,
}

#[derive(Debug, Deserialize)]
struct Searches {
    service: Times,
    attribute: Times,
    everything: Times,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let bed = Bed::prepare(args.data_dir.clone())?;
    let result = measure(args, &bed);
    bed.remove()?;
    result
}

fn measure(args: &Args, bed: &Bed) -> Result<()> {
    let file = bed.data().join("samples.json");
    let file = file.to_str().unwrap_or("samples.json");
    fill(args, bed, file)?;
    let segments = std::fs::read_dir(bed.data().join("table/segments"))?.count();
    let table = folder_bytes(&bed.data().join("table"))?;
    bed.chill()?;

    let (mut server, ready) = bed.serve(&[])?;
    let trace = |ready: &Ready| bed.ask::<Times>(ready, &["trace", "--file", file]);
    let cold = trace(&ready)?;
    trace(&ready)?;
    let warm = trace(&ready)?;
    let searches: Searches = bed.ask(&ready, &["search", "--file", file])?;
    let beside = bed.load(&ready, &plan(args, args.rate * BESIDE_S, args.rate))?;
    let endpoint = format!("http://{}", ready.otlp_http);
    let visible: Times = bed.ask(&ready, &["visible", "--otlp-http", &endpoint])?;
    beside.stop()?;
    ensure!(server.stop()?, "the server did not stop cleanly");

    say(
        "spans; segments; table",
        &format!("{}; {segments}; {} MB", args.spans, table / 1_000_000),
    );
    let both = |times: &Times| format!("p50 {:.1} ms, p99 {:.1} ms", times.ms_p50, times.ms_p99);
    say("trace by id, page cache cold", &both(&cold));
    say("trace by id, warm", &both(&warm));
    say("search by service, warm", &both(&searches.service));
    say("search by an attribute of few, warm", &both(&searches.attribute));
    say("search by everything, warm", &both(&searches.everything));
    say(
        &format!("from ack to visible, {} spans/s beside", args.rate),
        &both(&visible),
    );
    Ok(())
}

/// Puts the spans in the table and draws the samples.
fn fill(args: &Args, bed: &Bed, file: &str) -> Result<()> {
    let (mut server, ready) = bed.serve(&[])?;
    let load = bed.load(&ready, &plan(args, args.spans, 0))?;
    load.finish(server.id())?;
    bed.settle(&mut server)?;
    let count = args.samples.to_string();
    bed.ask::<serde_json::Value>(&ready, &["sample", "--count", &count, "--file", file])?;
    ensure!(server.stop()?, "the server did not stop cleanly");
    Ok(())
}

fn plan(args: &Args, spans: u64, rate: u64) -> Plan<'_> {
    Plan {
        spans,
        connections: 4,
        shape: &args.shape,
        transport: "http",
        rate,
    }
}
