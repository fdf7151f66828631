//! `cargo xtask bench <what>`: what things cost, measured on release builds.

mod ingest;
mod procfs;

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
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Ingest(args) => ingest::run(args),
    }
}
