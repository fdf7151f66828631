//! `cargo xtask bench ingest`: a real server, a real load over sockets, and the CPU of the whole server process from
//! `/proc`, set against a plain prost decode of the same bytes on the same machine in the same minute.

use super::procfs;
use crate::children::Running;
use crate::workspace;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The server counts as settled when it used at most this many ticks between two looks.
const SETTLED_TICKS: u64 = 2;
/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Quiet looks in a row that make it settled: sealing works in bursts.
const QUIET_LOOKS: u32 = 3;
/// Most looks at a server that does not settle.
const LOOKS_MAX: u32 = 120;

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
}

/// What the load program says of itself, one JSON line.
#[derive(Debug, Deserialize)]
struct Load {
    spans: u64,
    otlp_bytes: u64,
    seconds: f64,
    ack_ms_p50: f64,
    ack_ms_p99: f64,
    prost_us_per_span: f64,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let program = workspace::release_build()?;
    let load = program.with_file_name("load");
    let scratch = workspace::target()?
        .join("xtask")
        .join(format!("bench-{}", std::process::id()));
    let data = args.data_dir.clone().unwrap_or_else(|| scratch.clone());
    std::fs::create_dir_all(&data).with_context(|| format!("could not create {}", data.display()))?;
    let result = measure(args, &program, &load, &data);
    if args.data_dir.is_none() {
        std::fs::remove_dir_all(&scratch).with_context(|| format!("could not remove {}", scratch.display()))?;
    }
    result
}

fn measure(args: &Args, program: &Path, load: &Path, data: &Path) -> Result<()> {
    let any = "127.0.0.1:0";
    let (mut server, ready) = Running::serve(
        Command::new(program)
            .args([
                "serve",
                "--otlp-grpc",
                any,
                "--otlp-http",
                any,
                "--http",
                any,
                "--data-dir",
            ])
            .arg(data)
            .stderr(Stdio::null()),
    )?;
    let bytes_before = folder_bytes(data)?;
    let ticks_before = procfs::cpu_ticks(server.id())?;
    let endpoint = if args.transport == "http" {
        &ready.otlp_http
    } else {
        &ready.otlp_grpc
    };
    let output = Command::new(load)
        .args(["--endpoint", &format!("http://{endpoint}")])
        .args(["--shape", &args.shape, "--transport", &args.transport])
        .args(["--rate", &args.rate.to_string()])
        .args([
            "--connections",
            &args.connections.to_string(),
            "--spans",
            &args.spans.to_string(),
        ])
        .stderr(Stdio::inherit())
        .output()
        .context("could not run the load")?;
    ensure!(output.status.success(), "the load failed");
    let said: Load = serde_json::from_slice(&output.stdout).context("what the load says is not understood")?;
    let ticks_at_end = procfs::cpu_ticks(server.id())?;
    settle(&mut server)?;
    let ticks = procfs::cpu_ticks(server.id())? - ticks_before;
    let memory = procfs::memory_peak_bytes(server.id())?;
    let second = procfs::ticks_per_second()?;
    let us_per_span = |ticks: u64| ticks as f64 / second * 1e6 / said.spans as f64;
    let resting = procfs::memory_bytes(server.id())?;
    let clean = server.stop()?;
    let bytes = folder_bytes(data)?.saturating_sub(bytes_before);
    let table = folder_bytes(&data.join("table"))?;

    let mut out = std::io::stdout().lock();
    let mut say = |name: &str, value: String| std::io::Write::write_fmt(&mut out, format_args!("{name:<38}{value}\n"));
    say(
        "spans sent and acknowledged",
        format!("{} in {:.1} s", said.spans, said.seconds),
    )?;
    say(
        "OTLP bytes a span",
        format!("{:.0}", said.otlp_bytes as f64 / said.spans as f64),
    )?;
    say("spans/s", format!("{:.0}", said.spans as f64 / said.seconds))?;
    say(
        "CPU, whole server, until the last ack",
        format!("{:.2} us/span", us_per_span(ticks_at_end - ticks_before)),
    )?;
    say(
        "CPU, whole server, until settled",
        format!("{:.2} us/span", us_per_span(ticks)),
    )?;
    say(
        "plain prost decode of the same bytes",
        format!("{:.2} us/span", said.prost_us_per_span),
    )?;
    say(
        "ratio, until settled",
        format!("{:.2}", us_per_span(ticks) / said.prost_us_per_span),
    )?;
    say(
        "acknowledgement p50, p99",
        format!("{:.1} ms, {:.1} ms", said.ack_ms_p50, said.ack_ms_p99),
    )?;
    let mib = |bytes: u64| format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20));
    say(
        "memory, most; when settled",
        format!("{}; {}", mib(memory), mib(resting)),
    )?;
    say(
        "on disk, table",
        format!("{:.1} B/span", table as f64 / said.spans as f64),
    )?;
    say(
        "on disk, with the log that is kept",
        format!("{:.1} B/span", bytes as f64 / said.spans as f64),
    )?;
    ensure!(clean, "the server did not stop cleanly");
    Ok(())
}

/// Waits until the server does nothing any more, so that sealing and the live loop are paid for too.
fn settle(server: &mut Running) -> Result<()> {
    let (mut quiet, mut before) = (0, procfs::cpu_ticks(server.id())?);
    for _ in 0..LOOKS_MAX {
        std::thread::sleep(LOOK);
        ensure!(server.ended()?.is_none(), "the server ended during the measurement");
        let now = procfs::cpu_ticks(server.id())?;
        quiet = if now - before <= SETTLED_TICKS { quiet + 1 } else { 0 };
        before = now;
        if quiet == QUIET_LOOKS {
            return Ok(());
        }
    }
    eprintln!("bench: the server did not settle within {LOOKS_MAX} s; its background work goes on");
    Ok(())
}

fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let entry = entry?;
        total += if entry.file_type()?.is_dir() {
            folder_bytes(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(total)
}
