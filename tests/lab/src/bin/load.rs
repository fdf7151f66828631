//! `load`: sends encoded trace requests over OTLP as fast as they are acknowledged, and prints one JSON line that says
//! what it took, next to what a plain prost decode of the same bytes takes. `cargo xtask bench ingest` runs it.

use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::Parser;
use epicenter_lab::load;
use epicenter_lab::load::{Payloads, Plan, Transport};
use epicenter_lab::payload::{Generator, SPANS_PER_REQUEST, Shape};
use std::io::Write;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The server's allocator too, so that the yardstick is decoded under the same conditions.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Requests made before the first is sent, up to a gigabyte and a half of them; those of longer runs are made on the way,
/// which takes a core.
const READY_MAX: u64 = 4_096;
/// Requests that stand for all in the yardstick when they are made on the way.
const SAMPLE: u64 = 512;
const SEED: u64 = 7;

#[derive(Parser)]
#[command(about = "Sends trace requests over OTLP and says how fast they were acknowledged")]
struct Args {
    /// Server to send to, such as http://127.0.0.1:4317
    #[arg(long)]
    endpoint: String,
    /// Connections that send side by side
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Spans to send, rounded up to whole requests
    #[arg(long, default_value_t = 1_000_000)]
    spans: u64,
    /// What the spans look like
    #[arg(long, value_enum, default_value_t)]
    shape: Shape,
    /// How they are sent
    #[arg(long, value_enum, default_value_t)]
    transport: Transport,
    /// Spans a second at most; 0 for as many as are acknowledged
    #[arg(long, default_value_t = 0)]
    rate: u64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let requests = args.spans.div_ceil(SPANS_PER_REQUEST as u64).max(1);
    let mut generator = Generator::new(args.shape, SEED, now_unix_nano());
    let ready = if requests > READY_MAX { SAMPLE } else { requests };
    let sample: Arc<[Bytes]> = (0..ready).map(|_| Bytes::from(generator.request())).collect();
    let sample_spans = (sample.len() * SPANS_PER_REQUEST) as f64;
    let payloads = if ready == requests {
        Payloads::Ready(Arc::clone(&sample))
    } else {
        Payloads::made_by(move || Bytes::from(generator.request()), requests)
    };
    // Once to warm up, once before and once after the load: the lower one counts, the machine may be busy.
    load::prost_decode_seconds(&sample)?;
    let before = load::prost_decode_seconds(&sample)?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("could not start")?;
    let plan = Plan {
        endpoint: args.endpoint.clone(),
        transport: args.transport,
        connections: args.connections,
        requests,
        requests_per_s: args.rate as f64 / SPANS_PER_REQUEST as f64,
    };
    let report = runtime.block_on(load::ingest(&plan, payloads))?;
    let after = load::prost_decode_seconds(&sample)?;
    ensure!(
        report.failed == 0,
        "{} of {requests} requests were given up",
        report.failed
    );

    let line = serde_json::json!({
        "spans": report.acknowledged * SPANS_PER_REQUEST as u64,
        "otlp_bytes": report.bytes,
        "seconds": report.elapsed.as_secs_f64(),
        "requests_retried": report.retried,
        "ack_ms_p50": report.latency_p50.as_secs_f64() * 1e3,
        "ack_ms_p95": report.latency_p95.as_secs_f64() * 1e3,
        "ack_ms_p99": report.latency_p99.as_secs_f64() * 1e3,
        "ack_ms_max": report.latency_max.as_secs_f64() * 1e3,
        "prost_us_per_span": before.min(after) * 1e6 / sample_spans,
    });
    writeln!(std::io::stdout().lock(), "{line}")?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "spans of now are what a live server expects; the load stands outside of it"
)]
fn now_unix_nano() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
