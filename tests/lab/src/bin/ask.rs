//! `ask`: puts questions to a running server and prints one JSON line of how long it took. `cargo xtask bench query` runs it.

use anyhow::Context;
use bytes::Bytes;
use clap::{Parser, Subcommand};
use epicenter_lab::ask::{Asker, By, Sample, quantile};
use epicenter_lab::payload::{Generator, Shape};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Parser)]
#[command(about = "Asks a server and says how long it took")]
struct Args {
    /// Server to ask, such as http://127.0.0.1:4319
    #[arg(long)]
    endpoint: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Draws traces over the time that is kept and writes them to a file
    Sample {
        #[arg(long, default_value_t = 200)]
        count: usize,
        #[arg(long)]
        file: PathBuf,
    },
    /// Asks for each trace of the file by its id
    Trace {
        #[arg(long)]
        file: PathBuf,
    },
    /// Searches for each trace of the file
    Search {
        #[arg(long)]
        file: PathBuf,
    },
    /// Asks in SQL and prints the answer
    Sql {
        #[arg(long)]
        query: String,
    },
    /// Sends requests one after the other and waits until each is seen
    Visible {
        /// Where to send, such as http://127.0.0.1:4318
        #[arg(long)]
        otlp_http: String,
        #[arg(long, default_value_t = 300)]
        count: u64,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let asker = Asker::new(&args.endpoint)?;
    let line = match args.what {
        What::Sample { count, file } => {
            let samples = asker.sample(count).await?;
            std::fs::write(&file, serde_json::to_vec(&samples)?).context("could not write the samples")?;
            serde_json::json!({ "samples": samples.len() })
        }
        What::Trace { file } => summary(&mut asker.traces(&read(&file)?).await?),
        What::Search { file } => {
            let samples = read(&file)?;
            let mut line = serde_json::Map::new();
            for (name, by) in [
                ("service", By::Service),
                ("attribute", By::Attribute),
                ("everything", By::Everything),
            ] {
                // Once to warm up.
                asker.search(&samples, by).await?;
                line.insert(name.to_owned(), summary(&mut asker.search(&samples, by).await?));
            }
            line.into()
        }
        What::Sql { query } => asker.sql(&query).await?,
        What::Visible { otlp_http, count } => {
            let mut times = Vec::new();
            for number in 0..count {
                let now = now_unix_nano();
                let (payload, trace_id) = Generator::new(Shape::Calls, now ^ number, now).trace_request();
                times.push(asker.visible(&otlp_http, Bytes::from(payload), &trace_id).await?);
            }
            summary(&mut times)
        }
    };
    writeln!(std::io::stdout().lock(), "{line}")?;
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Vec<Sample>> {
    let text = std::fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
    Ok(serde_json::from_slice(&text)?)
}

fn summary(times: &mut [Duration]) -> serde_json::Value {
    let mut ms = |share: f64| quantile(times, share).as_secs_f64() * 1e3;
    serde_json::json!({ "ms_p50": ms(0.5), "ms_p99": ms(0.99), "ms_max": ms(1.0) })
}

#[expect(
    clippy::disallowed_methods,
    reason = "spans of now are what a live server expects; the asker stands outside of it"
)]
fn now_unix_nano() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
