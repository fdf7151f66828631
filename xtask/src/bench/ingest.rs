//! `cargo xtask bench ingest`: a real server, a real load over sockets, and the CPU of the whole server process from
//! `/proc`, set against a plain prost decode of the same bytes on the same machine in the same minute.

use super::bed::{Bed, Load, Plan, folder_bytes, mib, say};
use super::procfs;
use anyhow::{Result, ensure};
use std::path::PathBuf;

/// Options of `bench ingest`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Spans to send
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    spans: u64,
    /// Connections that send side by side
    #[arg(long, default_value_t = 4, value_name = "N")]
    connections: u32,
    /// What the spans look like: shop (12 attributes, 1.5 events) or calls (10 attributes)
    #[arg(long, default_value = "shop", value_name = "SHAPE")]
    shape: String,
    /// How they are sent: grpc or http
    #[arg(long, default_value = "grpc", value_name = "TRANSPORT")]
    transport: String,
    /// Spans a second at most; 0 for as many as are acknowledged
    #[arg(long, default_value_t = 0, value_name = "N")]
    rate: u64,
    /// Folder for the server's data, emptied by nobody; default: a new one below the target folder, removed at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Tell how memory went on: once a second while sending, the slope over the second half
    #[arg(long)]
    soak: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let bed = Bed::prepare(args.data_dir.clone())?;
    let result = measure(args, &bed);
    bed.remove()?;
    result
}

fn measure(args: &Args, bed: &Bed) -> Result<()> {
    let (mut server, ready) = bed.serve(&[])?;
    let bytes_before = folder_bytes(bed.data())?;
    let ticks_before = procfs::cpu_ticks(server.id())?;
    let load = bed.load(
        &ready,
        &Plan {
            spans: args.spans,
            connections: args.connections,
            shape: &args.shape,
            transport: &args.transport,
            rate: args.rate,
        },
    )?;
    let (said, watched) = load.finish(server.id())?;
    let ticks_at_end = procfs::cpu_ticks(server.id())?;
    bed.settle(&mut server)?;
    let ticks = procfs::cpu_ticks(server.id())? - ticks_before;
    let memory = procfs::memory_peak_bytes(server.id())?;
    let second = procfs::ticks_per_second()?;
    let us_per_span = |ticks: u64| ticks as f64 / second * 1e6 / said.spans as f64;
    let resting = procfs::memory_bytes(server.id())?;
    let clean = server.stop()?;
    let bytes = folder_bytes(bed.data())?.saturating_sub(bytes_before);
    let table = folder_bytes(&bed.data().join("table"))?;

    let Load { spans, seconds, .. } = said;
    let per_span = |bytes: u64| bytes as f64 / spans as f64;
    say("spans sent and acknowledged", &format!("{spans} in {seconds:.1} s"));
    say("OTLP bytes a span", &format!("{:.0}", per_span(said.otlp_bytes)));
    say("spans/s", &format!("{:.0}", spans as f64 / seconds));
    say("requests sent again", &said.requests_retried.to_string());
    let cpu = us_per_span(ticks_at_end - ticks_before);
    say("CPU, whole server, until the last ack", &format!("{cpu:.2} us/span"));
    let settled = us_per_span(ticks);
    say("CPU, whole server, until settled", &format!("{settled:.2} us/span"));
    let prost = said.prost_us_per_span;
    say("plain prost decode of the same bytes", &format!("{prost:.2} us/span"));
    say("ratio, until settled", &format!("{:.2}", settled / prost));
    let (p50, p99) = (said.ack_ms_p50, said.ack_ms_p99);
    say("acknowledgement p50, p99", &format!("{p50:.1} ms, {p99:.1} ms"));
    say(
        "memory, most; when settled",
        &format!("{}; {}", mib(memory), mib(resting)),
    );
    say("on disk, table", &format!("{:.1} B/span", per_span(table)));
    say(
        "on disk, with the log that is kept",
        &format!("{:.1} B/span", per_span(bytes)),
    );
    if args.soak {
        let (mean, slope) = watched.second_half();
        say("memory in the second half, mean", &mib(mean as u64));
        say(
            "its slope",
            &format!("{:.1} MiB an hour", slope * 3600.0 / f64::from(1 << 20)),
        );
    }
    ensure!(clean, "the server did not stop cleanly");
    Ok(())
}
