//! `cargo xtask bench <what>`: what things cost, measured on release builds.

mod bed;
mod ingest;
mod procfs;
mod query;
mod restart;

use anyhow::Result;

/// Options of `bench`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The price of a span, from the socket to the durable log, the table and the live graph
    Ingest(ingest::Args),
    /// How long it takes to find a trace among millions of spans, and until a span is seen
    Query(query::Args),
    /// How long a killed server takes to serve again
    Restart(restart::Args),
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Ingest(args) => ingest::run(args),
        What::Query(args) => query::run(args),
        What::Restart(args) => restart::run(args),
    }
}
